package replica

import (
	"time"

	"warren/rooms"
)

// foundTogether makes one of the founding controllers lead as soon as enough others are there, instead of after a time-out. Each try
// gets twice the time of the one before: votes take a round trip, and a new try makes those under way worthless.
func (r *Replica) foundTogether(now time.Time) {
	if !r.founding || r.ctl == nil || now.Before(r.foundNext) {
		return
	}
	if !r.leader.IsZero() || r.chain.Height > 0 || r.foundWait > r.h.cfg.Election {
		r.founding = false // or the usual elections settle it
		return
	}
	r.foundWait = max(2*r.foundWait, r.h.cfg.Tick)
	r.foundNext = now.Add(r.foundWait)
	r.ctl.Campaign(r.h.Now())
}

// lostController lets a backup campaign at once when the leader's node went down, one after the other by rank.
func (r *Replica) lostController(id rooms.NodeID) {
	if id != r.leader && (id != r.lastLed || !r.leader.IsZero()) { // who has campaigned already has made the others forget who led
		return
	}
	if r.ctl == nil || r.replaced() {
		r.setLeader(rooms.NodeID{})
		r.out.resendSoon()
	}
	if r.ctl == nil {
		return
	}
	r.ctl.Lost(id) // so that it votes for whoever is first
	now := time.Now()
	r.campaignAt, r.gently = r.turnAfter(now, id), false
	r.tickCampaign(now)
}

// electTogether has a leader elected as soon as a quorum is heard again. Whoever was on the other side may have one already, so the lease counts.
func (r *Replica) electTogether(now time.Time) {
	if r.ctl == nil || !r.ctl.Leader().IsZero() {
		return
	}
	r.campaignAt, r.gently = r.turnAfter(now, r.h.self), true
	r.tickCampaign(now)
}

// turnAfter returns when, from now on, this controller may campaign, if those before it do not: each waits until what the one before it says has arrived. Who is without
// has none.
func (r *Replica) turnAfter(now time.Time, without rooms.NodeID) time.Time {
	rank, farthest := 0, time.Duration(0)
	for _, c := range r.controllers() {
		if c == r.h.self {
			break
		}
		if c != without && r.h.alive(c) {
			rank++
			farthest = max(farthest, r.h.cfg.Net.RTT(c))
		}
	}
	return now.Add(time.Duration(rank) * (3*r.h.cfg.Tick + farthest/2))
}

// tickCampaign lets a backup campaign when its turn has come and nobody leads yet; later, if another has its vote.
func (r *Replica) tickCampaign(now time.Time) {
	if r.campaignAt.IsZero() || now.Before(r.campaignAt) {
		return
	}
	r.campaignAt = time.Time{}
	if r.leader.IsZero() || !r.h.alive(r.leader) { // zero: one before this had its turn, and did not win
		campaign := r.ctl.Campaign
		if r.gently {
			campaign = r.ctl.Elect
		}
		if !campaign(r.h.Now()) {
			r.campaignAt = now.Add(r.h.cfg.Election / 2)
		}
	}
}
