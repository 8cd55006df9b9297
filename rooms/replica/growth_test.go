package replica

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

func TestRoomGrowsSurvivesItsLeaderAndCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start("n1")
		id := w.found("", "ann", rooms.CreateRoom{Name: "lobby", Temporary: true})
		r1 := w.talk("n1", id, "one ", 5)
		w.grow("n2", "n3", "n4", "n5")
		w.eventually("four controllers of room and directory", time.Minute, func() bool {
			for _, h := range w.hosts {
				if len(h.Dir().Status().Controllers) != 4 {
					return false
				}
			}
			return len(r1.Status().Controllers) == 4
		})
		w.eventually("the directory has witnessed it", time.Minute, func() bool {
			n := 0
			w.hosts["n5"].Directory(func(d *rooms.Directory) { n = len(d.Rooms[id].Now) })
			return n == 4
		})
		// A person on a node that does not control the room.
		outside := ""
		for n := range w.hosts {
			if !slices.Contains(r1.Status().Controllers, node(n)) {
				outside = n
			}
		}
		if outside == "" {
			t.Fatal("all five nodes control the room")
		}
		ro := w.open(outside, id, "bob")
		var mu sync.Mutex
		var seen []string
		ro.Watch(func(ev *rooms.Event, _ any) {
			if b, ok := ev.Body.(*rooms.Say); ok {
				mu.Lock()
				seen = append(seen, b.Text)
				mu.Unlock()
			}
		})
		w.do(ro, "", "bob", &rooms.Enter{})
		name := w.leader(r1)
		var acked []string
		for i := range 60 {
			if i == 20 {
				w.kill(name)
			}
			if i == 40 {
				w.start(name)
			}
			text := fmt.Sprint("two ", i)
			w.do(ro, "", "bob", &rooms.Say{Text: text})
			acked = append(acked, text)
		}
		mu.Lock()
		if !slices.Equal(seen, acked) {
			t.Errorf("seen %v, acknowledged %v", seen, acked)
		}
		mu.Unlock()
		want, head := ro.Head()
		w.eventually("all copies stand at the same head", time.Minute, func() bool {
			for _, h := range w.hosts {
				if r := h.Get(id); r != nil {
					if got, hd := r.Head(); got < want || got == want && hd != head {
						return false
					}
				}
			}
			return true
		})
		// The killed node was ann's: she is gone after the lease, if it was n1.
		if name == "n1" {
			w.eventually("ann is gone", 30*time.Second, func() bool {
				gone := false
				ro.View(func(s *rooms.State) { _, here := s.Occupant("ann"); gone = !here })
				return gone
			})
		}
	})
}

// Votes take a round trip, which is longer than a tick when nodes are far from each other.
func TestARoomIsFoundedFarAway(t *testing.T) {
	for _, delay := range []time.Duration{0, 80 * time.Millisecond, 150 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.nodes(4)
			w.lan.slow(delay)
			id := w.found("", "ann", rooms.CreateRoom{Name: "lobby", Temporary: true})
			began := time.Now()
			w.open("n1", id, "ann")
			if d := time.Since(began); d > time.Second+7*delay {
				t.Errorf("with %v one way the room was there after %v", delay, d)
			}
		})
	}
}

// sealed reports whether a majority of the copy's controllers durably knows who they are.
func sealed(r *Replica) (yes bool) {
	return r.wait(func() { yes = r.ctl != nil && r.ctl.Status().Settled && r.ctl.Status().Sealed }) && yes
}

func TestALeaderDiesBetweenAChangeAndItsWitness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h1 := w.start("n1")
		id := w.found("", "ann", rooms.CreateRoom{Name: "lobby"})
		r1 := w.open("n1", id, "ann")
		r1.Watch(func(*rooms.Event, any) {}) // it stays awake
		w.grow("n2", "n3", "n4")
		r1.stew.telling.Store(true) // it tells the directory nothing
		w.eventually("four controllers", time.Minute, func() bool { return len(r1.Status().Controllers) == 4 && len(h1.Dir().Status().Controllers) == 4 })
		w.eventually("raft knows them for good: until then nobody can do without the only controller that there was", time.Minute, func() bool {
			return sealed(r1) && sealed(h1.Dir())
		})
		w.kill(w.leader(r1))
		w.eventually("another leader tells it", time.Minute, func() bool {
			for _, h := range w.hosts {
				if rec, err := h.record(id); err != nil || len(rec.Now) != 4 {
					return false
				}
			}
			return true
		})
	})
}
