package order_test

import (
	"crypto/ed25519"
	"fmt"
	"testing"

	"warren/rooms"
	"warren/rooms/errs"
	"warren/rooms/order"
)

// TestWhatTheLeaderCouldNotKnowIsNotHeldAgainstIt: an account takes a device from itself while requests of that device are under way. They come out
// void, many of them, and nobody blames the leader.
func TestWhatTheLeaderCouldNotKnowIsNotHeldAgainstIt(t *testing.T) {
	c := newDirectory(t)
	account := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	pub := rooms.NodeOf(account.Public().(ed25519.PublicKey))
	sign := func(what string, nonce uint64) []byte {
		return ed25519.Sign(account, rooms.AccountDigest(c.room, what, "dora", pub, nodeID(1), nonce))
	}
	c.order(c.request(1, "", &rooms.Register{Name: "dora", Key: pub, Device: nodeID(1), Sig: sign("register", 0)}))
	l := c.leader()
	submit := func(r *rooms.Request) {
		t.Helper()
		if a := l.ctl.Submit(c.now, r); !a.Queued {
			t.Fatalf("not taken: %+v", a)
		}
	}
	submit(c.request(l.i, "", &rooms.DropDevice{Account: "dora", Device: nodeID(1), Sig: sign("drop", 1), Nonce: 1}))
	l.turn() // each turn proposes what waits, and nothing comes back yet
	for i := range order.MaxUnderWay - 2 {
		for k := range 3 {
			b := rooms.CreateRoom{Name: fmt.Sprintf("room%d.%d", i, k), Maker: "dora", Controllers: controllers(0)}
			r := c.request(1, "", &b)
			r.Account, r.Nick = "dora", "dora"
			r.Counter = c.count[nodeID(1)]
			r.Sign(key(1))
			submit(r)
		}
		l.turn()
	}
	c.tick(10)
	voids := 0
	for _, d := range c.hosts[2].log {
		for i := range d.Batch.Requests {
			if d.Verdicts.At(i) == errs.Void {
				voids++
			}
		}
	}
	if voids < 12 {
		t.Fatalf("only %d requests came out void: the test shows nothing", voids)
	}
	for _, h := range c.hosts {
		for _, ch := range h.ledger.Charges() {
			if ch.Misdeed == order.Void {
				t.Errorf("node %d: %d void requests, %d strikes: %s", h.i, ch.Count, ch.Strikes, ch.Evidence)
			}
		}
	}
	c.same()
}

// TestAnAnswerOfVoidMeansThatNothingWasOrdered: who asks again for what was ordered long ago, and may not any more, is told that its counter is used.
func TestAnAnswerOfVoidMeansThatNothingWasOrdered(t *testing.T) {
	c := newDirectory(t)
	r := c.request(1, "", &rooms.LabelNode{Label: "here"})
	c.order(r)
	c.order(c.request(0, "", &rooms.AdmitNode{Node: nodeID(4), Name: "n4"}))
	again := c.request(4, "", &rooms.LabelNode{Label: "there"})
	c.order(again)
	c.order(c.request(0, "", &rooms.DropNode{Node: nodeID(4)}))
	l := c.leader()
	if a := l.ctl.Submit(c.now, again); a.Kind != errs.Stale || a.Expected != 2 {
		t.Errorf("what was ordered is answered with %+v", a)
	}
	if a := l.ctl.Submit(c.now, c.request(4, "", &rooms.LabelNode{Label: "elsewhere"})); a.Kind != errs.Void {
		t.Errorf("what may not be ordered is answered with %+v", a)
	}
}
