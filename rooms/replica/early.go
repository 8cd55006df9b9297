package replica

import (
	"errors"
	"slices"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// Who makes a room may know that before its controllers do: the directory's decision takes other ways to them than the first question and wish that
// follow on it, and so it is with the votes of the controller that learns of it first. What comes too early is kept for a moment, and handed to the
// room when the directory's word of it is here. Without that it would be sent again after resendAfter, which people feel.

// early holds frames for rooms that this node does not know yet, oldest first. They count among what waits of their senders (load). Guarded by Host.mu.
type early []earlyFrame

type earlyFrame struct {
	inFrame
	until time.Time // it is given up then
}

// keepEarly keeps a frame for a room that the directory does not show yet, or shows as this node's to found. Not of strangers, and of each node a
// few: made-up rooms cost anybody as little to name as they cost here to forget. h.mu is held.
func (h *Host) keepEarly(f inFrame) {
	h.dropEarly(time.Now())
	if len(f.Data) > earlyBytes || len(h.early) >= earlyFrames || h.closed || !h.inside(f.from) || !h.mayFound(f.Room) {
		return
	}
	his := 0
	for i := range h.early {
		if h.early[i].from == f.from {
			his++
		}
	}
	if his < earlyShare && h.load.add(f.from, f.cost()) {
		h.early = append(h.early, earlyFrame{f, time.Now().Add(earlyLife)})
	}
}

// mayFound reports whether a room that has no copy here may get one by what the directory says next, or has just said.
func (h *Host) mayFound(id rooms.RoomID) bool {
	rec, err := h.record(id)
	return errors.Is(err, errs.NotFound) || slices.Contains(rec.Now, h.self)
}

// takeEarly returns what came too early for a room that is about to be read, in the order in which it came. It stays counted. h.mu is held.
func (h *Host) takeEarly(id rooms.RoomID) (list []inFrame) {
	h.dropEarly(time.Now())
	h.early = slices.DeleteFunc(h.early, func(f earlyFrame) bool {
		if f.Room == id {
			list = append(list, f.inFrame)
		}
		return f.Room == id
	})
	return list
}

// dropEarly gives up what has waited for too long. h.mu is held.
func (h *Host) dropEarly(now time.Time) {
	n := 0
	for n < len(h.early) && !now.Before(h.early[n].until) {
		h.load.add(h.early[n].from, -h.early[n].cost())
		n++
	}
	if h.early = slices.Delete(h.early, 0, n); len(h.early) == 0 {
		h.early = nil
	}
}
