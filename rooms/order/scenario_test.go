package order_test

import (
	"errors"
	"fmt"
	"testing"

	"warren/rooms"
	"warren/rooms/errs"
	"warren/rooms/order"
)

// silence drops messages of these kinds.
func silence(kinds ...string) func(packet) bool {
	return func(p packet) bool {
		for _, k := range kinds {
			if order.KindOf(p.data) == k {
				return true
			}
		}
		return false
	}
}

// until ticks until the condition holds.
func (c *cluster) until(what string, ok func() bool) {
	c.t.Helper()
	for range 300 {
		if ok() {
			return
		}
		c.tick(1)
	}
	c.t.Fatalf("never: %s", what)
}

// allAt reports whether all running nodes hold this height.
func (c *cluster) allAt(height int) func() bool {
	return func() bool {
		for _, h := range c.hosts {
			if h.ctl != nil && len(h.log) != height {
				return false
			}
		}
		return true
	}
}

func TestLeaderCrashBetweenCommitAndCertificate(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.say(3)
	c.drop = silence("sign", "cert", "ask")
	l := c.leader()
	l.ctl.Submit(c.now, c.request(0, "zero", &rooms.Say{Text: "committed, not certified"}))
	c.tick(2)
	for _, h := range c.hosts {
		if s := h.ctl.Status(); s.Tentative != 4 || s.Certified != 3 {
			t.Fatalf("node %d: tentative %d, certified %d", h.i, s.Tentative, s.Certified)
		}
	}
	l.ctl, c.drop = nil, nil
	c.until("the others certify it without the leader", c.allAt(4))
	l.start()
	c.until("the old leader has it too", c.allAt(4))
	c.say(2)
	c.tick(5)
	if got := c.same(); got != 6 {
		t.Errorf("height %d", got)
	}
}

func TestLostSignaturesAreSentAgain(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.say(1)
	start := c.now
	c.drop = func(p packet) bool { return c.now < start+1500 && silence("sign", "cert")(p) }
	c.leader().ctl.Submit(c.now, c.request(0, "zero", &rooms.Say{Text: "again"}))
	c.until("the certificate", c.allAt(2))
	if took := c.now - start; took > 4000 {
		t.Errorf("it took %d ms", took)
	}
}

// TestRestartAtEveryCut crashes the leader or a follower at each Ready of a conversation, before or after the store. That nobody signs twice
// and that decisions fit is checked by the hosts.
func TestRestartAtEveryCut(t *testing.T) {
	for _, nodes := range []int{1, 4} {
		for _, victim := range []int{0, nodes - 1} {
			for _, after := range []bool{false, true} {
				for cut := 1; cut <= 40; cut += 1 + nodes/4 {
					c := newCluster(t, nodes, nodes)
					v := c.hosts[victim]
					v.cutAt, v.cutAfter = cut, after
					for k := range 6 {
						r := c.request(0, "zero", rooms.Body(&rooms.Say{Text: fmt.Sprint(k)}))
						if k == 0 {
							c.count[nodeID(0)] = 0
							r = c.request(0, "zero", &rooms.Enter{})
						}
						for tries := 0; len(c.hosts[0].log) <= k; tries++ {
							for _, h := range c.hosts {
								if h.ctl != nil {
									h.ctl.Submit(c.now, r)
								}
							}
							c.tick(1)
							if v.ctl == nil && tries%5 == 4 {
								v.start()
							}
							if tries > 200 {
								t.Fatalf("%d nodes, victim %d, cut %d: request %d is not ordered", nodes, victim, cut, k)
							}
						}
					}
					if v.ctl == nil {
						v.start()
					}
					c.until("all have all", c.allAt(6))
					c.same()
				}
			}
		}
	}
}

func TestPromiseHoldsAcrossRestart(t *testing.T) {
	c := newCluster(t, 1, 1)
	h := c.hosts[0]
	h.disk = &order.Restored{Signed: []order.Signed{{Epoch: 1, Height: 1, Header: rooms.Hash{9}}}}
	h.start()
	h.ctl.Submit(c.now, c.request(0, "zero", &rooms.Enter{}))
	c.deliver()
	if !errors.Is(h.broken, order.ErrDiverged) || len(h.log) != 0 || len(h.signs) != 0 {
		t.Errorf("after promising another header: broken %v, %d decisions, %d signatures", h.broken, len(h.log), len(h.signs))
	}
	if err := h.ctl; err != nil {
		t.Error("the controller goes on")
	}
}

