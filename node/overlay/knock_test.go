package overlay

import (
	"testing"
	"time"
)

// A peer whose machine refuses new connections is down at once: the time of grace is for connections that break and come back.
func TestARefusalEndsTheGrace(t *testing.T) {
	a, b := pair(t, onTCP)
	p := a.knownPeer(b.id)
	lose := func(refused bool) (up bool) {
		p.mu.Lock()
		in, lost := p.in, p.inLost
		now := time.Now()
		p.in, p.inLost, p.refused = nil, now, refused
		p.mu.Unlock()
		p.evaluate(now)
		p.mu.Lock()
		defer p.mu.Unlock()
		up = p.up
		p.in, p.inLost, p.refused, p.up = in, lost, false, true
		return up
	}
	if !lose(false) {
		t.Error("a peer is down in the moment in which its connection breaks")
	}
	if lose(true) {
		t.Error("a peer whose machine says that it is gone is still up")
	}
}

// Both sides of a connection find the door of a process that is gone, and hear its machine say so: nothing else would tell them within the test.
func TestAKnockAtAnEmptyHouseIsRefused(t *testing.T) {
	patient := func(c *Config) { c.LostGrace, c.DownAfter = 2*soon, int(2*soon/c.Heartbeat) }
	for _, dialler := range []string{"this node", "the peer"} {
		t.Run(dialler+" dialled", func(t *testing.T) {
			r := members(1, 2)
			a, b := newNode(t, 1, r, patient), newNode(t, 2, r, patient)
			if dialler == "this node" {
				a.dial(b)
			} else {
				b.dial(a)
			}
			a.waitPeer(b.id, true)
			if err := b.h.Close(); err != nil { // no goodbye of ours
				t.Fatal(err)
			}
			a.waitPeer(b.id, false)
		})
	}
}
