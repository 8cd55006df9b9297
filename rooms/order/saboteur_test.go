package order_test

import (
	"slices"
	"strings"
	"testing"

	"warren/rooms"
	"warren/rooms/order"
)

// trial is a room of four controllers, the first of which is dishonest.
type trial struct {
	*cluster
	cheat *host
	shape func(*rooms.Batch) // see cheat.tamper
}

// newTrial founds the room; off is what the three honest controllers do not do.
func newTrial(t *testing.T, off order.Switches) *trial {
	c := newCluster(t, 4, 4)
	tr := &trial{cluster: c, cheat: c.hosts[0]}
	for _, h := range c.hosts {
		h.off = off
		if h == tr.cheat {
			h.off = order.Switches{}
			h.tamper = func(b *rooms.Batch) {
				if tr.shape != nil {
					tr.shape(b)
				}
			}
		}
		h.start()
	}
	tr.say(2)
	return tr
}

func (tr *trial) honest() []*host { return tr.hosts[1:] }

// crown makes the saboteur lead.
func (tr *trial) crown() {
	tr.t.Helper()
	for range 20 {
		if tr.leader() == tr.cheat {
			return
		}
		tr.leader().ctl.HandOver(only(tr.cheat.id))
		tr.tick(3)
	}
	tr.t.Fatal("the saboteur does not come to lead")
}

func only(n rooms.NodeID) func(rooms.NodeID) bool {
	return func(x rooms.NodeID) bool { return x == n }
}

// charged reports whether all honest controllers (or one, if any) hold a strike for that misdeed against the saboteur, and nobody holds anything
// against an honest one.
func (tr *trial) charged(m order.Misdeed, all bool) bool {
	tr.t.Helper()
	n := 0
	for _, h := range tr.honest() {
		for _, c := range h.ledger.Charges() {
			if c.Strikes == 0 {
				continue
			}
			if c.Node != tr.cheat.id {
				tr.t.Fatalf("node %d accuses an honest node: %s, %s", h.i, c.Misdeed, c.Evidence)
			}
			if c.Misdeed == m {
				n++
			}
		}
	}
	return n == 3 || !all && n > 0
}

// ask submits a request of an honest device everywhere, as its node does when it gets no verdict.
func (tr *trial) ask(r *rooms.Request) {
	for _, h := range tr.hosts {
		if h.ctl != nil {
			h.ctl.Submit(tr.now, r)
		}
	}
	tr.tick(1)
}

// has reports whether an honest node's log holds the request.
func (tr *trial) has(r *rooms.Request) bool {
	for i := range tr.hosts[1].log {
		for k := range tr.hosts[1].log[i].Batch.Requests {
			if tr.hosts[1].log[i].Batch.Requests[k].ID() == r.ID() {
				return true
			}
		}
	}
	return false
}

// talk lets device 1 speak for n ticks and reports whether the saboteur was deposed on the way.
func (tr *trial) talk(n int) (deposed bool) {
	tr.t.Helper()
	r := tr.request(1, "one", &rooms.Enter{View: "test"})
	for range n {
		tr.ask(r)
		if tr.has(r) {
			r = tr.request(1, "one", &rooms.Say{Text: "hello"})
		}
		for _, h := range tr.honest() {
			deposed = deposed || h.ctl != nil && h.ctl.Leader() == h.id
		}
	}
	return deposed
}

