package xmpp

import (
	"slices"

	"warren/bridge"
	"warren/perms"
	"warren/rooms"
)

var _ bridge.Client = (*conn)(nil)

// Deliver implements bridge.Client: it encodes and queues, and never blocks.
func (c *conn) Deliver(d bridge.Delivery) {
	switch d.Kind {
	case bridge.RoomEvent:
		c.roomEvent(d)
	case bridge.DirectEvent:
		c.directEvent(d)
	case bridge.UserChange:
		c.occupantChanged(d)
	case bridge.Invited:
		c.invited(d)
	case bridge.SignalEvent:
		c.signal(d)
	case bridge.SeatLost:
		c.seatLost(d)
	case bridge.ServerNotice:
		c.send(el(nsClient, "message", at("type", "headline"), at("from", c.srv.domain), at("to", c.full), el(nsClient, "body", d.Text)))
	case bridge.FrozenChange:
		c.frozenChange(d)
	case bridge.ProvisionalEvent:
		c.provisional(d)
	case bridge.Confirmed, bridge.Withdrawn:
		c.fate(d)
	case bridge.TickEvent:
		c.tick(d)
	case bridge.BotReply:
		c.botReply(d)
	case bridge.GoTo:
		c.goTo(d)
	}
}

// tick tells a bot of a tick, when it keeps up: the form that events have, without a body.
func (c *conn) tick(d bridge.Delivery) {
	occ := c.occupancyOf(d.Seat)
	if occ == nil || !c.out.easy() {
		return
	}
	c.emitOwn(occ, el(nsClient, "message", at("type", "groupchat"), at("id", newID()), at("from", occ.jid+"/"+bridge.BotNick),
		el(nsEvent, "event", string(bridge.MachineTick(d.Seat.Room().ID(), d.Tick))), el(nsHints, "no-store")))
}

// roomEvent shows what was ordered in a room.
func (c *conn) roomEvent(d bridge.Delivery) {
	ev := d.Event
	c.mu.Lock()
	occ := c.seats[d.Seat]
	if occ == nil && ev.Op == rooms.OpEnter && d.Self {
		c.seats[d.Seat] = &occupancy{seat: d.Seat, jid: c.srv.roomJID(d.Seat.Name()), id: ev.Room, from: ev.Seq, catching: true}
	}
	c.mu.Unlock()
	if occ == nil {
		return
	}
	c.srv.guests.came(ev)
	defer c.srv.guests.gone(ev)
	switch b := ev.Body.(type) {
	case *rooms.Enter:
		if !d.Self && ev.Target != nil {
			c.showOccupant(occ, d, *ev.Target)
		}
	case *rooms.Nick:
		c.showNick(occ, d, b)
	case *rooms.Subject:
		c.emitSpliced(occ, d, 0, "subject", func() *element { return c.srv.subjectEvent(occ.jid, ev, b) })
	case *rooms.Leave, *rooms.Kick, *rooms.NodeGone, *rooms.Close:
		c.showGone(occ, d)
	default:
		c.emitSpliced(occ, d, ev.Seq, "message", func() *element { return c.srv.shown(occ.jid, ev) })
		c.showStandings(occ, d)
	}
	if d.Last {
		c.mu.Lock()
		occ.ended = true
		if !occ.catching {
			delete(c.seats, d.Seat)
		}
		c.mu.Unlock()
	}
}

// sharedKey names what is encoded once for all clients of a server.
type sharedKey struct {
	s    *Server
	what string
}

// emitSpliced shows a stanza that is the same for all: it is encoded for the first of them, the others splice their address in.
func (c *conn) emitSpliced(occ *occupancy, d bridge.Delivery, seq uint64, what string, build func() *element) {
	s := d.Shared.Get(sharedKey{c.srv, what}, func() any {
		e := build()
		if e == nil {
			return spliced{}
		}
		return splice(e)
	}).(spliced)
	if s.tail != nil {
		c.emit(occ, seq, s.head, c.to, s.tail)
	}
}

func (c *conn) emitOwn(occ *occupancy, e *element) {
	e.set("to", c.full)
	c.emit(occ, 0, e.bytes())
}

// showOccupant tells how an occupant other than the client stands, or the client itself.
func (c *conn) showOccupant(occ *occupancy, d bridge.Delivery, o rooms.Occupant) {
	if rooms.Fold(o.Nick) == rooms.Fold(d.Seat.Nick()) {
		c.emitOwn(occ, c.srv.occupantPresence(occ.jid, occ.id, o, c.srv.standingOf(d.Seat, o), c, "110"))
		return
	}
	c.emitSpliced(occ, d, 0, "presence "+o.Nick, func() *element {
		return c.srv.occupantPresence(occ.jid, occ.id, o, c.srv.standingOf(d.Seat, o), nil)
	})
}

