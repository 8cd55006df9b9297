package bridge

import (
	"slices"

	"warren/rooms"
)

// Glance tells how a room stands of which this node has a copy; false: it has none.
func (h *Hub) Glance(id rooms.RoomID) (Glance, bool) { return h.world.Glance(id) }

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
	for _, r := range s.hub.directsOf(me) {
		i := slices.Index(r.Members, me)
		out = append(out, s.hub.UserOf(r.Members[1-i]))
	}
	return out
}
