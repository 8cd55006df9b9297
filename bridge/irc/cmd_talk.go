package irc

import (
	"context"
	"strings"
	"time"

	irc "gopkg.in/irc.v4"

	"warren/bridge"
	"warren/bridge/names"
	"warren/rooms"
	"warren/rooms/errs"
)

func cmdPrivmsg(c *conn, r *reply, p []string) { c.talk(r, "PRIVMSG", p) }
func cmdNotice(c *conn, r *reply, p []string)  { c.talk(r, "NOTICE", p) }
func cmdTagmsg(c *conn, r *reply, p []string) {
	if c.have().has(capMessageTags) {
		c.talk(r, "TAGMSG", p)
	}
}

// talk serves PRIVMSG, NOTICE and TAGMSG.
func (c *conn) talk(r *reply, command string, p []string) {
	say := rooms.Say{Tags: c.clientTags()}
	switch {
	case len(p) == 0 || p[0] == "":
		r.num(irc.ERR_NORECIPIENT, "No recipient given ("+command+")")
		return
	case command == "TAGMSG":
		if say.Kind = rooms.Signal; len(say.Tags) == 0 {
			return
		}
	case len(p) < 2 || p[1] == "":
		r.num(irc.ERR_NOTEXTTOSEND, "No text to send")
		return
	default:
		say.Text = p[1]
		if command == "NOTICE" {
			say.Kind = rooms.Notice
		}
		if cmd, rest, ok := names.CTCP(p[1]); ok && cmd == "ACTION" && command == "PRIVMSG" {
			say.Kind, say.Text = rooms.Action, rest
			if rest == "" {
				say.Text = " "
			}
		}
	}
	targets := strings.Split(p[0], ",")
	if len(targets) > c.srv.cfg.Limits.Targets {
		r.num(irc.ERR_TOOMANYTARGETS, middle(cutText(p[0], 100)), "Too many targets")
		return
	}
	if len(targets) > 1 {
		r.stream()
	}
	if command != "TAGMSG" {
		c.idle.Store(time.Now().UnixMilli())
	}
	for _, t := range targets {
		switch {
		case strings.HasPrefix(t, "#"):
			c.toChannel(r, command, t, say)
		default:
			c.toNick(r, command, t, say)
		}
	}
}

