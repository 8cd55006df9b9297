package order_test

import (
	"fmt"
	"slices"
	"testing"

	"warren/rooms"
	"warren/rooms/order"
)

// bereaved kills the leader and returns the others, who know that.
func (c *cluster) bereaved() (dead *host, heirs []*host) {
	c.t.Helper()
	dead = c.leader()
	dead.ctl = nil
	for _, h := range c.hosts {
		if h != dead {
			h.ctl.Lost(dead.id)
			heirs = append(heirs, h)
		}
	}
	return dead, heirs
}

// TestTwoWhoWantToLeadAtOnce: of four, one is dead, and its two or three heirs ask for votes in the same moment. All votes of the living are needed. One leads without
// any time passing.
func TestTwoWhoWantToLeadAtOnce(t *testing.T) {
	for n := 2; n <= 3; n++ {
		for first := range 3 {
			t.Run(fmt.Sprintf("%d from %d on", n, first), func(t *testing.T) {
				c := newCluster(t, 4, 4)
				c.say(3)
				_, heirs := c.bereaved()
				for i := range n {
					if !heirs[(first+i)%3].ctl.Campaign(c.now) {
						t.Fatal("it does not campaign")
					}
				}
				before := c.now
				l := c.leader()
				if c.now != before {
					t.Errorf("somebody leads %d ms later", c.now-before)
				}
				if l.i != heirs[0].i && n == 3 {
					t.Errorf("node %d leads", l.i)
				}
				c.say(2)
				c.tick(5)
				if got := c.same(); got != 5 {
					t.Errorf("height %d", got)
				}
			})
		}
	}
}

// TestASplitVoteIsNotRepeatedForEver: a dishonest backup wants each vote that another one asks for.
func TestASplitVoteIsNotRepeatedForEver(t *testing.T) {
	const vote, preVote = 5, 17 // raft's numbers
	c := newCluster(t, 4, 4)
	c.say(3)
	_, heirs := c.bereaved()
	good, cheat := heirs[0], heirs[2]
	wants := func(p packet) {
		order.Alter(p.data, func(e *order.Envelope) {
			if r := e.Raft; r != nil && (r.Type == vote || r.Type == preVote) {
				r.From, r.To = cheat.ctl.Status().Self.Incarnation, good.ctl.Status().Self.Incarnation
				if r.Type == preVote {
					r.Type = preVote + 1 // granted
				}
				_ = good.ctl.Step(c.now, cheat.id, order.Encode(e))
			}
		})
	}
	c.drop = func(p packet) bool {
		if p.from == good.id && p.to == cheat.id {
			wants(p)
		}
		return p.from == cheat.id || p.to == cheat.id
	}
	before := good.ctl.Status().Term
	good.ctl.Campaign(c.now)
	c.deliver()
	if n := good.ctl.Status().Term - before; n < 2 || n > 5 {
		t.Errorf("%d terms were begun", n)
	}
}

// TestANewLeaderIsGivenTheSignatures: what the dead one ordered last, and did not live to certify, is certified without any time passing.
func TestANewLeaderIsGivenTheSignatures(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.say(3)
	dead := c.leader()
	c.drop = func(p packet) bool { return p.to == dead.id && order.KindOf(p.data) == "sign" }
	dead.ctl.Submit(c.now, c.request(0, "zero", &rooms.Say{Text: "committed, not certified"}))
	c.deliver()
	c.drop = nil
	_, heirs := c.bereaved()
	heirs[0].ctl.Campaign(c.now)
	c.deliver()
	if !c.allAt(4)() {
		t.Error("not all have it")
	}
}

// TestWhoComesBackIsAskedForItsVote: two of four are dead, the others ask in vain. The first that comes back decides it, without any time passing.
func TestWhoComesBackIsAskedForItsVote(t *testing.T) {
	for _, gently := range []bool{false, true} {
		c := newCluster(t, 4, 4)
		c.say(3)
		c.tick(5)
		dead, heirs := c.bereaved()
		first, voter, back := heirs[0], heirs[1], heirs[2]
		back.ctl = nil
		if gently {
			for first.ctl.Leader() == dead.id || voter.ctl.Leader() == dead.id { // each asks in vain until nobody believes in the dead one any more
				c.tick(1)
			}
			first.ctl.Elect(c.now)
		} else {
			first.ctl.Campaign(c.now)
		}
		c.deliver()
		back.start()
		before := c.now
		first.ctl.Reached(c.now, back.id)
		if l := c.leader(); l != first || c.now != before {
			t.Errorf("gently: %v: node %d leads %d ms later", gently, l.i, c.now-before)
		}
	}
}

// TestWhoComesBackWithMoreLeads: the two that died together have an entry which the two others lack, who have asked for votes in vain. Without either nobody can lead.
func TestWhoComesBackWithMoreLeads(t *testing.T) {
	for _, asked := range []bool{false, true} {
		c := newCluster(t, 4, 4)
		c.say(3)
		c.tick(5)
		lead := c.leader()
		back := c.hosts[(lead.i+1)%4]
		c.drop = func(p packet) bool { return p.to != lead.id && p.to != back.id }
		lead.ctl.Submit(c.now, c.request(0, "zero", &rooms.Say{Text: "for two"}))
		c.deliver()
		dead, heirs := c.bereaved()
		heirs = slices.DeleteFunc(heirs, func(h *host) bool { return h == back })
		back.ctl, c.drop = nil, nil
		for _, h := range heirs {
			h.ctl.Campaign(c.now)
			c.deliver()
		}
		back.start()
		dead.start()
		c.deliver()
		before := c.now
		if asked {
			for _, h := range heirs {
				h.ctl.Reached(c.now, back.id)
				h.ctl.Reached(c.now, dead.id)
			}
		} else {
			back.ctl.Elect(c.now)
		}
		l := c.leader()
		if l != back && l != dead || c.now != before {
			t.Errorf("asked: %v: node %d leads %d ms later", asked, l.i, c.now-before)
		}
		c.say(2)
		c.tick(5)
		if got := c.same(); got != 6 {
			t.Errorf("asked: %v: height %d", asked, got)
		}
	}
}
