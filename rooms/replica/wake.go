package replica

import (
	"errors"
	"slices"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
	"warren/rooms/rate"
)

// A parked room wakes by what somebody here wants of it ([Host.Open]), by a frame or a pull of another node that may have something to do with it,
// when its time comes (an empty temporary room ends) and when its controllers should be others. Its controllers have no leader then: one of them
// asks for votes at once, and what came for the room waits for that, not for a time-out.

// loading is a room that is being read from the disk.
type loading struct {
	done   chan struct{} // closed when it has been read, or could not be
	frames []inFrame     // that came meanwhile
	wanted bool          // this node itself wants the room: it stays, whoever sent the frames
}

// rouses reports whether a frame is reason enough to wake a parked room: what answers a question of before it was parked, or is for people who sit
// in it, is not.
func rouses(kind uint8) bool {
	switch kind {
	case frameAnswer, frameHead, frameConsent, frameEndorse, frameSignal, frameProvisional, frameRefer, frameStatement:
		return false
	}
	return true
}

// rouse has a parked room read for a frame, which it gets if one of those that came may wake it: see rightful. A frame for a room that is not here
// may be early. It never blocks.
func (h *Host) rouse(f inFrame) {
	if !rouses(f.Kind) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.copies[f.Room]; r != nil && r.put(f) {
		return
	}
	l := h.loading[f.Room]
	if l == nil && h.parked[f.Room] == nil {
		h.keepEarly(f)
		return
	}
	if l == nil {
		if !h.dormant(f.Room) || !h.inside(f.from) || !h.wakes.Take(f.from, h.Now(), rate.Limit{PerSecond: wakeRate, Burst: wakeBurst}) {
			return
		}
		l = h.begin(f.Room, h.copies[f.Room])
	}
	l.take(h, f)
}

// take keeps a frame until the room is read, if there is room for it: each sender has a share only.
func (l *loading) take(h *Host, f inFrame) {
	his := 0
	for i := range l.frames {
		if l.frames[i].from == f.from {
			his++
		}
	}
	if len(l.frames) < loadingFrames && his < loadingShare && h.load.add(f.from, f.cost()) {
		l.frames = append(l.frames, f)
	}
}

// dormant reports whether the room is parked and can be read. h.mu is held.
func (h *Host) dormant(id rooms.RoomID) bool {
	e := h.parked[id]
	return !h.closed && e != nil && h.Now() >= e.retry
}

// wakeLocked wakes a parked room in the background, because this node wants it. h.mu is held.
func (h *Host) wakeLocked(id rooms.RoomID) {
	switch l := h.loading[id]; {
	case l != nil:
		l.wanted = true
	case h.dormant(id):
		h.begin(id, h.copies[id]).wanted = true
	}
}

// begin reads a room from the disk in the background, after the copy that is just ending (nil: none). h.mu is held, nobody else is reading it.
func (h *Host) begin(id rooms.RoomID, old *Replica) *loading {
	l := &loading{done: make(chan struct{}), frames: h.takeEarly(id)}
	h.loading[id] = l
	h.wg.Go(func() {
		select {
		case h.readers <- struct{}{}: // many rooms may wake at the same moment
			defer func() { <-h.readers }()
		case <-h.ctx.Done():
		}
		_, err := h.read(id, old, l)
		switch {
		case err == nil, errors.Is(err, errs.NotFound), errors.Is(err, errs.Closed), errors.Is(err, errs.Denied):
		default:
			h.log.Error("a room cannot be opened", "room", id.Short(), "err", err)
		}
	})
	return l
}

// read loads a room and runs its copy. It blocks on the disk. errs.Denied: nobody here wants it, and nobody who sent frames may wake it.
func (h *Host) read(id rooms.RoomID, old *Replica, l *loading) (*Replica, error) {
	if old != nil {
		<-old.done
	}
	chain, err := h.open(id) // without the lock: reading a log takes time, and the other rooms go on meanwhile
	var log logState
	if err == nil {
		log, err = h.loadGap(id)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.loading, id)
	defer close(l.done)
	rec, err2 := h.record(id)
	if err == nil {
		err = err2 // dropped meanwhile
	}
	if err == nil && h.closed {
		err = errs.Closed
	}
	for i := range l.frames {
		h.load.add(l.frames[i].from, -l.frames[i].cost())
	}
	e := h.parked[id]
	if err == nil && e != nil && !l.wanted && !h.roused(&rec, chain, l.frames) {
		h.turnAway(&rec, e, l.frames)
		return nil, errs.Denied
	}
	if err != nil {
		if e != nil {
			e.retry = h.Now() + readAgain.Milliseconds()
			if e.Due > 0 {
				h.dueAt(e.retry)
			}
		}
		return nil, err
	}
	r := h.newReplica(id, chain, log)
	if e != nil {
		if e.Height == chain.Height {
			r.saved = chain.Height // the snapshot that was written when it was parked
		}
		r.waking = &waking{until: time.Now().Add(wakeTime), hint: e.Leader}
		delete(h.parked, id)
	}
	h.copies[id] = r
	h.cfg.Store.WriteLater([]Change{{Table: Held, Key: id[:], Value: awake()}})
	for i := range l.frames {
		r.put(l.frames[i])
	}
	h.run(r)
	return r, nil
}

