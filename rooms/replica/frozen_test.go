package replica

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

func TestARoomWithoutQuorumIsFrozenAndGoesOnAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		r := w.open("n1", id, "ann")
		var frozen atomic.Bool
		r.WatchFrozen(frozen.Store)
		w.do(r, "", "ann", &rooms.Enter{})
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
