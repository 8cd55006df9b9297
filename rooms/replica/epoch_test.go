package replica

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
	"warren/rooms/order"
)

// TestTheWorstDay: of four controllers one is left, with an old state; the recovery key and somebody who manages the room bring both back. One that was
// believed lost comes back later, with decisions that are in no epoch, and joins.
func TestTheWorstDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.genesis.Recovery = node("recovery")
		h1 := w.nodes(4)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		w.registered(h1, "alice")
		w.registered(h1, "eve")
		id := w.found("alice", "", rooms.CreateRoom{Name: "hall"})
		r1 := w.openAs("n1", id, "alice", "")
		w.do(r1, "alice", "alice", &rooms.Enter{}, &rooms.Say{Text: "before"})
		w.kill("n1")
		w.do(w.enter("n2", id, "bob"), "", "bob", &rooms.Say{Text: "lost"})
		w.admitBy("n2", "n5", "n2")
		for _, n := range []string{"n2", "n3", "n4"} {
			w.kill(n)
		}
		h1 = w.start("n1")
		time.Sleep(time.Minute)
		if _, err := h1.Recover(ctx, id, "eve"); !errors.Is(err, ErrNotManager) {
			t.Fatalf("somebody recovers the room who does not manage it: %v", err)
		}
		if _, err := h1.Recover(ctx, id, "alice"); !errors.Is(err, ErrNoDirectory) {
			t.Fatalf("recovery while the directory is lost, too: %v", err)
		}
		if _, err := h1.Rescue(ctx, key("n1")); err == nil {
			t.Fatal("the directory is rescued with another key")
		}
		got, err := h1.Rescue(ctx, key("recovery"))
		if err != nil || got.Epoch != 2 || len(got.Silent) != 3 || got.Of != 4 {
			t.Fatalf("rescue: %+v, %v", got, err)
		}
		got, err = h1.Recover(ctx, id, "alice")
		if err != nil || got.Epoch != 2 || len(got.Silent) != 3 || got.Of != 4 {
			t.Fatalf("recover: %+v, %v", got, err)
		}
		if _, err := h1.Recover(ctx, id, "alice"); !errors.Is(err, ErrNotFrozen) {
			t.Fatalf("a second time: %v", err)
		}
		r1 = h1.Get(id)
		w.do(r1, "alice", "alice", &rooms.Enter{}, &rooms.Say{Text: "after"})
		want := []string{"before", "begin by alice", "after"}
		if got := said(t, r1); !slices.Equal(got, want) {
			t.Fatalf("the room holds %q, want %q", got, want)
		}
		// One comes back with its old disk, another one with none: it has another key then, and is admitted anew.
		h2 := w.start("n2")
		w.eventually("it joins the new epoch", 2*time.Minute, func() bool {
			r := h2.Get(id)
			return r != nil && r.Status().Head == r1.Status().Head && h2.Dir().Status().Head == h1.Dir().Status().Head
		})
		if got := said(t, h2.Get(id)); !slices.Equal(got, want) {
			t.Errorf("who came back holds %q, want %q", got, want)
		}
		w.grow("n6", "n7")
		w.eventually("the room has enough controllers again", 5*time.Minute, func() bool {
			return len(r1.Status().Controllers) >= 3 && len(h1.Dir().Status().Controllers) >= 3 && sealed(r1) && sealed(h1.Dir())
		})
		w.kill("n1")
		w.eventually("it bears the loss of the one that was left", 2*time.Minute, func() bool {
			r := h2.Get(id)
			return r != nil && !r.Status().Leader.IsZero() && r.Status().Leader != node("n1")
		})
		r := w.enter("n2", id, "bob")
		w.do(r, "", "bob", &rooms.Say{Text: "on"})
		if got := r.Status().Epoch; got > 3 {
			t.Errorf("epochs run away: the room is in epoch %d", got)
		}
		// And the whole way is on the disks: a node that restarts finds it there.
		before := r.Status()
		w.kill("n2")
		h2 = w.start("n2")
		w.eventually("it is where it was", time.Minute, func() bool {
			r := h2.Get(id)
			return r != nil && r.Status().Height >= before.Height && r.Status().Epoch >= 2 && h2.Dir().Status().Epoch == 2
		})
	})
}