func (s *Server) standingOf(t *bridge.Seat, o rooms.Occupant) (st standing) {
	s.judging(t, func(j judge) { st = j.of(o) })
	return st
}

// showNick tells a change of nick: the old one goes with status 303, the new one comes (XEP-0045 §7.6).
func (c *conn) showNick(occ *occupancy, d bridge.Delivery, b *rooms.Nick) {
	if d.Event.Target == nil {
		return
	}
	o := *d.Event.Target
	st := c.srv.standingOf(d.Seat, o)
	old := o
	old.Nick = d.Event.Nick
	item := func() *element {
		return el(nsMUCUser, "item", at("affiliation", st.affiliation), at("role", st.role), at("nick", b.New))
	}
	if d.Self {
		c.emitOwn(occ, c.srv.gonePresence(occ.jid, occ.id, old, c, "", item(), "303", "110"))
		c.emitOwn(occ, c.srv.occupantPresence(occ.jid, occ.id, o, st, c, "110"))
		return
	}
	c.emitSpliced(occ, d, 0, "nick", func() *element { return c.srv.gonePresence(occ.jid, occ.id, old, nil, "", item(), "303") })
	c.emitSpliced(occ, d, 0, "presence", func() *element { return c.srv.occupantPresence(occ.jid, occ.id, o, st, nil) })
}

// farewell is how somebody went.
type farewell struct {
	codes       []string
	status      string
	actor       string
	reason      string
	affiliation string
	destroyed   bool
}

// showGone tells who went, and how (XEP-0045 §7.14, §8.2, §9.1, §10.9).
func (c *conn) showGone(occ *occupancy, d bridge.Delivery) {
	gone := d.Event.Gone
	me := rooms.Fold(d.Seat.Nick())
	if d.Last && !slices.ContainsFunc(gone, func(o rooms.Occupant) bool { return rooms.Fold(o.Nick) == me }) {
		// The room closed, or the client goes while another one of the same person stays.
		gone = append(slices.Clone(gone), rooms.Occupant{Nick: d.Seat.Nick(), Account: c.account})
	}
	for _, o := range gone {
		f := c.srv.farewellOf(d, o)
		if rooms.Fold(o.Nick) == me && (d.Last || d.Self) {
			f.codes = append(f.codes, "110")
			p := c.srv.gonePresence(occ.jid, occ.id, o, c, f.status, f.item(), f.codes...)
			if f.destroyed {
				p.child(nsMUCUser, "x").with(el(nsMUCUser, "destroy", el(nsMUCUser, "reason", f.status)))
			}
			c.emitOwn(occ, p)
			continue
		}
		c.emitSpliced(occ, d, 0, "gone "+o.Nick, func() *element {
			return c.srv.gonePresence(occ.jid, occ.id, o, nil, f.status, f.item(), f.codes...)
		})
	}
}

func (f farewell) item() *element {
	item := el(nsMUCUser, "item", at("affiliation", f.affiliation), at("role", "none"))
	if f.actor != "" {
		item.with(el(nsMUCUser, "actor", at("nick", f.actor)))
	}
	if f.reason != "" {
		item.with(el(nsMUCUser, "reason", f.reason))
	}
	return item
}

func (s *Server) farewellOf(d bridge.Delivery, o rooms.Occupant) farewell {
	f := farewell{affiliation: "none"}
	banned := false
	s.judging(d.Seat, func(j judge) {
		f.affiliation = j.affiliation(o.Principal(), o)
		banned = j.outcast(o.Principal(), o)
	})
	switch b := d.Event.Body.(type) {
	case *rooms.Leave:
		f.status = b.Reason
	case *rooms.Kick:
		f.actor, f.reason = d.Event.Nick, b.Reason
		f.codes = []string{"307"}
		if banned {
			f.codes, f.affiliation = []string{"301"}, "outcast"
		}
	case *rooms.NodeGone:
		f.codes, f.status = []string{"333"}, "the node cannot be reached"
	case *rooms.Close:
		f.codes, f.destroyed, f.status = []string{"332"}, true, "the room is closed"
	}
	return f
}

// subjectEvent is a change of the subject.
func (s *Server) subjectEvent(room string, ev *rooms.Event, b *rooms.Subject) *element {
	from := room
	if ev.Nick != "" {
		from += "/" + ev.Nick
	}
	return el(nsClient, "message", at("type", "groupchat"), at("id", ev.ID.MsgID()), at("from", from),
		el(nsClient, "subject", b.Text), el(nsSID, "stanza-id", at("by", room), at("id", ev.ID.MsgID())))
}

