package order_test

import (
	"testing"

	"warren/rooms"
	"warren/rooms/order"
)

// gathering is a cluster whose batches are run and signed, but not certified while certificates are held.
type gathering struct {
	*cluster
	l *host
}

func newGathering(t *testing.T) *gathering {
	t.Helper()
	g := &gathering{cluster: newCluster(t, 4, 4)}
	g.say(1)
	g.l = g.leader()
	return g
}

func (g *gathering) hold() { g.drop = silence("sign", "cert", "ask") }

// release lets all be certified: signatures are sent again after 300 ms.
func (g *gathering) release() {
	g.t.Helper()
	g.drop = nil
	for range 100 {
		if g.l.ctl.Status().Pending == 0 && g.underWay() == 0 {
			return
		}
		g.tick(1)
	}
	g.t.Fatalf("not certified: %+v", g.l.ctl.Status())
}

func (g *gathering) underWay() uint64 {
	s := g.l.ctl.Status()
	return s.Tentative - s.Certified
}

// submit gives the leader n requests, one after the other.
func (g *gathering) submit(n int) {
	g.t.Helper()
	for range n {
		if a := g.l.ctl.Submit(g.now, g.request(0, "zero", &rooms.Say{Text: "x"})); !a.Queued {
			g.t.Fatalf("submit: %+v", a)
		}
		g.deliver()
	}
}

func TestWhatComesWhileABatchIsUnderWayBecomesOne(t *testing.T) {
	g := newGathering(t)
	before := len(g.l.log)
	g.hold()
	g.submit(10)
	if n := g.underWay(); n != 1 {
		t.Errorf("%d batches under way, want 1", n)
	}
	g.release()
	var sizes []int
	for _, d := range g.l.log[before:] {
		sizes = append(sizes, len(d.Batch.Requests))
	}
	if len(sizes) != 2 || sizes[0] != 1 || sizes[1] != 9 {
		t.Errorf("batches of %v requests, want 1 and 9", sizes)
	}
}

func TestMuchDoesNotWaitForWhatIsUnderWay(t *testing.T) {
	g := newGathering(t)
	g.hold()
	g.submit(1 + order.GatherAtMost - 1)
	if n := g.underWay(); n != 1 {
		t.Errorf("%d batches under way, want 1", n)
	}
	g.submit(1)
	if n := g.underWay(); n != 2 {
		t.Errorf("%d batches under way, want 2", n)
	}
}

func TestNobodyWaitsLongerThanHalfARound(t *testing.T) {
	g := newGathering(t)
	for range 30 { // rounds of some 300 ms
		g.hold()
		g.submit(1)
		g.release()
	}
	g.hold()
	g.submit(2)
	g.pass(order.MaxGather)
	if n := g.underWay(); n != 1 {
		t.Errorf("the second request was not gathered: %d batches under way", n)
	}
	g.pass(1)
	if n := g.underWay(); n != 2 {
		t.Errorf("the second request waits for more than %d ms: %d batches under way", order.MaxGather, n)
	}
	// After short rounds nobody waits that long.
	g.release()
	g.say(40)
	g.hold()
	g.submit(2)
	g.pass(order.MaxGather / 2)
	if n := g.underWay(); n != 2 {
		t.Errorf("%d batches under way, want 2", n)
	}
}

// pass lets less than a tick pass at the leader.
func (g *gathering) pass(ms int64) {
	g.now += ms
	g.l.ctl.Beat(g.now)
	g.deliver()
}
