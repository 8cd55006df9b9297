package main

import (
	"math/rand/v2"
	"slices"
	"strings"

	"warren/rooms"
	"warren/rooms/order"
)

// lieMS is how long clients go on asking in a schedule with a saboteur: long enough for all that is only seen after a while.
const lieMS = 28_000

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
			r.Counter = 1
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

// liar is the dishonest part of a node. A nil one is honest.
type liar struct {
	n     *node
	rng   *rand.Rand // of its own: what it draws changes nobody else's chances
	does  class
	old   *rooms.Request
	stood int64                          // ms, where its clock stands still
	lives map[rooms.NodeID]uint64        // incarnations of the others, as last heard
	terms map[rooms.NodeID]uint64        // their terms
	asked map[rooms.NodeID]uint64        // terms for which they asked for its vote
	given map[rooms.NodeID]*raftMessage  // the last entries they sent
	whole map[rooms.Hash]*rooms.Decision // of the log, by header
}

func newLiar(n *node, name string) *liar {
	return &liar{
		n: n, rng: rand.New(rand.NewPCG(n.w.seed, 0x11a5)), does: classes[classOf(name)], lives: map[rooms.NodeID]uint64{}, terms: map[rooms.NodeID]uint64{},
		asked: map[rooms.NodeID]uint64{}, given: map[rooms.NodeID]*raftMessage{}, whole: map[rooms.Hash]*rooms.Decision{},
	}
}

func (l *liar) noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(l.rng.Uint32())
	}
	return b
}

// tamper is the hook for a controller's batches.
func (l *liar) tamper() func(*rooms.Batch) {
	if l == nil {
		return nil
	}
	return func(b *rooms.Batch) {
		switch does := l.does.batch; {
		case len(b.Requests) == 0 && l.does.beat != nil:
			l.does.beat(l, b)
		case len(b.Requests) > 0 && does != nil:
			does(l, b)
		}
	}
}

// directory is the version that its controller is told of.
func (l *liar) directory(v uint64) uint64 { return v }

// tick lets it do what it does unasked. It wants to lead: in honest eyes it may do so as well as anybody when nobody leads.
func (l *liar) tick() {
	if l == nil || l.n.ctl == nil {
		return
	}
	if l.n.ctl.Leader().IsZero() && l.rng.IntN(3) == 0 {
		l.n.ctl.Campaign(l.n.clock())
		l.n.pump()
	}
	if l.does.tick != nil {
		l.does.tick(l)
		l.n.pump()
	}
}

// keeps reports whether it gives nobody what it has.
func (l *liar) keeps() bool { return l != nil && l.does.hides }

// states reports whether it stated something of its own.
func (l *liar) states(sc *order.Scene, to *node, account string) bool {
	if l == nil || l.does.states == nil {
		return false
	}
	l.does.states(l, sc, to, account)
	return true
}

// state says what it likes at the end of an epoch, with a good signature, and goes on signing in it.
func (l *liar) state(sc *order.Scene, to *node, account string, promises []rooms.Promise) {
	s := rooms.Statement{
		Epoch: sc.Chain.Epoch, For: account, Since: sc.Chain.Machine.Base().Since, Height: sc.Chain.Height, Head: sc.Chain.Head, Promises: promises,
	}
	if s.Height > sc.Record.Floor {
		head := sc.At(s.Height)
		s.Header, s.Cert = &head.Header, head.Cert
		if l.rng.IntN(4) == 0 { // the directory's own place, as if nothing had been certified since
			s.Height, s.Head, s.Header, s.Cert = sc.Record.Floor, sc.Record.FloorHead, nil, nil
		}
	}
	s.Sign(sc.Chain.Room, keys[l.n.i])
	l.n.tellStatement(to, s)
}

// hidden is a statement of a node that has seen nothing since the directory was told.
func (l *liar) hidden(sc *order.Scene, account string) rooms.Statement {
	s := rooms.Statement{Epoch: sc.Chain.Epoch, For: account, Since: sc.Chain.Machine.Base().Since, Height: sc.Record.Floor, Head: sc.Record.FloorHead}
	s.Sign(sc.Chain.Room, keys[l.n.i])
	return s
}

// claims are promises that it never made: of headers that do not exist, and of some that do.
func (l *liar) claims(sc *order.Scene) (out []rooms.Promise) {
	for i := range 1 + l.rng.IntN(3) {
		p := rooms.Promise{Height: sc.Chain.Height + 1 + uint64(i), Header: rooms.Hash(l.noise(32)), Change: l.rng.IntN(6) == 0}
		for _, n := range l.n.w.nodes {
			if h, ok := n.signed[place{sc.Chain.Epoch, p.Height}]; ok && l.rng.IntN(2) == 0 {
				p.Header = h
			}
		}
		out = append(out, p)
	}
	return out
}

// demand asks all controllers to end the epoch, without reason, and asks the directory for a new one as soon as it has a few statements.
func demand(l *liar) {
	n := l.n
	if l.rng.IntN(10) > 0 || !n.controls() {
		return
	}
	sc := n.scene()
	if n.end.own == nil {
		n.end.own = order.Gather(n.chain.Epoch, "")
	}
	n.askStatements(sc, n.end.own)
	if l.does.hides {
		blank := *sc
		blank.Chain = n.w.genesis() // so that it proves nothing either
		n.end.own.Take(sc, n.id, l.hidden(sc, ""))
		sc = &blank
	}
	if body, tally, err := n.end.own.Body(sc); len(body.Statements) > 1 && (!l.does.hides || err == nil) && len(tally.Silent) > 0 {
		n.w.town.ask(n, body)
	}
	n.pump()
}

