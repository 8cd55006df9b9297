package order_test

import (
	"testing"

	"warren/rooms"
	"warren/rooms/order"
)

// ticking has all hosts of a cluster that has not begun start with a room that asks for so many ticks per second.
func (c *cluster) ticking(perSecond uint8) *cluster {
	for _, h := range c.hosts {
		h.chain.Machine.(*rooms.State).Set.Ticks = perSecond
		h.start()
	}
	return c
}

// ticks returns how many ticks a host's log holds from an index on.
func (h *host) ticks(from int) (n int) {
	for i := range h.log[from:] {
		if len(h.log[from+i].Batch.Requests) == 0 {
			n++
		}
	}
	return n
}

// unblamed fails the test when anybody holds anything against anybody.
func (c *cluster) unblamed() {
	c.t.Helper()
	for _, h := range c.hosts {
		for _, charge := range h.ledger.Charges() {
			if charge.Strikes > 0 {
				c.t.Errorf("node %d is charged with %s: %s", c.byID[charge.Node].i, charge.Misdeed, charge.Evidence)
			}
		}
	}
}

const second = 1000 / tickMS // in ticks of the cluster

// TestTicks: a room that asks for them has as many as it asked for, while somebody is in it, and every batch counts as one.
func TestTicks(t *testing.T) {
	c := newCluster(t, 4, 4).ticking(5)
	c.leader()
	c.tick(10 * second)
	if n := c.hosts[0].ticks(0); n != 0 {
		t.Fatalf("%d ticks of an empty room", n)
	}
	c.say(1) // enters
	from := len(c.hosts[0].log)
	c.tick(20 * second)
	if n := c.hosts[0].ticks(from); n < 95 || n > 101 {
		t.Errorf("%d ticks in 20 s, 5 per second are asked for", n)
	}
	times := map[int64]bool{}
	for _, d := range c.hosts[0].log[from:] {
		times[d.Header.Time] = true
	}
	if len(times) < 90 {
		t.Errorf("the room's time had %d values in 20 s", len(times))
	}
	from = len(c.hosts[0].log)
	for range 10 * second { // something happens more often than ticks are wanted
		c.say(1)
		c.tick(1)
	}
	if n := c.hosts[0].ticks(from); n > 2 {
		t.Errorf("%d ticks beside %d batches", n, 10*second)
	}
	c.order(c.request(0, "zero", &rooms.Leave{}))
	c.tick(second)
	from = len(c.hosts[0].log)
	c.tick(10 * second)
	if n := c.hosts[0].ticks(from); n != 0 {
		t.Errorf("%d ticks after all have left", n)
	}
	c.same()
	c.unblamed()
}

// TestTicksAreNotMadeUpFor: what could not be certified in its time is left out.
func TestTicksAreNotMadeUpFor(t *testing.T) {
	c := newCluster(t, 4, 4).ticking(10)
	c.say(1)
	c.tick(3 * second)
	lead := c.leader()
	c.drop = func(p packet) bool { return p.from == lead.id || p.to == lead.id }
	before := len(lead.log)
	c.tick(second / 2) // the leader does not know yet that it is alone
	c.drop = func(packet) bool { return true }
	c.tick(5 * second)
	c.drop = nil
	c.leader()
	c.tick(2 * second)
	if n := lead.ticks(before); n > 4*10 {
		t.Errorf("%d ticks in the 2 s, and however long it took to elect somebody, after a pause of 5", n)
	}
	// All of them stand still for a while, as machines do that are asleep.
	before = len(lead.log)
	c.now += 60_000
	c.tick(2)
	if n := lead.ticks(before); n > 4 {
		t.Errorf("%d ticks at once after a minute without", n)
	}
	c.same()
	c.unblamed()
}

// TestTickingLeadersAreJudged: a leader that makes more ticks than the room asks for, or none, is found out and deposed, and the room goes on.
func TestTickingLeadersAreJudged(t *testing.T) {
	for _, c := range []struct {
		name    string
		asked   uint8
		misdeed order.Misdeed
		pace    int64 // ms between the saboteur's ticks, 0: it makes none
		stands  bool  // its clock stands still
	}{
		{"ticks that nobody asked for", 0, order.Overticked, tickMS, false},
		{"ticks that nobody asked for, all at one time", 0, order.Overticked, tickMS, true},
		{"more than were asked for", 2, order.Overticked, tickMS, false},
		{"more than were asked for, all at one time", 2, order.Overticked, tickMS, true},
		{"none", 5, order.Unticked, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, off := range []bool{false, true} {
				var s order.Switches
				if off {
					s.Misdeeds = []order.Misdeed{c.misdeed}
				}
				cheats := false
				room := newCluster(t, 4, 4).ticking(c.asked)
				room.hosts[0].pace = func(every int64) int64 {
					if cheats {
						return c.pace
					}
					return every
				}
				tr := trialOf(room, s)
				tr.crown()
				cheats = true
				if began := tr.now; c.stands {
					tr.shape = func(b *rooms.Batch) { b.Time = began }
				}
				deposed := false
				for range 30 * second {
					tr.tick(1)
					for _, h := range tr.honest() {
						deposed = deposed || h.ctl.Leader() == h.id
					}
				}
				if charged := tr.charged(c.misdeed, true); charged == off || deposed == off {
					t.Errorf("defence off: %v; charged by all: %v, deposed: %v", off, charged, deposed)
				}
				tr.same()
			}
		})
	}
}

// TestPackedTicksCertify: a controller takes ticks of which no more than the headers are left, whether it has run their batches or has never heard of them.
func TestPackedTicksCertify(t *testing.T) {
	for name, ran := range map[string]bool{"away": false, "run here, not certified": true} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 4, 4).ticking(5)
			lead := c.leader()
			c.say(1) // enters
			late := c.hosts[3]
			if late == lead {
				late = c.hosts[2]
			}
			from := len(late.log)
			if ran {
				c.drop = func(p packet) bool {
					kind := order.KindOf(p.data)
					return (p.to == late.id || p.from == late.id) && (kind == "sign" || kind == "cert")
				}
				c.tick(2 * second)
				c.say(1)
			} else {
				late.ctl = nil
				c.tick(20 * second)
				c.say(1)
				late.start()
			}
			top := uint64(len(lead.log))
			if top < uint64(from)+5 || ran && late.ctl.Status().Tentative < top || late.ctl.Status().Certified > uint64(from) {
				t.Fatalf("%d heights, %+v", top, late.ctl.Status())
			}
			packed := rooms.Pack(lead.log[from:top])
			if n := rooms.Covers(packed); len(packed) > n/5 {
				t.Fatalf("%d decisions for %d heights", len(packed), n)
			}
			for i := range packed {
				if err := late.ctl.Certified(&packed[i]); err != nil {
					t.Fatalf("height %d: %v", packed[i].Header.Height, err)
				}
			}
			if st := late.ctl.Status(); st.Certified < top || late.broken != nil {
				t.Errorf("certified up to %d of %d", st.Certified, top)
			}
		})
	}
}
