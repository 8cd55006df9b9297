package irc

import (
	"warren/bridge"
	"warren/rooms"
)

// frozenMode is set on a channel, by the node and for its own people, while the room is frozen.
const frozenMode = "F"

// provisionalMark stands before talk that is not ordered yet, for clients that read no tags.
const provisionalMark = "[provisional] "

// Tags on lines about provisional messages.
const (
	tagProvisional = "warren/provisional" // on the message itself
	tagConfirmed   = "warren/confirmed"   // its value is the msgid of the message
	tagWithdrawn   = "warren/withdrawn"   // likewise
)

// frozenChange shows that a room froze or thawed: as a mode, which clients show beside the channel's name, and in words.
func (c *conn) frozenChange(d bridge.Delivery) {
	if _, in := c.joined[d.Seat]; !in {
		return
	}
	chat, now, sign := "#"+d.Seat.Name(), c.srv.now(), "-"
	if d.Frozen {
		sign = "+"
	}
	c.put(&line{source: c.srv.cfg.Name, command: "MODE", params: []string{chat, sign + frozenMode}, time: now})
	for _, t := range splitText(d.Text, 380) {
		c.put(&line{source: c.srv.botMask(), command: "NOTICE", params: []string{chat, t}, time: now, bot: true})
	}
}

// early returns talk that is provisional as lines: tagged, and marked in words for clients that read no tags.
func (s *Server) early(ev *rooms.Event, b *rooms.Say, target, source string) []*line {
	out := s.talk(ev, b, target, source)
	for _, l := range out {
		l.need |= capMessageTags
		l.stage = tagProvisional
	}
	if b.Kind == rooms.Signal {
		return out
	}
	marked := *b
	marked.Text = provisionalMark + b.Text
	for _, l := range s.talk(ev, &marked, target, source) {
		l.lack |= capMessageTags
		out = append(out, l)
	}
	return out
}

// provisional shows talk that is not ordered yet, with the msgid that it keeps.
func (c *conn) provisional(d bridge.Delivery) {
	if d.Seat == nil {
		c.direct(d)
		return
	}
	if _, in := c.joined[d.Seat]; !in || d.Self && d.Mine && !c.have().has(capEchoMessage) {
		return // the notice of the freeze has said what becomes of it
	}
	c.common(d)
}

// fate tells what became of a provisional message: the author in words, who reads tags by a tag, and everybody when it is withdrawn.
func (c *conn) fate(d bridge.Delivery) {
	target := *c.nick.Load()
	if d.Seat != nil {
		if _, in := c.joined[d.Seat]; !in {
			return
		}
		target = "#" + d.Seat.Name()
	}
	l := line{source: c.srv.botMask(), time: c.srv.now(), bot: true, stage: tagConfirmed, about: d.Event.ID.MsgID()}
	if d.Kind == bridge.Withdrawn {
		l.stage = tagWithdrawn
	}
	if text := bridge.Fate(d); text != "" {
		l.command, l.params = "NOTICE", []string{target, text}
	} else {
		l.command, l.params, l.need = "TAGMSG", []string{target}, capMessageTags
	}
	c.put(&l)
}
