package replica

import (
	"sync/atomic"
	"time"

	"warren/rooms"
)

// tickFrozen says aloud when the room cannot order anything, and when it can again: fewer controllers than a quorum are heard, or a wish of
// this node has waited too long, or the copy here is broken. A room that has frozen goes on when somebody leads it and what waited here when the
// quorum came back has its verdict: else people would be told so, and a second later the contrary.
func (r *Replica) tickFrozen(now time.Time) {
	r.tickCut(now)
	waiting := len(r.out.pending) > 0 && (now.Sub(r.out.pending[0].since) > frozenAfter || r.frozen && r.out.pending[0].since.Before(r.healed))
	leaderless := r.frozen && r.ctl != nil && !r.replaced() && r.ctl.Leader().IsZero()
	frozen := r.cut || waiting || leaderless || r.broken != nil
	if frozen == r.frozen {
		return
	}
	r.mu.Lock()
	r.frozen = frozen
	r.mu.Unlock()
	r.h.log.Info("frozen", "room", r.id.Short(), "frozen", frozen, "cut", r.cut, "waiting", len(r.out.pending))
	if frozen && r.broken == nil && !r.cut {
		r.promote()
	}
	for _, f := range r.freezes.all() {
		(*f)(frozen)
	}
}

// tickCut follows whether a quorum of controllers is heard. A node that has just started has not heard anybody yet, and a copy that has not
// caught up may know only those who controlled the room once.
func (r *Replica) tickCut(now time.Time) {
	heard := r.heardQuorum(r.controllers())
	if !heard && !r.directory {
		r.h.Directory(func(d *rooms.Directory) { heard = r.heardQuorum(d.Rooms[r.id].Now) })
	}
	r.met = r.met || heard
	cut := !heard && (r.met || now.Sub(r.h.from) > frozenAfter)
	if cut == r.cut {
		return
	}
	if r.cut = cut; !cut {
		r.healed = now
		r.electTogether(now)
		return
	}
	r.reopen()
	if !r.directory {
		r.frozenSyncs()
	}
}

func (r *Replica) heardQuorum(list []rooms.NodeID) bool {
	heard := 0
	for _, c := range list {
		if r.h.alive(c) {
			heard++
		}
	}
	return len(list) > 0 && heard >= rooms.Quorum(len(list))
}

// WatchFrozen calls f when the room freezes (no quorum of its controllers can be reached: nothing is ordered) and when it thaws; soon when
// it is frozen now, perhaps twice. f must not block.
func (r *Replica) WatchFrozen(f func(frozen bool)) (stop func()) {
	end := r.freezes.add(f)
	var ended atomic.Bool
	r.must(func() { // by the loop, so that no change between asking and registering is missed, and none overtakes another
		if !ended.Load() && r.frozen {
			f(true)
		}
	})
	return func() {
		ended.Store(true)
		end()
	}
}
