package bridge

import (
	"slices"

	"warren/rooms"
)

// Glance is what can be told of a room that is not open for anybody here: for lists. What of it people are told is the caller's to judge.
type Glance struct {
	Users       int
	Subject     string
	SubjectTime int64 // ms
	Open        bool  // everybody may read the room
	Hidden      bool  // secret, or closed
}

// Glancer is a World that shows rooms that are not open for anybody here, too: those that this node controls or follows for others.
type Glancer interface {
	// Glance tells how this node's copy of the room stands; false: there is none. It is cheap, also for thousands of rooms, and does not
	// block; the copy may be behind.
	Glance(id rooms.RoomID) (Glance, bool)
}

// Glance tells how a room stands of which this node has a copy; false: it has none.
func (h *Hub) Glance(id rooms.RoomID) (Glance, bool) {
	w, ok := h.world.(Glancer)
	if !ok {
		return Glance{}, false
	}
	return w.Glance(id)
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
