package replica

import (
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
)

func TestAnEmptyTemporaryRoomGoesEverywhereAndItsNameIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		defer w.close()
		h := w.hosts["n2"]
		r, err := h.Open(t.Context(), id, "", "ann")
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range []rooms.Body{&rooms.Enter{}, &rooms.Say{Text: "bye"}, &rooms.Leave{}} {
			if _, err := r.Ask(t.Context(), "", "ann", b); err != nil {
				t.Fatal(err)
			}
		}
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
		defer w.close()
		h := w.join("n5", id)
		r5, err := h.Open(t.Context(), id, "", "bob")
		if err != nil {
			t.Fatal(err)
		}
		r5.Watch(func(ev *rooms.Event, _ any) { // as a bridge does
			if b, ok := ev.Body.(*rooms.NodeGone); ok && b.Node == h.Self() {
				r5.Submit("", "bob", &rooms.Enter{}, nil, nil)
			}
		})
		r1, err := w.hosts["n1"].Open(t.Context(), id, "", "ann")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r5.Ask(t.Context(), "", "bob", &rooms.Enter{}); err != nil {
			t.Fatal(err)
		}
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

func TestWhoWasInWhenTheNodeDiedIsTakenOutThoughTheDiskDoesNotKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		defer w.close()
		h := w.join("n5", id)
		r, err := h.Open(t.Context(), id, "", "bob")
		if err != nil {
			t.Fatal(err)
		}
		old := w.stores["n5"].clone() // what was synced when the node was killed
		if _, err := r.Ask(t.Context(), "", "bob", &rooms.Enter{}); err != nil {
			t.Fatal(err)
		}
		w.kill("n5")
		w.stores["n5"] = old
		w.start("n5")
		r1, err := w.hosts["n1"].Open(t.Context(), id, "", "ann")
		if err != nil {
			t.Fatal(err)
		}
		w.eventually("bob is taken out", 20*time.Second, func() (out bool) {
			r1.View(func(s *rooms.State) { _, in := s.Occupant("bob"); out = !in })
			return out
		})
	})
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

func TestARoomIsReadForWhoMayReadItOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		h1 := w.start("n1")
		w.admit("n2")
		h2 := w.start("n2")
		register := func(h *Host, name string) {
			k := key(name)
			pub := rooms.NodeOf(k.Public().(ed25519.PublicKey))
			reg := &rooms.Register{Name: name, Key: pub, Device: h.Self()}
			reg.Sig = ed25519.Sign(k, rooms.AccountDigest(w.genesis.Directory(), "register", name, pub, h.Self(), 0))
			if err := h.Order(t.Context(), reg); err != nil {
				t.Fatal(err)
			}
		}
		register(h1, "alice")
		register(h2, "bob")
		register(h2, "carol")
		members := []perms.Principal{"alice", "bob"}
		id, err := h1.Create(t.Context(), "alice", "alice", rooms.CreateRoom{Name: rooms.DirectName("alice", "bob"), Members: members})
		if err != nil {
			t.Fatal(err)
		}
		w.eventually("n2 knows it", 10*time.Second, func() bool { _, err := h2.record(id); return err == nil })
		// Both ask from the same node at once: the right of one opens nothing for the other.
		var wg sync.WaitGroup
		for range 10 {
			for who, want := range map[string]error{"bob": nil, "carol": errs.Denied} {
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
					defer cancel()
					if _, err := h2.Open(ctx, id, who, who); !errors.Is(err, want) {
						t.Errorf("%s: %v", who, err)
					}
				})
			}
		}
		wg.Wait()
	})
}

func TestWhoMayNotReadAnyMoreGetsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		defer w.close()
		h := w.join("n5", id)
		r5, err := h.Open(t.Context(), id, "", "eve")
		if err != nil {
			t.Fatal(err)
		}
		r1, err := w.hosts["n1"].Open(t.Context(), id, "", "ann")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r1.Ask(t.Context(), "", "ann", &rooms.Enter{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		acl := &rooms.Grant{Who: perms.Everyone, Deny: perms.Read | perms.Enter}
		if _, err := r1.Ask(t.Context(), "", "ann", acl); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		before, _ := r5.Head()
		if _, err := r1.Ask(t.Context(), "", "ann", &rooms.Say{Text: "among us"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if got, _ := r5.Head(); got != before {
			t.Errorf("the copy of who may not read went from %d to %d", before, got)
		}
	})
}

func TestACopyWhoseSourceKeepsSilentGetsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		defer w.close()
		h := w.join("n5", id)
		r5, err := h.Open(t.Context(), id, "", "bob")
		if err != nil {
			t.Fatal(err)
		}
		r5.Watch(func(*rooms.Event, any) {})
		time.Sleep(5 * time.Second)
		source := make(chan rooms.NodeID, 1)
		r5.call(func() { source <- r5.source })
		from := <-source
		w.lan.mu.Lock()
		w.lan.mute = func(a, b rooms.NodeID) bool { return a == from && b == node("n5") }
		w.lan.mu.Unlock()
		n := w.other(w.name(from))
		r, err := w.hosts[n].Open(t.Context(), id, "", "ann")
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := r.Ask(t.Context(), "", "ann", &rooms.Enter{}); err != nil && !errors.Is(err, errs.Exists) {
				t.Fatal(err)
			}
			want, _ := r.Head()
			w.eventually("n5 has it", 15*time.Second, func() bool { got, _ := r5.Head(); return got >= want })
		}
	})
}

// A room whose disk fails stops at this node and says so; the node's other parts, and the room elsewhere, go on.
func TestAFullDiskStopsTheRoomHereAndNotElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		defer w.close()
		r1, err := w.hosts["n1"].Open(t.Context(), id, "", "ann")
		if err != nil {
			t.Fatal(err)
		}
		leader := w.name(r1.Status().Leader)
		bad := w.hosts[leader].Get(id)
		var frozen atomic.Bool
		bad.WatchFrozen(frozen.Store)
		w.stores[leader].full(true)
		if _, err := bad.Ask(t.Context(), "", "bob", &rooms.Enter{}); !errors.Is(err, errs.Internal) {
			t.Errorf("on a full disk: %v", err)
		}
		if bad.Status().Broken == nil || !frozen.Load() {
			t.Error("the room does not say that it has stopped")
		}
		if err := bad.Sync(t.Context()); !errors.Is(err, errs.Internal) {
			t.Errorf("sync of a broken copy: %v", err)
		}
		n := w.other(leader)
		r, err := w.hosts[n].Open(t.Context(), id, "", "ann")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Ask(t.Context(), "", "ann", &rooms.Enter{}); err != nil {
			t.Error(err)
		}
		w.stores[leader].full(false)
	})
}

func TestOneDamagedRoomKeepsNoOtherDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		defer w.close()
		r, err := w.hosts["n2"].Open(t.Context(), id, "", "ann")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Ask(t.Context(), "", "ann", &rooms.Enter{}); err != nil {
			t.Fatal(err)
		}
		w.kill("n2")
		s := w.stores["n2"]
		s.WriteLater([]Change{{Table: Snapshots, Key: id[:], To: after(id)}, {Table: Decisions, Key: roomKey(id, 1), Value: []byte{1, 2, 3}}})
		h := w.start("n2")
		if _, err := h.Open(t.Context(), id, "", "ann"); err == nil || !strings.Contains(err.Error(), "decision 1 on disk") {
			t.Errorf("a damaged room: %v", err)
		}
		other, err := h.Create(t.Context(), "", "ann", rooms.CreateRoom{Name: "other"})
		if err == nil {
			_, err = h.Open(t.Context(), other, "", "ann")
		}
		if err != nil {
			t.Errorf("another room: %v", err)
		}
		w.kill("n2")
		dir := w.genesis.Directory()
		s.WriteLater([]Change{{Table: Snapshots, Key: dir[:], To: after(dir)}, {Table: Decisions, Key: roomKey(dir, 1), Value: []byte{1, 2, 3}}})
		_, err = New(Config{Key: key("n2"), Genesis: w.genesis, Store: s, Net: &port{l: w.lan}})
		if err == nil || !strings.Contains(err.Error(), "open the directory: decision 1 on disk") {
			t.Errorf("a damaged directory: %v", err)
		}
	})
}

func TestClosedWhileBusyAndTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		defer w.close()
		h := w.hosts["n1"]
		r, err := h.Open(t.Context(), id, "", "ann")
		if err != nil {
			t.Fatal(err)
		}
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
		if !slices.Contains([]error{errs.Closed}, r.Sync(t.Context())) {
			t.Error("sync after the end")
		}
	})
}
