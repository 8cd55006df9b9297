package main

import (
	"slices"
	"strings"

	"warren/rooms"
	"warren/rooms/order"
)

// class is one kind of dishonest controller.
type class struct {
	name      string
	misleads  bool // it can make honest controllers run different batches
	batch     func(l *liar, b *rooms.Batch)
	message   func(l *liar, to *node, e *envelope) (keep bool)
	tick      func(l *liar)
	hides     bool                                                     // it keeps for itself what it knows to be certified
	mute      bool                                                     // it sends nothing
	impatient bool                                                     // epochs begin all the time
	states    func(l *liar, sc *order.Scene, to *node, account string) // what it states at the end of an epoch, instead of the truth; it signs on

	steady bool                                                    // it is about ticks: people say all that they have to say while there are faults, then there is nothing but ticks
	ticks  ticking                                                 // of a steady one: what the room asks for
	pace   func(every int64) int64                                 // ms between the ticks it makes, where the room asks for one in that many
	beat   func(l *liar, b *rooms.Batch)                           // what it makes of a tick
	serves func(l *liar, list []*rooms.Decision) []*rooms.Decision // what it gives who asks for a part of the log, instead of that
}

// classes are all of them.
var classes = slices.Concat(general, tickClasses)

// general are those that need no ticks, in the order in which seeds choose.
var general = []class{
	{name: "forged", batch: func(l *liar, b *rooms.Batch) {
		r := b.Requests[0]
		r.Body = rooms.Marshal(&rooms.Subject{Text: "not what was signed"})
		b.Requests = append(slices.Clone(b.Requests), r)
	}},
	{name: "void", batch: func(l *liar, b *rooms.Batch) {
		b.Requests = slices.Clone(b.Requests)
		for range 4 {
			r := rooms.NewRequest(l.n.w.room, "nobody", "nobody", &rooms.Say{Text: "who am I"})
			r.Counter, r.Epoch = 1, b.Epoch
			r.Sign(keys[l.n.i])
			b.Requests = append(b.Requests, r)
		}
	}},
	{name: "replayed", batch: func(l *liar, b *rooms.Batch) {
		if l.old != nil {
			b.Requests = append([]rooms.Request{*l.old}, b.Requests...)
		}
		l.old = &b.Requests[len(b.Requests)-1]
	}},
	{name: "reordered", batch: func(_ *liar, b *rooms.Batch) {
		b.Requests = slices.Clone(b.Requests)
		slices.Reverse(b.Requests)
	}},
	{name: "wrong-time", batch: func(l *liar, b *rooms.Batch) { b.Time += int64(3_600_000 * (1 - 2*(l.n.w.seed&1))) }},
	{name: "stale-directory", batch: func(_ *liar, b *rooms.Batch) { b.Dir = 0 }},
	{name: "two-batches", misleads: true, message: twoBatches},
	{name: "wrong-certificate", message: func(l *liar, _ *node, e *envelope) bool {
		if e.Cert != nil {
			e.Cert.Cert[0].Sig = l.noise(64)
		}
		return true
	}},
	{name: "withheld-certificate", message: func(_ *liar, _ *node, e *envelope) bool { return e.Cert == nil }},
	{name: "wrong-signature", message: func(l *liar, _ *node, e *envelope) bool {
		if e.Sign != nil {
			e.Sign.Header = rooms.Hash(l.noise(32))
			if l.rng.IntN(2) == 0 {
				e.Sign.Sig = rooms.SignHeader(e.Sign.Header, keys[l.n.i]).Sig
			}
		}
		return true
	}},
	{name: "raft-votes", misleads: true, message: func(_ *liar, _ *node, e *envelope) bool {
		if r := e.Raft; r != nil && (r.Type == msgVoteResp || r.Type == msgPreVoteResp) {
			r.Reject = false // everybody has its vote
		}
		return true
	}, tick: func(l *liar) {
		for _, p := range l.n.w.nodes {
			if term := l.asked[p.id]; term > 0 {
				delete(l.asked, p.id)
				l.raft(p, &raftMessage{Type: msgVoteResp, Term: term})
			}
		}
	}},
	{name: "raft-commit", misleads: true, message: func(_ *liar, _ *node, e *envelope) bool {
		if r := e.Raft; r != nil && (r.Type == msgApp || r.Type == msgHeartbeat) {
			if r.Commit += 2; len(r.Entries) > 0 {
				r.Commit = r.Entries[len(r.Entries)-1].Index
			}
		}
		return true
	}},
	{name: "raft-log", misleads: true, message: func(l *liar, _ *node, e *envelope) bool {
		if r := e.Raft; r != nil && r.Type == msgApp && len(r.Entries) > 0 && l.rng.IntN(2) == 0 {
			switch e := &r.Entries[l.rng.IntN(len(r.Entries))]; l.rng.IntN(4) {
			case 0:
				e.Index++
			case 1:
				e.Term++
			case 2:
				e.Data = l.noise(40)
			case 3:
				e.Type = 1
			}
		}
		return true
	}},
	{name: "raft-acks", misleads: true, message: func(l *liar, to *node, e *envelope) bool {
		return e.Raft == nil || e.Raft.Type != msgAppResp || !e.Raft.Reject
	}, tick: func(l *liar) {
		for _, p := range l.n.w.nodes {
			if m := l.given[p.id]; m != nil {
				delete(l.given, p.id)
				l.raft(p, &raftMessage{Type: msgAppResp, Term: m.Term, Index: m.Index + uint64(len(m.Entries))})
			}
		}
	}},
	{name: "raft-terms", misleads: true, tick: func(l *liar) {
		if l.rng.IntN(3) > 0 {
			return
		}
		for _, p := range l.n.w.nodes {
			kind := []uint8{msgAppResp, msgHeartbeat, msgVoteResp}[l.rng.IntN(3)]
			l.raft(p, &raftMessage{Type: kind, Term: l.terms[p.id] + uint64(l.rng.IntN(3))})
		}
	}},
	{name: "garbage", misleads: true, tick: garbage},
	{name: "nothing", mute: true},
	{name: "censor-author"},
	{name: "censor-request"},
	{name: "false-beginning", impatient: true, batch: func(l *liar, b *rooms.Batch) {
		if !b.Begins() {
			return
		}
		b.Requests = slices.Clone(b.Requests)
		switch r := &b.Requests[0]; l.rng.IntN(3) {
		case 0:
			b.Requests = append(b.Requests, *r)
		case 1:
			*r = rooms.NewRequest(r.Room, "", "", &rooms.Begin{Epoch: b.Epoch, By: manager, Of: 7})
			r.Epoch = b.Epoch
			r.Sign(keys[l.n.i])
		case 2:
			r.Sig = l.noise(64)
		}
	}},
	{name: "statement-withheld", impatient: true, states: func(*liar, *order.Scene, *node, string) {}},
	{name: "statement-claims", impatient: true, states: func(l *liar, sc *order.Scene, to *node, account string) {
		l.state(sc, to, account, l.claims(sc))
	}},
	{name: "statement-two", impatient: true, tick: demand, states: func(l *liar, sc *order.Scene, to *node, account string) {
		var promises []rooms.Promise
		if l.n.ctl != nil && l.rng.IntN(2) == 0 {
			promises = l.n.ctl.Promises()
		}
		l.state(sc, to, account, promises)
	}},
	{name: "statement-hides", impatient: true, hides: true, tick: demand, message: func(l *liar, to *node, e *envelope) bool {
		late := to.i == (l.n.i+1)%4 && l.n.w.now/2000%2 == 0
		return e.Cert == nil && (e.Raft == nil || e.Raft.Type != msgApp || !late)
	}, states: func(l *liar, sc *order.Scene, to *node, account string) {
		l.n.tellStatement(to, l.hidden(sc, account))
	}},
	{name: "deposer", tick: func(l *liar) {
		if l.n.ctl != nil && l.rng.IntN(10) == 0 {
			l.n.ctl.Campaign(l.n.clock())
		}
	}},
}

// names lists the classes.
func names() string {
	var out []string
	for _, c := range classes {
		out = append(out, c.name)
	}
	return strings.Join(out, ", ")
}

func classOf(name string) int {
	return slices.IndexFunc(classes, func(c class) bool { return c.name == name })
}

// known reports whether -saboteur may be that.
func known(name string) bool {
	return name == "" || name == "any" || name == "none" || classOf(name) >= 0
}

// twoBatches signs another batch for the same place, and gives it to half of the others.
func twoBatches(l *liar, to *node, e *envelope) bool {
	if e.Raft == nil || to.i&1 == 0 {
		return true
	}
	for i := range e.Raft.Entries {
		var b rooms.Batch
		if x := &e.Raft.Entries[i]; rooms.Unmarshal(x.Data, &b) == nil && b.Leader == l.n.id {
			b.Time++
			b.Sign(l.n.w.room, keys[l.n.i])
			x.Data = rooms.Marshal(&b)
		}
	}
	return true
}
