package replica

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// parkedEverywhere waits until no node has the room in memory.
func (w *world) parkedEverywhere(id rooms.RoomID) {
	w.t.Helper()
	w.eventually("the room is parked on all nodes", 2*time.Minute, func() bool {
		for _, h := range w.hosts {
			if h.Get(id) != nil || slices.Contains(h.controllersOf(id), h.self) && !h.isParked(id) {
				return false
			}
		}
		return true
	})
}

func (h *Host) controllersOf(id rooms.RoomID) []rooms.NodeID {
	rec, _ := h.record(id)
	return rec.Now
}

func (w *world) led(id rooms.RoomID) string {
	for _, h := range w.hosts {
		if f, ok := h.Facts(id); ok && !f.Leader.IsZero() {
			return w.name(f.Leader)
		}
	}
	w.t.Fatal("nobody led the room")
	return ""
}

// say enters the room at a node, says something and leaves.
func (w *world) say(h *Host, id rooms.RoomID, text string) error {
	r, err := h.Open(w.t.Context(), id, "", "bob")
	if err != nil {
		return err
	}
	for _, b := range []rooms.Body{&rooms.Enter{}, &rooms.Say{Text: text}, &rooms.Leave{}} {
		if _, err := r.Ask(w.t.Context(), "", "bob", b); err != nil {
			return err
		}
	}
	return nil
}

func TestAParkedRoomGrowsWithTheNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h1 := w.start("n1")
		id := w.found("", "ann", rooms.CreateRoom{Name: "lobby"})
		w.parkedEverywhere(id)
		w.grow("n2", "n3", "n4")
		w.eventually("it has four controllers", 3*time.Minute, func() bool { return len(h1.controllersOf(id)) == 4 })
		w.parkedEverywhere(id)
	})
}

func TestAfterARestartParkedRoomsStayOnDiskAndAreKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := w.start("n1")
		ids := map[string]rooms.RoomID{}
		for _, n := range []string{"tagged", "plain", "busy"} {
			id := w.found("", "ann", rooms.CreateRoom{Name: n, Temporary: true})
			ids[n] = id
			r := w.enter("n1", id, "ann")
			w.do(r, "", "ann", &rooms.Subject{Text: "all about " + n})
			if n == "tagged" {
				w.do(r, "", "ann", &rooms.Tag{Add: []string{"physics"}})
			}
			if n != "busy" {
				w.do(r, "", "ann", &rooms.Leave{})
			}
		}
		w.eventually("two are parked", time.Minute, func() bool { return h.isParked(ids["tagged"]) && h.isParked(ids["plain"]) })
		w.kill("n1")
		var mu sync.Mutex
		var shown []rooms.RoomID
		w.adapt = func(c *Config) {
			c.Opened = func(id rooms.RoomID) {
				mu.Lock()
				defer mu.Unlock()
				shown = append(shown, id)
			}
		}
		h = w.start("n1")
		synctest.Wait()
		if len(h.Replicas()) != 2 || h.Get(ids["busy"]) == nil {
			t.Errorf("%d rooms were loaded, want the directory and the one that was awake", len(h.Replicas()))
		}
		mu.Lock()
		if !slices.Contains(shown, ids["tagged"]) || slices.Contains(shown, ids["plain"]) {
			t.Error("the index must be told of parked rooms that hold tags, and of no others")
		}
		mu.Unlock()
		tags := 0
		if !h.View(ids["tagged"], func(st *rooms.State) { tags = len(st.Tags) }) || tags != 1 || h.Get(ids["tagged"]) != nil {
			t.Errorf("a parked room shows %d tags, or was woken for it", tags)
		}
		f, ok := h.Facts(ids["plain"])
		if !ok || !f.Parked || f.Subject != "all about plain" || f.Height == 0 || f.Leader != h.self || !f.Open || f.Hidden {
			t.Errorf("known of it: %+v", f)
		}
		w.eventually("an empty temporary room ends when its time has come", 12*time.Minute, func() bool {
			_, err := h.record(ids["plain"])
			return errors.Is(err, errs.NotFound)
		})
	})
}

func TestARoomForWhichSomethingWaitsIsNotParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := w.start("n1")
		id := w.found("", "ann", rooms.CreateRoom{Name: "lobby", Temporary: true})
		r := w.open("n1", id, "ann")
		parked := make(chan bool, 2)
		r.call(func() {
			rest := &resting{Height: r.chain.Height}
			r.put(inFrame{node("n2"), frame{Room: id, Kind: frameAskHead}})
			h.park(r, rest)
			parked <- r.parked
			r.call(func() { h.park(r, rest); parked <- r.parked }) // the frame is gone now
		})
		if <-parked || !<-parked {
			t.Error("parked when it must not be, or not parked when it can be")
		}
	})
}

// TestARoomThatTheDirectoryDoesNotKnowIsNotParked: somebody must tell the directory who controls the room now, and nobody does while it rests.
func TestARoomThatTheDirectoryDoesNotKnowIsNotParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := w.start("n1")
		id := w.found("", "ann", rooms.CreateRoom{Name: "lobby"})
		r := w.open("n1", id, "ann")
		w.eventually("it rests", time.Minute, func() (rests bool) {
			r.wait(func() { rests = !r.park.since.IsZero() })
			return rests
		})
		r.wait(func() {
			base := r.chain.Machine.Base()
			base.Since++
			r.tickRest(time.Now().Add(h.cfg.Rest))
			if r.parked {
				t.Error("it is parked, and the directory shows other controllers")
			}
			base.Since--
			r.tickRest(time.Now().Add(h.cfg.Rest))
			if !r.parked {
				t.Error("it is not parked when the directory knows")
			}
		})
	})
}
