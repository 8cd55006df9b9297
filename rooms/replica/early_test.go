package replica

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

// TestAWishMayComeBeforeItsRoom: a controller hears a wish before the directory has told it of the room, and answers when it has.
func TestAWishMayComeBeforeItsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.nodes(4)
		h, asker := w.hosts["n2"], node("n3")
		w.lan.mu.Lock()
		w.lan.mute = func(_, to rooms.NodeID) bool { return to == h.self }
		w.lan.mu.Unlock()
		id := w.found("", "ann", rooms.CreateRoom{Name: "lobby", Temporary: true})
		if _, err := h.record(id); err == nil {
			t.Fatal("the controller knows the room already")
		}
		enter := rooms.NewRequest(id, "", "eve", &rooms.Enter{})
		enter.Counter = 1
		enter.Sign(key("n3"))
		var answered atomic.Bool
		h.Frame(asker, rooms.Marshal(frame{Room: id, Kind: frameSubmit, Data: rooms.Marshal(enter)}))
		w.lan.mu.Lock()
		w.lan.mute = nil
		w.lan.alter = func(from rooms.NodeID, f *frame) bool {
			var a answer
			if from == h.self && f.Kind == frameAnswer && rooms.Unmarshal(f.Data, &a) == nil && a.ID == enter.ID() {
				answered.Store(true)
			}
			return true
		}
		w.lan.mu.Unlock()
		w.knows(h, id)
		w.eventually("n2 answers the wish", time.Second, answered.Load)
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(h.early) > 0 {
			t.Errorf("%d frames are still kept", len(h.early))
		}
	})
}

func TestWhatComesTooEarlyIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, known := newWorld(t).four("lobby")
		w.join("n5", known)
		h := w.hosts["n2"]
		kept := func() int {
			h.mu.Lock()
			defer h.mu.Unlock()
			return len(h.early)
		}
		counted := func(from rooms.NodeID) int {
			h.load.mu.Lock()
			defer h.load.mu.Unlock()
			return h.load.by[from]
		}
		early := func(from rooms.NodeID, kind uint8, size int) {
			for i := range 2 * earlyFrames {
				room := rooms.RoomID{1, byte(i), byte(i >> 8)}
				h.mu.Lock()
				h.keepEarly(inFrame{from, frame{Room: room, Kind: kind, Data: make([]byte, size)}})
				h.mu.Unlock()
			}
		}
		h.Frame(node("n5"), rooms.Marshal(frame{Room: rooms.RoomID{1}, Kind: frameAnswer}))
		early(node("stranger"), frameSubmit, 10)
		early(node("n5"), frameSubmit, earlyBytes+1)
		if n := kept(); n != 0 {
			t.Errorf("%d frames are kept of strangers, too long, or answers to what nobody asked", n)
		}
		early(node("n5"), frameSubmit, 10)
		if n := kept(); n != earlyShare {
			t.Errorf("%d frames of one node are kept, want %d", n, earlyShare)
		}
		if n := counted(node("n5")); n != earlyShare*(10+frameCost) {
			t.Errorf("they count %d bytes", n)
		}
		early(node("n3"), frameAskHead, 10)
		if n := kept(); n != 2*earlyShare {
			t.Errorf("%d frames of two nodes are kept, want %d", n, 2*earlyShare)
		}
		time.Sleep(earlyLife + 2*quietTick)
		synctest.Wait()
		if n := kept(); n != 0 {
			t.Errorf("%d frames are kept for longer than %v", n, earlyLife)
		}
		if n := counted(node("n5")); n != 0 {
			t.Errorf("what was given up counts %d bytes", n)
		}
	})
}

func TestThereIsRoomForSoMuchThatComesTooEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := w.start("n1")
		want := rooms.RoomID{7}
		for i := range 2 * earlyFrames / earlyShare {
			name := fmt.Sprint("n", i+2)
			w.admit(name)
			for range earlyShare {
				h.Frame(node(name), rooms.Marshal(frame{Room: want, Kind: frameAskHead, Data: []byte{byte(i)}}))
			}
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if n := len(h.early); n != earlyFrames {
			t.Errorf("%d frames are kept, want %d", n, earlyFrames)
		}
		list := h.takeEarly(want)
		if !slices.IsSortedFunc(list, func(a, b inFrame) int { return int(a.Data[0]) - int(b.Data[0]) }) {
			t.Error("they are not handed on in the order in which they came")
		}
		if len(list) != earlyFrames || len(h.early) != 0 {
			t.Errorf("%d are handed on, %d stay", len(list), len(h.early))
		}
	})
}

// TestANewRoomIsEnteredAtOnce: from nodes that control it as from those that do not, nobody waits until a question or a wish is repeated.
func TestANewRoomIsEnteredAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.nodes(5)
		w.lan.slow(2 * time.Millisecond)
		for i := range 20 {
			h := w.hosts[fmt.Sprint("n", 1+i%5)]
			began := time.Now()
			id, err := h.Create(t.Context(), "", "ann", rooms.CreateRoom{Name: fmt.Sprint("room", i), Temporary: true})
			if err != nil {
				t.Fatal(err)
			}
			r, err := h.Open(t.Context(), id, "", "ann")
			if err != nil {
				t.Fatal(err)
			}
			w.do(r, "", "ann", &rooms.Enter{})
			if d := time.Since(began); d > 100*time.Millisecond {
				t.Errorf("room %d, with a controller at its maker's node: %v: entered after %v", i, r.Status().Controls, d)
			}
		}
	})
}