// censors reports whether it lets a request disappear.
func (l *liar) censors(r *rooms.Request) bool {
	if l == nil {
		return false
	}
	switch l.does.name {
	case "censor-author":
		return r.Device == l.victim()
	case "censor-request":
		return r.ID()[0] < 64
	}
	return false
}

func (l *liar) victim() rooms.NodeID { return l.n.w.nodes[(l.n.i+1)%len(l.n.w.nodes)].id }

// swallows looks at what comes in, and reports whether the controller shall not see it.
func (l *liar) swallows(from *node, data []byte) bool {
	if l == nil {
		return false
	}
	var e envelope
	if rooms.Unmarshal(data, &e) != nil {
		return false
	}
	switch r := e.Raft; {
	case e.Submit != nil:
		return l.censors(e.Submit)
	case r != nil:
		l.lives[from.id], l.terms[from.id] = r.From, r.Term
		switch r.Type {
		case msgVote:
			l.asked[from.id] = r.Term
		case msgApp:
			l.given[from.id] = r
		}
	}
	return false
}

// out is what leaves instead of what the controller wants to send.
func (l *liar) out(ms []order.Message) []order.Message {
	switch {
	case l == nil:
		return ms
	case l.does.mute:
		return nil
	case l.does.message == nil:
		return ms
	}
	var out []order.Message
	for _, m := range ms {
		var e envelope
		if to := l.n.w.byID[m.To]; to != nil && rooms.Unmarshal(m.Data, &e) == nil {
			if l.does.message(l, to, &e) {
				out = append(out, order.Message{To: m.To, Data: rooms.Marshal(&e)})
			}
		}
	}
	return out
}

// raft sends a raft message that its controller knows nothing of.
func (l *liar) raft(to *node, r *raftMessage) {
	if to == l.n || to.ctl == nil || l.n.ctl == nil {
		return
	}
	r.From, r.To = l.n.ctl.Status().Self.Incarnation, l.lives[to.id]
	l.send(to, rooms.Marshal(&envelope{Version: 1, Raft: r}))
}

func (l *liar) send(to *node, data []byte) {
	l.n.w.send(l.n, to, len(data), func() {
		if to.ctl != nil {
			l.n.w.tr.add(l.n.w.now, 'l', l.n.i, to.i, data)
			if err := to.ctl.Step(to.clock(), l.n.id, data); err != nil {
				l.n.w.tr.say(l.n.w.now, "node %d refuses what the saboteur says: %v", to.i, err)
			}
			to.pump()
		}
	})
}

// garbage sends messages of every type, with anything in them, and bytes that are none.
func garbage(l *liar) {
	num := func() uint64 {
		if l.rng.IntN(8) == 0 {
			return l.rng.Uint64()
		}
		return l.rng.Uint64N(80)
	}
	for _, to := range l.n.w.nodes {
		if to == l.n || to.ctl == nil {
			continue
		}
		hash, sig := rooms.Hash(l.noise(32)), l.noise(64)
		mark := rooms.Mark{Room: l.n.w.room, Epoch: 1, Term: num(), Height: num(), Leader: to.id, Requests: hash, Sig: sig}
		e := envelope{Version: 1}
		switch l.rng.IntN(14) {
		case 0:
			l.send(to, l.noise(l.rng.IntN(100)))
			continue
		case 1:
			e.Sign = &signMessage{Height: num(), Header: hash, Sig: sig, Again: l.rng.IntN(2) == 0}
		case 2:
			e.Cert = &certMessage{Height: num(), Header: hash, Cert: rooms.Certificate{{Node: l.n.id, Sig: sig}, {Node: to.id, Sig: sig}}}
		case 3:
			e.Ask = &heightMessage{Height: num()}
		case 4:
			e.Head = &heightMessage{Height: num()}
		case 5:
			e.Hello = &lifeMessage{Incarnation: num(), At: int64(num())}
		case 6:
			e.Bye = &lifeMessage{Incarnation: num(), At: int64(num())}
		case 7:
			e.Commit = &placeMessage{Index: num(), Term: num()}
		case 8:
			r := rooms.NewRequest(l.n.w.room, "", "x", &rooms.Say{Text: "x"})
			r.Device, r.Counter, r.Sig = to.id, num(), sig
			e.Submit = &r
		case 9:
			e.Accuse = &accuseMessage{Leader: to.id, Misdeed: uint8(num())}
		case 10:
			e.Mark = &markMessage{Mark: mark}
		case 11:
			other := mark
			other.Time++
			e.Proof = &proofMessage{A: mark, B: other}
		case 12:
			e.Yield = &yieldMessage{Term: num(), To: l.n.id}
		default:
			r := &raftMessage{
				Type: uint8(l.rng.IntN(26)), Term: l.terms[to.id] + num()/64, LogTerm: num(), Index: num(), Commit: num(), Reject: l.rng.IntN(2) == 0, RejectHint: num(),
				Force: l.rng.IntN(4) == 0,
			}
			for range l.rng.IntN(3) {
				r.Entries = append(r.Entries, entry{Index: num(), Term: num(), Type: uint8(num()), Data: l.noise(20)})
			}
			if l.rng.IntN(4) == 0 {
				r.Type, r.Entries = msgSnap, nil
				r.Snapshot = &snapshot{Index: num(), Term: num(), Height: num(), Conf: conf{Voters: []member{{Node: to.id, Incarnation: l.lives[to.id]}}}}
			}
			l.raft(to, r)
			continue
		}
		l.send(to, rooms.Marshal(&e))
	}
}