func TestSnapshotMarkBringsBackWhoWasAway(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.keep = 4
	for _, h := range c.hosts {
		h.start()
	}
	c.say(3)
	var away *host
	for _, h := range c.hosts {
		if h != c.leader() {
			away = h
		}
	}
	away.ctl = nil
	c.say(40)
	if first := c.leader().ctl.Status().First; first < 20 {
		t.Fatalf("the log still starts at %d", first)
	}
	away.start()
	c.say(2)
	c.until("it is back", c.allAt(45))
	c.same()
	if s := away.ctl.Status(); s.Applied != s.Commit || s.First < 20 {
		t.Errorf("status %+v", s)
	}
}

func TestDivergedControllerComesBackWithANewLife(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.say(3)
	c.drop = silence("sign", "cert", "ask")
	l := c.leader()
	var liar, victim *host
	for _, h := range c.hosts {
		if h != l {
			liar, victim = victim, h
		}
	}
	l.ctl.Submit(c.now, c.request(0, "zero", &rooms.Say{Text: "forked"}))
	c.tick(2)
	other := rooms.Hash{6, 6, 6}
	var sigs []rooms.Signature
	for i := range 4 {
		if nodeID(i) != victim.id {
			sigs = append(sigs, rooms.SignHeader(other, key(i)))
		}
	}
	if err := victim.ctl.Step(c.now, liar.id, order.CertOf(4, other, rooms.MakeCertificate(sigs[:2]))); err == nil {
		t.Error("a certificate of two was taken")
	}
	_ = victim.ctl.Step(c.now, liar.id, order.CertOf(4, other, rooms.MakeCertificate(sigs)))
	victim.turn()
	c.drop = nil
	c.rejoins(victim, order.ErrDiverged)
}

func TestLeaderThatIsReplacedHandsOver(t *testing.T) {
	c := newCluster(t, 5, 4)
	c.say(2)
	old := c.leader()
	var rest []int
	for _, h := range c.hosts {
		if h != old {
			rest = append(rest, h.i)
		}
	}
	c.grow([]int{4}, rest...)
	c.until("the old leader is dismissed", func() bool { return errors.Is(old.broken, order.ErrDismissed) })
	c.say(2)
	c.tick(5)
	c.same()
}

func TestApplicationWaitsForTheDirectory(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.say(2)
	l := c.leader()
	l.dirNewest = 3
	l.ctl.DirectoryAt(c.noViewAbove(3), 3)
	c.order0(t, l)
	for _, h := range c.hosts {
		if s := h.ctl.Status(); h != l && (s.Tentative != 2 || s.Commit != l.ctl.Status().Commit) {
			t.Errorf("node %d: %+v", h.i, s)
		}
	}
	for _, h := range c.hosts {
		h.dirNewest = 3
		h.ctl.DirectoryAt(c.noViewAbove(3), 3)
	}
	c.until("all have it", c.allAt(3))
}

// order0 submits one message and lets it flow, whatever comes of it.
func (c *cluster) order0(t *testing.T, l *host) {
	t.Helper()
	if a := l.ctl.Submit(c.now, c.request(0, "zero", &rooms.Say{Text: "x"})); !a.Queued {
		t.Fatalf("submit: %+v", a)
	}
	c.deliver()
	c.tick(1)
}

