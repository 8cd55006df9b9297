package replica

import (
	"context"
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
	var rec rooms.RoomRecord
	known := false
	r.h.Directory(func(d *rooms.Directory) { rec, known = d.Rooms[r.id] })
	if !known {
		return
	}
	bodies := r.imports(rec)
	if st := r.chain.Machine.(*rooms.State); st.Closed {
		if d := r.findClose(); d != nil {
			bodies = append(bodies, &rooms.DropRoom{Room: r.id, Decision: rooms.Marshal(d)})
		}
	}
	if st := r.chain.Machine.(*rooms.State); len(rec.Members) == 0 && !st.Closed && st.Set.Secret != rec.Secret {
		bodies = append(bodies, &rooms.HideRoom{Room: r.id, Secret: st.Set.Secret})
	}
	if len(bodies) > 0 {
		r.tellDirectory(bodies)
	}
}

// imports returns what the directory lacks of the room's changes of controllers, in order.
func (r *Replica) imports(rec rooms.RoomRecord) (bodies []rooms.Body) {
	for since := r.chain.Machine.Base().Since; since > rec.Since; {
		list, err := r.decisions(since, since)
		if err != nil || len(list) == 0 {
			return nil
		}
		rc, ok := soleBody[*rooms.Reconfigure](&list[0])
		if !ok {
			return nil
		}
		bodies = append([]rooms.Body{&rooms.Witness{Room: r.id, Decision: rooms.Marshal(&list[0])}}, bodies...)
		since = rc.Since
	}
	return bodies
}

// soleBody returns the body of a decision's only request, if it is a B.
func soleBody[B rooms.Body](d *rooms.Decision) (b B, ok bool) {
	if len(d.Batch.Requests) != 1 {
		return b, false
	}
	body, err := d.Batch.Requests[0].Decode()
	b, ok = body.(B)
	return b, ok && err == nil
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
			if _, ok := soleBody[*rooms.Close](&list[i]); ok && list[i].Verdicts.At(0) == errs.OK {
				return &list[i]
			}
		}
		high = low - 1
	}
	return nil
}

// tellDirectory orders imports in the directory, in the background.
func (r *Replica) tellDirectory(bodies []rooms.Body) {
	r.stew.telling.Store(true)
	r.h.wg.Go(func() {
		defer r.stew.telling.Store(false)
		ctx, cancel := context.WithTimeout(r.h.ctx, importTime)
		defer cancel()
		for _, b := range bodies {
			if err := r.h.Order(ctx, b); err != nil {
				r.h.log.Info("the directory did not take a room's import", "room", r.id.Short(), "err", err)
				break
			}
		}
	})
}