// TestDishonestLeaderIsDeposed has the leader put into batches what no honest one does: with the defence it is found out by all and deposed, and
// the room goes on; without it, it leads on.
func TestDishonestLeaderIsDeposed(t *testing.T) {
	var old *rooms.Request
	for _, c := range []struct {
		name    string
		misdeed order.Misdeed
		shape   func(tr *trial, b *rooms.Batch)
	}{
		{"forged requests", order.Forged, func(_ *trial, b *rooms.Batch) {
			r := b.Requests[0]
			r.Body = rooms.Marshal(&rooms.Say{Text: "I never said that"})
			b.Requests = append(slices.Clone(b.Requests), r)
		}},
		{"void requests", order.Void, func(tr *trial, b *rooms.Batch) {
			for range 3 {
				r := rooms.NewRequest(tr.room, "", "nobody", &rooms.Say{Text: "x"})
				r.Counter = 1
				r.Sign(key(9))
				b.Requests = append(slices.Clone(b.Requests), r)
			}
		}},
		{"replayed requests", order.Replayed, func(_ *trial, b *rooms.Batch) {
			if old == nil {
				old = &b.Requests[0]
			}
			b.Requests = append(slices.Clone(b.Requests), *old)
		}},
		{"reordered requests", order.Replayed, func(tr *trial, b *rooms.Batch) {
			later := rooms.NewRequest(tr.room, "", "one", &rooms.Say{Text: "second"})
			later.Counter = b.Requests[0].Counter + 1
			later.Sign(key(1))
			b.Requests = append([]rooms.Request{later}, b.Requests...)
		}},
		{"time ahead", order.WrongTime, func(_ *trial, b *rooms.Batch) { b.Time += 3_600_000 }},
		{"time behind", order.WrongTime, func(_ *trial, b *rooms.Batch) { b.Time -= 3_600_000 }},
		{"stale directory", order.StaleDirectory, func(_ *trial, b *rooms.Batch) { b.Dir = 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, off := range []bool{false, true} {
				var s order.Switches
				if off {
					s.Misdeeds = []order.Misdeed{c.misdeed}
				}
				old = nil
				tr := newTrial(t, s)
				for _, h := range tr.hosts {
					h.dirNewest = 3
					h.ctl.DirectoryAt(tr.noViewAbove(3), 3)
				}
				tr.crown()
				if c.misdeed == order.StaleDirectory || c.name == "time behind" {
					tr.tick(120) // what is behind is told from what is late only after some time
				}
				tr.shape = func(b *rooms.Batch) { c.shape(tr, b) }
				deposed := tr.talk(60)
				if charged := tr.charged(c.misdeed, true); charged == off || deposed == off {
					t.Errorf("defence off: %v; charged by all: %v, deposed: %v", off, charged, deposed)
				}
				ahead := tr.hosts[1].chain.Time > tr.now+60_000
				if ahead != (off && c.name == "time ahead") {
					t.Errorf("defence off: %v; the room's time runs ahead: %v", off, ahead)
				}
				if !off {
					tr.same()
				}
			}
		})
	}
}

// TestTwoBatchesForOnePlaceAreProven lets the leader give one honest controller another batch than the others: who sees both holds the proof, and
// soon everybody does.
func TestTwoBatchesForOnePlaceAreProven(t *testing.T) {
	for _, off := range []bool{false, true} {
		var s order.Switches
		if off {
			s.Misdeeds = []order.Misdeed{order.Equivocated}
		}
		tr := newTrial(t, s)
		tr.crown()
		victim := tr.hosts[3]
		tr.cheat.alter = func(to *host, e *order.Envelope) {
			if to != victim || e.Raft == nil {
				return
			}
			for i := range e.Raft.Entries {
				var b rooms.Batch
				if x := &e.Raft.Entries[i]; rooms.Unmarshal(x.Data, &b) == nil && b.Leader == tr.cheat.id {
					b.Time++
					b.Sign(tr.room, key(0))
					x.Data = rooms.Marshal(&b)
				}
			}
		}
		r := tr.request(1, "one", &rooms.Enter{View: "test"})
		for range 150 {
			tr.ask(r)
			if victim.ctl == nil { // it found that its log is not the others', and comes back
				victim.disk = victim.disk.Drop()
				victim.start()
			}
		}
		proven := 0
		for _, h := range tr.honest() {
			if h.ledger.Unfit(tr.cheat.id, tr.now, false) {
				proven++
			}
		}
		if off && proven > 0 || !off && proven < 3 {
			t.Errorf("defence off: %v; %d honest controllers hold the proof", off, proven)
		}
		if !off && !tr.has(r) {
			t.Error("the room does not go on")
		}
	}
}

