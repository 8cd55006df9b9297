package replica

import (
	"bytes"
	"slices"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// decided finishes the wishes that a decision gave a verdict to, and puts the rest in order when a counter of this node went to something
// else. counter is this node's last one before the decision.
func (r *Replica) decided(d *rooms.Decision, counter uint64) {
	o := &r.out
	mine := false
	for i := range d.Batch.Requests {
		req := &d.Batch.Requests[i]
		if req.Device != r.h.self {
			continue
		}
		mine = true
		kind := d.Verdicts.At(i)
		// It does not count when the batch went by an older directory than this node had seen: its leader was late, or cheats.
		took := kind != errs.Void && req.Counter == counter+1 && (r.directory || req.Dir <= d.Header.Dir)
		if took {
			counter++
		}
		id := req.ID()
		j := slices.IndexFunc(o.pending, func(w *wish) bool { return w.id == id })
		if j < 0 {
			continue
		}
		w := o.pending[j]
		switch {
		case !took && kind != errs.Void:
			continue // too early (one before it is missing), or its counter went to a request of an earlier life: it is sent again
		case kind == errs.Void && (req.Epoch != w.req.Epoch || !bytes.Equal(req.Sig, w.req.Sig)):
			continue // what was signed for another epoch, or somebody spoiled, says nothing of the wish as it is now
		}
		o.pending = slices.Delete(o.pending, j, j+1)
		if j < o.sent {
			o.sent--
		}
		o.tries, o.movedAt = 0, time.Now()
		if w.said {
			r.settled(w, kindError(kind))
		}
		if kind == errs.NotHere && w.req.Op == rooms.OpSay && !w.fixed && !w.again {
			// The others took this node for gone while the wish was under way. Nobody was shown it; who is back says it again.
			w.again = true
			if slices.ContainsFunc(o.pending, func(p *wish) bool { return p.open() && p.place.again == w }) {
				continue // there is a place for that
			}
			r.number(w, len(o.pending))
			o.pending = append(o.pending, w)
			continue
		}
		w.finish(kindError(kind))
	}
	if mine {
		r.renumber()
		r.flush()
	}
}

// renumber makes the counters of what waits follow the last one that was used up: gaps in front of wishes whose counter is fixed are filled,
// fixed ones whose counter went to something else are over, and the others get new counters. What was signed for another epoch is signed for this one.
func (r *Replica) renumber() {
	o := &r.out
	next := r.counter() + 1
	if !slices.ContainsFunc(o.pending, func(w *wish) bool { return w.fixed }) {
		if len(o.pending) > 0 && (o.pending[0].req.Counter != next || o.pending[0].req.Epoch != r.chain.Epoch) {
			for i, w := range o.pending {
				r.number(w, i)
			}
			o.sent = 0
		}
		return
	}
	old := o.pending
	list := make([]*wish, 0, len(old))
	var loose, over []*wish
	for _, w := range old {
		switch {
		case w.req.Counter < next && !w.fixed:
			loose = append(loose, w)
			continue
		case w.req.Counter < next:
			over = append(over, w)
			continue
		}
		for next < w.req.Counter {
			list = append(list, r.filler(next))
			next++
		}
		list = append(list, w)
		next++
	}
	o.pending = list
	for _, w := range list {
		if !w.open() && w.req.Epoch != r.chain.Epoch {
			r.sign(w) // its id stays
			o.sent = 0
		}
	}
	for _, w := range loose {
		r.number(w, len(o.pending))
		o.pending = append(o.pending, w)
	}
	if !slices.Equal(old, o.pending) {
		o.sent = 0
	}
	for _, w := range over {
		if w.said {
			r.settled(w, errs.Stale)
		}
		w.finish(errs.Stale)
	}
}

// giveUp ends wishes that got no verdict for too long. What was sent may still be ordered.
func (r *Replica) giveUp(now time.Time) {
	o := &r.out
	kind := errs.Timeout
	if r.leader.IsZero() {
		kind = errs.Frozen
	}
	if !slices.ContainsFunc(o.pending, func(w *wish) bool { return w.fixed }) {
		if now.Sub(o.pending[0].since) <= giveUpAfter {
			return
		}
		// Counters behind a wish that is given up can never be ordered: all go, but for who leaves, whom nobody else takes out of the room.
		old := o.pending
		o.pending, o.sent = nil, 0
		for _, w := range old {
			if w.req.Op == rooms.OpLeave {
				w.since = now
				r.number(w, len(o.pending))
				o.pending = append(o.pending, w)
			}
		}
		for _, w := range old {
			if w.req.Op != rooms.OpLeave {
				w.finish(kind)
			}
		}
		return
	}
	for i, w := range o.pending {
		switch {
		case w.said && now.Sub(w.since) > provisionalLife:
			r.withdraw(i, errs.Timeout)
		case !w.fixed && w.req.Op != rooms.OpLeave && now.Sub(w.since) > giveUpAfter:
			o.pending[i] = r.filler(w.req.Counter)
			w.finish(kind)
		}
	}
}
