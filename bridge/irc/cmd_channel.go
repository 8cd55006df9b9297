package irc

import (
	"context"
	"strconv"
	"strings"

	irc "gopkg.in/irc.v4"

	"warren/bridge"
	"warren/bridge/names"
	"warren/rooms"
	"warren/rooms/errs"
)

// known reports whether the directory has a room of that name.
func (c *conn) known(channel string) bool {
	ok := false
	c.srv.hub.World().Directory(func(d *rooms.Directory) { _, ok = d.RoomByName(strings.TrimPrefix(channel, "#")) })
	return ok
}

// seat returns the client's seat in a channel, or tells why there is none.
func (c *conn) seat(r *reply, channel string) *bridge.Seat {
	if strings.HasPrefix(channel, "#") {
		if t := c.sess.Seat(channel[1:]); t != nil {
			return t
		}
		if c.known(channel) {
			r.num(irc.ERR_NOTONCHANNEL, middle(channel), "You're not on that channel")
			return nil
		}
	}
	r.num(irc.ERR_NOSUCHCHANNEL, middle(channel), "No such channel")
	return nil
}

func cmdJoin(c *conn, r *reply, p []string) {
	if p[0] == "0" {
		r.stream()
		for _, t := range c.sess.Seats() {
			c.leave(r, t, "")
		}
		return
	}
	var keys []string
	if len(p) > 1 {
		keys = strings.Split(p[1], ",")
	}
	chans := strings.Split(p[0], ",")
	if len(chans) > maxJoins {
		r.num(irc.ERR_TOOMANYTARGETS, middle(cutText(p[0], 100)), "Too many channels at once")
		return
	}
	if p[0] == "" { // irssi asks this to learn whether it is registered
		r.num(irc.ERR_NEEDMOREPARAMS, "JOIN", "Not enough parameters")
		return
	}
	r.stream()
	for i, name := range chans {
		key := ""
		if i < len(keys) {
			key = keys[i]
		}
		c.await(r, func(ctx context.Context) { c.joinOne(ctx, r, name, key) })
	}
}

// joinOne joins one channel; it blocks until the room has ordered that.
func (c *conn) joinOne(ctx context.Context, r *reply, channel, key string) {
	canonical, err := names.CanonicalChannel(channel)
	if err != nil {
		r.num(irc.ERR_NOSUCHCHANNEL, middle(cutText(channel, 100)), "No such channel: "+err.Error())
		return
	}
	name := channel[1:]
	if rooms.Fold(name) != canonical[1:] {
		name = canonical[1:]
	}
	_, err = c.sess.Join(ctx, name, bridge.JoinOptions{Key: key, Create: true, Cookie: r})
	if err != nil {
		r.failed("JOIN", channel, err)
	}
}

func cmdPart(c *conn, r *reply, p []string) {
	reason := ""
	if len(p) > 1 {
		reason = cutText(p[1], rooms.MaxReason)
	}
	for _, name := range strings.Split(p[0], ",") {
		if t := c.seat(r, name); t != nil {
			r.stream()
			c.leave(r, t, reason)
		}
	}
}

func (c *conn) leave(r *reply, t *bridge.Seat, reason string) {
	c.await(r, func(ctx context.Context) {
		if err := t.Leave(ctx, reason, r); err != nil {
			r.failed("PART", "#"+t.Name(), err)
		}
	})
}

func cmdTopic(c *conn, r *reply, p []string) {
	t := c.seat(r, p[0])
	switch {
	case t == nil:
	case len(p) == 1:
		c.topic(r, t, true)
	default:
		c.do(r, "TOPIC", t, &rooms.Subject{Text: cutText(p[1], topicLen)})
	}
}

// do wishes something in a room; the answer waits for what comes of it.
func (c *conn) do(r *reply, command string, t *bridge.Seat, b rooms.Body) {
	c.wish(r, t, b, func(o bridge.Outcome) {
		if o.Err != nil {
			r.failed(command, "#"+t.Name(), o.Err)
		}
	})
}

// topic tells the subject; none: whether 331 tells that there is none.
func (c *conn) topic(r *reply, t *bridge.Seat, none bool) {
	var text, by string
	var at int64
	t.View(func(st *rooms.State) {
		text, at = st.Subject, st.SubjectTime
		by = c.srv.people.shown(st, st.SubjectBy)
		if o, ok := st.Occupant(st.SubjectBy); ok {
			by = maskOf(by, o.Account, o.Nodes[0])
		}
	})
	switch {
	case text != "":
		r.num(irc.RPL_TOPIC, "#"+t.Name(), text)
		r.num(rplTopicWhoTime, "#"+t.Name(), middle(by), strconv.FormatInt(at/1000, 10))
	case none:
		r.num(irc.RPL_NOTOPIC, "#"+t.Name(), "No topic is set")
	}
}

// occupant finds whom the client means in a seat's room.
func (c *conn) occupant(t *bridge.Seat, nick string) (rooms.Occupant, bool) {
	if rooms.Fold(nick) == rooms.Fold(*c.nick.Load()) {
		nick = t.Nick()
	}
	var o rooms.Occupant
	ok := false
	t.View(func(st *rooms.State) { o, ok = c.srv.people.actual(st, nick) })
	return o, ok
}

func cmdKick(c *conn, r *reply, p []string) {
	t := c.seat(r, p[0])
	if t == nil {
		return
	}
	reason := ""
	if len(p) > 2 {
		reason = cutText(p[2], kickLen)
	}
	nicks := strings.Split(p[1], ",")
	if len(nicks) > c.srv.cfg.Limits.Targets {
		r.num(irc.ERR_TOOMANYTARGETS, middle(cutText(p[1], 100)), "Too many targets")
		return
	}
	if len(nicks) > 1 {
		r.stream()
	}
	for _, n := range nicks {
		o, ok := c.occupant(t, n)
		if !ok {
			r.num(irc.ERR_USERNOTINCHANNEL, middle(n), "#"+t.Name(), "They aren't on that channel")
			continue
		}
		c.do(r, "KICK", t, &rooms.Kick{Nick: o.Nick, Reason: reason})
	}
}

func cmdInvite(c *conn, r *reply, p []string) {
	if len(p) == 0 {
		r.num(rplEndOfInviteMine, "End of /INVITE list")
		return
	}
	if len(p) < 2 {
		r.num(irc.ERR_NEEDMOREPARAMS, "INVITE", "Not enough parameters")
		return
	}
	t := c.seat(r, p[1])
	if t == nil {
		return
	}
	if _, in := c.occupant(t, p[0]); in {
		r.num(irc.ERR_USERONCHANNEL, middle(p[0]), "#"+t.Name(), "is already on channel")
		return
	}
	who, ok := c.srv.hub.PrincipalOf(p[0])
	if u, seen := c.resolve(p[0]); !ok && seen {
		who, ok = u.Principal(), true
	}
	if !ok {
		r.failed("INVITE", p[0], errs.NotFound)
		return
	}
	c.wish(r, t, &rooms.Invite{Who: who}, func(o bridge.Outcome) {
		if o.Err != nil {
			r.failed("INVITE", "#"+t.Name(), o.Err)
		} else {
			r.num(irc.RPL_INVITING, middle(p[0]), "#"+t.Name())
			if u, ok := c.srv.hub.UserByNick(p[0]); ok && awayText(u) != "" {
				r.num(irc.RPL_AWAY, middle(p[0]), awayText(u))
			}
		}
	})
}
