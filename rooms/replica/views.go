package replica

import (
	"slices"
	"sync"

	"warren/rooms"
)

// views keeps the states of the parked rooms that were looked at last, and bounds how many are read from the disk at once: a search, or the list of
// tags, may ask for thousands. Safe for concurrent use.
type views struct {
	reading chan struct{} // a place for each that is being read

	mu   sync.Mutex
	list []viewed // oldest first, at most maxViews
}

// viewed is a parked room's chain as it lies on the disk. Nobody changes it.
type viewed struct {
	of     *resting // whose state it is: a room that was awake meanwhile has another entry
	epochs int      // that the directory knew of
	chain  *rooms.Chain
}

func newViews() views { return views{reading: make(chan struct{}, viewersAtOnce)} }

func (v *views) get(e *resting, epochs int) *rooms.Chain {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := slices.IndexFunc(v.list, func(o viewed) bool { return o.of == e && o.epochs == epochs })
	if i < 0 {
		return nil
	}
	found := v.list[i]
	v.list = append(slices.Delete(v.list, i, i+1), found)
	return found.chain
}

func (v *views) put(n viewed) {
	if st, ok := n.chain.Machine.(*rooms.State); !ok || st.Bytes > viewBytes {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.list = slices.DeleteFunc(v.list, func(o viewed) bool { return o.chain.Room == n.chain.Room })
	if len(v.list) >= maxViews {
		v.list = slices.Delete(v.list, 0, 1)
	}
	v.list = append(v.list, n)
}

// View calls f with the state of this node's copy of a room, as Replica.View does. A parked room is read from the disk for it and stays parked; it
// blocks until it is among the few that are read at once. false: there is no copy, or it cannot be read.
func (h *Host) View(id rooms.RoomID, f func(*rooms.State)) bool {
	if r := h.Get(id); r != nil {
		r.View(f)
		return true
	}
	return h.look(id, func(c *rooms.Chain) { f(c.Machine.(*rooms.State)) })
}

// look calls f with a parked room as it lies on the disk; f must be quick, keep nothing of it and change nothing. It may block, see View.
func (h *Host) look(id rooms.RoomID, f func(*rooms.Chain)) bool {
	h.mu.Lock()
	e := h.parked[id]
	h.mu.Unlock()
	rec, err := h.record(id)
	if e == nil || err != nil {
		return false
	}
	chain := h.views.get(e, len(rec.Epochs))
	if chain == nil {
		select {
		case h.views.reading <- struct{}{}:
		case <-h.ctx.Done():
			return false
		}
		if chain = h.views.get(e, len(rec.Epochs)); chain == nil {
			chain, err = h.asStored(rec) // who only looks cuts nothing off: the room may be waking in a new epoch just now
			if err == nil {
				h.views.put(viewed{e, len(rec.Epochs), chain})
			}
		}
		<-h.views.reading
	}
	if err != nil {
		h.log.Warn("a parked room cannot be read", "room", id.Short(), "err", err)
		return false
	}
	if _, over := chain.Overrun(); over {
		return false
	}
	f(chain)
	return true
}
