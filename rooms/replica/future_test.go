package replica

import (
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

// Whoever was alone controlled everything with a clock an hour ahead, before it was set right. A room's time never goes back, but it grows all the same,
// and who is gone is taken out.
func TestRoomWhoseTimeIsAheadGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := w.nodes(1)
		w.registered(h, "alice")
		id := w.found("alice", "", rooms.CreateRoom{Name: "lobby"})
		ahead := func(r *Replica) { r.wait(func() { r.ctl.Tick(r.h.Now() + time.Hour.Milliseconds()) }) }
		r := w.enter("n1", id, "ann")
		ahead(r)
		ahead(h.Dir())
		w.do(r, "", "ann", &rooms.Say{Text: "from the future"})
		w.registered(h, "bob")
		w.kill("n1")
		h = w.start("n1")
		w.grow("n2", "n3", "n4", "n5")
		r = w.enter("n1", id, "ann")
		w.knows(w.hosts["n5"], id)
		w.enter("n5", id, "eve")
		var at int64
		if r.wait(func() { at = r.chain.Time }); at < h.Now()+30*time.Minute.Milliseconds() {
			t.Fatalf("the room's time is %d, the clock %d", at, h.Now())
		}
		for _, c := range []*Replica{h.Dir(), r} {
			w.eventually("it has four controllers", time.Minute, func() bool { return len(c.Status().Controllers) == 4 })
		}
		for range 2 { // the second time no time has passed in the room
			w.kill("n5")
			w.eventually("eve is taken out", time.Minute, func() (gone bool) {
				r.View(func(s *rooms.State) { _, here := s.Occupant("eve"); gone = !here })
				return gone
			})
			w.start("n5")
			w.enter("n5", id, "eve")
		}
	})
}