// TestWrongOrWithheldCertificates are met by asking around, and by deposing who goes on with it.
func TestWrongOrWithheldCertificates(t *testing.T) {
	for _, c := range []struct {
		name    string
		misdeed order.Misdeed
		alter   func(e *order.Envelope)
	}{
		{"wrong", order.BadCertificate, func(e *order.Envelope) {
			if e.Cert != nil {
				e.Cert.Cert = slices.Clone(e.Cert.Cert)
				e.Cert.Cert[0].Sig = make([]byte, 64)
			}
		}},
		{"withheld", order.WithheldCertificate, func(e *order.Envelope) {
			if e.Cert != nil {
				e.Cert = nil
				e.Hello = &order.HelloMessage{}
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, off := range []bool{false, true} {
				var s order.Switches
				if off {
					s.Misdeeds = []order.Misdeed{c.misdeed}
				}
				tr := newTrial(t, s)
				tr.crown()
				tr.tick(5)
				tr.cheat.alter = func(_ *host, e *order.Envelope) { c.alter(e) }
				before := tr.hosts[1].chain.Height
				deposed := tr.talk(90)
				if charged := tr.charged(c.misdeed, true); charged == off || deposed == off {
					t.Errorf("defence off: %v; charged by all: %v, deposed: %v", off, charged, deposed)
				}
				if tr.hosts[1].chain.Height < before+5 {
					t.Error("certificates were not made without the leader")
				}
			}
		})
	}
}

// TestWrongSignatures of a backup are seen by the leader, and the room does without.
func TestWrongSignatures(t *testing.T) {
	for _, c := range []struct {
		name    string
		misdeed order.Misdeed
		alter   func(s *order.SignMessage)
	}{
		{"another header", order.OtherHeader, func(s *order.SignMessage) {
			s.Header = rooms.Hash{6}
			s.Sig = rooms.SignHeader(s.Header, key(0)).Sig
		}},
		{"no signature", order.BadSignature, func(s *order.SignMessage) { s.Sig = make([]byte, 64) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, off := range []bool{false, true} {
				var s order.Switches
				if off {
					s.Misdeeds = []order.Misdeed{c.misdeed}
				}
				tr := newTrial(t, s)
				if tr.leader() == tr.cheat {
					tr.cheat.ctl.HandOver(only(nodeID(1)))
					tr.tick(5)
				}
				tr.cheat.alter = func(_ *host, e *order.Envelope) {
					if e.Sign != nil {
						e.Sign = &order.SignMessage{Height: e.Sign.Height, Header: e.Sign.Header, Sig: e.Sign.Sig, Again: e.Sign.Again}
						c.alter(e.Sign)
					}
				}
				// A signature counts only while the certificate lacks it: let the liar's come first.
				slow := tr.hosts[3]
				if slow == tr.leader() {
					slow = tr.hosts[2]
				}
				tr.drop = func(p packet) bool { return p.from == slow.id && order.KindOf(p.data) == "sign" && tr.rng.IntN(2) == 0 }
				tr.talk(60)
				if charged := tr.charged(c.misdeed, false); charged == off {
					t.Errorf("defence off: %v; charged: %v", off, charged)
				}
			}
		})
	}
}

// TestCensoredRequestIsOrdered has a leader that lets the requests of one author, or a single request, disappear: backups pass them on, depose it,
// and they are ordered.
func TestCensoredRequestIsOrdered(t *testing.T) {
	for _, author := range []bool{true, false} {
		for _, off := range []bool{false, true} {
			var s order.Switches
			if off {
				s.Misdeeds = []order.Misdeed{order.Censored}
			}
			tr := newTrial(t, s)
			tr.crown()
			victim := tr.request(2, "two", &rooms.Enter{View: "test"})
			other := tr.request(1, "one", &rooms.Enter{View: "test"})
			tr.drop = func(p packet) bool {
				gone := false
				if p.to == tr.cheat.id {
					order.Alter(p.data, func(e *order.Envelope) { gone = e.Submit != nil && e.Submit.Device == victim.Device })
				}
				return gone
			}
			for range 100 {
				for _, h := range tr.honest() {
					h.ctl.Submit(tr.now, victim)
				}
				if author {
					if tr.ask(other); tr.has(other) { // the others are served well
						other = tr.request(1, "one", &rooms.Say{Text: "hello"})
					}
				}
				tr.tick(1)
			}
			if ordered := tr.has(victim); ordered == off || tr.charged(order.Censored, true) == off {
				t.Errorf("others talk: %v, defence off: %v; ordered: %v", author, off, ordered)
			}
		}
	}
}

// TestALeaderIsNotBlamedForWhatItMustRefuse: anybody can send all controllers a request that is too large, or that loses its author's right while it
// waits; nor is it the leader's fault that a backup itself stood still.
func TestALeaderIsNotBlamedForWhatItMustRefuse(t *testing.T) {
	for name, pause := range map[string]int64{"too large": 0, "this node stood still": 8_000} {
		t.Run(name, func(t *testing.T) {
			tr := newTrial(t, order.Switches{})
			tr.crown()
			r := tr.request(2, "two", &rooms.Enter{View: "test"})
			if pause == 0 {
				large := rooms.NewRequest(tr.room, "", strings.Repeat("x", 5000), &rooms.Enter{View: "test"})
				large.Counter = r.Counter
				large.Sign(key(2))
				r = &large
			}
			for k := range 80 {
				for _, h := range tr.honest() {
					h.ctl.Submit(tr.now, r)
				}
				if pause > 0 && k == 2 {
					tr.now += pause
				}
				if tr.tick(1); tr.has(r) {
					break
				}
			}
			if tr.charged(order.Censored, false) {
				t.Error("the leader is blamed")
			}
		})
	}
}

// TestLyingBackupDeposesNobody: a controller that campaigns past the lease, or says that it complains, without the others' seeing a reason.
func TestLyingBackupDeposesNobody(t *testing.T) {
	for _, off := range []bool{false, true} {
		tr := newTrial(t, order.Switches{Grounds: off})
		lead := tr.leader()
		if lead == tr.cheat {
			tr.cheat.ctl.HandOver(only(nodeID(1)))
			tr.tick(5)
			lead = tr.leader()
		}
		for _, h := range tr.honest() {
			_ = h.ctl.Step(tr.now, tr.cheat.id, order.Encode(&order.Envelope{Accuse: &order.AccuseMessage{Leader: lead.id, Misdeed: 1}}))
		}
		tr.cheat.ctl.Campaign(tr.now)
		tr.deliver()
		if deposed := tr.leader() != lead || tr.cheat.ctl.Leader() == tr.cheat.id; deposed != off {
			t.Errorf("defence off: %v; deposed: %v", off, deposed)
		}
	}
}

// TestRaisedTerms: a controller that drives the others from term to term is not listened to any more.
func TestRaisedTerms(t *testing.T) {
	for _, off := range []bool{false, true} {
		tr := newTrial(t, order.Switches{Shun: off})
		term := func() uint64 { return tr.hosts[1].ctl.Status().Term }
		first := term()
		for range 100 {
			for _, h := range tr.honest() {
				life := h.ctl.Status().Self.Incarnation
				_ = h.ctl.Step(tr.now, tr.cheat.id, order.Encode(&order.Envelope{Raft: &order.RaftMessage{Type: 4, To: life, Term: h.ctl.Status().Term + 1}}))
			}
			tr.tick(1)
		}
		if rise := term() - first; rise > 30 != off {
			t.Errorf("defence off: %v; the term rose by %d", off, rise)
		}
		tr.cheat.ctl = nil
		tr.say(1)
	}
}

// TestSecondLeaderOfATerm: who double votes brought about is not followed while the first one is.
func TestSecondLeaderOfATerm(t *testing.T) {
	for _, off := range []bool{false, true} {
		var s order.Switches
		if off {
			s.Misdeeds = []order.Misdeed{order.RaftLie}
		}
		tr := newTrial(t, s)
		if tr.leader() == tr.cheat {
			tr.cheat.ctl.HandOver(only(nodeID(1)))
			tr.tick(5)
		}
		lead := tr.leader()
		backup := tr.hosts[2]
		if backup == lead {
			backup = tr.hosts[3]
		}
		st := backup.ctl.Status()
		err := backup.ctl.Step(tr.now, tr.cheat.id, order.Encode(&order.Envelope{Raft: &order.RaftMessage{Type: 8, To: st.Self.Incarnation, Term: st.Term}}))
		if follows := backup.ctl.Leader() == tr.cheat.id; follows != off || (err == nil) != off {
			t.Errorf("defence off: %v; follows the second leader: %v, %v", off, follows, err)
		}
	}
}

// TestAlteredLogIsNotTaken: entries that nobody signed never get into an honest log.
func TestAlteredLogIsNotTaken(t *testing.T) {
	for _, off := range []bool{false, true} {
		var s order.Switches
		if off {
			s.Misdeeds = []order.Misdeed{order.Garbage}
		}
		tr := newTrial(t, s)
		tr.crown()
		tr.cheat.alter = func(to *host, e *order.Envelope) {
			if e.Raft == nil || to != tr.hosts[3] {
				return
			}
			for i := range e.Raft.Entries {
				if x := &e.Raft.Entries[i]; len(x.Data) > 32 {
					x.Data = []byte("nothing that anybody signed, whatever it says")
				}
			}
		}
		before := tr.hosts[3].ctl.Status().Last
		tr.talk(5)
		if taken := tr.hosts[3].ctl.Status().Last > before; taken != off {
			t.Errorf("defence off: %v; taken: %v", off, taken)
		}
		tr.talk(15)
		if charged := tr.charged(order.Garbage, false); charged == off {
			t.Errorf("defence off: %v; charged: %v", off, charged)
		}
	}
}

// TestGarbageOfEveryType harms nobody and is charged.
func TestGarbageOfEveryType(t *testing.T) {
	for _, off := range []bool{false, true} {
		var s order.Switches
		if off {
			s.Misdeeds = []order.Misdeed{order.Garbage, order.RaftLie}
		}
		tr := newTrial(t, s)
		for range 2000 {
			junk := make([]byte, 600+tr.rng.IntN(200))
			for i := range junk {
				junk[i] = byte(tr.rng.Uint32())
			}
			if tr.rng.IntN(4) > 0 {
				junk = order.Forge(junk)
			}
			for _, h := range tr.honest() {
				if h.ctl != nil {
					_ = h.ctl.Step(tr.now, tr.cheat.id, junk)
				}
			}
		}
		tr.tick(5)
		if charged := tr.charged(order.Garbage, true); charged == off {
			t.Errorf("defence off: %v; charged: %v", off, charged)
		}
		for _, h := range tr.honest() {
			if h.broken != nil {
				t.Errorf("node %d: %v", h.i, h.broken)
			}
		}
		tr.say(2)
	}
}

// TestDeposedCheatDoesNotLeadAgain while somebody else can; when nobody else is there, it may.
func TestDeposedCheatDoesNotLeadAgain(t *testing.T) {
	for _, off := range []bool{false, true} {
		tr := newTrial(t, order.Switches{Shun: off})
		tr.crown()
		tr.shape = func(b *rooms.Batch) { b.Requests = append(slices.Clone(b.Requests), rooms.Request{Room: tr.room}) }
		tr.talk(30)
		tr.shape = nil
		again := false
		for range 10 {
			tr.cheat.ctl.Campaign(tr.now)
			tr.tick(3)
			again = again || tr.hosts[1].ctl.Leader() == tr.cheat.id
		}
		if again != off {
			t.Errorf("defence off: %v; leads again: %v", off, again)
		}
	}
}
