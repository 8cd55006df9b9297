package xmpp

import (
	"warren/bridge"
	"warren/rooms"
)

// frozenMark stands before the subject while the room is frozen, for clients that show nothing else.
const frozenMark = "[frozen] "

// occupancyOf returns the client's seat as it knows it, nil when it does not.
func (c *conn) occupancyOf(t *bridge.Seat) *occupancy {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seats[t]
}

// frozenChange tells that the room froze or thawed: in words by the room's service occupant, and by a mark in the subject.
func (c *conn) frozenChange(d bridge.Delivery) {
	occ := c.occupancyOf(d.Seat)
	if occ == nil {
		return
	}
	what, mark := "thawed", ""
	if d.Frozen {
		what, mark = "frozen", frozenMark
	}
	c.emitOwn(occ, el(nsClient, "message", at("type", "groupchat"), at("id", newID()), at("from", occ.jid+"/"+bridge.BotNick),
		el(nsClient, "body", d.Text), el(nsEarly, what), el(nsHints, "no-permanent-store")))
	var subject *element
	d.Seat.View(func(st *rooms.State) {
		marked := *st
		marked.Subject = mark + st.Subject
		subject = subjectOf(occ.jid, &marked)
	})
	c.emitOwn(occ, subject)
}

// earlyMarks say of a message that it is not ordered yet; archives of clients shall not keep it.
func earlyMarks() []*element {
	return []*element{el(nsEarly, "provisional"), el(nsHints, "no-permanent-store")}
}

// provisional shows talk that is not ordered yet, with the stanza-id that it keeps.
func (c *conn) provisional(d bridge.Delivery) {
	if d.Seat == nil {
		c.directEvent(d)
		return
	}
	if occ := c.occupancyOf(d.Seat); occ != nil {
		c.emitSpliced(occ, d, 0, "provisional", func() *element {
			m := c.srv.shown(occ.jid, d.Event)
			if m != nil {
				m.with(earlyMarks())
			}
			return m
		})
	}
}

// fate tells what became of a provisional message: the author in words, everybody when it is withdrawn, and programs always.
func (c *conn) fate(d bridge.Delivery) {
	what := "confirmed"
	if d.Kind == bridge.Withdrawn {
		what = "withdrawn"
	}
	m := el(nsClient, "message", at("id", newID()), el(nsEarly, what, at("id", d.Event.ID.MsgID())), el(nsHints, "no-permanent-store"))
	text := bridge.Fate(d)
	if text != "" {
		m.with(el(nsClient, "body", text))
	}
	if d.Seat == nil {
		m.with(at("type", "chat"), at("from", c.srv.bare(bridge.BotNick)), at("to", c.full))
		c.send(m)
		return
	}
	occ := c.occupancyOf(d.Seat)
	if occ == nil {
		return
	}
	from := occ.jid // the room itself, unless there is something to read
	if text != "" {
		from += "/" + bridge.BotNick
	}
	c.emitOwn(occ, m.with(at("type", "groupchat"), at("from", from)))
}
