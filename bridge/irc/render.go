package irc

import (
	"strconv"
	"strings"

	"warren/bridge"
	"warren/perms"
	"warren/rooms"
)

// view is one event being turned into lines.
type view struct {
	s    *Server
	d    bridge.Delivery
	ev   *rooms.Event
	chat string            // the channel
	as   map[string]string // folded nicks that are shown otherwise to this client; nil for the form that all share
}

// lines returns an event of a room as all clients but its author's see it; as: names that this client knows otherwise.
func (s *Server) lines(d bridge.Delivery, as map[string]string) []*line {
	v := view{s, d, d.Event, "#" + d.Seat.Name(), as}
	switch b := d.Event.Body.(type) {
	case *rooms.Enter:
		return v.join()
	case *rooms.Leave:
		return []*line{v.line("PART", partParams(v.chat, b.Reason)...)}
	case *rooms.Say:
		if d.Kind == bridge.ProvisionalEvent {
			return s.early(d.Event, b, v.chat, v.source())
		}
		return v.say(b, v.chat, v.source())
	case *rooms.Subject:
		return []*line{v.line("TOPIC", v.chat, b.Text)}
	case *rooms.Kick:
		reason := b.Reason
		if reason == "" {
			reason = v.ev.Nick
		}
		return []*line{v.line("KICK", v.chat, v.name(b.Nick), reason)}
	case *rooms.Invite:
		l := v.line("INVITE", s.display(s.hub.UserOf(b.Who)), v.chat)
		l.need = capInviteNotify
		return []*line{l}
	case *rooms.Grant:
		return v.grant(b)
	case *rooms.Sanction:
		if b.Denies.Has(perms.Enter) {
			return v.also(v.line("MODE", v.chat, "+b", banMask(b.Who, b.Mask)), b.Until != 0 || b.Reason != "")
		}
	case *rooms.Pardon:
		return []*line{v.line("MODE", v.chat, "-b", banMask(b.Who, b.Mask))}
	case *rooms.Configure:
		return v.configure(b)
	}
	return v.told()
}

// source is the author's nick!user@host.
func (v view) source() string {
	switch {
	case v.ev.Nick != "":
		return maskOf(v.name(v.ev.Nick), v.ev.Account, v.ev.Device)
	case v.ev.Account != "":
		return maskOf(v.ev.Account, v.ev.Account, v.ev.Device)
	}
	return v.s.nodeName(v.ev.Device)
}

// name is how a nick of the room is shown.
func (v view) name(nick string) string {
	if n, ok := v.as[rooms.Fold(nick)]; ok {
		return n
	}
	if legal(nick) {
		return nick
	}
	shown := ""
	v.d.Seat.View(func(st *rooms.State) { shown = v.s.people.shown(st, nick) })
	return shown
}

// line is one by the author, with the event's time and id.
func (v view) line(command string, params ...string) *line {
	l := &line{source: v.source(), command: command, params: params, time: v.ev.Time, account: v.ev.Account}
	if !v.ev.ID.IsZero() {
		l.msgid = v.ev.ID.MsgID()
	}
	return l
}

// told is the event as a sentence by the bot, and in machine form as a tag.
func (v view) told() []*line {
	var out []*line
	machine := string(bridge.Machine(v.ev))
	for _, t := range splitText(bridge.Describe(v.ev, v.s.hub.NodeName), 380) {
		l := &line{source: v.s.botMask(), command: "NOTICE", params: []string{v.chat, t}, time: v.ev.Time, bot: true, machine: machine}
		if len(out) == 0 {
			l.msgid = v.ev.ID.MsgID()
		} else {
			l.machine = ""
		}
		out = append(out, l)
	}
	return out
}

// also adds the sentence where the line alone does not tell all.
func (v view) also(l *line, more bool) []*line {
	l.machine = string(bridge.Machine(v.ev))
	if !more {
		return []*line{l}
	}
	rest := v.told()
	for _, t := range rest {
		t.msgid, t.machine = "", ""
	}
	return append([]*line{l}, rest...)
}

func (v view) join() []*line {
	ev := v.ev
	real, modes, nick := "", "", v.name(ev.Nick)
	v.d.Seat.View(func(st *rooms.State) {
		if o, ok := st.Occupant(ev.Nick); ok {
			real = o.Real
			_, modes = v.s.signs(st, o)
		}
	})
	plain, long := v.line("JOIN", v.chat), v.line("JOIN", v.chat, accountOrStar(ev.Account), real)
	plain.lack, long.need = capExtendedJoin, capExtendedJoin
	out := []*line{plain, long}
	if modes != "" {
		params := []string{v.chat, "+" + modes}
		for range modes {
			params = append(params, nick)
		}
		out = append(out, &line{source: v.s.cfg.Name, command: "MODE", params: params, time: ev.Time})
	}
	if u, ok := v.s.hub.UserByNick(ev.Nick); ok && awayText(u) != "" {
		l := v.line("AWAY", awayText(u))
		l.need, l.msgid = capAwayNotify, ""
		out = append(out, l)
	}
	return out
}

