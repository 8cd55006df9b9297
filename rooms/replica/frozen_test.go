package replica

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

func TestARoomWithoutQuorumIsFrozenAndGoesOnAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		h1 := w.start("n1")
		for _, n := range []string{"n2", "n3", "n4"} {
			w.admit(n)
			w.start(n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		w.eventually("four controllers", time.Minute, func() bool { return len(h1.Dir().Status().Controllers) == 4 })
		id, err := h1.Create(ctx, "", "ann", rooms.CreateRoom{Name: "lobby", Temporary: true})
		if err != nil {
			t.Fatal(err)
		}
		r, err := h1.Open(ctx, id, "", "ann")
		if err != nil {
			t.Fatal(err)
		}
		var frozen atomic.Bool
		r.WatchFrozen(frozen.Store)
		if _, err := r.Ask(ctx, "", "ann", &rooms.Enter{}); err != nil {
			t.Fatal(err)
		}
		w.lan.set(node("n3"), false) // cut off, not killed
		w.lan.set(node("n4"), false)
		w.eventually("the room is frozen", time.Second, frozen.Load)
		var ordered atomic.Bool
		r.Submit("", "ann", &rooms.Say{Text: "when?"}, nil, func(o Outcome) { ordered.Store(o.Err == nil) })
		time.Sleep(30 * time.Second)
		if ordered.Load() {
			t.Error("acknowledged without a quorum")
		}
		w.lan.set(node("n3"), true)
		w.lan.set(node("n4"), true)
		w.eventually("what was said is ordered", 10*time.Second, ordered.Load)
		w.eventually("the room has thawed", 10*time.Second, func() bool { return !frozen.Load() })
	})
}
