package order_test

import (
	"slices"
	"testing"

	"warren/rooms"
	"warren/rooms/order"
)

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
			bothWays(t, order.Switches{Misdeeds: []order.Misdeed{c.misdeed}}, func(tr *trial, off bool) {
				old = nil
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
			})
		})
	}
}

// TestARefusedTimeStaysRefused: a batch from far ahead that nobody took does not come into the log in a later term either, when its leader leads again among controllers
// that have forgotten why they deposed it.
func TestARefusedTimeStaysRefused(t *testing.T) {
	bothWays(t, order.Switches{Misdeeds: []order.Misdeed{order.WrongTime}}, func(tr *trial, off bool) {
		tr.crown()
		tr.drop = func(p packet) bool { return p.from == tr.cheat.id } // nobody takes it: they refuse it, or do not hear it
		tr.shape = func(b *rooms.Batch) { b.Time += 3_600_000 }
		tr.order0(t, tr.cheat)
		tr.drop, tr.shape = nil, nil
		for _, h := range tr.hosts {
			h.ledger = order.NewLedger()
			h.start()
		}
		for range 50 {
			if tr.hosts[1].ctl.Leader().IsZero() {
				tr.cheat.ctl.Campaign(tr.now)
			}
			tr.tick(1)
		}
		if ahead := tr.hosts[1].chain.Time > tr.now+60_000; ahead != off {
			t.Errorf("defence off: %v; the room's time runs ahead: %v", off, ahead)
		}
		if charged := tr.charged(order.WrongTime, false); charged == off {
			t.Errorf("defence off: %v; charged: %v", off, charged)
		}
		if off {
			return
		}
		r := tr.request(1, "one", &rooms.Enter{View: "test"})
		for range 40 {
			tr.ask(r)
		}
		if tr.same(); !tr.has(r) {
			t.Error("the room does not go on")
		}
	})
}

// TestTwoBatchesForOnePlaceAreProven lets the leader give one honest controller another batch than the others: who sees both holds the proof, and
// soon everybody does.
func TestTwoBatchesForOnePlaceAreProven(t *testing.T) {
	bothWays(t, order.Switches{Misdeeds: []order.Misdeed{order.Equivocated}}, func(tr *trial, off bool) {
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
	})
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
			bothWays(t, order.Switches{Misdeeds: []order.Misdeed{c.misdeed}}, func(tr *trial, off bool) {
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
			})
		})
	}
}

// TestDeposedCheatDoesNotLeadAgain while somebody else can; when nobody else is there, it may.
func TestDeposedCheatDoesNotLeadAgain(t *testing.T) {
	bothWays(t, order.Switches{Shun: true}, func(tr *trial, off bool) {
		for _, h := range tr.honest() { // it would not get a vote without grounds either
			h.ctl.Off(order.Switches{Grounds: true, Shun: off})
		}
		tr.crown()
		tr.shape = func(b *rooms.Batch) { b.Requests = append(slices.Clone(b.Requests), rooms.Request{Room: tr.room}) }
		tr.drop = func(p packet) bool { return p.to == tr.cheat.id && order.KindOf(p.data) == "accuse" } // an honest one would not try
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
	})
}
