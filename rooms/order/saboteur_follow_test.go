package order_test

import (
	"testing"

	"warren/rooms"
	"warren/rooms/order"
)

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
			bothWays(t, order.Switches{Misdeeds: []order.Misdeed{c.misdeed}}, func(tr *trial, off bool) {
				lead := tr.dethrone()
				tr.cheat.alter = func(_ *host, e *order.Envelope) {
					if e.Sign != nil {
						e.Sign = &order.SignMessage{Height: e.Sign.Height, Header: e.Sign.Header, Sig: e.Sign.Sig, Again: e.Sign.Again}
						c.alter(e.Sign)
					}
				}
				// A signature counts only while the certificate lacks it: let the liar's come first.
				slow := tr.hosts[3]
				if slow == lead {
					slow = tr.hosts[2]
				}
				tr.drop = func(p packet) bool { return p.from == slow.id && order.KindOf(p.data) == "sign" && tr.rng.IntN(2) == 0 }
				tr.talk(60)
				if charged := tr.charged(c.misdeed, false); charged == off {
					t.Errorf("defence off: %v; charged: %v", off, charged)
				}
			})
		})
	}
}

// TestLyingBackupDeposesNobody: a controller that campaigns past the lease, or says that it complains, without the others' seeing a reason.
func TestLyingBackupDeposesNobody(t *testing.T) {
	bothWays(t, order.Switches{Grounds: true}, func(tr *trial, off bool) {
		lead := tr.dethrone()
		for _, h := range tr.honest() {
			_ = h.ctl.Step(tr.now, tr.cheat.id, order.Encode(&order.Envelope{Accuse: &order.AccuseMessage{Leader: lead.id, Misdeed: 1}}))
		}
		tr.cheat.ctl.Campaign(tr.now)
		tr.deliver()
		if deposed := tr.leader() != lead || tr.cheat.ctl.Leader() == tr.cheat.id; deposed != off {
			t.Errorf("defence off: %v; deposed: %v", off, deposed)
		}
	})
}

// TestRaisedTerms: a controller that drives the others from term to term is not listened to any more.
func TestRaisedTerms(t *testing.T) {
	bothWays(t, order.Switches{Shun: true}, func(tr *trial, off bool) {
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
	})
}

// TestSecondLeaderOfATerm: who double votes brought about is not followed while the first one is.
func TestSecondLeaderOfATerm(t *testing.T) {
	bothWays(t, order.Switches{Misdeeds: []order.Misdeed{order.RaftLie}}, func(tr *trial, off bool) {
		lead := tr.dethrone()
		backup := tr.hosts[2]
		if backup == lead {
			backup = tr.hosts[3]
		}
		st := backup.ctl.Status()
		err := backup.ctl.Step(tr.now, tr.cheat.id, order.Encode(&order.Envelope{Raft: &order.RaftMessage{Type: 8, To: st.Self.Incarnation, Term: st.Term}}))
		if follows := backup.ctl.Leader() == tr.cheat.id; follows != off || (err == nil) != off {
			t.Errorf("defence off: %v; follows the second leader: %v, %v", off, follows, err)
		}
	})
}

// TestAlteredLogIsNotTaken: entries that nobody signed never get into an honest log.
func TestAlteredLogIsNotTaken(t *testing.T) {
	bothWays(t, order.Switches{Misdeeds: []order.Misdeed{order.Garbage}}, func(tr *trial, off bool) {
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
	})
}

// TestGarbageOfEveryType harms nobody and is charged.
func TestGarbageOfEveryType(t *testing.T) {
	bothWays(t, order.Switches{Misdeeds: []order.Misdeed{order.Garbage, order.RaftLie}}, func(tr *trial, off bool) {
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
	})
}

// TestASignatureKeptFromTheLeader: a backup gives its signature, which the others cannot do without, to all but the leader, so that it looks as if the
// leader withheld certificates.
func TestASignatureKeptFromTheLeader(t *testing.T) {
	tr := newTrial(t, order.Switches{})
	lead := tr.dethrone()
	mute := tr.hosts[3]
	if mute == lead {
		mute = tr.hosts[2]
	}
	mute.ctl.End() // it has promised to sign nothing more
	tr.drop = func(p packet) bool {
		kind := order.KindOf(p.data)
		return p.from == tr.cheat.id && p.to == lead.id && (kind == "sign" || kind == "cert")
	}
	before := lead.ctl.Status().Certified
	tr.talk(120)
	if tr.charged(order.WithheldCertificate, false) || tr.leader() != lead {
		t.Errorf("the trick works: %v leads", tr.leader().i)
	}
	if now := lead.ctl.Status().Certified; now < before+10 {
		t.Errorf("from height %d to %d only", before, now)
	}
}
