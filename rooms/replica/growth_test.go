package replica

import (
	"context"
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
		defer w.close()
		h1 := w.start("n1")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		id, err := h1.Create(ctx, "", "ann", rooms.CreateRoom{Name: "lobby", Temporary: true})
		if err != nil {
			t.Fatal(err)
		}
		r1, err := h1.Open(ctx, id, "", "ann")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r1.Ask(ctx, "", "ann", &rooms.Enter{}); err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			if _, err := r1.Ask(ctx, "", "ann", &rooms.Say{Text: fmt.Sprint("one ", i)}); err != nil {
				t.Fatal(err)
			}
		}
		for _, n := range []string{"n2", "n3", "n4", "n5"} {
			w.admit(n)
			w.start(n)
		}
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
		ro, err := w.hosts[outside].Open(ctx, id, "", "bob")
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var seen []string
		ro.Watch(func(ev *rooms.Event, _ any) {
			if b, ok := ev.Body.(*rooms.Say); ok {
				mu.Lock()
				seen = append(seen, b.Text)
				mu.Unlock()
			}
		})
		if _, err := ro.Ask(ctx, "", "bob", &rooms.Enter{}); err != nil {
			t.Fatal(err)
		}
		leader := r1.Status().Leader
		var name string
		for n := range w.hosts {
			if node(n) == leader {
				name = n
			}
		}
		var acked []string
		for i := range 60 {
			if i == 20 {
				w.kill(name)
			}
			if i == 40 {
				w.start(name)
			}
			text := fmt.Sprint("two ", i)
			if _, err := ro.Ask(ctx, "", "bob", &rooms.Say{Text: text}); err != nil {
				t.Fatalf("say %d: %v", i, err)
			}
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
			defer w.close()
			h1 := w.start("n1")
			for _, n := range []string{"n2", "n3", "n4"} {
				w.admit(n)
				w.start(n)
			}
			w.eventually("four controllers of the directory", time.Minute, func() bool { return len(h1.Dir().Status().Controllers) == 4 })
			w.lan.mu.Lock()
			w.lan.delay = delay
			w.lan.mu.Unlock()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			id, err := h1.Create(ctx, "", "ann", rooms.CreateRoom{Name: "lobby", Temporary: true})
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if _, err := h1.Open(ctx, id, "", "ann"); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(began); d > time.Second+7*delay {
				t.Errorf("with %v one way the room was there after %v", delay, d)
			}
		})
	}
}

// sealed reports whether a majority of the copy's controllers durably knows who they are.
func sealed(r *Replica) bool {
	ch := make(chan bool, 1)
	r.call(func() { ch <- r.ctl != nil && r.ctl.Status().Settled && r.ctl.Status().Sealed })
	return <-ch
}

func TestALeaderDiesBetweenAChangeAndItsWitness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		h1 := w.start("n1")
		id, err := h1.Create(t.Context(), "", "ann", rooms.CreateRoom{Name: "lobby"})
		if err != nil {
			t.Fatal(err)
		}
		r1, err := h1.Open(t.Context(), id, "", "ann")
		if err != nil {
			t.Fatal(err)
		}
		r1.Watch(func(*rooms.Event, any) {}) // it stays awake
		for _, n := range []string{"n2", "n3", "n4"} {
			w.admit(n)
			w.start(n)
		}
		r1.stew.telling.Store(true) // it tells the directory nothing
		w.eventually("four controllers", time.Minute, func() bool { return len(r1.Status().Controllers) == 4 && len(h1.Dir().Status().Controllers) == 4 })
		w.eventually("raft knows them for good: until then nobody can do without the only controller that there was", time.Minute, func() bool {
			return sealed(r1) && sealed(h1.Dir())
		})
		w.kill(w.name(r1.Status().Leader))
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
