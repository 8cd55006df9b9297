package order_test

import (
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
	t.Helper()
	return trialOf(newCluster(t, 4, 4), off)
}

// trialOf is newTrial in a cluster of four that has not begun.
func trialOf(c *cluster, off order.Switches) *trial {
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

// bothWays tells a story with all defences, and again with these switched off.
func bothWays(t *testing.T, switched order.Switches, story func(tr *trial, off bool)) {
	t.Helper()
	story(newTrial(t, order.Switches{}), false)
	story(newTrial(t, switched), true)
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

// dethrone makes an honest controller lead, and returns it.
func (tr *trial) dethrone() *host {
	tr.t.Helper()
	if tr.leader() == tr.cheat {
		tr.cheat.ctl.HandOver(only(nodeID(1)))
		tr.tick(5)
	}
	return tr.leader()
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
