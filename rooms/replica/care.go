package replica

import (
	"slices"
	"time"

	"warren/rooms"
	"warren/rooms/placement"
)

// sight is what this node sees of who controls a room and who could; away is the time after which it takes one who is not heard for away.
func (h *Host) sight(id rooms.RoomID, now []rooms.NodeID, asked int, nodes []rooms.NodeRecord, away time.Duration) *placement.Sight {
	return &placement.Sight{
		Room: id, Self: h.self, Now: now, Asked: asked, Nodes: nodes, Alive: h.alive,
		Away: func(n rooms.NodeID) bool { return h.silent(n, away) },
	}
}

// care wakes some of the parked rooms that should have other controllers than they have: those that this node is the first to lead. Others
// follow the next time, since many rooms may be meant when a node comes or goes: false says that there are such.
func (h *Host) care() (done bool) {
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
		if h.firstOf(id, current, e.Leader) != h.self || slices.Equal(h.sight(id, current, int(e.Controllers), nodes, h.cfg.Away).Target(), current) {
			continue
		}
		h.wake(id)
		if woken++; woken >= careBatch {
			return false
		}
	}
	return true
}
