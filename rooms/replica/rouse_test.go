package replica

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

// After a rest links may be slow to tell that the leader is dead. So all controllers hear of the first wish at once, and of no other.
func TestTheFirstWishAfterARestGoesToAllControllers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		w.join("n5", id)
		r := w.open("n5", id, "bob")
		w.do(r, "", "bob", &rooms.Enter{})
		var sent atomic.Int64
		w.lan.mu.Lock()
		w.lan.alter = func(from rooms.NodeID, f *frame) bool {
			if from == node("n5") && f.Kind == frameSubmit {
				sent.Add(1)
			}
			return true
		}
		w.lan.mu.Unlock()
		for _, c := range []struct {
			pause time.Duration
			want  int64
		}{{20 * time.Second, 4}, {time.Second, 1}, {parkAfter - time.Second, 1}, {time.Minute, 4}} {
			time.Sleep(c.pause)
			sent.Store(0)
			w.do(r, "", "bob", &rooms.Say{Text: "hello"})
			synctest.Wait()
			if got := sent.Load(); got != c.want {
				t.Errorf("after a pause of %v the wish was sent %d times, want %d", c.pause, got, c.want)
			}
		}
	})
}
