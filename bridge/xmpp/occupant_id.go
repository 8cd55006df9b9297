package xmpp

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"sync"

	"warren/perms"
	"warren/rooms"
)

// maxGuestIDs bounds the changed nicks that are remembered, of all rooms. Beyond it all are forgotten: their guests get other ids.
const maxGuestIDs = 4096

// guestIDs gives guests one occupant id in a room whatever their nick (XEP-0421). A guest is (node, nick), so another nick makes another principal;
// remembered is the one under which it was seen first. Accounts need none of this. Safe for concurrent use; the zero value is ready.
type guestIDs struct {
	mu    sync.Mutex
	first map[rooms.RoomID]map[perms.Principal]string
	n     int // entries of all rooms
}

// of returns what the occupant id of somebody is made from.
func (g *guestIDs) of(room rooms.RoomID, who perms.Principal) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.get(room, who)
}

func (g *guestIDs) get(room rooms.RoomID, who perms.Principal) string {
	if id, ok := g.first[room][who]; ok {
		return id
	}
	return string(who)
}

func (g *guestIDs) set(room rooms.RoomID, who perms.Principal, id string) {
	if g.first == nil || g.n >= maxGuestIDs {
		g.first, g.n = map[rooms.RoomID]map[perms.Principal]string{}, 0
	}
	if g.first[room] == nil {
		g.first[room] = map[perms.Principal]string{}
	}
	if _, known := g.first[room][who]; !known {
		g.n++
	}
	g.first[room][who] = id
}

// came follows a guest who enters or changes the nick, before that is shown. Every client of the room may tell it.
func (g *guestIDs) came(ev *rooms.Event) {
	if ev.Account != "" || ev.Target == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch ev.Body.(type) {
	case *rooms.Nick:
		if before, after := ev.Principal(), ev.Target.Principal(); before != after {
			g.set(ev.Room, after, g.get(ev.Room, before))
		}
	case *rooms.Enter:
		if len(g.first[ev.Room]) > 0 { // somebody here may have come under this very nick
			g.set(ev.Room, ev.Principal(), string(ev.Principal())+" "+ev.ID.MsgID())
		}
	}
}

// gone forgets guests who went, after that is shown.
func (g *guestIDs) gone(ev *rooms.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	of := g.first[ev.Room]
	if len(of) == 0 {
		return
	}
	before := len(of)
	for _, o := range ev.Gone {
		id := g.get(ev.Room, o.Principal())
		maps.DeleteFunc(of, func(_ perms.Principal, first string) bool { return first == id })
	}
	g.n -= before - len(of)
	if len(of) == 0 {
		delete(g.first, ev.Room)
	}
}

// occupantID is one id for a person in a room, whatever the nick (XEP-0421).
func (s *Server) occupantID(room rooms.RoomID, p perms.Principal) *element {
	h := sha256.New()
	h.Write([]byte("warren/occupant/1\x00"))
	h.Write(room[:])
	h.Write([]byte(s.guests.of(room, p)))
	return el(nsOccupant, "occupant-id", at("id", hex.EncodeToString(h.Sum(nil)[:16])))
}
