package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// gap is what a copy that has taken over a state does not have of the log: the heights above Low, up to Down.Height. It is filled from its upper end
// down, so that what was said last is here first; each header names the one below, so only what was decided fits.
type gap struct {
	_    struct{}      `cbor:",toarray"`
	Low  uint64        // the log is here from the founding up to this height
	Head rooms.Hash    // of the header there
	Down rooms.Descent // what is missing next
}

// logState is what a copy knows of its own log's completeness. Guarded by Replica.mu; only the copy's goroutine changes it.
type logState struct {
	gap   *gap          // nil: it is complete
	moved chan struct{} // closed when the gap has become smaller
}

// loadGap reads what is missing, when a copy is opened.
func (h *Host) loadGap(id rooms.RoomID) (logState, error) {
	s := logState{moved: make(chan struct{})}
	data, err := h.cfg.Store.Get(Gaps, id[:])
	if err != nil || data == nil {
		return s, err
	}
	s.gap = &gap{}
	if err := rooms.Unmarshal(data, s.gap); err != nil {
		return s, fmt.Errorf("what is missing of the log: %w", err)
	}
	return s, nil
}

// openGap notes that the log up to where the chain stands is missing, and returns what makes the disk know.
func (r *Replica) openGap(c *rooms.Chain) Change {
	g := &gap{Low: r.chain.Height, Head: r.chain.Head, Down: rooms.NewDescent(c)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.log.gap != nil {
		g.Low, g.Head = r.log.gap.Low, r.log.gap.Head // what lies between two gaps is fetched again: that is rare
	}
	r.log.gap = g
	return Change{Table: Gaps, Key: r.id[:], Value: rooms.Marshal(g)}
}

// reach returns the lowest height from which on the log is here up to the head, and a channel that is closed when that has become lower.
func (r *Replica) reach() (low uint64, moved <-chan struct{}) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.log.gap == nil {
		return 1, r.log.moved
	}
	return r.log.gap.Down.Height + 1, r.log.moved
}

// tickFill goes on filling the gap, if there is one and nobody is at it.
func (r *Replica) tickFill(now time.Time) {
	g := r.log.gap
	if g == nil || r.filling || r.broken != nil || now.Sub(r.filledAt) < fillAgain {
		return
	}
	select {
	case r.h.fillers <- struct{}{}:
	default:
		return // others are at it
	}
	rec, err := r.h.record(r.id)
	if err != nil {
		<-r.h.fillers
		return
	}
	r.filling = true
	f, down, low := r.fetcher(), g.Down, *g
	r.h.wg.Go(func() {
		err := r.fillGap(f, &rec, down, low)
		<-r.h.fillers
		r.must(func() {
			r.filling, r.filledAt = false, time.Now()
			if err != nil && r.ctx.Err() == nil {
				r.h.log.Info("the room's history cannot be completed now", "room", r.id.Short(), "above", low.Low, "err", err)
			}
		})
	})
}

// errOtherPast says that this disk's own log contradicts what is certified now.
var errOtherPast = errors.New("the log on this disk is of another history than the room's")

// fillGap fetches the log from the gap's upper end down to its lower one.
func (r *Replica) fillGap(f *fetcher, rec *rooms.RoomRecord, down rooms.Descent, g gap) error {
	err := f.each(r.ctx, downward(g.Low+1, down.Height), func(list []fetched) error {
		next := down
		var changes []Change
		for i := len(list) - 1; i >= 0; i-- {
			if err := next.Take(list[i].d, func(since uint64) []rooms.NodeID { return r.setAt(r.ctx, f, rec, since) }); err != nil {
				return err
			}
			changes = append(changes, Change{Table: Decisions, Key: roomKey(r.id, list[i].d.Header.Height), Value: list[i].data})
		}
		taken := false
		if !r.wait(func() { taken = r.fillIn(changes, down, next) }) || !taken {
			return errs.Closed
		}
		down = next
		return nil
	})
	if err == nil && down.Head != g.Head {
		return errOtherPast
	}
	return err
}

// setAt returns the controllers that a change set, or the founding ones. What it says is a hint: signatures show whether it is right.
func (r *Replica) setAt(ctx context.Context, f *fetcher, rec *rooms.RoomRecord, since uint64) []rooms.NodeID {
	if since == 0 {
		return rec.Controllers
	}
	if list, err := r.decisions(since, since); err == nil && len(list) == 1 {
		if rc, ok := list[0].ReconfigureOf(); ok {
			return rc.Controllers
		}
	}
	from, ok := f.pick()
	if !ok {
		return nil
	}
	list, err := f.ask(ctx, from, span{since, since})
	if err != nil {
		return nil
	}
	rc, ok := list[0].d.ReconfigureOf()
	if !ok {
		return nil
	}
	return rc.Controllers
}

// fillIn writes a stretch of the log that has been checked, below what was here before. In the copy's goroutine: nothing is written after the room
// has been dropped. false: the gap is another one by now.
func (r *Replica) fillIn(changes []Change, before, down rooms.Descent) bool {
	if r.log.gap == nil || r.log.gap.Down.Height != before.Height || r.log.gap.Down.Head != before.Head {
		return false
	}
	g := &gap{Low: r.log.gap.Low, Head: r.log.gap.Head, Down: down}
	mark := Change{Table: Gaps, Key: r.id[:], Value: rooms.Marshal(g)}
	if down.Height == g.Low && down.Head == g.Head {
		g, mark.Value = nil, nil
	}
	r.h.cfg.Store.WriteLater(append(changes, mark))
	r.mu.Lock()
	r.log.gap = g
	close(r.log.moved)
	r.log.moved = make(chan struct{})
	r.mu.Unlock()
	return true
}
