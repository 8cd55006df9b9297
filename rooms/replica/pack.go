package replica

import (
	"warren/rooms"
)

// Ticks of a room pile up. When a checkpoint is certified, those since the last one are put into the decisions above them (rooms.Pack): of each no more is
// kept than its header needs, and the decision that holds it certifies it. So a height may have no record of its own; the next record above covers it.

// recordOf returns what puts a decision on disk. The ticks that it holds lie there no more themselves: none of them may lie in a record that holds others below.
func recordOf(id rooms.RoomID, d *rooms.Decision, data []byte) []Change {
	put := Change{Table: Decisions, Key: roomKey(id, d.Header.Height), Value: data}
	if d.Ticks == nil {
		return []Change{put}
	}
	return []Change{{Table: Decisions, Key: roomKey(id, d.Low()), To: roomKey(id, d.Header.Height)}, put}
}

// packed returns what packs the ticks below a decision at a checkpoint, down to the last one. The decision itself need not be on disk.
func (r *Replica) packed(d *rooms.Decision) (changes []Change) {
	list, err := r.decisions(d.Header.Height+1-rooms.CheckpointEvery, d.Header.Height-1)
	if err != nil {
		return nil // they stay as they are
	}
	for _, p := range rooms.Repack(append(list, *d)) {
		changes = append(changes, recordOf(r.id, &p, rooms.Marshal(&p))...)
	}
	return changes
}

// covering returns the decision on disk that covers a height; nil: none does. It reads the disk.
func (h *Host) covering(id rooms.RoomID, height uint64) (*rooms.Decision, error) {
	list, err := h.cfg.Store.Range(Decisions, roomKey(id, height), roomKey(id, height+rooms.CheckpointEvery), 1, false)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	d := &rooms.Decision{}
	if err := rooms.Unmarshal(list[0].Value, d); err != nil || d.Low() > height {
		return nil, err
	}
	return d, nil
}

// headerAt returns the header of a height; false: it is not on this disk, or cannot be read.
func (h *Host) headerAt(id rooms.RoomID, height uint64) (rooms.Header, bool) {
	d, err := h.covering(id, height)
	if err != nil || d == nil {
		return rooms.Header{}, false
	}
	return d.HeaderAt(height)
}

// rise makes a descent begin with a decision that holds ticks which are due, and ends among what is here above them.
func (r *Replica) rise(next *rooms.Descent, d *rooms.Decision) {
	if d.Header.Height <= next.Height || d.Low() > next.Height {
		return
	}
	if here := r.at(d.Header.Height); here != nil {
		next.Rise(&here.Header, d)
	}
}

// meet ends a descent at the gap's lower end, when the last decision, which has been taken, holds ticks that are here below it, and returns what is to be stored
// of it: what is here stays as it lies.
func (g *gap) meet(next *rooms.Descent, f fetched) fetched {
	if next.Height >= g.Low {
		return f
	}
	if h, ok := f.d.HeaderAt(g.Low); ok {
		next.Height, next.Head = g.Low, h.Hash()
	}
	d := f.d.Above(g.Low)
	return fetched{d, rooms.Marshal(d)}
}