// TestTalkOutlivesARecovery: what was said before most of the controllers were given up comes into the new epoch, under the id that it was shown with.
func TestTalkOutlivesARecovery(t *testing.T) {
	for name, restart := range map[string]bool{"the node goes on": false, "the node is killed": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.genesis.Recovery = node("recovery")
				h1 := w.nodes(4)
				w.registered(h1, "alice")
				id := w.found("alice", "", rooms.CreateRoom{Name: "hall"})
				r1, s1 := w.seat("n1", "ann", id)
				for _, n := range []string{"n2", "n3", "n4"} {
					w.kill(n)
				}
				w.eventually("ann's node knows", time.Minute, s1.isFrozen)
				say(r1, "ann", "meanwhile")
				w.eventually("it is shown", time.Second, func() bool { return s1.has("ann: meanwhile") })
				if restart {
					disk := w.stores["n1"].clone()
					w.kill("n1")
					w.stores["n1"] = disk
					h1 = w.start("n1")
				}
				time.Sleep(time.Minute)
				if _, err := h1.Rescue(t.Context(), key("recovery")); err != nil {
					t.Fatal(err)
				}
				began := h1.Now()
				if _, err := h1.Recover(t.Context(), id, "alice"); err != nil {
					t.Fatal(err)
				}
				var got []rooms.Event
				w.eventually("it is ordered", time.Minute, func() bool {
					if r := h1.Get(id); r != nil && r.Status().Epoch == 2 {
						got, _ = r.Events(t.Context(), Query{Limit: 100, Ops: []rooms.Op{rooms.OpSay}})
					}
					return len(got) > 0
				})
				if len(got) != 1 || got[0].ID != s1.early["ann: meanwhile"] {
					t.Errorf("%d messages, the first %v, want the one that was shown", len(got), got[0])
				}
				breaks, err := h1.Get(id).Events(t.Context(), Query{Limit: 1, Ops: []rooms.Op{rooms.OpBegin}})
				if err != nil || len(breaks) != 1 || breaks[0].Time < began {
					t.Errorf("recovered at %d: the room says %+v, %v", began, breaks, err)
				}
			})
		})
	}
}

// TestConflictingPromisesEndInANewEpoch: controllers that believe to have signed different headers at a height cannot certify it. They come to a new
// epoch without people, and the room goes on.
func TestConflictingPromisesEndInANewEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.nodes(8)
		id := w.found("", "ann", rooms.CreateRoom{Name: "hall"})
		r := w.enter("n1", id, "ann")
		height, _ := r.Head()
		for i, c := range r.Status().Controllers[:2] {
			name := w.name(c)
			if name == "n1" {
				continue
			}
			w.kill(name)
			rec := order.Record{Signed: &order.Signed{Epoch: 1, Height: height + 1, Header: rooms.Hash{byte('x' + i)}}}
			w.stores[name].WriteLater(recordChanges(id, &rec))
			w.start(name)
		}
		w.do(r, "", "ann", &rooms.Say{Text: "stuck"})
		w.eventually("the same everywhere", time.Minute, func() bool {
			for _, c := range r.Status().Controllers {
				if o := w.hosts[w.name(c)].Get(id); o == nil || o.Status().Head != r.Status().Head {
					return false
				}
			}
			return true
		})
		t.Logf("epoch %d, log %q", r.Status().Epoch, said(t, r))
		if r.Status().Epoch != 2 {
			t.Error("the room is not in a new epoch")
		}
	})
}

