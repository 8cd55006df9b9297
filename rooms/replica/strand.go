package replica

import (
	"slices"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// A copy that was away for longer than the room keeps its log cannot run what it missed: nobody has it any more. It takes the state over as a newcomer
// does, also when it controls the room or people watch it. The controller comes back as a learner; people are told what is different now.

// strand notes that what the copy lacks next was let go by another node, and asks that one for its state.
func (r *Replica) strand(from rooms.NodeID, floor uint64) {
	r.beyond = floor
	r.catchUp(from)
}

// stranded reports whether the log that the copy needs next is said to be gone.
func (r *Replica) stranded() bool { return r.beyond > r.chain.Height+1 }

// missed tells who watches what a state that was taken over changes in what they see: who is gone, who has come, and the subject. The events have no
// id and were never ordered: what was, is lost.
func (r *Replica) missed(was, is *rooms.State) {
	tell := func(ev rooms.Event) {
		ev.Room, ev.Seq, ev.Height, ev.Time = r.id, is.B.Seq, r.chain.Height, r.chain.Time
		r.dispatch(&ev, nil)
	}
	gone := map[rooms.NodeID][]rooms.Occupant{}
	for _, fold := range was.Nicks() {
		o := was.Occupants[fold]
		if now, ok := is.Occupants[fold]; ok && now.Principal() == o.Principal() || len(o.Nodes) == 0 {
			continue
		}
		gone[o.Nodes[0]] = append(gone[o.Nodes[0]], o)
	}
	nodes := make([]rooms.NodeID, 0, len(gone))
	for n := range gone {
		nodes = append(nodes, n)
	}
	rooms.SortNodes(nodes)
	for _, n := range nodes {
		tell(rooms.Event{Device: n, Op: rooms.OpNodeGone, Body: &rooms.NodeGone{Node: n}, Gone: gone[n]})
	}
	for _, fold := range is.Nicks() {
		o := is.Occupants[fold]
		if then, ok := was.Occupants[fold]; ok && then.Principal() == o.Principal() || len(o.Nodes) == 0 {
			continue
		}
		tell(rooms.Event{Account: o.Account, Nick: o.Nick, Device: o.Nodes[0], Op: rooms.OpEnter, Body: &rooms.Enter{View: o.View, Real: o.Real}, Target: &o})
	}
	if is.Subject != was.Subject {
		tell(rooms.Event{Nick: is.SubjectBy, Op: rooms.OpSubject, Body: &rooms.Subject{Text: is.Subject}})
	}
}

// outrun ends the wishes whose counters were used up in what this copy never saw: they may have been ordered, and must not be again.
func (r *Replica) outrun() {
	last := r.counter()
	over := slices.DeleteFunc(slices.Clone(r.out.pending), func(w *wish) bool { return w.fixed || w.req.Counter > last })
	r.out.pending = slices.DeleteFunc(r.out.pending, func(w *wish) bool { return slices.Contains(over, w) })
	r.out.sent = 0
	for _, w := range over {
		w.finish(errs.Timeout)
	}
}

// takeOver puts the copy where a state stands that is shown to be right. What was under way here goes on from there.
func (r *Replica) takeOver(s *snapshot) {
	for height := range r.held {
		if height <= s.chain.Height {
			r.drop(height)
		}
	}
	was := r.chain.Machine.(*rooms.State)
	controlled := r.ctl != nil
	if controlled {
		r.dropController()
	}
	changes := r.snapshotChangesOf(s.chain.Height, s.data)
	changes = append(changes, r.openGap(s.chain))
	r.h.cfg.Store.WriteLater(changes)
	r.mu.Lock()
	r.chain, r.cert = s.chain, s.cert
	r.mu.Unlock()
	r.saved, r.beyond = s.chain.Height, 0
	r.retained()
	r.h.log.Info("the room's state was taken over", "room", r.id.Short(), "height", s.chain.Height)
	if r.h.cfg.Opened != nil {
		r.h.cfg.Opened(r.id)
	}
	if r.out.promised() {
		r.outrun()
		r.renumber()
		r.out.resendSoon()
	} else {
		r.out = outbox{} // leaves of occupants that the state may not know any more
	}
	if r.watchers() > 0 {
		r.missed(was, s.chain.Machine.(*rooms.State))
	} else {
		r.leaveStale()
	}
	r.releaseSyncs()
	r.learn()
	if controlled || slices.Contains(r.controllers(), r.h.self) {
		r.led = time.Now()
		r.control(false)
	}
}
