package replica

import (
	"slices"
	"sync/atomic"
	"time"

	"warren/rooms"
	"warren/rooms/order"
)

// recruitment is this node's side: the leader asks it to control the room.
type recruitment struct {
	by       rooms.NodeID
	last     time.Time
	asking   bool // how far the room is
	caughtUp bool
}

// recruited takes the leader's wish that this node control the room.
func (r *Replica) recruited(from rooms.NodeID, now time.Time) {
	if !slices.Contains(r.controllers(), from) {
		// The copy here may be old: learn from the one who asks, and decide at the next asking.
		if slices.Contains(r.informed(), from) {
			r.catchUp(from)
		}
		return
	}
	if r.recruit == nil {
		r.recruit = &recruitment{by: from}
	}
	r.recruit.by, r.recruit.last = from, now
	r.recruitStep(from)
}

// recruitStep consents when this node holds all that the room had when it was last asked.
func (r *Replica) recruitStep(from rooms.NodeID) {
	if r.recruit == nil || r.pull.under() {
		return
	}
	if !r.recruit.caughtUp {
		if !r.recruit.asking {
			r.recruit.asking = true
			r.sync(&syncWait{as: r.as, done: r.recruitReady, gone: &atomic.Bool{}})
		}
		return
	}
	if r.ctl == nil {
		r.control(false)
	}
	if r.ctl != nil {
		since := r.chain.Machine.Base().Since
		c := consent{Since: since, C: rooms.MakeConsent(r.id, since, r.chain.Height, r.h.cfg.Key)}
		r.tell(from, frameConsent, rooms.Marshal(c))
	}
}

// recruitReady marks the recruitment as caught up, once this node has what the leader had.
func (r *Replica) recruitReady(err error) {
	if r.recruit == nil {
		return
	}
	r.recruit.asking = false
	if err == nil && !r.recruit.caughtUp {
		r.recruit.caughtUp = true
		r.recruitStep(r.recruit.by)
	}
}

// tickRecruit forgets a recruitment that the leader no longer asks for.
func (r *Replica) tickRecruit(now time.Time) {
	if r.recruit == nil {
		return
	}
	if slices.Contains(r.controllers(), r.h.self) {
		r.recruit = nil
		return
	}
	if now.Sub(r.recruit.last) > 2*changeGiveUp {
		r.recruit = nil
		if r.ctl != nil && r.ctl.Status().Role <= order.Learner {
			r.dropController() // a learner that was not wanted in the end: nobody counts on its vote
		}
	}
}

// consented takes a newcomer's consent to control the room.
func (r *Replica) consented(from rooms.NodeID, c consent) {
	under := r.stew.change
	if under == nil || c.C.Node != from || c.Since != under.since || !slices.Contains(under.target, from) || !c.C.OK(r.id, c.Since) {
		return
	}
	if _, ok := under.consents[from]; !ok {
		under.consents[from] = c.C
		r.stew.last = time.Time{} // go on at once
	}
}