// TestWhoGoesBackDoesNotLead: a copy that is taken back may have to fetch what others have; until then it tells nobody that it knows the head.
func TestWhoGoesBackDoesNotLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.nodes(1)
		r := w.enter("n1", w.found("", "ann", rooms.CreateRoom{Name: "hall"}), "ann")
		r.wait(func() {
			if !r.leads {
				t.Error("the only controller does not lead")
			}
			if r.goBack(); r.leads || !r.leader.IsZero() {
				t.Error("it leads, though it has no controller any more")
			}
		})
	})
}

// TestPeopleDecideWhereStatementsDoNot: two controllers have promised one header and two another one. As one of them may lie, either may be certified, and
// the statements of all four leave it open. All are there, so nothing but time shows that somebody must decide; then who manages the room can.
func TestPeopleDecideWhereStatementsDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		h1 := w.start("n1")
		for _, n := range []string{"n2", "n3", "n4"} {
			w.admit(n)
			w.start(n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		w.eventually("four controllers", time.Minute, func() bool { return len(h1.Dir().Status().Controllers) == 4 })
		w.registered(h1, "alice")
		id, err := h1.Create(ctx, "alice", "", rooms.CreateRoom{Name: "hall"})
		if err != nil {
			t.Fatal(err)
		}
		r, err := h1.Open(ctx, id, "alice", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Ask(ctx, "alice", "alice", &rooms.Enter{}); err != nil {
			t.Fatal(err)
		}
		w.eventually("all have it", time.Minute, func() bool {
			for _, h := range w.hosts {
				if c := h.Get(id); c == nil || c.Status().Head != r.Status().Head {
					return false
				}
			}
			return true
		})
		height, _ := r.Head()
		for i, name := range []string{"n1", "n2", "n3", "n4"} {
			w.kill(name)
			for ahead := range uint64(3) { // what is said first when a node was restarted is that its people are gone
				rec := order.Record{Signed: &order.Signed{Epoch: 1, Height: height + 1 + ahead, Header: rooms.Hash{byte('x' + i/2), byte(ahead)}}}
				w.stores[name].WriteLater(recordChanges(id, &rec))
			}
		}
		for _, name := range []string{"n1", "n2", "n3", "n4"} {
			w.start(name)
		}
		h1 = w.hosts["n1"]
		if r, err = h1.Open(ctx, id, "alice", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := h1.Recover(ctx, id, "alice"); !errors.Is(err, ErrNotFrozen) {
			t.Fatalf("at once, before the controllers have tried: %v", err)
		}
		time.Sleep(2 * time.Minute)
		if s := r.Status(); s.Epoch != 1 || s.Height > height {
			t.Fatalf("the room is at height %d of epoch %d: nothing is left to decide", s.Height, s.Epoch)
		}
		got, err := h1.Recover(ctx, id, "alice")
		if err != nil || got.Epoch != 2 || len(got.Silent) != 0 || got.Start != height {
			t.Fatalf("recover: %+v, %v", got, err)
		}
		for _, b := range []rooms.Body{&rooms.Enter{}, &rooms.Say{Text: "after"}} {
			if _, err := r.Ask(ctx, "alice", "alice", b); err != nil {
				t.Fatalf("%T: %v", b, err)
			}
		}
		if got, want := said(t, r), []string{"begin by alice", "after"}; !slices.Equal(got, want) {
			t.Errorf("the room holds %q, want %q", got, want)
		}
	})
}

// TestTheWorstDayBelowAChange: the one controller that is left has lost the end of its log with the change of controllers that the directory has witnessed, as if it had
// been away when they changed. The room goes on from what it holds.
func TestTheWorstDayBelowAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.genesis.Recovery = node("recovery")
		h1 := w.nodes(3)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		w.registered(h1, "alice")
		id := w.found("alice", "", rooms.CreateRoom{Name: "hall"})
		r1 := w.openAs("n1", id, "alice", "")
		w.do(r1, "alice", "alice", &rooms.Enter{}, &rooms.Say{Text: "before"})
		w.admitBy("n1", "n4", "n4")
		w.start("n4")
		w.eventually("the directory knows the four", time.Minute, func() bool {
			rec, err := h1.record(id)
			return err == nil && len(rec.Now) == 4
		})
		w.do(r1, "alice", "alice", &rooms.Say{Text: "lost"})
		rec, err := h1.record(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []string{"n1", "n2", "n3", "n4"} {
			w.kill(n)
		}
		held := rec.Floor - 1
		w.stores["n1"].WriteLater([]Change{
			{Table: Decisions, Key: roomKey(id, held+1), To: after(id)}, {Table: Snapshots, Key: roomKey(id, held+1), To: after(id)}, {Table: Ids, Key: id[:], To: after(id)},
			{Table: Raft, Key: raftKey(id, kindEntry, 0), To: raftKey(id, kindSigned, 0)},
		})
		h1 = w.start("n1")
		time.Sleep(time.Minute)
		if _, err := h1.Rescue(ctx, key("recovery")); err != nil {
			t.Fatal(err)
		}
		if s, err := h1.Survey(ctx, id, "alice"); err != nil || !s.Frozen || s.Height != held || len(s.Controllers) != 4 || len(s.Silent) != 3 {
			t.Fatalf("survey: %+v, %v", s, err)
		}
		got, err := h1.Recover(ctx, id, "alice")
		if err != nil || got.Epoch != 2 || got.Start != held || got.Of != 4 || len(got.Silent) != 3 {
			t.Fatalf("recover: %+v, %v", got, err)
		}
		r1 = h1.Get(id)
		w.do(r1, "alice", "alice", &rooms.Enter{}, &rooms.Say{Text: "after"})
		if got := said(t, r1); slices.Contains(got, "lost") || !slices.Contains(got, "begin by alice") || got[len(got)-1] != "after" {
			t.Fatalf("the room holds %q", got)
		}
		w.start("n2") // it holds more, and drops it
		w.eventually("who was believed lost joins", time.Minute, func() bool {
			c := w.hosts["n2"].Get(id)
			return c != nil && c.Status().Epoch == 2 && c.Status().Head == r1.Status().Head
		})
	})
}

