package replica

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
	"warren/rooms/archive"
	"warren/rooms/errs"
)

// exported returns the room's archive as the host writes it, checked.
func (w *world) exported(h *Host, id rooms.RoomID) []byte {
	w.t.Helper()
	var b bytes.Buffer
	if err := h.Export(w.t.Context(), id, &b); err != nil {
		w.t.Fatal(err)
	}
	rep, err := archive.Verify(bytes.NewReader(b.Bytes()), w.genesis.ID())
	if err != nil {
		w.t.Fatal(err)
	}
	if rep.Room != id || rep.Height == 0 {
		w.t.Fatalf("the archive is of %s up to %d", rep.Room.Short(), rep.Height)
	}
	return b.Bytes()
}

// height is where the host's copy of the room stands, 0: nowhere.
func height(h *Host, id rooms.RoomID) (n uint64) {
	if r := h.Get(id); r != nil {
		n, _ = r.Head()
	}
	return n
}

func TestARoomIsExportedAndBroughtBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start("n1")
		id := w.found("", "ann", rooms.CreateRoom{Name: "lab"})
		w.talk("n1", id, "early ", 100)
		w.kill("n1")
		old := w.stores["n1"].clone()
		h := w.start("n1")
		r := w.talk("n1", id, "late ", 300)
		want, head := r.Head()
		file := w.exported(h, id)
		// A host that was never started writes the same file.
		w.kill("n1")
		still, err := New(Config{Key: key("n1"), Genesis: w.genesis, Store: w.stores["n1"]})
		if err != nil {
			t.Fatal(err)
		}
		resting := w.exported(still, id)
		still.Close()
		if len(resting) < len(file) {
			t.Errorf("%d bytes from the stopped node, %d from the running one", len(resting), len(file))
		}
		// The disk is lost; what is left is an old copy of it.
		w.stores["n1"] = old
		h = w.start("n1")
		had := height(h, id)
		got, err := h.Import(t.Context(), bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		if got.Has != want || got.Had > had+1 || got.Name != "lab" {
			t.Errorf("imported %+v into a copy at %d, want up to %d", got, had, want)
		}
		if n, at := h.Get(id).Head(); n < want || n == want && at != head {
			t.Errorf("the copy is at %d, %s; it was at %d, %s", n, at.Short(), want, head.Short())
		}
		// Again, there is nothing to do.
		if again, err := h.Import(t.Context(), bytes.NewReader(file)); err != nil || again.Had < want {
			t.Errorf("the second import: %+v, %v", again, err)
		}
		w.exported(h, id)
	})
}

func TestWhatCannotBeImported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start("n1")
		id := w.found("", "ann", rooms.CreateRoom{Name: "lab"})
		w.talk("n1", id, "a", 5)
		w.kill("n1")
		before := w.stores["n1"].clone()
		h := w.start("n1")
		w.talk("n1", id, "b", 5)
		one := w.exported(h, id)
		w.kill("n1")
		// The only controller comes back without its memory, and says something else: a fork.
		w.stores["n1"] = before
		h = w.start("n1")
		r := w.talk("n1", id, "c", 5)
		at, _ := r.Head()
		_, err := h.Import(t.Context(), bytes.NewReader(one))
		var fork *Fork
		if !errors.As(err, &fork) {
			t.Fatalf("the import of another history: %v", err)
		}
		if both := fork.Both(); len(both) != 1 || both[0] != node("n1") || fork.Here.Header.Height != fork.There.Header.Height || fork.Here.Header.Prev != fork.There.Header.Prev {
			t.Errorf("the fork at %d and %d was signed twice by %v", fork.Here.Header.Height, fork.There.Header.Height, both)
		}
		for _, c := range []Certified{fork.Here, fork.There} {
			if err := c.Cert.Verify(c.Header.Hash(), []rooms.NodeID{node("n1")}); err != nil {
				t.Errorf("what proves the fork: %v", err)
			}
		}
		if now, _ := r.Head(); now != at {
			t.Errorf("the copy moved from %d to %d", at, now)
		}

		stranger := newWorld(t)
		stranger.genesis.Name = "elsewhere"
		hs := stranger.start("n1")
		ids := stranger.found("", "ann", rooms.CreateRoom{Name: "lab"})
		stranger.talk("n1", ids, "x", 2)
		if _, err := h.Import(t.Context(), bytes.NewReader(stranger.exported(hs, ids))); !errors.Is(err, ErrForeign) {
			t.Errorf("a file of another network: %v", err)
		}
		if _, err := h.Import(t.Context(), bytes.NewReader([]byte("nonsense"))); !errors.Is(err, archive.ErrNotArchive) {
			t.Errorf("nonsense: %v", err)
		}
		if err := h.Export(t.Context(), rooms.RoomID{1}, &bytes.Buffer{}); !errors.Is(err, errs.NotFound) {
			t.Errorf("the export of an unknown room: %v", err)
		}
	})
}

func TestAClosedRoomIsNotImported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := w.start("n1")
		id := w.found("", "ann", rooms.CreateRoom{Name: "tent", Temporary: true})
		r := w.talk("n1", id, "x", 3)
		file := w.exported(h, id)
		w.do(r, "", "ann", &rooms.Leave{})
		w.eventually("the empty room is gone", 30*time.Minute, func() bool { _, err := h.record(id); return errors.Is(err, errs.NotFound) })
		if _, err := h.Import(t.Context(), bytes.NewReader(file)); !errors.Is(err, errs.Closed) {
			t.Errorf("the import of a closed room: %v", err)
		}
	})
}

// TestACopyOfNobodyIsImported: a node that has no part in the room keeps what it is brought.
func TestACopyOfNobodyIsImported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lab")
		r := w.talk("n1", id, "x", 80)
		want, _ := r.Head()
		file := w.exported(w.hosts["n1"], id)
		n5 := w.join("n5", id)
		if n := height(n5, id); n != 0 {
			t.Fatalf("the newcomer is at %d", n)
		}
		// Nobody can be asked: all it gets is in the file.
		for _, n := range []string{"n1", "n2", "n3", "n4"} {
			w.lan.set(node(n), false)
		}
		// What nobody signed is not taken, though whoever brings it forgot to check the file.
		bad := bytes.Clone(file)
		bad[len(bad)/2] ^= 1
		if _, err := n5.Import(t.Context(), bytes.NewReader(bad)); err == nil || height(n5, id) >= want {
			t.Errorf("a damaged file was taken in, up to %d: %v", height(n5, id), err)
		}
		got, err := n5.Import(t.Context(), bytes.NewReader(file))
		if err != nil || got.Has < want {
			t.Errorf("imported %+v, %v; want up to %d", got, err, want)
		}
	})
}
