package irc

import (
	"warren/bridge"
	"warren/rooms"
)

// ghost names somebody in one room who is still there for the room, but no longer (or under another nick) for this client: QUIT and NICK are
// shown once, although each shared room tells them in its own time.
type ghost struct {
	room rooms.RoomID
	fold string
}

// change is a QUIT or NICK that was shown lately.
type change struct {
	who     string // principal before the change
	old, to string // folded nicks; to is empty for QUIT
	room    rooms.RoomID
	time    int64 // ms
}

// Limits of what is remembered about changes that other rooms will tell again.
const (
	recentChanges = 64
	recentFor     = 10_000 // ms between the first and the last room that tell the same change
)

// quit shows QUIT once for all rooms that the client shares with somebody who left the node; PART where another of his nodes stays.
func (c *conn) quit(d bridge.Delivery, o rooms.Occupant, node rooms.NodeID, reason string) {
	ev := d.Event
	fold, who := rooms.Fold(o.Nick), string(o.Principal())
	k := ghost{ev.Room, fold}
	nick, known := c.gone[k]
	delete(c.gone, k)
	if known && nick == "" || c.shownLately(change{who: who, old: fold, room: ev.Room, time: ev.Time}) {
		return
	}
	if nick == "" {
		nick = c.srv.people.shown(nil, o.Nick)
	}
	l := &line{source: maskOf(nick, o.Account, node), command: "QUIT", params: []string{reason}, time: ev.Time, account: o.Account, msgid: ev.ID.MsgID()}
	if len(ev.Gone) > 1 {
		l.msgid = ""
	}
	var others []ghost
	for _, t := range c.sess.Seats() {
		if t.Room().ID() == ev.Room {
			continue
		}
		t.View(func(st *rooms.State) {
			p, ok := st.Occupant(o.Nick)
			if !ok || string(p.Principal()) != who {
				return
			}
			if len(p.Nodes) == 1 && p.Nodes[0] == node {
				others = append(others, ghost{t.Room().ID(), fold})
			} else {
				l.command, l.params = "PART", partParams("#"+d.Seat.Name(), reason)
			}
		})
	}
	if l.command == "QUIT" {
		for _, g := range others {
			c.gone[g] = ""
		}
		c.remember(change{who: who, old: fold, room: ev.Room, time: ev.Time})
	}
	c.put(l)
	d.Shared.Get(whowas(fold), func() any {
		u := bridge.User{Nick: nick, Account: o.Account, Real: o.Real, View: o.View, Node: node, Since: o.Since}
		c.srv.people.remember(u, ev.Time)
		return true
	})
}

// whowas is the key under which it is noted that somebody was remembered for WHOWAS.
type whowas string

// shownLately reports whether another room has told the same change before.
func (c *conn) shownLately(x change) bool {
	for _, o := range c.recent {
		if o.who == x.who && o.old == x.old && o.to == x.to && o.room != x.room && x.time-o.time < recentFor && o.time-x.time < recentFor {
			return true
		}
	}
	return false
}

func (c *conn) remember(x change) {
	if len(c.recent) >= recentChanges {
		c.recent = append(c.recent[:0], c.recent[1:]...)
	}
	c.recent = append(c.recent, x)
}

// renamed shows NICK once for all rooms that the client shares with somebody.
func (c *conn) renamed(d bridge.Delivery) {
	ev := d.Event
	to := ev.Body.(*rooms.Nick).New
	if d.Self {
		if d.Mine || c.sess.Nick() == to {
			c.ownNick(to, ev.Time, ev.ID.MsgID(), answer(d))
		}
		return
	}
	if _, in := c.joined[d.Seat]; !in {
		return
	}
	k := ghost{ev.Room, rooms.Fold(ev.Nick)}
	old, known := c.gone[k]
	delete(c.gone, k)
	shownTo := c.srv.people.shown(nil, to)
	if !known || old == "" {
		old = c.srv.people.shown(nil, ev.Nick)
	}
	x := change{who: string(ev.Principal()), old: rooms.Fold(ev.Nick), to: rooms.Fold(shownTo), room: ev.Room, time: ev.Time}
	if known && old == shownTo || c.shownLately(x) {
		return
	}
	for _, t := range c.sess.Seats() {
		if t.Room().ID() == ev.Room {
			continue
		}
		t.View(func(st *rooms.State) {
			if o, ok := st.Occupant(ev.Nick); ok && rooms.Fold(ev.Nick) != rooms.Fold(to) && o.Principal() == ev.Principal() {
				c.gone[ghost{t.Room().ID(), rooms.Fold(ev.Nick)}] = shownTo
			}
		})
	}
	c.remember(x)
	c.put(&line{source: maskOf(old, ev.Account, ev.Device), command: "NICK", params: []string{shownTo}, time: ev.Time, account: ev.Account, msgid: ev.ID.MsgID()})
}

// ownNick tells the client its new nick, once.
func (c *conn) ownNick(to string, at int64, msgid string, r *reply) {
	if to == *c.nick.Load() {
		return
	}
	l := &line{source: c.mask(), command: "NICK", params: []string{to}, time: at, msgid: msgid, account: c.sess.Account()}
	if at == 0 {
		l.time = c.srv.now()
	}
	c.nick.Store(&to)
	if r != nil {
		r.send(l)
	} else {
		c.put(l)
	}
}