// TestACutLeavesNoGapWithoutAnUpperEnd: what a copy holds above a gap of its log rests on the state that it took over. When that is cut off, the gap and
// all above it go too.
func TestACutLeavesNoGapWithoutAnUpperEnd(t *testing.T) {
	id := rooms.RoomID{1}
	for name, tt := range map[string]struct {
		state, cut uint64 // heights
		last       uint64 // decision that stays
		gap        bool
	}{
		"above the state": {state: 8, cut: 10, last: 10, gap: true},
		"below the state": {state: 8, cut: 7, last: 4},
		"below the gap":   {state: 8, cut: 3, last: 3},
	} {
		st := &memStore{m: map[Table][]Entry{}}
		h := &Host{cfg: Config{Store: st}}
		lacks := missing{Floor: 1, Gap: &gap{Low: 4}}
		changes := []Change{lacks.change(id), {Table: Snapshots, Key: roomKey(id, tt.state), Value: []byte{1}}}
		for _, height := range []uint64{1, 2, 3, 4, 8, 9, 10, 11, 12} {
			changes = append(changes, Change{Table: Decisions, Key: roomKey(id, height), Value: []byte{1}})
		}
		st.WriteLater(changes)
		h.cut(id, tt.cut)
		log, err := h.loadGap(id)
		if err != nil || (log.Gap != nil) != tt.gap {
			t.Errorf("%s: the gap is %+v, %v", name, log.Gap, err)
		}
		if list, _ := st.Range(Decisions, nil, nil, 1, true); len(list) != 1 || !slices.Equal(list[0].Key, roomKey(id, tt.last)) {
			t.Errorf("%s: the last decision is %x, want that of height %d", name, list, tt.last)
		}
	}
}
