package replica

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

func TestAnEmptyTemporaryRoomGoesEverywhereAndItsNameIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		h := w.hosts["n2"]
		w.do(w.enter("n2", id, "ann"), "", "ann", &rooms.Say{Text: "bye"}, &rooms.Leave{})
		time.Sleep(9 * time.Minute)
		if !h.isParked(id) {
			t.Fatal("the room went before its time, or it is not parked")
		}
		w.eventually("the room is gone on all nodes", 3*time.Minute, func() bool {
			for _, h := range w.hosts {
				if _, ok := h.Facts(id); ok {
					return false
				}
				if _, err := h.record(id); err == nil {
					return false
				}
			}
			return true
		})
		time.Sleep(time.Second)
		for n, s := range w.stores {
			for _, table := range []Table{Decisions, Snapshots, Raft, Held} {
				list, _ := s.Range(table, nil, nil, 1<<20, false)
				for _, e := range list {
					if strings.HasPrefix(string(e.Key), string(id[:])) {
						t.Errorf("%s still has a key of the room in table %d", n, table)
					}
				}
			}
		}
		again, err := h.Create(t.Context(), "", "bob", rooms.CreateRoom{Name: "Lobby", Temporary: true})
		if err != nil || again == id {
			t.Errorf("the name again: %v, the same id %v", err, again == id)
		}
		if _, err := h.Open(t.Context(), again, "", "bob"); err != nil {
			t.Error(err)
		}
	})
}

func TestAClosedRoomIsDroppedHoweverManyKeepAsking(t *testing.T) {
	h := &Host{cfg: Config{Store: &memStore{m: map[Table][]Entry{}}}}
	r := &Replica{h: h, chain: &rooms.Chain{}}
	const closed, last = 3, 5 * historyStep
	for height := uint64(1); height <= last; height++ {
		req := rooms.NewRequest(r.id, "", "ann", &rooms.Say{Text: "?"})
		verdict := errs.Closed
		if height == closed {
			req, verdict = rooms.NewRequest(r.id, "", "", &rooms.Close{}), errs.OK
		}
		d := rooms.Decision{Header: rooms.Header{Height: height}, Batch: rooms.Batch{Requests: []rooms.Request{req}}, Verdicts: rooms.Verdicts{byte(verdict)}}
		h.cfg.Store.WriteLater([]Change{{Table: Decisions, Key: roomKey(r.id, height), Value: rooms.Marshal(&d)}})
	}
	r.chain.Height = last
	if d := r.findClose(); d == nil || d.Header.Height != closed {
		t.Errorf("found %v", d)
	}
}

func TestANodeThatWasCutOffIsGoneAfterTheLeaseAndMayComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		h := w.join("n5", id)
		r5 := w.open("n5", id, "bob")
		r5.Watch(func(ev *rooms.Event, _ any) { // as a bridge does
			if b, ok := ev.Body.(*rooms.NodeGone); ok && b.Node == h.Self() {
				r5.Submit("", "bob", &rooms.Enter{}, nil, nil)
			}
		})
		r1 := w.open("n1", id, "ann")
		w.do(r5, "", "bob", &rooms.Enter{})
		here := func() (in bool) {
			r1.View(func(s *rooms.State) { _, in = s.Occupant("bob") })
			return in
		}
		for range 2 { // the second time as well
			w.lan.set(node("n5"), false)
			time.Sleep(3 * time.Second)
			if !here() {
				t.Fatal("gone before the lease has ended")
			}
			w.eventually("bob is gone", 20*time.Second, func() bool { return !here() })
			w.lan.set(node("n5"), true)
			w.eventually("bob is back", 20*time.Second, here)
		}
	})
}

