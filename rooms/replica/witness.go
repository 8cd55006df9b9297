package replica

import (
	"context"
	"sync/atomic"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// tickImports tells the directory what it must know of this room and does not yet: each change of controllers, in order, whether it is secret, and its end. It is
// asked again and again until the directory shows it, so a leader that dies in between is no loss.
func (r *Replica) tickImports(now time.Time) {
	if r.directory || r.stew.telling.Load() || now.Sub(r.stew.told) < importEvery {
		return
	}
	r.stew.told = now
	rec, err := r.h.record(r.id)
	if err != nil {
		return
	}
	bodies := r.imports(rec)
	switch st := r.chain.Machine.(*rooms.State); {
	case st.Closed:
		if d := r.findClose(); d != nil {
			bodies = append(bodies, &rooms.DropRoom{Room: r.id, Decision: rooms.Marshal(d)})
		}
	case len(rec.Members) == 0 && st.Set.Secret != rec.Secret:
		bodies = append(bodies, &rooms.HideRoom{Room: r.id, Secret: st.Set.Secret})
	}
	if len(bodies) > 0 {
		r.tellDirectory(bodies)
	}
}

// imports returns what the directory lacks of the room's changes of controllers, in order.
func (r *Replica) imports(rec rooms.RoomRecord) (bodies []rooms.Body) {
	for _, d := range rec.Unwitnessed(r.chain.Machine.Base().Since, r.at) {
		bodies = append(bodies, &rooms.Witness{Room: r.id, Decision: rooms.Marshal(d)})
	}
	return bodies
}

// findClose returns the decision that closed the room: one of the last, since a closed room orders only refusals. How many of them there are
// is up to those who keep asking.
func (r *Replica) findClose() *rooms.Decision {
	for high := r.chain.Height; high > 0; {
		low := high - min(high-1, historyStep-1)
		list, err := r.decisions(low, high)
		if err != nil {
			return nil
		}
		for i := range list {
			if reqs := list[i].Batch.Requests; len(reqs) == 1 && reqs[0].Op == rooms.OpClose && list[i].Verdicts.At(0) == errs.OK {
				return list[i].Plain()
			}
		}
		high = low - 1
	}
	return nil
}

// tellDirectory orders imports in the directory, in the background.
func (r *Replica) tellDirectory(bodies []rooms.Body) {
	r.orderLater(&r.stew.telling, "the directory did not take a room's import", bodies...)
}

// orderLater orders things in the directory in the background, one after the other until one is refused, unless that is under way: busy says so.
func (r *Replica) orderLater(busy *atomic.Bool, refused string, bodies ...rooms.Body) {
	if !busy.CompareAndSwap(false, true) {
		return
	}
	r.h.wg.Go(func() {
		defer busy.Store(false)
		ctx, cancel := context.WithTimeout(r.h.ctx, importTime)
		defer cancel()
		for _, b := range bodies {
			if err := r.h.Order(ctx, b); err != nil {
				r.h.log.Info(refused, "room", r.id.Short(), "err", err)
				break
			}
		}
	})
}
