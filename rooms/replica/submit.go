package replica

import (
	"slices"

	"warren/rooms"
	"warren/rooms/errs"
	"warren/rooms/order"
)

// give is the controller's Submit; while the room wakes and another node is about to lead it, the answer names that one.
func (r *Replica) give(req *rooms.Request) order.Answer {
	a := r.ctl.Submit(r.h.Now(), req)
	if first := r.ledBy(); a.Kind == errs.Frozen && !first.IsZero() {
		return order.Answer{Leader: first}
	}
	return a
}

// submitHere gives a request to this node's own controller, which may pass it to the leader. false: it cannot be taken now.
func (r *Replica) submitHere(req *rooms.Request, from rooms.NodeID) bool {
	a := r.give(req)
	if a.Queued {
		return true
	}
	if a.Kind == errs.OK && !a.Leader.IsZero() && a.Leader != r.h.self {
		// Not the leader: it is passed on. The leader answers to the request's device.
		return r.tell(a.Leader, frameSubmit, rooms.Marshal(req))
	}
	switch {
	case from != r.h.self:
		r.answerTo(from, answer{ID: req.ID(), Kind: a.Kind, Leader: a.Leader, Next: a.Expected})
	case a.Kind == errs.Void:
		id := req.ID()
		r.call(func() { r.unspoken(id) }) // not now: the outbox is just being sent
	}
	return false
}

// submitFrom takes a request from another node.
func (r *Replica) submitFrom(from rooms.NodeID, req *rooms.Request, data []byte) {
	r.wakeUp()
	if r.ctl == nil {
		r.answerTo(from, answer{ID: req.ID(), Kind: errs.NotFound, Leader: r.leader})
		return
	}
	a := r.give(req)
	switch {
	case a.Queued:
		if req.Device != from && slices.Contains(r.controllers(), from) {
			from = req.Device // passed on by a backup
		}
		if !slices.Contains(r.controllers(), from) { // a controller knows by itself who leads: one message less for each of its wishes
			r.answerTo(from, answer{ID: req.ID(), Leader: r.h.self})
		}
	case a.Kind == errs.OK && !a.Leader.IsZero() && a.Leader != r.h.self:
		if req.Device == from { // passed on once, not in circles
			r.tell(a.Leader, frameSubmit, data)
			r.answerTo(from, answer{ID: req.ID(), Leader: a.Leader})
		}
	default:
		r.answerTo(from, answer{ID: req.ID(), Kind: a.Kind, Leader: a.Leader, Next: a.Expected})
		if a.Kind == errs.Frozen && a.Leader.IsZero() {
			r.sendAway(from, func(s *sentAway) { s.wish = req.ID() })
		}
	}
}

// sentAway is what a node came with that nobody could take, or answer for sure, since nobody leads: the last of each.
type sentAway struct {
	wish rooms.Hash // zero: none
	ask  askHead    // without a nonce: none
}

// sendAway notes what a node came with in vain.
func (r *Replica) sendAway(from rooms.NodeID, note func(*sentAway)) {
	s, known := r.sentAway[from]
	if !known && len(r.sentAway) >= maxSentAway {
		return
	}
	note(&s)
	r.sentAway[from] = s
}

// callBack tells those who came while nobody led that somebody does: they need not wait until they try again.
func (r *Replica) callBack() {
	for to, s := range r.sentAway {
		if s.wish != (rooms.Hash{}) {
			r.answerTo(to, answer{ID: s.wish, Leader: r.leader})
		}
		if s.ask.Nonce != 0 {
			r.sendHead(to, s.ask.Nonce, r.mayRead(to, s.ask.For))
		}
	}
	clear(r.sentAway)
}

func (r *Replica) answerTo(to rooms.NodeID, a answer) {
	if to == r.h.self {
		r.answered(to, a)
		return
	}
	r.tell(to, frameAnswer, rooms.Marshal(a))
}

// answered takes a controller's word on a request of this node. It decides nothing, verdicts do: it tells where to turn to, and what will get no verdict
// as this node can see itself.
func (r *Replica) answered(from rooms.NodeID, a answer) {
	if !slices.Contains(r.orderers(), from) && from != r.h.self {
		return
	}
	if a.Kind == errs.Void {
		r.unspoken(a.ID)
	}
	if (r.ctl == nil || r.replaced()) && !a.Leader.IsZero() && r.h.alive(a.Leader) { // a backup may not have noticed yet that its leader is down
		r.setLeader(a.Leader)
	}
}
