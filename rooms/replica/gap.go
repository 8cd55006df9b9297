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
	Low  uint64        // the log is here from its floor up to this height
	Head rooms.Hash    // of the header there; zero: nothing is kept at or below it
	Down rooms.Descent // what is missing next
}

// missing is what the disk says of a log that does not reach from the founding to the head without a break.
type missing struct {
	_     struct{} `cbor:",toarray"`
	Floor uint64   // heights below it have been let go (retain.go), but for some that mark the room's history; 1: none has
	Gap   *gap     // nil: from there on the log is complete
}

// logState is what a copy knows of its own log's completeness. Guarded by Replica.mu; only the copy's goroutine changes it.
type logState struct {
	missing
	moved chan struct{} // closed when the gap has become smaller
}

// loadGap reads what is missing, when a copy is opened.
func (h *Host) loadGap(id rooms.RoomID) (logState, error) {
	s := logState{missing: missing{Floor: 1}, moved: make(chan struct{})}
	data, err := h.cfg.Store.Get(Gaps, id[:])
	if err != nil || data == nil {
		return s, err
	}
	if err := rooms.Unmarshal(data, &s.missing); err != nil {
		return s, fmt.Errorf("what is missing of the log: %w", err)
	}
	s.Floor = max(1, s.Floor)
	return s, nil
}

// change returns what makes the disk know of it.
func (m *missing) change(id rooms.RoomID) Change {
	if m.Floor == 1 && m.Gap == nil {
		return Change{Table: Gaps, Key: id[:]}
	}
	return Change{Table: Gaps, Key: id[:], Value: rooms.Marshal(m)}
}

// lowest returns the height from which on the log is here up to the head.
func (m *missing) lowest() uint64 {
	if m.Gap != nil {
		return m.Gap.Down.Height + 1
	}
	return m.Floor
}

// openGap notes that the log up to where the chain stands is missing, and returns what makes the disk know.
func (r *Replica) openGap(c *rooms.Chain) Change {
	g := &gap{Low: r.chain.Height, Head: r.chain.Head, Down: rooms.NewDescent(c)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.log.Gap; old != nil {
		g.Low, g.Head = old.Low, old.Head // what lies between two gaps is fetched again: that is rare
	}
	r.log.Gap = g
	return r.log.change(r.id)
}

// reach returns the lowest height from which on the log is here up to the head, and a channel that is closed when that has become lower; nil: it will
// not, nothing is missing but what was let go.
func (r *Replica) reach() (low uint64, moved <-chan struct{}) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.log.Gap != nil {
		moved = r.log.moved
	}
	return r.log.lowest(), moved
}

// tickFill goes on filling the gap, if there is one and nobody is at it.
func (r *Replica) tickFill(now time.Time) {
	g := r.log.Gap
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
			if errors.Is(err, errLetGo) {
				r.endGap(down.Height)
				return
			}
			if err != nil && r.ctx.Err() == nil && r.log.Gap != nil {
				r.h.log.Info("the room's history cannot be completed now", "room", r.id.Short(), "above", low.Low, "err", err)
			}
		})
	})
}

// errOtherPast says that this disk's own log contradicts what is certified now.
var errOtherPast = errors.New("the log on this disk is of another history than the room's")

// fillGap fetches the log from the gap's upper end down to its lower one. errLetGo: nobody keeps the rest.
func (r *Replica) fillGap(f *fetcher, rec *rooms.RoomRecord, down rooms.Descent, g gap) error {
	f.partly = true
	err := f.each(r.ctx, downward(g.Low+1, down.Height), func(s span, list []fetched) error {
		next := down
		var changes []Change
		for i := len(list) - 1; i >= 0; i-- {
			if list[i].d.Low() > next.Height {
				continue // it was taken with what came before
			}
			r.rise(&next, list[i].d)
			if err := next.Take(list[i].d, func(since uint64) []rooms.NodeID { return r.setAt(r.ctx, f, rec, since) }); err != nil {
				return err
			}
			f := g.meet(&next, list[i])
			changes = append(changes, recordOf(r.id, f.d, f.data)...)
		}
		letGo := next.Height >= s.low
		if letGo && !r.mayBeGone(list, down.Height) {
			return errAnswer
		}
		if len(changes) > 0 {
			taken := false
			if !r.wait(func() { taken = r.fillIn(changes, down, next) }) || !taken {
				return errs.Closed
			}
			down = next
		}
		if letGo {
			return errLetGo
		}
		return nil
	})
	if err == nil && down.Head != g.Head && !g.Head.IsZero() {
		return errOtherPast
	}
	return err
}

// setAt returns the controllers that a change set, or the founding ones. What it says is a hint: signatures show whether it is right.
func (r *Replica) setAt(ctx context.Context, f *fetcher, rec *rooms.RoomRecord, since uint64) []rooms.NodeID {
	if set := r.setHere(rec, since); set != nil {
		return set
	}
	from, ok := f.pick()
	if !ok {
		return nil
	}
	list, _, err := f.ask(ctx, from, span{since, since})
	if err != nil {
		return nil
	}
	rc, ok := list[0].d.ReconfigureOf()
	if !ok {
		return nil
	}
	return rc.Controllers
}

// setHere is setAt as far as the disk here tells.
func (r *Replica) setHere(rec *rooms.RoomRecord, since uint64) []rooms.NodeID {
	switch {
	case since == 0:
		return rec.Controllers
	case since == rec.Since:
		return rec.Now
	}
	list, err := r.decisions(since, since)
	if err != nil || len(list) != 1 {
		return nil
	}
	rc, ok := list[0].ReconfigureOf()
	if !ok {
		return nil
	}
	return rc.Controllers
}

// fillIn writes a stretch of the log that has been checked, below what was here before. In the copy's goroutine: nothing is written after the room
// has been dropped. false: the gap is another one by now, or what is below need not be kept.
func (r *Replica) fillIn(changes []Change, before, down rooms.Descent) bool {
	if g := r.log.Gap; g == nil || g.Down.Height != before.Height || g.Down.Head != before.Head {
		return false
	}
	m := r.log.missing
	m.Gap = &gap{Low: m.Gap.Low, Head: m.Gap.Head, Down: down}
	if down.Height == m.Gap.Low && (down.Head == m.Gap.Head || m.Gap.Head.IsZero()) {
		m.Gap = nil
	}
	r.setMissing(m, changes)
	r.retain.due = 0 // there is more to be looked at
	r.raiseFloor()
	return m.Gap == nil || r.log.Gap != nil
}

// setMissing notes what is missing of the log from now on, here and, with these changes, on the disk.
func (r *Replica) setMissing(m missing, changes []Change) {
	r.h.cfg.Store.WriteLater(append(changes, m.change(r.id)))
	r.mu.Lock()
	r.log.missing = m
	close(r.log.moved)
	r.log.moved = make(chan struct{})
	r.mu.Unlock()
	if m.Gap == nil {
		r.followEpoch(false) // an epoch may have waited for the whole log to be judged
	}
}
