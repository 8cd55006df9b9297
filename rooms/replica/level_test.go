package replica

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

// A controller comes back, and its copy takes decisions that go by a version of the directory which has come in the same moment. What the copy has, its
// controller has too: raft may have it no more.
func TestControllerIsLevelWithItsCopyThoughTheDirectoryMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		r := w.member(id)
		s := r.Status()
		away := slices.DeleteFunc(s.Controllers, func(n rooms.NodeID) bool { return n == s.Leader })[0]
		b, lead := w.hosts[w.name(away)].Get(id), w.hosts[w.name(s.Leader)]
		w.lan.split(away)
		below, _ := b.Head()
		w.registered(lead, "carol")
		w.do(r, "", "bob", &rooms.Say{Text: "one is away"}, &rooms.Say{Text: "still"})
		top, _ := lead.Get(id).Head()
		list, err := lead.decisions(id, below+1, top)
		if err != nil || len(list) < 2 || list[len(list)-1].Header.Dir <= b.h.dirHeight() {
			t.Fatalf("%d decisions, %v; want some that the other one cannot judge yet", len(list), err)
		}
		still, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			b.wait(func() {
				<-still
				for i := range list {
					b.offer(&list[i], s.Leader, 0)
				}
				if at := b.ctl.Status().Certified; at != b.chain.Height || at != top {
					t.Errorf("the controller is at height %d, its copy at %d, the others at %d", at, b.chain.Height, top)
				}
			})
		}()
		w.lan.split()
		w.eventually("the directory comes", time.Minute, func() bool { return b.h.dirHeight() >= list[len(list)-1].Header.Dir })
		close(still)
		<-done
	})
}
