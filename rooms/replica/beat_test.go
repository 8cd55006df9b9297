package replica

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

// TestEveryNodeSeesTheSameTicks: twenty per second while somebody is in the room, in one order on controllers and members; none when all have left, so
// that the room can be parked.
func TestEveryNodeSeesTheSameTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.nodes(4)
		id := w.found("", "ann", rooms.CreateRoom{Name: "game"})
		r := w.enter("n1", id, "ann")
		w.join("n5", id)
		names := []string{"n1", "n5"}
		var mu sync.Mutex
		seen := map[string][]Tick{}
		for _, n := range names {
			w.open(n, id, "ann").WatchTicks(func(k Tick) {
				mu.Lock()
				defer mu.Unlock()
				seen[n] = append(seen[n], k)
			})
		}
		stop := w.open("n5", id, "ann").Watch(func(*rooms.Event, any) {})
		time.Sleep(5 * time.Second)
		mu.Lock()
		if n := len(seen["n1"]); n > 0 {
			t.Errorf("%d ticks of a room that asks for none", n)
		}
		mu.Unlock()
		w.do(r, "", "ann", &rooms.Configure{Ticks: new(uint8(20))})
		time.Sleep(10 * time.Second)
		mu.Lock()
		here, there := slices.Clone(seen["n1"]), slices.Clone(seen["n5"])
		mu.Unlock()
		if n := len(here); n < 190 || n > 205 {
			t.Errorf("%d ticks in 10 s", n)
		}
		common := min(len(here), len(there))
		if common < 190 || !slices.Equal(here[len(here)-common:], there[:common]) && !slices.Equal(here[:common], there[:common]) {
			t.Errorf("n1 has seen %d ticks, n5 %d, or others", len(here), len(there))
		}
		for i := 1; i < len(here); i++ {
			if here[i].Height != here[i-1].Height+1 || here[i].Time < here[i-1].Time {
				t.Fatalf("tick %+v follows %+v", here[i], here[i-1])
			}
		}
		for _, h := range w.hosts {
			for _, c := range h.Replicas() {
				for _, charge := range c.Status().Charges {
					t.Errorf("%s is charged with %s: %s", w.name(charge.Node), charge.Misdeed, charge.Evidence)
				}
			}
		}
		stop()
		w.do(r, "", "ann", &rooms.Leave{})
		before, _ := r.Head()
		parked := func() bool { f, ok := w.hosts["n1"].Facts(id); return !ok || f.Parked }
		w.eventually("the room is parked", 5*time.Minute, parked)
		if f, ok := w.hosts["n1"].Facts(id); ok && f.Height > before+5 {
			t.Errorf("the empty room went on from %d to %d", before, f.Height)
		}
	})
}

// TestTicksGoOnWithAnotherLeader: the next one makes them as soon as it leads.
func TestTicksGoOnWithAnotherLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.nodes(4)
		id := w.found("", "ann", rooms.CreateRoom{Name: "game"})
		r := w.enter("n1", id, "ann")
		w.do(r, "", "ann", &rooms.Configure{Ticks: new(uint8(10))})
		time.Sleep(2 * time.Second)
		lead := w.leader(r)
		if lead == "n1" {
			r = w.enter("n2", id, "bob")
		} else {
			w.enter("n1", id, "bob")
		}
		before, _ := r.Head()
		w.kill(lead)
		time.Sleep(7 * time.Second)
		if now, _ := r.Head(); now < before+40 {
			t.Errorf("%d heights in 7 s in which the leader went down", now-before)
		}
		h := w.join("n5", id) // ticks are fetched, filled in and exported as everything else
		c := w.open("n5", id, "cyd")
		w.eventually("the newcomer has all of it", time.Minute, func() bool { low, moved := c.reach(); n, _ := c.Head(); return low == 1 && moved == nil && n > before })
		w.exported(h, id)
	})
}
