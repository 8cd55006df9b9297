package placement

import (
	"slices"

	"warren/rooms"
)

// Sight is a room and its network as one of the room's controllers sees them: what it goes by when it says who should control the room, and when it
// judges what another one says.
type Sight struct {
	Room  rooms.RoomID
	Self  rooms.NodeID       // who looks: it stays
	Now   []rooms.NodeID     // the room's controllers, sorted
	Asked int                // how many the room asks for, 0: it does not
	Nodes []rooms.NodeRecord // of the network

	Alive  func(rooms.NodeID) bool
	Away   func(rooms.NodeID) bool // not heard for so long that it makes room for another one
	Unfit  func(rooms.NodeID) bool // it has misbehaved, and is treated as one that is away; nil: nobody has
	People func(rooms.NodeID) bool // the room has occupants there; nil: nobody is in it
}

// Target returns the controllers that the room should have next, sorted: those it has, without one who is away, and others in their order, those with
// people in the room last: who has no stake in it has less reason to cheat. When nobody is missing, one of too many of the same sponsor, admitting
// node or label makes room for another. It is Now when nothing is to be changed.
func (s *Sight) Target() []rooms.NodeID {
	candidates := Order(s.Room, s.Nodes, s.People)
	if bound := Bound(s.Asked); len(s.Now) > bound {
		return s.fewer(candidates, bound)
	}
	alive := 0
	for _, n := range s.Nodes {
		if s.Alive(n.ID) {
			alive++
		}
	}
	want := max(Asked(alive, s.Asked), len(s.Now)) // a room does not shrink because nodes are away for a while
	out := 0
	keep := func(n rooms.NodeID) bool {
		if n == s.Self || s.inside(n) && !s.Away(n) && !s.unfit(n) {
			return true
		}
		out++
		return out > 1 // one at a time
	}
	able := func(n rooms.NodeID) bool { return s.Alive(n) && !s.unfit(n) }
	target := Choose(s.Now, candidates, want, keep, able)
	if slices.Equal(target, s.Now) && !slices.ContainsFunc(s.Now, func(n rooms.NodeID) bool { return !s.Alive(n) }) {
		target = Relieve(s.Now, candidates, s.Self, able)
	}
	if len(target) < len(s.Now) || len(target) == 2 {
		return s.Now // nobody is there to replace the missing one with; two bear no fault and freeze sooner than one
	}
	return target
}

// fewer returns which n of the controllers stay when there are too many: this node, then those that are alive, in their order.
func (s *Sight) fewer(order []rooms.NodeRecord, n int) []rooms.NodeID {
	rank := func(c rooms.NodeID) int {
		switch i := slices.IndexFunc(order, func(r rooms.NodeRecord) bool { return r.ID == c }); {
		case c == s.Self:
			return -1
		case i < 0: // not inside any more
			return 2 * len(order)
		case !s.Alive(c):
			return len(order) + i
		default:
			return i
		}
	}
	out := slices.Clone(s.Now)
	slices.SortStableFunc(out, func(a, b rooms.NodeID) int { return rank(a) - rank(b) })
	out = out[:n]
	rooms.SortNodes(out)
	return out
}

// Allows reports whether the step to other controllers is right: newcomers are inside and alive and consent, and there are no more than there should
// be; a room with more than it asks for gives some up; else who is put out is away, unfit, or not inside any more, or makes the room less crowded. Who
// judges should ask for less of Away and Unfit than who proposes, which may have seen it earlier.
func (s *Sight) Allows(next []rooms.NodeID, consents func(rooms.NodeID) bool) bool {
	bound := Bound(s.Asked)
	stay := min(len(s.Now), bound)
	if len(next) < stay || len(next) > max(stay, Asked(len(s.Nodes), s.Asked)) {
		return false
	}
	for _, n := range next {
		if !slices.Contains(s.Now, n) && !(s.inside(n) && s.Alive(n) && consents(n)) {
			return false
		}
	}
	if len(s.Now) > bound {
		return len(next) == bound && !slices.ContainsFunc(next, func(n rooms.NodeID) bool { return !slices.Contains(s.Now, n) })
	}
	for _, n := range s.Now {
		if !slices.Contains(next, n) && s.inside(n) && !s.Away(n) && !s.unfit(n) && !s.relieves(next) {
			return false
		}
	}
	return true
}

// relieves reports whether the step exchanges one node for another and makes the room less crowded by it.
func (s *Sight) relieves(next []rooms.NodeID) bool {
	stay := slices.DeleteFunc(slices.Clone(next), func(n rooms.NodeID) bool { return !slices.Contains(s.Now, n) })
	return len(next) == len(s.Now) && len(stay) == len(s.Now)-1 && Crowd(next, s.Nodes, len(next)) < Crowd(s.Now, s.Nodes, len(s.Now))
}

func (s *Sight) inside(n rooms.NodeID) bool {
	return slices.ContainsFunc(s.Nodes, func(r rooms.NodeRecord) bool { return r.ID == n })
}

func (s *Sight) unfit(n rooms.NodeID) bool { return s.Unfit != nil && s.Unfit(n) }
