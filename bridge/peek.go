package bridge

import (
	"slices"

	"warren/rooms"
)

// Peeker is a World that shows rooms that are not open for anybody here, too: those that this node controls or follows for others.
type Peeker interface {
	// Peek calls f with the state of this node's copy of the room, as Room.View does, and reports whether there is a copy. It does not block
	// on other nodes; the copy may be behind.
	Peek(id rooms.RoomID, f func(*rooms.State)) bool
}

// Peek calls f with the state of a room of which this node has a copy, as Room.View does, and reports whether it has. What f tells to people
// is the caller's to judge: the room may be secret.
func (h *Hub) Peek(id rooms.RoomID, f func(*rooms.State)) bool {
	h.mu.Lock()
	c, ok := h.channels[id]
	h.mu.Unlock()
	if ok {
		c.room.View(f)
		return true
	}
	p, ok := h.world.(Peeker)
	return ok && p.Peek(id, f)
}

func (h *Hub) isOpen(id rooms.RoomID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.channels[id]
	return ok
}

// HasBot reports whether the service occupant answers here.
func (h *Hub) HasBot() bool { return h.runner != nil }

// SetReal gives the session's person another real name, as others see it from now on (rooms keep the one of the entrance).
func (s *Session) SetReal(real string) {
	s.mu.Lock()
	s.person.Real = real
	fold := rooms.Fold(s.person.Nick)
	s.mu.Unlock()
	s.hub.users.localChanged(fold)
}

// Peers returns everybody with whom the session's person has a conversation of two, in no particular order.
func (s *Session) Peers() []User {
	me := s.principal()
	var out []User
	var members []rooms.RoomRecord
	s.hub.world.Directory(func(d *rooms.Directory) {
		for _, r := range d.Rooms {
			if r.Direct() && len(r.Members) == 2 && slices.Contains(r.Members, me) {
				members = append(members, r)
			}
		}
	})
	for _, r := range members {
		other := r.Members[0]
		if other == me {
			other = r.Members[1]
		}
		out = append(out, s.hub.UserOf(other))
	}
	return out
}
