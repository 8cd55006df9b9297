package replica

import (
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
		r1 := w.open("n1", id, "ann")
		leader := w.leader(r1)
		bad := w.hosts[leader].Get(id)
		var frozen atomic.Bool
		bad.WatchFrozen(frozen.Store)
		w.stores[leader].full(true)
		if _, err := bad.Ask(t.Context(), "", "bob", &rooms.Enter{}); !errors.Is(err, errs.Internal) {
			t.Errorf("on a full disk: %v", err)
		}
		synctest.Wait() // who watches is told after who asked
		if bad.Status().Broken == nil || !frozen.Load() {
			t.Error("the room does not say that it has stopped")
		}
		if err := bad.Sync(t.Context()); !errors.Is(err, errs.Internal) {
			t.Errorf("sync of a broken copy: %v", err)
		}
		w.enter(w.other(leader), id, "ann")
		w.stores[leader].full(false)
	})
}

func TestOneDamagedRoomKeepsNoOtherDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		w.enter("n2", id, "ann")
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
		h1 := w.nodes(4)
		id := w.found("", "ann", rooms.CreateRoom{Name: "lobby"})
		r := w.enter("n1", id, "ann")
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
			old := false
			at.wait(func() { old = at.ctl != nil && at.ctl.Status().Self.Incarnation == 0 })
			if old {
				t.Errorf("%s: the node passes for its old self, whose votes it has forgotten", name)
			}
		}
		w.do(r, "", "ann", &rooms.Say{Text: "on"})
	})
}
