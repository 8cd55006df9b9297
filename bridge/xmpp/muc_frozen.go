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
	c.emitOwn(occ, noted(el(nsEarly, what), d.Text).with(at("type", "groupchat"), at("from", occ.jid+"/"+bridge.BotNick)))
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
		if text := bridge.FrozenTalk(d, d.Peer.Nick); text != "" {
			c.botTells(noted(el(nsEarly, "frozen"), text))
		}
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

// noted is a message about provisional talk that archives of clients shall not keep; text may be empty.
func noted(mark *element, text string) *element {
	m := el(nsClient, "message", at("id", newID()), mark, el(nsHints, "no-permanent-store"))
	if text != "" {
		m.with(el(nsClient, "body", text))
	}
	return m
}

// botTells sends a message of the bot's to the client alone.
func (c *conn) botTells(m *element) {
	c.send(m.with(at("type", "chat"), at("from", c.srv.bare(bridge.BotNick)), at("to", c.full)))
}

// fate tells what became of a provisional message: the author in words, everybody when it is withdrawn, and programs always.
func (c *conn) fate(d bridge.Delivery) {
	what := "confirmed"
	if d.Kind == bridge.Withdrawn {
		what = "withdrawn"
	}
	text := bridge.Fate(d)
	m := noted(el(nsEarly, what, at("id", d.Event.ID.MsgID())), text)
	if d.Seat == nil {
		c.botTells(m)
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