// say returns talk as lines of at most 512 bytes; only the first carries the msgid.
func (v view) say(b *rooms.Say, target, source string) []*line {
	return v.s.talk(v.ev, b, target, source)
}

func (s *Server) talk(ev *rooms.Event, b *rooms.Say, target, source string) []*line {
	base := line{source: source, command: "PRIVMSG", time: ev.Time, account: ev.Account, client: b.Tags}
	base.bot = ev.Device == s.hub.World().Self() && s.isBot(ev.Nick)
	if !ev.ID.IsZero() {
		base.msgid = ev.ID.MsgID()
	}
	if b.Kind == rooms.Signal {
		base.command, base.params, base.need = "TAGMSG", []string{target}, capMessageTags
		return []*line{&base}
	}
	if b.Kind == rooms.Notice {
		base.command = "NOTICE"
	}
	room := maxLine - len(":  PRIVMSG  :\r\n") - len(source) - len(target)
	open, shut := "", ""
	if b.Kind == rooms.Action {
		open, shut = "\x01ACTION ", "\x01"
		room -= len(open) + len(shut)
	}
	var out []*line
	for _, t := range splitText(b.Text, room) {
		l := base
		l.params = []string{target, open + t + shut}
		if len(out) > 0 {
			l.msgid, l.client = "", nil
		}
		out = append(out, &l)
	}
	if len(out) == 0 && b.Text != "" { // nothing but newlines
		base.params = []string{target, " "}
		out = append(out, &base)
	}
	return out
}

// grant shows o, h and v as modes, and other rights as a sentence.
func (v view) grant(b *rooms.Grant) []*line {
	if b.Object != "" {
		return v.told()
	}
	nick := ""
	v.d.Seat.View(func(st *rooms.State) {
		for _, o := range st.Occupants {
			if o.Principal() == b.Who {
				nick = v.s.people.shown(st, o.Nick)
				if n, ok := v.as[rooms.Fold(o.Nick)]; ok {
					nick = n
				}
			}
		}
	})
	if nick == "" {
		return v.told()
	}
	plus, minus := "", ""
	rest := b.Allow | b.Deny | b.Forget
	for _, k := range ranks() {
		switch {
		case b.Allow.Has(k.right):
			plus += string(k.mode)
		case (b.Deny | b.Forget).Has(k.right):
			minus += string(k.mode)
		}
		rest &^= k.right
	}
	if plus+minus == "" {
		return v.told()
	}
	modes := ""
	params := []string{v.chat, ""}
	if plus != "" {
		modes = "+" + plus
	}
	if minus != "" {
		modes += "-" + minus
	}
	params[1] = modes
	for range plus + minus {
		params = append(params, nick)
	}
	return v.also(v.line("MODE", params...), rest != 0 || b.Deny != 0) // -v alone does not say that somebody may not talk
}

// configure shows settings as modes, and the title as a sentence.
func (v view) configure(b *rooms.Configure) []*line {
	plus, minus := "", ""
	var args []string
	flag := func(p *bool, letter string) {
		if p != nil && *p {
			plus += letter
		} else if p != nil {
			minus += letter
		}
	}
	flag(b.InviteOnly, "i")
	flag(b.Moderated, "m")
	flag(b.Secret, "s")
	flag(b.TopicLock, "t")
	if b.Key != nil {
		if len(*b.Key) > 0 {
			plus += "k"
			args = append(args, "*")
		} else {
			minus += "k"
		}
	}
	if b.Limit != nil {
		if *b.Limit > 0 {
			plus += "l"
			args = append(args, strconv.FormatUint(uint64(*b.Limit), 10))
		} else {
			minus += "l"
		}
	}
	if b.Key != nil && len(*b.Key) == 0 {
		args = append(args, "*") // -k takes a parameter; l without + takes none
	}
	modes := ""
	if plus != "" {
		modes = "+" + plus
	}
	if minus != "" {
		modes += "-" + minus
	}
	if modes == "" {
		return v.told()
	}
	return v.also(v.line("MODE", append([]string{v.chat, modes}, args...)...), b.Title != nil)
}

// banMask is a sanction's principal or mask as a mask.
func banMask(who perms.Principal, mask string) string {
	switch {
	case mask != "":
		return middle(mask)
	case who.IsGuest():
		nick, node, _ := strings.Cut(string(who[1:]), "~")
		return middle(nick + "!*@guest/" + cutText(node, 8))
	case who.IsAccount():
		return middle("*!*@user/" + string(who))
	}
	return middle(string(who))
}
