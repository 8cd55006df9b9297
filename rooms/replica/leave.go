package replica

import (
	"context"
	"time"
)

// handOverLinger is how long a host that leads nothing any more stays, so that what was under way gets its last signatures and reaches those who
// follow by it: two messages' time on a slow link.
const handOverLinger = 300 * time.Millisecond

// HandOver gives the lead of all rooms that this node leads to other controllers, so that its end costs them no time-out; to be called before
// Close. It blocks until this node leads no room that another living controller could lead, and a moment longer for those rooms that it led, or
// until ctx ends. Rooms go on meanwhile.
func (h *Host) HandOver(ctx context.Context) {
	t := time.NewTicker(h.cfg.Tick)
	defer t.Stop()
	led := false
	for ; ; led = true {
		var mine []*Replica
		for _, r := range h.Replicas() {
			if r.othersCouldLead() {
				mine = append(mine, r)
			}
		}
		if len(mine) == 0 {
			break
		}
		for _, r := range mine {
			r.call(r.handOver)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
	if !led {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(handOverLinger):
	}
}

// othersCouldLead reports whether this node leads the room, and another controller is alive.
func (r *Replica) othersCouldLead() bool {
	r.mu.RLock()
	leads, list := r.leads, r.controllers()
	r.mu.RUnlock()
	for _, c := range list {
		if leads && c != r.h.self && r.h.alive(c) {
			return true
		}
	}
	return false
}

// handOver asks another controller to lead. A parked room is woken: the new leader has something to say.
func (r *Replica) handOver() {
	if r.ctl != nil && r.ctl.HandOver(r.h.alive) {
		r.wakeUp()
	}
}