func TestLeaderHoldsBackWhatNeedsANewerDirectory(t *testing.T) {
	c := newCluster(t, 1, 1)
	c.say(1)
	h := c.hosts[0]
	r := rooms.NewRequest(c.room, "", "zero", &rooms.Say{Text: "later"})
	r.Counter, r.Dir = 2, 5
	r.Sign(key(0))
	c.count[nodeID(0)] = 2
	if a := h.ctl.Submit(c.now, &r); !a.Queued {
		t.Fatalf("submit: %+v", a)
	}
	next := c.request(0, "zero", &rooms.Say{Text: "behind it"})
	h.ctl.Submit(c.now, next)
	c.tick(3)
	if len(h.log) != 1 {
		t.Fatalf("%d decisions before the directory came", len(h.log))
	}
	h.ctl.DirectoryAt(c.noViewAbove(5), 5)
	c.tick(1)
	if len(h.log) != 2 || len(h.log[1].Batch.Requests) != 2 || h.log[1].Header.Dir != 5 {
		t.Errorf("after the directory came: %d decisions", len(h.log))
	}
	r2 := rooms.NewRequest(c.room, "", "zero", &rooms.Say{Text: "never"})
	r2.Counter, r2.Dir = 4, 99
	r2.Sign(key(0))
	h.ctl.Submit(c.now, &r2)
	c.tick(120)
	if h.returned != 1 || h.ctl.Status().Pending != 0 {
		t.Errorf("a request for a directory that never comes: %d returned, %d pending", h.returned, h.ctl.Status().Pending)
	}
}

func TestSubmitAnswers(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.say(2)
	l := c.leader()
	sign := func(counter uint64, body rooms.Body, change func(*rooms.Request)) *rooms.Request {
		r := rooms.NewRequest(c.room, "", "zero", body)
		r.Counter = counter
		r.Sign(key(0))
		if change != nil {
			change(&r)
		}
		return &r
	}
	good := sign(3, &rooms.Say{Text: "good"}, nil)
	for _, tt := range []struct {
		name string
		r    *rooms.Request
		want order.Answer
	}{
		{"used counter", sign(2, &rooms.Say{Text: "old"}, nil), order.Answer{Kind: errs.Stale, Expected: 3}},
		{"counter too high", sign(7, &rooms.Say{Text: "gap"}, nil), order.Answer{Kind: errs.Stale, Expected: 3}},
		{"forged", sign(3, &rooms.Say{Text: "x"}, func(r *rooms.Request) { r.Sig[5] ^= 1 }), order.Answer{Kind: errs.Void}},
		{"other room", sign(3, &rooms.Say{Text: "x"}, func(r *rooms.Request) { r.Room[0]++ }), order.Answer{Kind: errs.Invalid}},
		{"too large", sign(3, &rooms.Say{Text: "x", Ext: make([]byte, rooms.MaxRequest+1)}, nil), order.Answer{Kind: errs.TooLarge}},
		{"good", good, order.Answer{Queued: true}},
		{"the same again", good, order.Answer{Queued: true}},
		{"the next", sign(4, &rooms.Say{Text: "next"}, nil), order.Answer{Queued: true}},
	} {
		if got := l.ctl.Submit(c.now, tt.r); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
	for _, h := range c.hosts {
		if h != l {
			if got := h.ctl.Submit(c.now, good); got != (order.Answer{Leader: l.id}) {
				t.Errorf("node %d: %+v", h.i, got)
			}
		}
	}
	c.deliver()
	if d := l.log[len(l.log)-1]; len(d.Batch.Requests) != 2 {
		t.Errorf("%d requests in the batch", len(d.Batch.Requests))
	}
}

func TestQueueAndPipelineAreBounded(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.say(1)
	c.drop = silence("sign", "cert", "ask")
	l := c.leader()
	for range 20 {
		l.ctl.Submit(c.now, c.request(0, "zero", &rooms.Say{Text: "x"}))
		c.deliver()
		c.tick(1) // nothing is gathered for so long
	}
	if s := l.ctl.Status(); s.Tentative-s.Certified != order.MaxUnderWay || s.Pending != 20-order.MaxUnderWay {
		t.Errorf("%d under way, %d pending", s.Tentative-s.Certified, s.Pending)
	}
	for {
		r := c.request(0, "zero", &rooms.Say{Text: "x"})
		if a := l.ctl.Submit(c.now, r); a.Kind == errs.Busy {
			break
		} else if !a.Queued {
			t.Fatalf("submit: %+v", a)
		}
	}
	if n := l.ctl.Status().Pending; n != order.MaxPending {
		t.Errorf("%d pending", n)
	}
}
