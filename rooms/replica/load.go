package replica

import (
	"fmt"
	"math"

	"warren/rooms"
	"warren/rooms/errs"
)

// hold returns the running copy of a room, loaded or founded when it does not run yet. It may block on the disk, and on a copy that is just
// ending. errs.NotFound: the directory does not know it; errs.Closed: the host ends.
func (h *Host) hold(id rooms.RoomID) (*Replica, error) {
	for {
		h.mu.Lock()
		r, l := h.copies[id], h.loading[id]
		switch {
		case r != nil && r.ctx.Err() == nil:
			h.mu.Unlock()
			return r, nil
		case h.closed:
			h.mu.Unlock()
			return nil, errs.Closed
		case l != nil:
			h.mu.Unlock()
			<-l.done
			continue
		}
		l = &loading{done: make(chan struct{}), frames: h.takeEarly(id), wanted: true}
		h.loading[id] = l
		h.mu.Unlock()
		return h.read(id, r, l)
	}
}

// wake holds a room in the background. It never blocks.
func (h *Host) wake(id rooms.RoomID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch r, l := h.copies[id], h.loading[id]; {
	case l != nil:
		l.wanted = true // it is being read, or looked at
	case !h.closed && (r == nil || r.ctx.Err() != nil):
		h.begin(id, r).wanted = true // once the copy that is ending has ended
	}
}

func (h *Host) open(id rooms.RoomID) (*rooms.Chain, error) {
	rec, err := h.record(id)
	if err != nil {
		return nil, err
	}
	chain, err := h.toEpoch(id, func() (*rooms.Chain, error) { return h.asStored(rec) })
	if err != nil {
		return nil, fmt.Errorf("open #%s: %w", rec.Name, err)
	}
	return chain, nil
}

// asStored reads a room from the disk as it lies there. It may hold what an epoch has put aside: see toEpoch.
func (h *Host) asStored(rec rooms.RoomRecord) (*rooms.Chain, error) {
	chain, err := h.loadChain(rec.ID, func() rooms.Machine { return rooms.NewState(rec) })
	if err == nil {
		chain.Learn(h.view(h.dirHeight()))
	}
	return chain, err
}

// loadChain restores a chain from the newest snapshot on disk and the decisions after it. They were verified before they were written.
func (h *Host) loadChain(id rooms.RoomID, found func() rooms.Machine) (*rooms.Chain, error) {
	return h.loadUpTo(id, math.MaxUint64-1, found)
}

// loadUpTo restores a chain as it was at a height, or at the highest on disk below. ErrGap: the log does not reach down that far.
func (h *Host) loadUpTo(id rooms.RoomID, height uint64, found func() rooms.Machine) (*rooms.Chain, error) {
	chain := rooms.NewChain(id, found())
	end := roomKey(id, height+1)
	snaps, err := h.cfg.Store.Range(Snapshots, id[:], end, 1, true)
	if err != nil {
		return nil, err
	}
	if len(snaps) > 0 {
		if chain, err = rooms.RestoreChain(snaps[0].Value); err != nil {
			return nil, err
		}
	}
	for {
		list, err := h.cfg.Store.Range(Decisions, roomKey(id, chain.Height+1), end, pullCount, false)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			var d rooms.Decision
			if err := rooms.Unmarshal(e.Value, &d); err != nil {
				return nil, fmt.Errorf("decision %d on disk: %w", chain.Height+1, err)
			}
			if _, err := chain.Accept(&d, h.view(d.Header.Dir), trusting); err != nil {
				return nil, fmt.Errorf("decision %d on disk: %w", chain.Height+1, err)
			}
		}
		if len(list) == pullCount {
			continue
		}
		if height < math.MaxUint64-1 && chain.Height < height { // the rest may be ticks that lie in a decision above
			d, err := h.covering(id, chain.Height+1)
			if err != nil || d == nil {
				return chain, err
			}
			for _, tick := range d.TickHeaders() {
				if tick.Height > chain.Height && tick.Height <= height {
					if err := chain.Pass(&tick); err != nil {
						return nil, fmt.Errorf("decision %d on disk: %w", tick.Height, err)
					}
				}
			}
		}
		return chain, nil
	}
}

// trusting verifies nothing anew but still tells void requests apart: signatures of what lies on this node's disk were checked before it was
// written, and a wrong one has been ordered as void.
func trusting(r *rooms.Request, id rooms.Hash) bool { return r.SignedAs(id) }

// ended takes a copy off the list.
func (h *Host) ended(r *Replica) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.copies[r.id] == r {
		delete(h.copies, r.id)
	}
}

// drop ends a copy and deletes what the disk holds of it.
func (h *Host) drop(id rooms.RoomID) {
	h.mu.Lock()
	r := h.copies[id]
	delete(h.copies, id)
	delete(h.parked, id)
	h.mu.Unlock()
	if r != nil {
		r.cancel()
		h.wg.Go(func() { <-r.done; h.forget(id) })
		return
	}
	h.forget(id)
}

func (h *Host) forget(id rooms.RoomID) {
	var changes []Change
	for _, t := range []Table{Decisions, Snapshots, Raft, Ids, Outbox} {
		changes = append(changes, Change{Table: t, Key: id[:], To: after(id)})
	}
	h.cfg.Store.WriteLater(append(changes, Change{Table: Held, Key: id[:]}, Change{Table: Gaps, Key: id[:]}))
}
