package overlay

import (
	"testing"
	"testing/synctest"
	"time"
)

// crowd gives a node so many links more, that lead nowhere.
func (n *node) crowd(first, count byte) {
	for i := range count {
		n.peer(keyID(first + i)).linked.Store(true)
	}
}

// crowdedPair returns two connected nodes that have 48 links each, on a network that can be cut.
func crowdedPair(t *testing.T) (s *simNet, a, b *node) {
	const count = 47
	s = newSimNet(t)
	r := members(1, 2)
	for i := range byte(count) {
		r.set(keyID(3+i), true)
	}
	a, b = newNode(t, 1, r, s.on(1)), newNode(t, 2, r, s.on(2))
	a.dial(b)
	a.waitPeer(b.id, true)
	b.waitPeer(a.id, true)
	a.crowd(3, count)
	b.crowd(3, count)
	time.Sleep(10 * time.Second)
	return s, a, b
}

// With 48 links a node sends a sixth as often on each that is not in use; who is not heard is down after four times that.
func TestAnIdleLinkOfManyIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a, b := crowdedPair(t)
		before := a.Stats()
		time.Sleep(12 * time.Second)
		after := a.Stats()
		sent := after.OwnFrames - before.OwnFrames - (after.Introductions - before.Introductions)
		if sent < 7 || sent > 11 {
			t.Errorf("%d heartbeats in 12 s, want one each 1.5 s", sent)
		}
		drain(a)
		s.cut.Store(true)
		began := time.Now()
		a.waitPeer(b.id, false)
		if d := time.Since(began); d < 4400*time.Millisecond || d > 6300*time.Millisecond {
			t.Errorf("noticed after %v, want 4 times 1.5 s", d)
		}
	})
}

// Who has something to say to a node notices as soon as ever that it is not there.
func TestAnIdleLinkWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a, b := crowdedPair(t)
		for range 5 { // no false alarm
			if !a.Send(b.id, []byte("x")) {
				t.Fatal("frame not taken")
			}
			b.waitFrame()
			time.Sleep(busyFor + 1700*time.Millisecond)
		}
		if len(a.events)+len(b.events) > 0 {
			t.Error("a node went down that was asked something after a while")
		}
		s.cut.Store(true)
		time.Sleep(100 * time.Millisecond)
		began := time.Now()
		if !a.Send(b.id, []byte("x")) {
			t.Fatal("frame not taken")
		}
		a.waitPeer(b.id, false)
		if d := time.Since(began); d > 1200*time.Millisecond {
			t.Errorf("noticed after %v, want 4 heartbeats of 250 ms", d)
		}
	})
}

// Who was stopped for a while does not take the others for dead: what they sent meanwhile has not been read yet. If nothing comes then, they are.
func TestWhoWasStoppedBlamesNobody(t *testing.T) {
	const period = 50 * time.Millisecond
	o, err := New(Config{Key: testKey(1), Listen: []string{}, Admitted: func(NodeID) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close() // not started: only the test lets time pass
	p := o.peer(keyID(2))
	p.mu.Lock()
	p.peerInc, p.peerHB, p.in = 1, o.cfg.Heartbeat, &inStream{}
	p.mu.Unlock()
	p.linked.Store(true)
	now := time.Now()
	o.tickLinks(now, period, 1)
	if up, _ := o.Alive(p.id); !up {
		t.Fatal("a linked peer is not up")
	}
	now = now.Add(time.Minute)
	o.tickLinks(now, period, 1)
	if up, _ := o.Alive(p.id); !up {
		t.Error("after a minute in which this node did not run, the other is down")
	}
	for range o.cfg.DownAfter * int(o.cfg.Heartbeat/period) {
		now = now.Add(period)
		o.tickLinks(now, period, 1)
	}
	if up, _ := o.Alive(p.id); up {
		t.Error("after a second in which this node ran and heard nothing, the other is up")
	}
}

// A node that does not know of paces hears heartbeats as often as the greeting said.
func TestAnOlderNodeIsNotKeptWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := crowdedPair(t)
		a.knownPeer(b.id).paces.Store(false)
		time.Sleep(2 * time.Second)
		before := a.Stats().OwnFrames
		time.Sleep(10 * time.Second)
		if sent := a.Stats().OwnFrames - before; sent < 38 {
			t.Errorf("%d heartbeats in 10 s, want one each 250 ms", sent)
		}
	})
}
