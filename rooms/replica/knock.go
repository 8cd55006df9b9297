package replica

import (
	"slices"

	"warren/rooms"
	"warren/rooms/errs"
	"warren/rooms/rate"
)

// Who may wake a parked room: reading one costs milliseconds, and its copy stays in memory for a while. So each node may have so many read within a
// time, and a room is read and parked again when nobody who knocked may have something to do with it.

// roused reports whether one of the frames may wake the room, as its state on the disk says. h.mu is held.
func (h *Host) roused(rec *rooms.RoomRecord, c *rooms.Chain, frames []inFrame) bool {
	return slices.ContainsFunc(frames, func(f inFrame) bool { return h.rightful(rec, c, &f) })
}

// rightful reports whether a frame may wake the room: one of its controllers sent it, or it is sent on behalf of somebody who may read the room.
func (h *Host) rightful(rec *rooms.RoomRecord, c *rooms.Chain, f *inFrame) bool {
	if slices.Contains(rec.Now, f.from) || slices.Contains(c.Machine.Base().Controllers, f.from) {
		return true
	}
	switch f.Kind {
	case frameOrder: // who controlled it once, was replaced while it was away, and has to be told: as seldom as that is
		return h.strays.Take(f.from, h.Now(), rate.Limit{PerSecond: strayRate, Burst: strayBurst})
	case frameSubmit:
		var r rooms.Request
		return len(f.Data) <= rooms.MaxRequest && rooms.Unmarshal(f.Data, &r) == nil && h.reads(c, f.from, reader{Account: r.Account, Nick: r.Nick})
	case frameSubscribe:
		var s subscribe
		return rooms.Unmarshal(f.Data, &s) == nil && h.reads(c, f.from, s.For)
	case frameAskHead:
		var a askHead
		return rooms.Unmarshal(f.Data, &a) == nil && h.reads(c, f.from, a.For)
	case frameAskState: // a recovery: only who manages the room has an account that is believed, and that one may read it
		var a askState
		return rooms.Unmarshal(f.Data, &a) == nil && a.For != "" && h.reads(c, f.from, reader{Account: a.For})
	}
	return false
}

// turnAway tells those who asked for a parked room that they may not read it. Who is to lead it, were it awake, says so for good. h.mu is held.
func (h *Host) turnAway(rec *rooms.RoomRecord, e *resting, frames []inFrame) {
	sure := h.firstOf(rec.ID, rec.Now, e.Leader) == h.self
	for i := range frames {
		f := &frames[i]
		var a askHead
		if f.Kind == frameAskHead && rooms.Unmarshal(f.Data, &a) == nil || f.Kind == frameSubscribe {
			no := rooms.Marshal(head{Nonce: a.Nonce, Denied: true, Sure: sure})
			h.cfg.Net.Send(f.from, rooms.Marshal(frame{Room: rec.ID, Kind: frameHead, Data: no}))
		}
	}
}

// toServe returns the copy of a room for a reader elsewhere, woken if it is parked; nil: there is none. It may block on the disk. errs.Denied: it is
// parked, and the reader has no right to it; errs.Busy: the node has had too many rooms woken lately.
func (h *Host) toServe(from rooms.NodeID, q *pull) (*Replica, error) {
	if r := h.Get(q.Room); r != nil && r.ctx.Err() == nil {
		return r, nil
	}
	if !h.isParked(q.Room) {
		return nil, nil
	}
	rec, err := h.record(q.Room)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	may := h.wakes.Take(from, h.Now(), rate.Limit{PerSecond: wakeRate, Burst: wakeBurst})
	h.mu.Unlock()
	if !may {
		return nil, errs.Busy
	}
	may = slices.Contains(rec.Now, from)
	if !may {
		h.look(q.Room, func(c *rooms.Chain) {
			may = slices.Contains(c.Machine.Base().Controllers, from) || h.reads(c, from, q.For)
		})
	}
	if !may {
		return nil, errs.Denied
	}
	return h.hold(q.Room)
}