// waking is a parked room that has just been loaded and has no leader yet. Owned by the copy's loop.
type waking struct {
	until time.Time
	hint  rooms.NodeID // who led it before
	first rooms.NodeID // who is to lead it now
	aside []inFrame    // what waits for that
}

// tickWaking looks who should lead a room that has just woken, and asks for votes if it is this node. It begins at the copy's start, and is over
// when somebody leads, or after wakeTime: the usual elections settle it then.
func (r *Replica) tickWaking(now time.Time) {
	w := r.waking
	if w == nil {
		return
	}
	if r.ctl == nil || !slices.Contains(r.controllers(), r.h.self) || !now.Before(w.until) {
		r.awoken()
		return
	}
	first := r.h.firstOf(r.id, r.controllers(), w.hint)
	if first == w.first {
		return
	}
	if w.first = first; first == r.h.self {
		r.ctl.Campaign(r.h.Now())
	} else {
		r.tell(first, frameAskHead, rooms.Marshal(askHead{For: r.as})) // it wakes by that
	}
}

// awoken ends the waking: what was put aside goes the way of all frames.
func (r *Replica) awoken() {
	for _, f := range r.dropAside() {
		r.frame(f)
	}
}

// dropAside ends the waking and returns what was put aside, which is not counted any more.
func (r *Replica) dropAside() []inFrame {
	if r.waking == nil {
		return nil
	}
	list := r.waking.aside
	r.waking = nil
	for i := range list {
		r.h.load.add(list[i].from, -list[i].cost())
	}
	return list
}

// ledBy returns who leads the room as the controller knows, or, while it wakes, who is about to.
func (r *Replica) ledBy() rooms.NodeID {
	leader := r.ctl.Leader()
	switch {
	case (leader.IsZero() || !r.h.alive(leader)) && r.replaced() && r.leader != r.h.self:
		return r.leader // as those say who control the room now
	case r.waking == nil || !leader.IsZero():
		return leader
	}
	if r.waking.first == r.h.self {
		return rooms.NodeID{} // not yet
	}
	return r.waking.first
}

// putAside keeps a frame that only the leader can answer while this node is about to become it; it counts among those of its sender that wait, and
// is dropped where they are too many. false: this node is not about to lead, or enough has been put aside.
func (r *Replica) putAside(f inFrame) bool {
	w := r.waking
	if w == nil || w.first != r.h.self || r.leads || len(w.aside) >= loadingFrames {
		return false
	}
	if r.h.load.add(f.from, f.cost()) {
		w.aside = append(w.aside, f)
	} else {
		r.dropped.Add(1)
	}
	return true
}

// firstOf returns which of a parked room's controllers is to lead when it wakes: who led it before, or the first that is alive, beginning with
// another one in each room. Nodes that see the same nodes alive agree.
func (h *Host) firstOf(id rooms.RoomID, controllers []rooms.NodeID, before rooms.NodeID) rooms.NodeID {
	if slices.Contains(controllers, before) && h.alive(before) {
		return before
	}
	for i := range controllers {
		if c := controllers[(int(id[0])+i)%len(controllers)]; h.alive(c) {
			return c
		}
	}
	return h.self
}

// tendParked looks after the parked rooms until the host ends: one timer for all of them.
func (h *Host) tendParked() {
	t := time.NewTicker(quietTick)
	defer t.Stop()
	var nodes uint64
	var cared time.Time
	for {
		select {
		case <-h.ctx.Done():
			return
		case now := <-t.C:
			h.wakeDue(h.Now())
			h.mu.Lock()
			h.dropEarly(time.Now())
			h.mu.Unlock()
			if seen := h.nodesVersion(); seen != nodes && now.Sub(cared) >= weighEvery || now.Sub(cared) >= careEvery {
				if h.care() {
					nodes = seen
				}
				cared = now
			}
		}
	}
}

// wakeDue wakes the parked rooms whose time has come.
func (h *Host) wakeDue(now int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.nextDue > 0 && now >= h.nextDue {
		h.nextDue = 0
		for id, e := range h.parked {
			switch {
			case e.Due == 0:
			case now >= max(e.Due, e.retry):
				h.wakeLocked(id)
			default:
				h.dueAt(max(e.Due, e.retry))
			}
		}
	}
}

// returned wakes the parked rooms that have something for a controller which was away.
func (h *Host) returned(node rooms.NodeID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, e := range h.parked {
		if e.Behind {
			if rec, err := h.record(id); err == nil && slices.Contains(rec.Now, node) && h.firstOf(id, rec.Now, e.Leader) == h.self {
				h.wakeLocked(id)
			}
		}
	}
}

func (h *Host) isParked(id rooms.RoomID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.parked[id] != nil
}
