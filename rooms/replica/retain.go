package replica

import (
	"cmp"
	"encoding/binary"
	"math"
	"sort"
	"sync"
	"time"

	"warren/rooms"
)

// A room may ask that what was decided is kept for some days only (rooms.Settings.Retention). Each copy sees to that by itself: it raises its floor, the
// height below which nothing is kept, to the newest snapshot's height at most, and then sweeps what lies below, some decisions at a time. The floor
// is on disk before anything is deleted, so whoever is stopped meanwhile goes on where it left off. What stays of the log is what Descent and Proof
// need: changes of controllers and beginnings of epochs are kept for ever.

// retaining is what a copy knows of what it is to let go. Owned by the copy's loop.
type retaining struct {
	looked   time.Time
	due      int64  // ms: when the floor can be raised next; 0: not known
	sweeping bool   // a stretch is being looked through
	swept    uint64 // up to this height nothing is left to delete, as far as this life of the copy knows
}

// never is when a log is due of which nothing can be let go as it stands.
const never = math.MaxInt64

// keepers are rooms whose logs must stay as they are for a while, because they are being written to a file. Safe for concurrent use.
type keepers struct {
	mu    sync.Mutex
	rooms map[rooms.RoomID]int
}

// keep makes the room keep its log until the function that it returns is called.
func (k *keepers) keep(id rooms.RoomID) (done func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.rooms == nil {
		k.rooms = map[rooms.RoomID]int{}
	}
	k.rooms[id]++
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.rooms[id]--; k.rooms[id] == 0 {
			delete(k.rooms, id)
		}
	}
}

// unless calls f if nobody needs the room's log as it is, and reports that; nobody begins to before f has returned.
func (k *keepers) unless(id rooms.RoomID, f func()) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.rooms[id] > 0 {
		return false
	}
	f()
	return true
}

// settings returns the room's; the directory has none.
func (r *Replica) settings() (s rooms.Settings) {
	if st, ok := r.chain.Machine.(*rooms.State); ok {
		s = st.Set
	}
	return s
}

// tickRetain lets go what is older than the room wants.
func (r *Replica) tickRetain(now time.Time) {
	if r.directory || r.broken != nil {
		return
	}
	if now.Sub(r.retain.looked) >= retainEvery {
		r.retain.looked = now
		r.raiseFloor()
	}
	r.sweep()
}

// retained follows a decision: what it changes may make another time due.
func (r *Replica) retained() { r.retain.due, r.retain.looked = 0, time.Time{} }

// raiseFloor moves the floor up to the newest height below which all is older than the room wants, as far as there is a snapshot at or above it that
// others can be given.
func (r *Replica) raiseFloor() {
	if r.directory {
		return
	}
	set, now := r.settings(), r.h.Now()
	if set.Retention == 0 || r.retain.due > now || !r.witnessed() {
		return // who has not been told of the present controllers may need the log to be shown them
	}
	floor, err := r.floorAt(set.Gone(now))
	if err != nil {
		r.h.log.Warn("the log cannot be looked through for what is to be let go", "room", r.id.Short(), "err", err)
		return
	}
	if floor > r.log.Floor && !r.h.keeping.unless(r.id, func() { r.letGo(floor) }) {
		r.retain.due = 0 // later
	}
}

// floorAt returns the highest multiple of snapshotEvery below which all was decided before a time, 0 when there is none; and notes when there will be a
// higher one.
func (r *Replica) floorAt(before int64) (floor uint64, err error) {
	top, _, err := r.h.provable(r.id)
	if err != nil {
		return 0, err
	}
	low := (r.log.lowest() + snapshotEvery - 1) / snapshotEvery
	n := sort.Search(int(max(low, top/snapshotEvery+1)-low), func(i int) bool {
		at, ok := r.decidedAt((low + uint64(i)) * snapshotEvery)
		return !ok || at >= before
	})
	next := low + uint64(n)
	r.retain.due = never
	if at, ok := r.decidedAt(next * snapshotEvery); ok && next*snapshotEvery <= top {
		r.retain.due = r.h.Now() + at - before + 1
	}
	if n == 0 {
		return 0, nil
	}
	return (next - 1) * snapshotEvery, nil
}

