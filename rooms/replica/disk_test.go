package replica

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

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

func TestANodeThatLostItsDiskFoundsNoOldRoomAnew(t *testing.T) {
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
		id, err := h1.Create(ctx, "", "ann", rooms.CreateRoom{Name: "lobby"})
		if err != nil {
			t.Fatal(err)
		}
		r, err := h1.Open(ctx, id, "", "ann")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Ask(ctx, "", "ann", &rooms.Enter{}); err != nil {
			t.Fatal(err)
		}
		lost := "n3"
		w.kill(lost)
		delete(w.stores, lost)
		w.since[lost], _ = h1.Dir().Head()
		h := w.start(lost)
		w.eventually("it holds the room again", time.Minute, func() bool {
			c := h.Get(id)
			if c == nil {
				return false
			}
			got, _ := c.Head()
			want, _ := r.Head()
			return got == want
		})
		for name, at := range map[string]*Replica{"room": h.Get(id), "directory": h.Dir()} {
			life := make(chan uint64, 1)
			at.call(func() {
				if at.ctl != nil {
					life <- at.ctl.Status().Self.Incarnation
				} else {
					life <- ^uint64(0)
				}
			})
			if <-life == 0 {
				t.Errorf("%s: the node passes for its old self, whose votes it has forgotten", name)
			}
		}
		if _, err := r.Ask(ctx, "", "ann", &rooms.Say{Text: "on"}); err != nil {
			t.Fatal(err)
		}
	})
}
