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
	if r.ctl == nil {
		r.setLeader(rooms.NodeID{})
		r.out.resendSoon()
		return
	}
	r.ctl.Lost(id) // so that it votes for whoever is first
	rank := 0
	for _, c := range r.controllers() {
		if c == r.h.self {
			break
		}
		if c != id && r.h.alive(c) {
			rank++
		}
	}
	if rank == 0 {
		r.ctl.Campaign(r.h.Now())
		return
	}
	r.campaignAt = time.Now().Add(time.Duration(rank) * 3 * r.h.cfg.Tick)
}

// tickCampaign lets a backup of a lower rank campaign when its turn has come and nobody leads yet.
func (r *Replica) tickCampaign(now time.Time) {
	if r.campaignAt.IsZero() || now.Before(r.campaignAt) {
		return
	}
	r.campaignAt = time.Time{}
	if r.leader.IsZero() || !r.h.alive(r.leader) { // zero: one before this had its turn, and did not win
		r.ctl.Campaign(r.h.Now())
	}
}
