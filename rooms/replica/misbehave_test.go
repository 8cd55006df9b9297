package replica

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

// TestAControllerThatSendsGarbageIsReplaced: it lives and is heard, but all others have seen enough of it.
func TestAControllerThatSendsGarbageIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		h1 := w.start("n1")
		for _, n := range []string{"n2", "n3", "n4"} {
			w.admit(n)
			w.start(n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		w.eventually("four controllers", time.Minute, func() bool { return len(h1.Dir().Status().Controllers) == 4 })
		id, err := h1.Create(ctx, "", "ann", rooms.CreateRoom{Name: "lobby"})
		if err != nil {
			t.Fatal(err)
		}
		w.admit("n5")
		w.start("n5")
		r, err := h1.Open(ctx, id, "", "ann")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Ask(ctx, "", "ann", &rooms.Enter{}); err != nil {
			t.Fatal(err)
		}
		w.eventually("all four control it", time.Minute, func() bool {
			for _, n := range []string{"n2", "n3", "n4"} {
				if c := w.hosts[n].Get(id); c == nil || c.Status().Leader.IsZero() {
					return false
				}
			}
			return true
		})
		cheat := w.hosts["n3"]
		junk := rooms.Marshal(frame{Room: id, Kind: frameOrder, Data: []byte("no message at all")})
		for range 40 {
			for _, n := range []string{"n1", "n2", "n4"} {
				for range 10 {
					cheat.cfg.Net.Send(node(n), junk)
				}
			}
			time.Sleep(time.Second) // virtual
		}
		w.eventually("the room has done with it", 5*time.Minute, func() bool {
			now := r.Status().Controllers
			return len(now) == 4 && !slices.Contains(now, node("n3"))
		})
		if list := r.Status().Charges; len(list) == 0 || list[0].Node != node("n3") || list[0].Evidence == "" {
			t.Errorf("what it did is not shown: %+v", list)
		}
	})
}
