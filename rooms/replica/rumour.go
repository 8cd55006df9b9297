package replica

import (
	"slices"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// rumour is a provisional message of another node that was shown here.
type rumour struct {
	ev      *rooms.Event
	counter uint64
	since   time.Time
}

// hearsay is a provisional message on the room's topic. The request carries its author's signature, so nobody else signs.
type hearsay struct {
	_       struct{} `cbor:",toarray"`
	Request []byte
}

// spread tells a provisional message to the other nodes at which somebody may read the room, as signals are told.
func (r *Replica) spread(w *wish) {
	st, ok := r.chain.Machine.(*rooms.State)
	if !ok {
		return
	}
	data := rooms.Marshal(&w.req)
	if r.publish != nil && open(st) {
		r.publish(rooms.Marshal(hearsay{Request: data}))
		return
	}
	r.tellAudience(st, frameProvisional, data)
}

// respread tells a node that came up what it has missed.
func (r *Replica) respread(to rooms.NodeID) {
	st, ok := r.chain.Machine.(*rooms.State)
	if !ok || !r.out.said() || !slices.Contains(r.audience(st), to) {
		return
	}
	for _, w := range r.out.pending {
		if w.said {
			r.tell(to, frameProvisional, rooms.Marshal(&w.req))
		}
	}
}

// said reports whether something provisional waits.
func (o *outbox) said() bool {
	return slices.ContainsFunc(o.pending, func(w *wish) bool { return w.said })
}

// heardSay shows a provisional message of another node, if it can become an event: its author is in the room from that node and may talk, the node
// may speak for the author, and the counter is one of the next. It is only talk of that node until it is ordered, so each node may have some only.
func (r *Replica) heardSay(req *rooms.Request) {
	id := req.ID()
	if _, known := r.rumours[id]; known || req.Room != r.id || req.Op != rooms.OpSay || req.Device == r.h.self {
		return
	}
	last := r.chain.Machine.Base().Counters[req.Device]
	if req.Counter <= last || req.Counter-last > counterAhead || r.maySay(req.Account, req.Nick, req.Device) != nil || !r.speaks(req.Account, req.Device) {
		return
	}
	now := time.Now()
	ofNode, ofAuthor := 0, 0
	for old, ru := range r.rumours {
		switch {
		case now.Sub(ru.since) > provisionalLife:
			delete(r.rumours, old)
		case ru.ev.Device != req.Device:
		case ru.counter == req.Counter:
			return // the node says two things in one place
		default:
			ofNode++
			if ru.ev.Principal() == req.Principal() {
				ofAuthor++
			}
		}
	}
	if len(r.rumours) >= maxRumours || ofNode >= maxRumoursOf || ofAuthor >= maxSaidBy {
		return
	}
	ev := r.eventOf(req)
	if ev == nil || !r.h.sigs.check(req, id) {
		return
	}
	r.rumours[id] = &rumour{ev, req.Counter, now}
	r.showProvisional(Provisional{Event: ev})
}

// settleRumours forgets what has become an event, and takes back what cannot become one any more: its counter went to something else.
func (r *Replica) settleRumours(events []rooms.Event) {
	if len(r.rumours) == 0 {
		return
	}
	for i := range events {
		delete(r.rumours, events[i].ID)
	}
	counters := r.chain.Machine.Base().Counters
	for id, ru := range r.rumours {
		if counters[ru.ev.Device] >= ru.counter {
			delete(r.rumours, id)
			r.showProvisional(Provisional{Event: ru.ev, Err: errs.Stale})
		}
	}
}
