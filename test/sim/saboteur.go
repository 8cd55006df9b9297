package main

import (
	"math/rand/v2"

	"warren/rooms"
	"warren/rooms/order"
)

// lieMS is how long clients go on asking in a schedule with a saboteur: long enough for all that is only seen after a while.
const lieMS = 28_000

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
