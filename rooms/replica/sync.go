package replica

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

type syncWait struct {
	as     reader // on whose behalf it is asked
	own    bool   // the copy itself asks: it waits also while the room is frozen
	nonce  uint64 // answers to this question count, or to a later one on the same behalf
	height uint64
	known  bool
	done   func(error) // in the copy's goroutine
	gone   *atomic.Bool
}

// Sync blocks until all that the room had ordered when it was called is applied here. Errors: errs.Denied when this node may not read the
// room, errs.Frozen when no controller answered before ctx ended.
func (r *Replica) Sync(ctx context.Context) error { return r.syncAs(ctx, nil) }

// syncAs is Sync on behalf of somebody (nil: of whom the copy is kept for).
func (r *Replica) syncAs(ctx context.Context, as *reader) error {
	ch := make(chan error, 1)
	w := &syncWait{done: func(err error) { ch <- err }, gone: &atomic.Bool{}}
	if !r.call(func() {
		w.as = r.as
		if as != nil {
			w.as = *as
		}
		r.sync(w)
	}) {
		return r.unheard()
	}
	select {
	case err := <-ch:
		return err
	case <-ctx.Done():
		w.gone.Store(true)
		return errs.Frozen
	case <-r.done:
		return errs.Closed
	}
}

// sync answers when the copy has all that was ordered when it was asked: the leading controller tells how far that is.
func (r *Replica) sync(w *syncWait) {
	r.lastUse = time.Now()
	r.wakeUp()
	switch {
	case r.broken != nil:
		w.done(errs.Internal)
		return
	case r.cut && !w.own && !r.directory:
		w.done(errs.Frozen)
		return
	case r.leads:
		w.done(nil)
		return
	}
	r.nonce++
	w.nonce = r.nonce
	r.syncs = append(r.syncs, w)
	r.askHeads(r.lastUse, false)
}

// askHeads asks for all who wait: once for each on whose behalf, with the newest question. The leader is asked alone at first, and all when
// it did not answer: it may be somebody who only says so.
func (r *Replica) askHeads(now time.Time, all bool) {
	r.askedHead = now
	newest := map[reader]uint64{}
	for _, w := range r.syncs {
		if !w.known {
			newest[w.as] = max(newest[w.as], w.nonce)
		}
	}
	for as, nonce := range newest {
		data := rooms.Marshal(askHead{For: as, Nonce: nonce})
		if !r.leader.IsZero() && r.leader != r.h.self && r.tell(r.leader, frameAskHead, data) && !all {
			continue
		}
		for _, n := range r.informed() {
			if n != r.leader {
				r.tell(n, frameAskHead, data)
			}
		}
	}
}

// askedHeadBy answers a question for the head: at once as far as this copy knows it, and once more when somebody leads, if nobody does.
func (r *Replica) askedHeadBy(from rooms.NodeID, a askHead) {
	r.sendHead(from, a.Nonce, r.mayRead(from, a.For))
	if r.ctl != nil && r.leader.IsZero() {
		r.sendAway(from, func(s *sentAway) { s.ask = a })
	}
}

func (r *Replica) sendHead(to rooms.NodeID, nonce uint64, may bool) {
	hd := head{Nonce: nonce, Denied: !may, Sure: r.leads && (may || r.h.inside(to))} // a newcomer may not be known here yet
	if may {
		hd.Height, hd.Leader = r.chain.Height, r.leader
	}
	r.tell(to, frameHead, rooms.Marshal(hd))
	r.tellRescue(to)
}

func (r *Replica) headFrom(from rooms.NodeID, hd head) {
	orders := slices.Contains(r.orderers(), from)
	if !orders && from != r.source {
		return // what others claim decides nothing
	}
	now := time.Now()
	switch {
	case hd.Nonce != 0: // answers another question than whether it pushes to this node
	case !hd.Denied:
		r.heardFrom(from, now)
	case from == r.source:
		r.denied = now
	}
	if orders && !hd.Leader.IsZero() && (r.ctl == nil || r.replaced()) && r.h.alive(hd.Leader) {
		r.setLeader(hd.Leader)
	}
	if hd.Height > r.chain.Height {
		r.claimed = max(r.claimed, hd.Height)
		r.ahead(from, hd, now)
	}
	asked := slices.IndexFunc(r.syncs, func(w *syncWait) bool { return w.nonce == hd.Nonce })
	if asked < 0 || !hd.Sure {
		return // also a refusal: another controller may not know yet of a newcomer, or of a right
	}
	as := r.syncs[asked].as
	if !hd.Denied {
		r.as = as
	}
	var denied []*syncWait
	r.syncs = slices.DeleteFunc(r.syncs, func(w *syncWait) bool {
		if w.as != as || w.nonce > hd.Nonce || w.known {
			return false
		}
		if hd.Denied {
			denied = append(denied, w)
			return true
		}
		w.known, w.height = true, hd.Height
		return false
	})
	for _, w := range denied {
		w.done(errs.Denied)
	}
	r.releaseSyncs()
}

// settleSyncs lets those go who wait for a head that this node itself knows, and asks again for the others.
func (r *Replica) settleSyncs(now time.Time, all bool) {
	r.askAgain = false
	if r.leads {
		for _, w := range r.syncs {
			w.known, w.height = true, 0
		}
	} else {
		r.askHeads(now, all)
	}
	r.releaseSyncs()
}

// releaseSyncs answers who waited for a height that is reached, and forgets who has gone away.
func (r *Replica) releaseSyncs() {
	if len(r.syncs) == 0 {
		return
	}
	var ready []*syncWait
	r.syncs = slices.DeleteFunc(r.syncs, func(w *syncWait) bool {
		if w.known && r.chain.Height >= w.height {
			ready = append(ready, w)
			return true
		}
		return w.gone.Load()
	})
	for _, w := range ready {
		w.done(nil)
	}
}

func (r *Replica) failSyncs(err error) {
	list := r.syncs
	r.syncs = nil
	for _, w := range list {
		w.done(err)
	}
}

// frozenSyncs lets nobody wait for what nobody can tell.
func (r *Replica) frozenSyncs() {
	var gone []*syncWait
	r.syncs = slices.DeleteFunc(r.syncs, func(w *syncWait) bool {
		if !w.own {
			gone = append(gone, w)
		}
		return !w.own
	})
	for _, w := range gone {
		w.done(errs.Frozen)
	}
}
