package replica

import (
	"slices"
	"time"

	"warren/rooms"
	"warren/rooms/placement"
)

// wanted returns the controllers that a room should have now: those it has, without who was away for long, and others by placement, those
// with people in the room last: who has no stake in it has less reason to cheat. When nobody is missing, one of too many of the same sponsor, admitting
// node or label makes room for another. asked is the number that the room asks for, 0: none. people reports whether the room has occupants at a
// node; nil: nobody is in it. unfit reports whether a controller has misbehaved so that it is to be replaced as if it were away; nil: nobody has.
func (h *Host) wanted(
	id rooms.RoomID, current []rooms.NodeID, asked int, nodes []rooms.NodeRecord, people, unfit func(rooms.NodeID) bool, now time.Time,
) []rooms.NodeID {
	if bound := placement.Bound(asked); len(current) > bound {
		return h.fewer(current, placement.Order(id, nodes, people), bound)
	}
	want := placement.Asked(h.countAlive(nodes), asked)
	if want < len(current) {
		want = len(current) // a room does not shrink because nodes are away for a while
	}
	inside := func(n rooms.NodeID) bool {
		return slices.ContainsFunc(nodes, func(r rooms.NodeRecord) bool { return r.ID == n })
	}
	away := 0
	keep := func(n rooms.NodeID) bool {
		if n == h.self {
			return true
		}
		up, since := h.cfg.Net.Alive(n)
		if (up || now.Sub(since) < h.cfg.Away) && inside(n) && (unfit == nil || !unfit(n)) {
			return true
		}
		away++
		return away > 1 // one at a time
	}
	candidates := placement.Order(id, nodes, people)
	fit := slices.DeleteFunc(slices.Clone(candidates), func(n rooms.NodeRecord) bool { return unfit != nil && unfit(n.ID) })
	target := placement.Choose(current, fit, want, keep, h.alive)
	if slices.Equal(target, current) && !slices.ContainsFunc(current, func(n rooms.NodeID) bool { return !h.alive(n) }) {
		target = placement.Relieve(current, candidates, h.self, h.alive)
	}
	if len(target) < len(current) {
		return current // nobody to replace the missing one with
	}
	if n := len(target); n == 2 {
		return current // two controllers bear no fault and freeze sooner than one
	}
	return target
}

// fewer returns which n of the controllers stay when there are too many: this node, then those that are alive, in the order of placement.
func (h *Host) fewer(current []rooms.NodeID, order []rooms.NodeRecord, n int) []rooms.NodeID {
	rank := func(c rooms.NodeID) int {
		switch i := slices.IndexFunc(order, func(r rooms.NodeRecord) bool { return r.ID == c }); {
		case c == h.self:
			return -1
		case i < 0: // not inside any more
			return 2 * len(order)
		case !h.alive(c):
			return len(order) + i
		default:
			return i
		}
	}
	out := slices.Clone(current)
	slices.SortStableFunc(out, func(a, b rooms.NodeID) int { return rank(a) - rank(b) })
	out = out[:n]
	rooms.SortNodes(out)
	return out
}

// care wakes some of the parked rooms that should have other controllers than they have: those that this node is the first to lead. Others
// follow the next time, since many rooms may be meant when a node comes or goes: false says that there are such.
func (h *Host) care(now time.Time) (done bool) {
	nodes := h.nodes()
	h.mu.Lock()
	parked := make(map[rooms.RoomID]*resting, len(h.parked))
	for id, e := range h.parked {
		parked[id] = e // but for retry, nobody changes it
	}
	h.mu.Unlock()
	controlled := make(map[rooms.RoomID][]rooms.NodeID, len(parked))
	h.Directory(func(d *rooms.Directory) {
		for id := range parked {
			if rec, ok := d.Rooms[id]; ok {
				controlled[id] = rec.Now // replaced, never changed in place
			}
		}
	})
	woken := 0
	for id, current := range controlled {
		e := parked[id]
		if h.firstOf(id, current, e.Leader) != h.self || slices.Equal(h.wanted(id, current, int(e.Controllers), nodes, nil, nil, now), current) {
			continue
		}
		h.wake(id)
		if woken++; woken >= careBatch {
			return false
		}
	}
	return true
}