func TestOccupantsOfANodeWhoseProcessHasEndedLeaveSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		w.join("n5", id)
		w.enter("n5", id, "bob")
		r1 := w.open("n1", id, "ann")
		here := func() (in bool) {
			r1.View(func(s *rooms.State) { _, in = s.Occupant("bob") })
			return in
		}
		knows := func(names ...string) { // that n5 has ended
			w.lan.mu.Lock()
			defer w.lan.mu.Unlock()
			for _, n := range names {
				w.lan.ended[[2]rooms.NodeID{node(n), node("n5")}] = true
			}
		}
		w.lan.ended = map[[2]rooms.NodeID]bool{}
		w.kill("n5")
		knows(w.led(id))
		time.Sleep(endedLease + 300*time.Millisecond) // less than half the lease
		if !here() {
			t.Fatal("one controller's word took an occupant out")
		}
		knows("n1", "n2", "n3", "n4")
		w.eventually("bob is gone", time.Second, func() bool { return !here() }) // the lease is 5 s here
	})
}

func TestWhoWasInWhenTheNodeDiedIsTakenOutThoughTheDiskDoesNotKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		w.join("n5", id)
		r := w.open("n5", id, "bob")
		old := w.stores["n5"].clone() // what was synced when the node was killed
		w.do(r, "", "bob", &rooms.Enter{})
		w.kill("n5")
		w.stores["n5"] = old
		w.start("n5")
		r1 := w.open("n1", id, "ann")
		w.eventually("bob is taken out", 20*time.Second, func() (out bool) {
			r1.View(func(s *rooms.State) { _, in := s.Occupant("bob"); out = !in })
			return out
		})
	})
}

func TestClosedWhileBusyAndTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		h := w.hosts["n1"]
		r := w.open("n1", id, "ann")
		var answered atomic.Int64
		for range 2000 {
			r.Submit("", "ann", &rooms.Say{Text: "x"}, nil, func(Outcome) { answered.Add(1) })
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, _ = h.Create(ctx, "", "ann", rooms.CreateRoom{Name: "r" + rooms.PlacementSeed(time.Now().String()).String()[:8]})
				_, _ = h.Open(ctx, id, "", "ann")
			})
		}
		w.lan.set(node("n1"), false)
		h.Close()
		h.Close()
		wg.Wait()
		if n := answered.Load(); n != 2000 {
			t.Errorf("%d of 2000 wishes were answered", n)
		}
		if err := r.Sync(t.Context()); !errors.Is(err, errs.Closed) {
			t.Errorf("sync after the end: %v", err)
		}
	})
}

func TestARestartedNodeLearnsWhoLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.nodes(6)
		w.eventually("the last one knows the controllers of the directory", time.Minute, func() bool { return len(w.hosts["n6"].Dir().Status().Controllers) == 4 })
		outside := ""
		for n, h := range w.hosts {
			if !h.Dir().Status().Controls {
				outside = n
			}
		}
		w.kill(outside)
		h := w.start(outside)
		w.eventually("it knows who leads the directory, though nothing is ordered", 10*time.Second, func() bool { return !h.Dir().Status().Leader.IsZero() })
	})
}

// TestWhoHasJustStartedTakesNobodyForGone: the controllers have been restarted together and have not found the node yet at which somebody sits.
func TestWhoHasJustStartedTakesNobodyForGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		w.join("n5", id)
		w.enter("n5", id, "bob")
		all := []string{"n1", "n2", "n3", "n4"}
		for _, n := range all {
			w.kill(n)
		}
		w.lan.set(node("n5"), false)
		time.Sleep(time.Minute)
		for _, n := range all {
			w.start(n)
		}
		r1 := w.open("n1", id, "ann")
		here := func() (in bool) {
			r1.View(func(s *rooms.State) { _, in = s.Occupant("bob") })
			return in
		}
		time.Sleep(2 * time.Second) // the lease is 5 s here, and half of it for who is asked
		if !here() {
			t.Fatal("bob was taken out at once")
		}
		w.eventually("bob is gone", 20*time.Second, func() bool { return !here() })
	})
}