// clientTags returns the message's client-only tags without '+'.
func (c *conn) clientTags() map[string]string {
	if !c.have().has(capMessageTags) {
		return nil
	}
	var out map[string]string
	for k, v := range c.msg.ClientOnlyTags() {
		if len(k) < 2 {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[k[1:]] = v
	}
	return out
}

func (c *conn) toChannel(r *reply, command, channel string, say rooms.Say) {
	seat := c.sess.Seat(channel[1:])
	if seat == nil {
		if c.known(channel) {
			r.failed(command, channel, errs.NotHere)
		} else {
			r.num(irc.ERR_NOSUCHCHANNEL, middle(channel), "No such channel")
		}
		return
	}
	if say.Kind == rooms.Message && c.sess.IsCommand(say.Text) {
		c.askBot(r, seat, "#"+seat.Name(), say)
		return
	}
	if _, typing := say.Tags["typing"]; say.Kind == rooms.Signal && typing && len(say.Tags) == 1 {
		seat.Signal(say)
		c.echo(r, &say, "#"+seat.Name())
		return
	}
	c.wish(r, seat, &say, func(o bridge.Outcome) {
		if o.Err != nil && command != "NOTICE" {
			r.failed(command, "#"+seat.Name(), o.Err)
		}
	})
}

// echo shows the client what it said where no event does.
func (c *conn) echo(r *reply, say *rooms.Say, target string) {
	if !c.have().has(capEchoMessage) {
		return
	}
	ev := &rooms.Event{Time: c.srv.now(), Account: c.sess.Account()}
	for _, l := range c.srv.talk(ev, say, target, c.mask()) {
		r.send(l)
	}
}

// askBot gives a line to the service occupant instead of the room.
func (c *conn) askBot(r *reply, seat *bridge.Seat, target string, say rooms.Say) {
	r.stream()
	c.echo(r, &say, target)
	r.hold()
	if err := c.sess.Command(seat, say.Text, r); err != nil {
		r.failed("PRIVMSG", target, err)
		r.release()
	}
}

// botReply shows what the bot answers.
func (c *conn) botReply(d bridge.Delivery) {
	r := answer(d)
	if r == nil {
		r = c.begin("")
	}
	defer r.release()
	target := *c.nick.Load()
	if d.Seat != nil {
		target = "#" + d.Seat.Name()
	}
	now := c.srv.now()
	for _, t := range d.Reply.Lines {
		parts := splitText(t, 380)
		if len(parts) == 0 {
			parts = []string{" "} // an empty line of a document; IRC has no empty text
		}
		for _, part := range parts {
			r.send(&line{source: c.srv.botMask(), command: "NOTICE", params: []string{target, part}, time: now, bot: true})
		}
	}
}

func (c *conn) toNick(r *reply, command, nick string, say rooms.Say) {
	switch rooms.Fold(nick) {
	case rooms.Fold(nickServ):
		if command == "PRIVMSG" {
			words := strings.Fields(say.Text)
			if len(words) > 1 {
				say.Text = words[0] + " ***" // no password comes back, where it would be shown and logged
			}
			c.echo(r, &say, nickServ)
			c.nickServ(r, words)
		}
		return
	case bridge.BotNick:
		if command == "PRIVMSG" {
			c.askBot(r, nil, bridge.BotNick, say)
		}
		return
	}
	target, away := nick, ""
	if u, ok := c.resolve(nick); ok {
		away = awayText(u)
		target = u.Nick
		if _, online := c.srv.hub.UserByNick(u.Nick); !online && u.Account != "" {
			target = u.Account
		}
	}
	if _, typing := say.Tags["typing"]; say.Kind == rooms.Signal && typing && len(say.Tags) == 1 {
		c.sess.SignalTo(target, say)
		c.echo(r, &say, nick)
		return
	}
	c.await(r, func(ctx context.Context) {
		if err := c.sess.Tell(ctx, target, say, r); err != nil {
			if command != "NOTICE" {
				r.failed(command, nick, err)
			}
			return
		}
		if away != "" && command == "PRIVMSG" {
			r.num(irc.RPL_AWAY, middle(nick), away)
		}
	})
}

// direct shows a message of a conversation of two.
func (c *conn) direct(d bridge.Delivery) {
	say, ok := d.Event.Body.(*rooms.Say)
	if !ok {
		return
	}
	me := *c.nick.Load()
	if d.Quiet {
		c.missed(d, say, me)
		return
	}
	show := c.srv.talk
	if d.Kind == bridge.ProvisionalEvent {
		show = c.srv.early
		if text := bridge.FrozenTalk(d, c.srv.display(d.Peer)); text != "" {
			c.put(&line{source: c.srv.botMask(), command: "NOTICE", params: []string{me, text}, bot: true})
		}
	}
	if d.Self {
		toSelf := rooms.Fold(d.Peer.Nick) == rooms.Fold(me)
		if c.have().has(capEchoMessage) {
			target := c.srv.display(d.Peer)
			r := answer(d)
			for _, l := range show(d.Event, say, target, c.mask()) {
				if r != nil {
					r.send(l)
				} else {
					c.put(l)
				}
			}
		}
		if !toSelf {
			return
		}
		d.From = c.sess.User()
		d.From.Nick = me
	}
	for _, l := range show(d.Event, say, me, c.srv.userMask(d.From)) {
		c.put(l)
	}
}

// missed shows a message that came while the person was away, to a client that cannot fetch it itself. Where the client knows no times of
// messages, the text tells it.
func (c *conn) missed(d bridge.Delivery, say *rooms.Say, me string) {
	if say.Kind == rooms.Signal {
		return
	}
	if !c.have().has(capServerTime) {
		dated := *say
		dated.Text = "[" + time.UnixMilli(d.Event.Time).UTC().Format("2006-01-02 15:04 UTC") + "] " + say.Text
		say = &dated
	}
	for _, l := range c.srv.talk(d.Event, say, me, c.srv.userMask(d.From)) {
		c.answer(l)
	}
}

// signal shows what is not ordered, like typing.
func (c *conn) signal(d bridge.Delivery) {
	if d.Say == nil || len(d.Say.Tags) == 0 || !c.have().has(capMessageTags) {
		return
	}
	if d.Seat == nil {
		c.put(&line{source: c.srv.userMask(d.From), command: "TAGMSG", params: []string{*c.nick.Load()}, client: d.Say.Tags, time: c.srv.now(), account: d.From.Account})
		return
	}
	if _, in := c.joined[d.Seat]; !in {
		return
	}
	var o rooms.Occupant
	ok, nick := false, ""
	d.Seat.View(func(st *rooms.State) {
		if o, ok = st.Occupant(d.By); ok {
			nick = c.srv.people.shown(st, o.Nick)
		}
	})
	if ok {
		c.put(&line{source: maskOf(nick, o.Account, o.Nodes[0]), command: "TAGMSG", params: []string{"#" + d.Seat.Name()}, client: d.Say.Tags,
			time: c.srv.now(), account: o.Account})
	}
}
