package replica

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// tree is a room that four nodes control and many follow.
type tree struct {
	*world
	id    rooms.RoomID
	says  int
	names []string // of the followers
}

func newTree(t *testing.T, followers int) *tree {
	w, id := newWorld(t).four("square")
	x := &tree{world: w, id: id}
	for i := range followers {
		name := fmt.Sprintf("f%d", i)
		w.join(name, id)
		w.open(name, id, name).Watch(func(*rooms.Event, any) {})
		x.names = append(x.names, name)
	}
	w.do(w.hosts["n1"].Get(id), "", "ann", &rooms.Enter{})
	time.Sleep(3 * subscriberLife) // everybody has found a source, old places are given up
	return x
}

// source returns who pushes to a node's copy.
func (w *world) source(name string, id rooms.RoomID) (from rooms.NodeID) {
	r := w.hosts[name].Get(id)
	r.wait(func() { from = r.source })
	return from
}

// say orders one more thing and returns the height that it is shown at.
func (x *tree) say() uint64 {
	x.t.Helper()
	x.says++
	r := x.hosts["n1"].Get(x.id)
	x.do(r, "", "ann", &rooms.Say{Text: fmt.Sprint("line ", x.says)})
	height, _ := r.Head()
	return height
}

// everybodyAt waits until all copies have reached a height.
func (x *tree) everybodyAt(height uint64, d time.Duration) {
	x.t.Helper()
	x.eventually("everybody has it", d, func() bool {
		for _, h := range x.hosts {
			if at, _ := h.Get(x.id).Head(); at < height {
				return false
			}
		}
		return true
	})
}

// served returns whom each node pushes to.
func (x *tree) served() map[string][]string {
	x.t.Helper()
	out := map[string][]string{}
	for name, h := range x.hosts {
		r := h.Get(x.id)
		r.wait(func() {
			for n := range r.subs {
				out[name] = append(out[name], x.name(n))
			}
		})
	}
	return out
}

func TestWhoFollowsServesOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTree(t, 30)
		x.lan.slow(time.Millisecond)
		before := x.lan.pulls.Load()
		for range 20 {
			x.everybodyAt(x.say(), 200*time.Millisecond)
		}
		if n := x.lan.pulls.Load() - before; n > 0 {
			t.Errorf("%d decisions were pulled, want none: the tree carries them", n)
		}
		places := 0
		for name, list := range x.served() {
			if places += len(list); len(list) > maxServed {
				t.Errorf("%s serves %v, at most %d are allowed", name, list, maxServed)
			}
		}
		if places != len(x.names) {
			t.Errorf("%d places are taken by %d followers", places, len(x.names))
		}
	})
}

// busiest returns the follower that serves most.
func (x *tree) busiest() string {
	best, most := "", 0
	served := x.served()
	for _, n := range x.names {
		if x.hosts[n] != nil && len(served[n]) > most {
			best, most = n, len(served[n])
		}
	}
	if best == "" {
		x.t.Fatal("no follower serves anybody")
	}
	return best
}

func TestWhoServesDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTree(t, 24)
		for range 5 {
			x.kill(x.busiest())
			x.everybodyAt(x.say(), 2*time.Second)
		}
	})
}

// A node that takes others in, keeps the decisions to itself and says that there are none is left by them.
func TestWhoServesKeepsThingsToItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTree(t, 24)
		greedy := node(x.busiest())
		x.lan.mu.Lock()
		x.lan.alter = func(from rooms.NodeID, f *frame) bool {
			if from == greedy && f.Room == x.id && f.Kind == frameHead {
				f.Data = rooms.Marshal(head{Height: 1})
			}
			return from != greedy || f.Room != x.id || f.Kind != framePush
		}
		x.lan.mu.Unlock()
		x.everybodyAt(x.say(), subscribeEvery+2*time.Second)
		time.Sleep(3 * subscriberLife)
		for range 3 {
			x.everybodyAt(x.say(), subscribeEvery+2*time.Second)
			time.Sleep(subscriberLife)
		}
	})
}

// A copy that ends tells those whom it serves, so that they need not find out.
func TestWhoServesLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTree(t, 24)
		name := x.busiest()
		r := x.hosts[name].Get(x.id)
		r.cancel()
		<-r.done
		time.Sleep(2 * quietTick)
		for _, n := range x.names {
			if n == name {
				continue
			}
			if x.source(n, x.id) == node(name) {
				t.Errorf("%s still waits for %s", n, name)
			}
		}
	})
}

// Two that follow each other would be told nothing: neither takes the other in.
func TestNobodyServesItsSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTree(t, 12)
		name := x.busiest()
		child := x.served()[name][0]
		r := x.hosts[child].Get(x.id)
		r.put(inFrame{node(name), frame{Room: x.id, Kind: frameSubscribe, Data: rooms.Marshal(subscribe{For: r.as})}})
		synctest.Wait()
		for _, n := range x.served()[child] {
			if n == name {
				t.Errorf("%s serves %s, which serves it", child, name)
			}
		}
	})
}

func TestACopyWhoseSourceKeepsSilentGetsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		w.join("n5", id)
		r5 := w.open("n5", id, "bob")
		r5.Watch(func(*rooms.Event, any) {})
		time.Sleep(5 * time.Second)
		from := w.source("n5", id)
		w.lan.mu.Lock()
		w.lan.mute = func(a, b rooms.NodeID) bool { return a == from && b == node("n5") }
		w.lan.mu.Unlock()
		n := w.other(w.name(from))
		r := w.open(n, id, "ann")
		for range 3 {
			if _, err := r.Ask(t.Context(), "", "ann", &rooms.Enter{}); err != nil && !errors.Is(err, errs.Exists) {
				t.Fatal(err)
			}
			want, _ := r.Head()
			w.eventually("n5 has it", 15*time.Second, func() bool { got, _ := r5.Head(); return got >= want })
		}
	})
}

// TestAMemberOfALargeNetworkKeepsToTheControllers: not all nodes are connected with all there, and a member that lost its connections with those who
// order the room makes new ones, though nobody says anything.
func TestAMemberOfALargeNetworkKeepsToTheControllers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		w.join("n5", id)
		r, s := w.seat("n5", "bob", id)
		w.lan.hangUp(node("n5"))
		w.eventually("the room goes on here, and knows its leader", 10*time.Second, func() bool {
			return !s.isFrozen() && !r.Status().Leader.IsZero()
		})
		time.Sleep(20 * time.Second)
		r.View(func(st *rooms.State) {
			if _, here := st.Occupant("bob"); !here {
				t.Error("bob was taken for gone")
			}
		})
		w.do(r, "", "bob", &rooms.Say{Text: "hello"})
	})
}

// A controller that does not know the room yet drops the wish to be told of it. Who makes a room at a node that does not control it, and enters it at once, must
// not wait for the next such wish.
func TestALostWishToFollowIsRepeatedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("square")
		self := w.join("n5", id).Self()
		var lost atomic.Bool
		w.lan.mu.Lock()
		w.lan.alter = func(from rooms.NodeID, f *frame) bool {
			return from != self || f.Room != id || f.Kind != frameSubscribe || !lost.CompareAndSwap(false, true)
		}
		w.lan.mu.Unlock()
		r := w.open("n5", id, "bob")
		start := time.Now()
		w.do(r, "", "bob", &rooms.Enter{})
		if took := time.Since(start); !lost.Load() || took >= time.Second {
			t.Errorf("entering took %v; a wish to follow was lost: %v", took, lost.Load())
		}
	})
}
