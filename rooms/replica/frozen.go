package replica

import (
	"time"

	"warren/rooms"
)

// tickFrozen says aloud when the room cannot order anything, and when it can again: fewer controllers than a quorum are heard, or a wish of
// this node has waited too long, or the copy here is broken.
func (r *Replica) tickFrozen(now time.Time) {
	list := r.controllers()
	heard := 0
	for _, c := range list {
		if r.h.alive(c) {
			heard++
		}
	}
	waiting := len(r.out.pending) > 0 && now.Sub(r.out.pending[0].since) > frozenAfter
	frozen := heard < rooms.Quorum(len(list)) || waiting || r.broken != nil
	if frozen == r.frozen {
		return
	}
	r.mu.Lock()
	r.frozen = frozen
	r.mu.Unlock()
	r.h.log.Info("frozen", "room", r.id.Short(), "frozen", frozen, "heard", heard, "controllers", len(list))
	r.watchMu.Lock()
	fs := make([]func(bool), 0, len(r.freezes))
	for id := range r.nextID {
		if f, ok := r.freezes[id]; ok {
			fs = append(fs, f)
		}
	}
	r.watchMu.Unlock()
	for _, f := range fs {
		f(frozen)
	}
}

// WatchFrozen calls f when the room freezes (no quorum of its controllers can be reached: nothing is ordered) and when it thaws; at once when
// it is frozen now. f must not block.
func (r *Replica) WatchFrozen(f func(frozen bool)) (stop func()) {
	r.mu.RLock()
	now := r.frozen
	r.mu.RUnlock()
	r.watchMu.Lock()
	id := r.nextID
	r.nextID++
	r.freezes[id] = f
	r.watchMu.Unlock()
	if now {
		f(true)
	}
	return func() {
		r.watchMu.Lock()
		defer r.watchMu.Unlock()
		delete(r.freezes, id)
	}
}
