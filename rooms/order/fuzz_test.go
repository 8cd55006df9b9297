package order_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"warren/rooms"
	"warren/rooms/order"
)

// situations are live controllers in the states that differ to a sender.
func situations(t testing.TB) map[string]*host {
	c := newCluster(t, 5, 4)
	c.say(6)
	leader := c.leader()
	var follower *host
	for _, h := range c.hosts {
		if h != leader && h.ctl != nil {
			follower = h
		}
	}
	c.hosts[4].start()
	one := newCluster(t, 1, 1)
	one.say(2)
	cand := newCluster(t, 4, 4)
	cand.drop = func(packet) bool { return true }
	cand.tick(25)
	return map[string]*host{"leader": leader, "follower": follower, "newcomer": c.hosts[4], "alone": one.hosts[0], "candidate": cand.hosts[1]}
}

// poke steps a message and lets the controller work; only an orderly error is fine.
func poke(t testing.TB, name string, h *host, from rooms.NodeID, data []byte) {
	t.Helper()
	if h.ctl == nil {
		return
	}
	err := h.ctl.Step(h.c.now, from, data)
	if errors.Is(err, order.ErrPanic) {
		t.Fatalf("%s: %v", name, err)
	}
	for range 50 {
		rd, ok := h.ctl.Ready()
		if !ok {
			break
		}
		if rd.Broken != nil {
			t.Fatalf("%s: %v", name, rd.Broken)
		}
		h.ctl.Stored()
	}
	if n := h.ctl.Held(); n > 2000 {
		t.Fatalf("%s keeps %d things of others", name, n)
	}
}

func FuzzStep(f *testing.F) {
	c := newCluster(f, 4, 4)
	seen := map[string]int{}
	c.drop = func(p packet) bool {
		if k := order.KindOf(p.data); seen[k] < 6 {
			seen[k]++
			f.Add(byte(len(p.data)), byte(0), p.data)
		}
		return false
	}
	c.say(3)
	f.Add(byte(1), byte(1), []byte("forged fields come from these bytes, forty of them at least, better a hundred"))
	f.Fuzz(func(t *testing.T, who, how byte, data []byte) {
		for name, h := range situations(t) {
			from := nodeID(int(who) % 5)
			switch how % 3 {
			case 0:
				poke(t, name, h, from, data)
			case 1:
				poke(t, name, h, from, order.Forge(data))
			case 2: // several in a row
				for len(data) > 0 {
					n := min(len(data), 48)
					poke(t, name, h, from, order.Forge(data[:n]))
					data = data[n:]
				}
			}
			if h.ctl != nil {
				h.ctl.Tick(h.c.now + 100)
				poke(t, name, h, from, nil)
			}
		}
	})
}

// TestForgedMessages is what the fuzzer does, for a while and from fixed seeds.
func TestForgedMessages(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 5
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range rounds {
		for name, h := range situations(t) {
			for range 200 {
				data := make([]byte, 300)
				for i := range data {
					data[i] = byte(rng.UintN(256))
				}
				from := nodeID(rng.IntN(5))
				if from == h.id {
					continue
				}
				msg := order.Forge(data)
				if rng.IntN(4) == 0 {
					msg[rng.IntN(len(msg))] ^= byte(1 + rng.UintN(255))
				}
				poke(t, name, h, from, msg)
				if rng.IntN(20) == 0 && h.ctl != nil {
					h.ctl.Tick(h.c.now + 100)
				}
			}
		}
	}
}
