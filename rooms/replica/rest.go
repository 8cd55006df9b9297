package replica

import (
	"slices"
	"time"

	"warren/perms"
	"warren/rooms"
)

// A room in which nobody is and nothing happens leaves memory: what stays is an entry here, with the few facts that people and the node ask of
// rooms that are not awake, and its state on disk. No goroutine, no timer, no topic. It wakes when something wants it: see wake.go.
//
// Rooms with occupants stay in memory, at rest (park.go): their members' nodes keep asking their controllers for news, which would wake them
// again at once, and somebody must notice when an occupant's node is gone.

// Facts is what is known of a room at this node without waking it.
type Facts struct {
	Parked      bool
	Epoch       uint64
	Height      uint64
	Leader      rooms.NodeID // who leads it, or did when it was parked
	Subject     string
	SubjectTime int64 // ms
	Users       int
	Open        bool // everybody may read it
	Hidden      bool // secret, or closed: its existence is not everybody's to know
}

// resting is a room that has been parked, in memory and, encoded, as its record in the table Held. A zero value is one of which nothing is known
// here: this node has been named its controller while it was away.
type resting struct {
	_           struct{} `cbor:",toarray"`
	Epoch       uint64   // 0: not known
	Height      uint64
	Leader      rooms.NodeID
	Due         int64 // ms: when the room has to be looked at, 0: never. An empty temporary room ends then, or something of the log can be let go
	SubjectTime int64 // ms
	Subject     string
	Behind      bool // a controller that was away has not got everything
	Tagged      bool // it holds something that searches find
	Open        bool
	Hidden      bool
	Controllers uint8 // how many the room asks for

	retry int64 // ms: the disk did not give it, and is not asked again before; not stored
}

// awake is the record in Held of a room that has to be loaded at the next start: it was in memory when the node stopped.
func awake() []byte { return []byte{1} }

// rest returns what remains of the copy when it leaves memory. behind: a controller that is away lacks something.
func (r *Replica) rest(st *rooms.State, behind bool) *resting {
	return &resting{
		Epoch: r.chain.Epoch, Height: r.chain.Height, Leader: r.leader, Due: sooner(st.Ends(), r.dueToLetGo()), Behind: behind, Tagged: tagged(st),
		Subject: st.Subject, SubjectTime: st.SubjectTime, Open: open(st), Hidden: hidden(st), Controllers: st.Set.Controllers,
	}
}

func (e *resting) facts() Facts {
	return Facts{Parked: true, Epoch: e.Epoch, Height: e.Height, Leader: e.Leader, Subject: e.Subject, SubjectTime: e.SubjectTime, Open: e.Open, Hidden: e.Hidden}
}

func open(st *rooms.State) bool   { return st.ACL.Get(perms.Everyone).Allow.Has(perms.Read) }
func hidden(st *rooms.State) bool { return st.Set.Secret || st.Closed }

func tagged(st *rooms.State) bool {
	if len(st.Tags) > 0 {
		return true
	}
	for _, o := range st.Objects {
		if len(o.Tags) > 0 {
			return true
		}
	}
	return false
}

// Facts tells what this node knows of a room without waking it; false: it has no copy.
func (h *Host) Facts(id rooms.RoomID) (Facts, bool) {
	h.mu.Lock()
	r, e := h.copies[id], h.parked[id]
	h.mu.Unlock()
	switch {
	case r != nil && !r.directory:
		r.mu.RLock()
		defer r.mu.RUnlock()
		st := r.chain.Machine.(*rooms.State)
		return Facts{
			Epoch: r.chain.Epoch, Height: r.chain.Height, Leader: r.leader, Subject: st.Subject, SubjectTime: st.SubjectTime, Users: len(st.Occupants),
			Open: open(st), Hidden: hidden(st),
		}, true
	case e != nil:
		return e.facts(), true
	}
	return Facts{}, false
}

// tickRest parks the copy of a room for good when it has been at rest for long and nothing here or elsewhere lives on it.
func (r *Replica) tickRest(now time.Time) {
	if r.directory || r.park.since.IsZero() || now.Sub(r.park.since) < r.h.cfg.Rest || r.parked || !r.restful() {
		return
	}
	st := r.chain.Machine.(*rooms.State)
	if len(st.Occupants) > 0 || st.Closed || len(r.stew.gone) > 0 || r.stew.telling.Load() || !r.witnessed() {
		return
	}
	if due := st.Ends(); due > 0 && r.h.Now()+int64(parkAfter/time.Millisecond) >= due {
		return // it is about to end
	}
	r.h.park(r, r.rest(st, r.lacking()))
}

// restful reports whether nobody here or at another node uses this copy of a room that this node controls.
func (r *Replica) restful() bool {
	return r.ctl != nil && r.broken == nil && r.log.Gap == nil && !r.sweeps() && slices.Contains(r.controllers(), r.h.self) && r.recruit == nil && r.waking == nil &&
		len(r.subs)+len(r.held)+len(r.out.pending)+len(r.syncs) == 0 && !r.pull.under() && r.watchers() == 0
}

// witnessed reports whether the directory knows the room's controllers as they are.
func (r *Replica) witnessed() bool {
	rec, err := r.h.record(r.id)
	return err == nil && rec.Since == r.chain.Machine.Base().Since
}

// park takes the copy out of memory; it does nothing when something has come for it meanwhile. Called from the copy's goroutine.
func (h *Host) park(r *Replica, e *resting) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.copies[r.id] != r || !r.endIfEmpty() {
		return
	}
	r.parked = true
	h.parked[r.id] = e
	h.dueAt(e.Due)
	h.cfg.Store.WriteLater([]Change{{Table: Held, Key: r.id[:], Value: rooms.Marshal(e)}})
}

// dueAt notes when a parked room has to be looked at (0: never). h.mu is held.
func (h *Host) dueAt(ms int64) {
	if ms > 0 && (h.nextDue == 0 || ms < h.nextDue) {
		h.nextDue = ms
	}
}

// showParked tells of the parked rooms that hold something to be found.
func (h *Host) showParked() {
	if h.cfg.Opened == nil {
		return
	}
	var ids []rooms.RoomID
	h.mu.Lock()
	for id, e := range h.parked {
		if e.Tagged {
			ids = append(ids, id)
		}
	}
	h.mu.Unlock()
	for _, id := range ids {
		if h.ctx.Err() != nil {
			return
		}
		h.show(id)
	}
}

// show tells of one parked room; it cannot be woken meanwhile, so that what is told of it comes in order.
func (h *Host) show(id rooms.RoomID) {
	h.mu.Lock()
	if h.closed || h.parked[id] == nil || h.loading[id] != nil {
		h.mu.Unlock()
		return // it tells of itself
	}
	l := &loading{done: make(chan struct{})}
	h.loading[id] = l
	h.mu.Unlock()
	h.cfg.Opened(id)
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.loading, id)
	close(l.done)
	switch {
	case len(l.frames) == 0 && !l.wanted:
	case h.closed:
		for i := range l.frames {
			h.load.add(l.frames[i].from, -l.frames[i].cost())
		}
	default:
		next := h.begin(id, nil)
		next.frames, next.wanted = l.frames, l.wanted
	}
}