// decidedAt returns the certified time of a height, in ms; false: it is not here.
func (r *Replica) decidedAt(height uint64) (ms int64, ok bool) {
	h, ok := r.h.headerAt(r.id, height)
	return h.Time, ok
}

// letGo raises the floor.
func (r *Replica) letGo(floor uint64) {
	m := r.log.missing
	m.Floor = floor
	switch g := m.Gap; {
	case g == nil || g.Down.Height < floor:
		m.Gap = nil
	case g.Low+1 < floor:
		m.Gap = &gap{Low: floor - 1, Down: g.Down}
	}
	r.setMissing(m, nil)
	if r.ctl != nil {
		r.ctl.Forget(floor - 1)
	}
	r.h.log.Info("what is older than the room keeps is let go", "room", r.id.Short(), "floor", floor)
}

// endGap makes the floor of what is missing below a height at most: the others keep no more either.
func (r *Replica) endGap(below uint64) {
	if g := r.log.Gap; g != nil && g.Down.Height <= below {
		r.letGo(g.Down.Height + 1)
	}
}

// mayBeGone reports whether it can be that the room lets go what lies below these decisions, or, if there are none, below the one above a height. Who
// says so and cannot be right is no source.
func (r *Replica) mayBeGone(list []fetched, height uint64) bool {
	r.mu.RLock()
	set, at := r.settings(), r.chain.Time
	r.mu.RUnlock()
	if len(list) > 0 {
		at = list[0].d.Header.Time
	} else if t, ok := r.decidedAt(height + 1); ok {
		at = t
	}
	gone := set.Gone(r.h.Now())
	return gone > 0 && at < gone+clockSlack.Milliseconds()
}

// sweeps reports whether something below the floor may have to be deleted still.
func (r *Replica) sweeps() bool { return r.retain.swept+1 < r.log.Floor }

// sweep deletes a stretch of what lies below the floor, in the background but for the write, which goes through the copy's loop: what is below the floor
// by then is not what was below it when the room had to begin anew meanwhile.
func (r *Replica) sweep() {
	if !r.sweeps() || r.retain.sweeping {
		return
	}
	r.retain.sweeping = true
	from, floor := r.retain.swept+1, r.log.Floor
	r.h.wg.Go(func() {
		changes, upto, err := r.h.sweepings(r.id, from, floor)
		r.must(func() {
			r.retain.sweeping = false
			switch {
			case err != nil:
				r.h.log.Warn("what was let go cannot be deleted now", "room", r.id.Short(), "err", err)
			case r.log.Floor >= floor:
				r.h.cfg.Store.WriteLater(changes)
				r.retain.swept = upto
			}
		})
	})
}

// sweepings returns what deletes the next sweepPiece decisions from a height on, below the floor, and up to which height that is. It reads the disk.
func (h *Host) sweepings(id rooms.RoomID, from, floor uint64) (changes []Change, upto uint64, err error) {
	list, err := h.cfg.Store.Range(Decisions, roomKey(id, from), roomKey(id, floor), sweepPiece, false)
	if err != nil {
		return nil, 0, err
	}
	upto = floor - 1
	if len(list) == sweepPiece {
		upto = binary.BigEndian.Uint64(list[len(list)-1].Key[len(id):])
	}
	next := from
	until := func(to uint64) {
		if next < to {
			changes = append(changes, Change{Table: Decisions, Key: roomKey(id, next), To: roomKey(id, to)})
		}
	}
	for _, e := range list {
		var d rooms.Decision
		if err := rooms.Unmarshal(e.Value, &d); err != nil {
			return nil, 0, err
		}
		if d.Marks() {
			until(d.Header.Height)
			next = d.Header.Height + 1
		}
	}
	until(upto + 1)
	return append(changes, Change{Table: Ids, Key: roomKey(id, 0), To: roomKey(id, segmentOf(upto+1))}), upto, nil
}

// dueToLetGo returns when the log will have something to let go (ms), 0: never as it stands.
func (r *Replica) dueToLetGo() int64 {
	if r.settings().Retention == 0 || r.retain.due == never {
		return 0
	}
	return max(r.retain.due, r.h.Now()+retainEvery.Milliseconds())
}

// sooner returns the earlier of two times, of which 0 is never.
func sooner(a, b int64) int64 {
	if a == 0 || b == 0 {
		return cmp.Or(a, b)
	}
	return min(a, b)
}
