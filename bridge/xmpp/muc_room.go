package xmpp

import (
	"mellium.im/xmpp/jid"

	"warren/bridge"
	"warren/rooms"
)

// occupancy is one client's seat in a room, as the client sees it. While the client is being told who is there and what was said before,
// what happens is held back, so that it comes after.
type occupancy struct {
	seat *bridge.Seat
	jid  string // bare
	id   rooms.RoomID
	from uint64 // events up to this one belong to the history; 0: not known before the client is told

	// guarded by conn.mu
	catching bool
	floor    uint64 // talk up to here was told as history
	held     []held
	size     int // bytes held
	ended    bool
}

type held struct {
	seq   uint64 // of talk, else 0
	bytes []byte
}

// toRoom handles what is sent to a room or an occupant.
func (c *conn) toRoom(e *element, to jid.JID) {
	name, ok := c.srv.channel(to)
	if !ok {
		c.fail(e, stanzaError{"cancel", "item-not-found", "no room can have this name"})
		return
	}
	switch e.Name.Local {
	case "presence":
		c.roomPresence(e, to, name)
	case "message":
		c.roomMessage(e, to, name)
	case "iq":
		if to.Resourcepart() != "" {
			c.occupantQuery(e, to, name)
			return
		}
		c.roomQuery(e, name)
	}
}

func (c *conn) roomPresence(e *element, to jid.JID, name string) {
	switch e.attr("type") {
	case "":
		c.enterPresence(e, to, name)
	case "unavailable":
		c.leaveRoom(e, name)
	case "subscribe", "subscribed", "unsubscribe", "unsubscribed":
		c.fail(e, unavailable())
	}
}

func (c *conn) roomMessage(e *element, to jid.JID, name string) {
	switch t := e.attr("type"); {
	case t == "error":
	case t == "groupchat" && to.Resourcepart() == "":
		c.say(e, name)
	case t == "groupchat":
		c.fail(e, stanzaError{"modify", "bad-request", "a groupchat message goes to the room"})
	case to.Resourcepart() != "":
		c.private(e, to.Resourcepart(), name)
	case e.child(nsMUCUser, "x").child(nsMUCUser, "invite") != nil:
		c.inviteMediated(e, name)
	case e.child(nsMUCUser, "x").child(nsMUCUser, "decline") != nil:
	default:
		c.fail(e, stanzaError{"modify", "bad-request", "messages to a room have the type groupchat"})
	}
}

func (c *conn) roomQuery(iq *element, name string) {
	in := func(f func(c *conn, iq, q *element, name string)) iqHandler {
		return func(c *conn, iq, q *element) { f(c, iq, q, name) }
	}
	c.answer(iq, merged(anywhere(), map[query]iqHandler{
		{"get", nsDiscoInfo, "query"}:  in((*conn).roomInfo),
		{"get", nsDiscoItems, "query"}: in((*conn).roomItems),
		{"get", nsMUCAdmin, "query"}:   in((*conn).adminGet),
		{"set", nsMUCAdmin, "query"}:   in((*conn).adminSet),
		{"get", nsMUCOwner, "query"}:   in((*conn).ownerGet),
		{"set", nsMUCOwner, "query"}:   in((*conn).ownerSet),
		{"get", nsMAM, "query"}:        in((*conn).archiveForm),
		{"set", nsMAM, "query"}:        in((*conn).archiveQuery),
		{"get", nsVCard, "vCard"}: func(c *conn, iq, _ *element) {
			c.fail(iq, stanzaError{"cancel", "item-not-found", ""})
		},
	}))
}

// inRoom runs f on the room's lane with the client's seat, or says why not.
func (c *conn) inRoom(e *element, name string, f func(t *bridge.Seat)) {
	ok := c.later("room "+rooms.Fold(name), func() {
		t := c.seat(name)
		if t == nil {
			c.fail(e, stanzaError{"modify", "not-acceptable", "join the room first"})
			return
		}
		f(t)
	})
	if !ok {
		c.fail(e, stanzaError{"wait", "resource-constraint", "too much is waiting"})
	}
}

// emit shows something that happened in a room, or holds it back while the client is still being told what was before. seq is that of talk.
func (c *conn) emit(occ *occupancy, seq uint64, parts ...[]byte) {
	c.mu.Lock()
	if seq > 0 && seq <= occ.floor {
		c.mu.Unlock()
		return
	}
	if occ.catching {
		h := held{seq: seq}
		for _, p := range parts {
			h.bytes = append(h.bytes, p...)
		}
		if occ.size += len(h.bytes); occ.size <= c.srv.limits.MaxQueue {
			occ.held = append(occ.held, h)
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		c.end("policy-violation", "the client does not read what it gets")
		return
	}
	ok := c.out.put(parts...)
	c.mu.Unlock()
	if !ok {
		c.overflow()
	}
}

// release shows what was held back, and lets the rest through.
func (c *conn) release(occ *occupancy) {
	c.mu.Lock()
	ok := true
	for _, h := range occ.held {
		if h.seq == 0 || h.seq > occ.floor {
			ok = c.out.put(h.bytes) && ok
		}
	}
	occ.held, occ.size, occ.catching = nil, 0, false
	if occ.ended {
		delete(c.seats, occ.seat)
	}
	c.mu.Unlock()
	if !ok {
		c.overflow()
	}
}

// spliced is a stanza without its address: head, the address of each client, tail.
type spliced struct{ head, tail []byte }

func splice(e *element) spliced {
	b := e.appendXML(nil, nsClient)
	n := 1 + len(e.Name.Local)
	return spliced{b[:n:n], b[n:]}
}
