package order

import (
	"fmt"
	"slices"

	pb "go.etcd.io/raft/v3/raftpb"

	"warren/rooms"
	"warren/rooms/errs"
)

// apply runs committed entries as far as possible; it reports whether raft may have more to say now.
func (c *Controller) apply() bool {
	progress := false
	for len(c.applying) > 0 && c.broken == nil {
		m := c.applying[0]
		for c.applyNext < len(m.GetEntries()) && c.broken == nil {
			if !c.entry(m.GetEntries()[c.applyNext]) {
				return progress
			}
			c.applyNext++
		}
		if c.broken != nil {
			return false
		}
		c.applying, c.applyNext = c.applying[1:], 0
		c.stepSelf(m.GetResponses())
		progress = true
	}
	return progress
}

// entry takes one committed entry; false: it must wait.
func (c *Controller) entry(e *pb.Entry) bool {
	if e.GetIndex() != c.applied+1 {
		c.fail(fmt.Errorf("%w: entry %d comes after entry %d", ErrPanic, e.GetIndex(), c.applied))
		return false
	}
	height := c.height
	if e.GetType() == pb.EntryNormal {
		if b, good := c.batchOf(e); c.givesHeight(b, e, height+1) {
			done, counts := c.batch(e, b, good)
			if !done {
				return false
			}
			if counts {
				height++
			}
		} else if !c.onSeal(e.GetData()) {
			c.noHeight(e, b, good, height)
		}
	} else {
		c.applyConf(e)
	}
	c.applied, c.appliedTerm, c.height = e.GetIndex(), e.GetTerm(), height
	c.heights = append(c.heights, height)
	delete(c.vouched, e.GetIndex())
	c.logBytes += len(e.GetData())
	return true
}

// givesHeight reports whether the entry's batch may give the height: by its bytes and its place alone, so alike on every controller.
func (c *Controller) givesHeight(b *rooms.Batch, e *pb.Entry, height uint64) bool {
	return b != nil && b.Epoch == c.chain.Epoch && b.Term == e.GetTerm() && b.Height == height && len(b.Requests) <= rooms.MaxRequests
}

// batch runs a batch, or compares it with what is certified at its height. good: its signature is known to be. done is false when it must wait; counts is false when it gives no
// height because nobody signed it.
func (c *Controller) batch(e *pb.Entry, b *rooms.Batch, good bool) (done, counts bool) {
	height := c.height + 1
	first := height == c.cfg.Start+1 && c.chain.Epoch > 1
	if first && !b.Begins() {
		c.unbegun(e)
		return true, false
	}
	if height <= c.chain.Height {
		if want, ok := c.cfg.PayloadHash(height); first && ok && b.Hash() != want {
			return true, false // it did not begin the epoch for those who ran it
		}
		for _, it := range c.ordered(e.GetTerm()) {
			delete(c.queued, it.id) // certified by others before it was run here
		}
		return true, c.compare(height, b)
	}
	if len(c.open) >= MaxUncertified || c.changing() {
		return false, false
	}
	view, ok := c.viewAt(max(b.Dir, c.chain.Dir))
	if !ok {
		return false, false
	}
	if !good && !c.own(e.GetTerm()) && !b.SignatureOK(c.chain.Room) {
		c.noHeight(e, b, false, c.height)
		return true, false
	}
	if first && !c.begins(b, view) {
		c.unbegun(e)
		return true, false
	}
	c.run(e, b, view)
	return true, true
}

// begins reports whether a batch begins the epoch in the room's log, for everybody alike: nothing comes before that, and what happened is not told wrongly.
func (c *Controller) begins(b *rooms.Batch, view rooms.View) bool {
	trial, err := rooms.RestoreChain(c.chain.Snapshot())
	if err != nil {
		c.fail(fmt.Errorf("%w: %w", ErrPanic, err))
		return false
	}
	_, verdicts, _ := trial.Run(b, view, c.cfg.Verify)
	return verdicts.At(0) == errs.OK
}

// unbegun blames who led an entry that comes first in an epoch and does not begin it: an honest leader puts nothing else there.
func (c *Controller) unbegun(e *pb.Entry) {
	if who := c.leaderOf(e.GetTerm()); !who.IsZero() {
		c.note(who, NotBegun, fmt.Sprintf("entry %d comes first in epoch %d", e.GetIndex(), c.chain.Epoch))
	}
}

