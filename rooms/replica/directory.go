package replica

import (
	"slices"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// Dir returns the directory's copy.
func (h *Host) Dir() *Replica { return h.dir }

// Directory calls f with the directory under a read lock: f must be quick and not keep it.
func (h *Host) Directory(f func(*rooms.Directory)) {
	h.dir.mu.RLock()
	defer h.dir.mu.RUnlock()
	f(h.dir.chain.Machine.(*rooms.Directory))
}

type lockedView struct {
	dir *Replica
	v   uint64
}

func (w lockedView) at(f func(rooms.View)) {
	w.dir.mu.RLock()
	defer w.dir.mu.RUnlock()
	f(w.dir.chain.Machine.(*rooms.Directory).At(w.v))
}

func (w lockedView) Version() uint64 { return w.v }

func (w lockedView) Signs(account string, device rooms.NodeID) (ok bool) {
	w.at(func(v rooms.View) { ok = v.Signs(account, device) })
	return ok
}

func (w lockedView) HasAccount(name string) (ok bool) {
	w.at(func(v rooms.View) { ok = v.HasAccount(name) })
	return ok
}

func (w lockedView) Node(id rooms.NodeID) (n rooms.NodeRecord, ok bool) {
	w.at(func(v rooms.View) { n, ok = v.Node(id) })
	return n, ok
}

func (w lockedView) Epochs(room rooms.RoomID) (list []rooms.EpochRecord) {
	w.at(func(v rooms.View) { list = v.Epochs(room) })
	return list
}

func (w lockedView) Member(account, group string) (ok bool) {
	w.at(func(v rooms.View) { ok = v.Member(account, group) })
	return ok
}

// view returns the directory's version v, behind its lock. The caller makes sure that the directory is there.
func (h *Host) view(v uint64) rooms.View {
	if h.dir == nil {
		return nil // the directory itself is being loaded: it judges by its own state
	}
	return lockedView{h.dir, v}
}

// dirHeight is the newest version of the directory here.
func (h *Host) dirHeight() uint64 { return h.dirAt.Load() }

// record returns what the directory shows of a room, or errs.NotFound.
func (h *Host) record(id rooms.RoomID) (rec rooms.RoomRecord, err error) {
	known := false
	h.Directory(func(d *rooms.Directory) { rec, known = d.Rooms[id] })
	if !known {
		return rec, errs.NotFound
	}
	return rec, nil
}

// named returns the record of the room that has a name now.
func (h *Host) named(name string) (rec rooms.RoomRecord, known bool) {
	h.Directory(func(d *rooms.Directory) { rec, known = d.RoomByName(name) })
	return rec, known
}

// inside reports whether the node belongs to the network now.
func (h *Host) inside(n rooms.NodeID) (ok bool) {
	h.Directory(func(d *rooms.Directory) { _, ok = d.Now().Node(n) })
	return ok
}

func (h *Host) nodes() []rooms.NodeRecord {
	var out []rooms.NodeRecord
	h.Directory(func(d *rooms.Directory) {
		for _, id := range d.NodeIDs() {
			out = append(out, d.Nodes[id])
		}
	})
	return out
}

func (h *Host) countAlive(nodes []rooms.NodeRecord) (n int) {
	for _, r := range nodes {
		if h.alive(r.ID) {
			n++
		}
	}
	return n
}

// Alive reports whether a node is up, as this node sees it.
func (h *Host) Alive(id rooms.NodeID) bool { return h.alive(id) }

func (h *Host) alive(id rooms.NodeID) bool {
	if id == h.self {
		return true
	}
	up, _ := h.cfg.Net.Alive(id)
	return up
}

// silent reports whether another node has not been heard for so long.
func (h *Host) silent(n rooms.NodeID, d time.Duration) bool {
	if n == h.self {
		return false
	}
	up, since := h.cfg.Net.Alive(n)
	return !up && time.Since(since) >= d
}

// left reports whether nobody can sit at another node any more: it has not been heard for the lease, or for a moment since its process ended. Half
// of that is enough for who is asked: another may have lost sight of it earlier. Nor does who has just started take anybody for gone: the two may not
// have found each other yet.
func (h *Host) left(n rooms.NodeID, asked bool) bool {
	lease, ended := h.cfg.Lease, min(endedLease, h.cfg.Lease)
	if asked {
		lease, ended = lease/2, ended/2
	}
	return h.silent(n, lease) && time.Since(h.from) >= lease || h.silent(n, ended) && h.cfg.Net.Ended(n)
}

// nodesVersion changes with every change of the nodes that there are and are up.
func (h *Host) nodesVersion() uint64 { return h.moved.Load() }

// directoryApplied follows what the directory decided: rooms to found or to control, rooms to drop.
func (h *Host) directoryApplied(ev *rooms.Event) {
	switch b := ev.Body.(type) {
	case *rooms.CreateRoom:
		if !slices.Contains(b.Controllers, h.self) {
			return
		}
		if rec, known := h.named(b.Name); known {
			h.wake(rec.ID)
		}
	case *rooms.Witness:
		// This node may have closed its copy between its consent and the change.
		if rec, err := h.record(b.Room); err == nil && (slices.Contains(rec.Now, h.self) || h.isParked(b.Room)) {
			h.wake(b.Room)
		}
	case *rooms.NewEpoch:
		if rec, err := h.record(b.Room); err == nil && slices.Contains(rec.Now, h.self) {
			h.wake(b.Room)
		}
	case *rooms.AdmitNode, *rooms.DropNode:
		h.moved.Add(1)
	case *rooms.DropRoom:
		h.drop(b.Room)
	}
}

// directoryMoved tells all rooms that the directory has a new version. Those at rest look for themselves before they do anything.
func (h *Host) directoryMoved() {
	for _, r := range h.Replicas() {
		if r != h.dir && !r.quiet.Load() {
			r.poke()
		}
	}
}

// up returns the other nodes that are up.
func (h *Host) up() (out []rooms.NodeID) {
	for _, n := range h.nodes() {
		if n.ID != h.self && h.alive(n.ID) {
			out = append(out, n.ID)
		}
	}
	return out
}
