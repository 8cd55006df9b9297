package replica

import (
	"slices"
	"time"

	"warren/rooms"
	"warren/rooms/order"
)

// An idle room is parked: its controllers count no ticks, so they send no heartbeats and hold no elections, and the copy is looked at once a
// second only. Raft stays as safe as ever, since safety does not rest on ticks; what ticks are for is to notice that something is missing, and
// whoever misses something wakes the room: by a request, by a message that is not the usual talk of an idle room, or by a node that comes or goes.

// parking is what a copy knows about its rest. Owned by the copy's loop.
type parking struct {
	active time.Time // something happened last
	since  time.Time // parked since; zero: it is not
}

// wakeUp says that something is under way.
func (r *Replica) wakeUp() {
	r.park.active, r.park.since = time.Now(), time.Time{}
	r.quiet.Store(false)
}

// stirred wakes a parked room when another controller has something to say. A leader's heartbeats go on for a while after the backups are
// parked, and answers to its last ones come after it is parked itself.
func (r *Replica) stirred(from rooms.NodeID, now time.Time) {
	if r.park.since.IsZero() || from == r.leader || r.leads && now.Sub(r.park.since) < parkGrace {
		return
	}
	r.wakeUp()
}

// tickPark reports whether the controller rests.
func (r *Replica) tickPark(now time.Time) bool {
	after := parkAfter
	if r.leads {
		after = 2 * parkAfter // the backups first, or they would miss its heartbeats
	}
	switch {
	case r.founding || r.filling || r.sweeps() || r.ticking() || r.recruit != nil || r.stew.change != nil || len(r.stew.gone) > 0 || len(r.out.pending) > 0 || len(r.syncs) > 0 || r.pull.under() ||
		!r.leader.IsZero() && !r.h.alive(r.leader):
		r.wakeUp()
	case r.park.since.IsZero() && now.Sub(r.park.active) >= after && r.idle():
		r.park.since = now
	}
	parked := !r.park.since.IsZero()
	r.quiet.Store(parked)
	return parked
}

// idle reports whether nothing is under way in raft, as far as is known here. Who is away does not count: it is told when it comes back.
func (r *Replica) idle() bool {
	if r.ctl == nil {
		return true
	}
	st := r.ctl.Status()
	return slices.Contains(r.controllers(), r.h.self) && st.Idle && !slices.ContainsFunc(st.Members, func(m order.MemberStatus) bool {
		return st.Role == order.Leader && m.Match != st.Last && r.h.alive(m.Node)
	})
}

// lacking reports whether this node leads and a member has not got all of the log.
func (r *Replica) lacking() bool {
	st := r.ctl.Status()
	return st.Role == order.Leader && slices.ContainsFunc(st.Members, func(m order.MemberStatus) bool { return m.Match != st.Last })
}