// compare checks a batch against the one that is certified at the height; it reports whether the entry counts.
func (c *Controller) compare(height uint64, b *rooms.Batch) bool {
	want, ok := rooms.Hash{}, false
	if height > c.certified {
		want, ok = c.step(height).header.Payload, true
	} else {
		want, ok = c.cfg.PayloadHash(height)
	}
	if ok && b.Hash() == want {
		return true
	}
	if !b.SignatureOK(c.chain.Room) {
		return false
	}
	if ok {
		c.fail(fmt.Errorf("%w: the log has another batch at height %d", ErrDiverged, height))
	}
	return true
}

// changing reports whether a change of controllers has been run but is not certified: what comes above it waits.
func (c *Controller) changing() bool {
	return len(c.open) > 0 && !slices.Equal(c.open[len(c.open)-1].after, c.controllers)
}

// run applies a batch to the tentative chain and signs what comes of it.
func (c *Controller) run(e *pb.Entry, b *rooms.Batch, view rooms.View) {
	s := &step{batch: b, controllers: c.chain.Machine.Base().Controllers, sigs: map[rooms.NodeID]rooms.Signature{}}
	before := make(map[rooms.NodeID]uint64, 1) // counters of its devices
	for i := range b.Requests {
		before[b.Requests[i].Device] = c.chain.Machine.Base().Counters[b.Requests[i].Device]
	}
	every := c.every()
	s.header, s.verdicts, _ = c.chain.Run(b, view, c.cfg.Verify)
	s.after = c.chain.Machine.Base().Controllers
	s.hash = c.chain.Head
	s.items = c.ordered(e.GetTerm())
	c.judge(s, e, before, every)
	c.sawBatch(b, e)
	c.ran(b)
	c.open = append(c.open, s)
	c.sign(s)
	c.takeEarly(s)
	c.takeCarried(s)
	c.settle()
}

// Certified tells the controller of a certified decision that this node learned from elsewhere. Decisions come in height order; known ones
// are ignored. It must be durable no later than the records of the next Ready. rooms.ErrGap: decisions below it are missing; errs.Busy: the
// directory version it names is not known yet. A decision that contradicts this node's own result stops the controller (see Ready.Broken).
func (c *Controller) Certified(d *rooms.Decision) (err error) {
	if c.broken != nil {
		return ErrBroken
	}
	defer c.guard(&err)
	for _, h := range d.TickHeaders() {
		if err := c.certifiedTick(&h); err != nil {
			return err
		}
	}
	height := d.Header.Height
	switch {
	case height <= c.certified:
		return nil
	case height <= c.chain.Height:
		s := c.step(height)
		if s.hash != d.Header.Hash() {
			c.convict(s.batch.Mark(c.chain.Room), d.Batch.Mark(c.chain.Room))
			c.fail(fmt.Errorf("%w: another header is certified at height %d", ErrDiverged, height))
			return c.broken
		}
		s.cert, s.told = d.Cert, true
		c.settle()
	case height > c.chain.Height+1, len(c.open) > 0:
		return rooms.ErrGap
	default:
		c.compareSuspicions(&d.Batch)
		view, ok := c.viewAt(d.Header.Dir)
		if !ok {
			return errNoView
		}
		if d.Header.Prev != c.chain.Head {
			return rooms.ErrFork
		}
		if c.recall(d); c.broken != nil {
			return c.broken
		}
		if _, err := c.chain.Accept(d, view, c.cfg.Verify); err != nil {
			c.fail(fmt.Errorf("%w: %w", ErrDiverged, err))
			return c.broken
		}
		c.raise(height, c.chain.Head, d.Cert, c.chain.Machine.Base().Controllers)
	}
	c.stepHeldSnapshot()
	return nil
}

// certifiedTick is Certified for a tick of which no more than the header is left: what lies above certifies it.
func (c *Controller) certifiedTick(h *rooms.Header) error {
	switch {
	case h.Height <= c.certified:
		return nil
	case h.Height <= c.chain.Height:
		s := c.step(h.Height)
		if s.hash != h.Hash() {
			c.fail(fmt.Errorf("%w: a tick is certified at height %d", ErrDiverged, h.Height))
			return c.broken
		}
		s.cert, s.told = rooms.Certificate{}, true
		c.settle()
	case h.Height > c.chain.Height+1, len(c.open) > 0:
		return rooms.ErrGap
	case h.Prev != c.chain.Head:
		return rooms.ErrFork
	default:
		if err := c.chain.Pass(h); err != nil {
			c.fail(fmt.Errorf("%w: %w", ErrDiverged, err))
			return c.broken
		}
		c.raise(h.Height, c.chain.Head, nil, c.chain.Machine.Base().Controllers)
	}
	return nil
}