// maxShownAgain is how many occupants are told anew when a setting changes what all may do.
const maxShownAgain = 500

// showStandings tells the new roles and affiliations that an event made, and that the configuration changed.
func (c *conn) showStandings(occ *occupancy, d bridge.Delivery) {
	touches := func(rooms.Occupant) bool { return false }
	switch b := d.Event.Body.(type) {
	case *rooms.Grant:
		if b.Object != "" {
			return
		}
		touches = func(o rooms.Occupant) bool { return b.Who == o.Principal() || !b.Who.IsAccount() && !b.Who.IsGuest() }
	case *rooms.Sanction:
		touches = func(o rooms.Occupant) bool { return hits(b.Who, b.Mask, o) }
	case *rooms.Pardon:
		touches = func(o rooms.Occupant) bool { return hits(b.Who, b.Mask, o) }
	case *rooms.Configure:
		if b.Moderated != nil {
			touches = func(rooms.Occupant) bool { return true }
		}
		c.emitSpliced(occ, d, 0, "configured", func() *element {
			return el(nsClient, "message", at("type", "groupchat"), at("from", occ.jid), mucUser(nil, "104"))
		})
	default:
		return
	}
	var all []rooms.Occupant
	d.Seat.View(func(st *rooms.State) {
		for _, fold := range st.Nicks() {
			if o := st.Occupants[fold]; touches(o) && len(all) < maxShownAgain {
				all = append(all, o)
			}
		}
	})
	for _, o := range all {
		c.showOccupant(occ, d, o)
	}
}

func hits(who perms.Principal, mask string, o rooms.Occupant) bool {
	if who != "" {
		return who == o.Principal()
	}
	return perms.MatchMask(mask, o.Mask())
}

// occupantChanged tells the rooms' occupants that somebody went away or came back.
func (c *conn) occupantChanged(d bridge.Delivery) {
	if !d.User.Online || d.User.Away == d.Was.Away && d.User.Show == d.Was.Show {
		return
	}
	c.mu.Lock()
	all := make([]*occupancy, 0, len(c.seats))
	for _, occ := range c.seats {
		all = append(all, occ)
	}
	c.mu.Unlock()
	for _, occ := range all {
		var o rooms.Occupant
		here := false
		occ.seat.View(func(st *rooms.State) { o, here = st.Occupant(d.User.Nick) })
		if here && o.Account == d.User.Account {
			c.showOccupant(occ, bridge.Delivery{Seat: occ.seat, Shared: &bridge.Shared{}}, o)
		}
	}
}

// signal shows a chat state of somebody in a room, or to the client's person alone.
func (c *conn) signal(d bridge.Delivery) {
	content := stateOf(d.Say)
	if content == nil {
		return
	}
	if d.Seat == nil {
		c.send(el(nsClient, "message", at("type", "chat"), at("from", c.srv.userJID(d.From)), at("to", c.full), content))
		return
	}
	occ := c.occupancyOf(d.Seat)
	if occ != nil {
		c.emitOwn(occ, el(nsClient, "message", at("type", "groupchat"), at("from", occ.jid+"/"+d.By), content))
	}
}

// stateOf returns the chat state that a signal tells, nil for none.
func stateOf(say *rooms.Say) *element {
	for _, k := range parseFragment(say.Ext) {
		if k.Name.Space == nsStates {
			return el(nsStates, k.Name.Local)
		}
	}
	if state := chatState(say.Tags["typing"]); state != "" {
		return el(nsStates, state)
	}
	return nil
}

// typingOf turns XEP-0085 into IRCv3 +typing.
func typingOf(state string) string {
	switch state {
	case "composing":
		return "active"
	case "paused":
		return "paused"
	case "active", "inactive", "gone":
		return "done"
	}
	return ""
}

// chatState turns IRCv3 +typing into XEP-0085.
func chatState(typing string) string {
	switch typing {
	case "active":
		return "composing"
	case "paused":
		return "paused"
	case "done":
		return "active"
	}
	return ""
}

// seatLost tells that the room is gone under the client.
func (c *conn) seatLost(d bridge.Delivery) {
	c.mu.Lock()
	occ := c.seats[d.Seat]
	delete(c.seats, d.Seat)
	c.mu.Unlock()
	if occ == nil {
		return
	}
	item := el(nsMUCUser, "item", at("affiliation", "none"), at("role", "none"))
	o := rooms.Occupant{Nick: d.Seat.Nick(), Account: c.account}
	c.emitOwn(occ, c.srv.gonePresence(occ.jid, occ.id, o, c, d.Text, item, "332", "110"))
}
