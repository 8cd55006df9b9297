package order_test

import (
	"testing"

	"warren/rooms"
	"warren/rooms/errs"
	"warren/rooms/order"
)

func TestOneControllerOrdersInOneCommit(t *testing.T) {
	c := newCluster(t, 1, 1)
	c.say(1)
	h := c.hosts[0]
	r := c.request(0, "zero", &rooms.Say{Text: "hello"})
	if a := h.ctl.Submit(c.now, r); !a.Queued {
		t.Fatalf("submit: %+v", a)
	}
	rd, ok := h.ctl.Ready()
	if !ok || len(rd.Decisions) != 1 || len(rd.Early) != 0 {
		t.Fatalf("one Ready should hold the decision: %+v", rd)
	}
	h.keep(rd.Records)
	h.accept(rd.Decisions[0])
	h.ctl.Stored()
	h.turn()
	if got := h.log[1].Verdicts.At(0); got != errs.OK {
		t.Errorf("verdict %v", got)
	}
	if s := h.ctl.Status(); !s.Idle || s.Certified != 2 {
		t.Errorf("status %+v", s)
	}
}

func TestFourControllersHoldTheSameChain(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.say(20)
	c.tick(3)
	if got := c.same(); got != 20 {
		t.Errorf("height %d", got)
	}
	for _, h := range c.hosts {
		if s := h.ctl.Status(); s.Certified != 20 || h.broken != nil {
			t.Errorf("node %d: %+v", h.i, s)
		}
	}
}

func TestRestartFromDisk(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.say(10)
	for _, h := range c.hosts {
		h.ctl = nil
	}
	for _, h := range c.hosts {
		h.start()
	}
	c.say(5)
	c.tick(20)
	if got := c.same(); got != 15 {
		t.Errorf("height %d", got)
	}
}

func TestLeaderCrashLosesNothingCertified(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.say(5)
	c.leader().ctl = nil
	c.say(5)
	if got := c.same(); got != 10 {
		t.Errorf("height %d", got)
	}
}

func TestGrowth(t *testing.T) {
	c := newCluster(t, 5, 1)
	c.say(3)
	c.grow([]int{1, 2}, 0, 1, 2)
	c.say(3)
	c.grow([]int{3}, 0, 1, 2, 3)
	c.say(3)
	c.grow([]int{4}, 0, 1, 3, 4) // node 2 is replaced
	c.hosts[2].ctl = nil
	c.say(3)
	c.tick(5)
	if got := c.same(); got != 15 {
		t.Errorf("height %d", got)
	}
	for _, h := range c.hosts {
		if h.ctl != nil && h.ctl.Status().Role == order.Outside {
			t.Errorf("node %d is outside", h.i)
		}
	}
}

// TestWhoOrdersWhatWasOvertakenIsHonest: a request whose turn it is may be stale because of what it is about. Its leader cannot know, and is not to blame.
func TestWhoOrdersWhatWasOvertakenIsHonest(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.say(2)
	l := c.leader()
	c.order(c.request(l.i, "", &rooms.Reconfigure{Since: 77, Controllers: controllers(0, 1, 2)}))
	c.say(1)
	if d := l.log[2]; d.Verdicts.At(0) != errs.Stale {
		t.Fatalf("it is not stale: %v", d.Verdicts)
	}
	for _, h := range c.hosts {
		for _, x := range h.ledger.Charges() {
			if x.Strikes > 0 {
				t.Errorf("node %d: %+v", h.i, x)
			}
		}
	}
}
