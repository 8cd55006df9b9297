package replica

import (
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

// TestNobodyEndsAnEpochThatGoesOn: a statement ends the epoch for whoever gives it. While the room goes on none is given, whoever asks, in whoever's
// name.
func TestNobodyEndsAnEpochThatGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h1 := w.nodes(4)
		w.registered(h1, "alice")
		id := w.found("alice", "", rooms.CreateRoom{Name: "hall"})
		r := w.openAs("n1", id, "alice", "")
		r.Watch(func(*rooms.Event, any) {}) // it stays awake
		w.do(r, "alice", "alice", &rooms.Enter{})
		time.Sleep(time.Minute) // it has been quiet for longer than a stuck one would be
		for from, as := range map[string]string{"n1": "alice", "n2": ""} {
			r := w.hosts["n3"].Get(id)
			r.wait(func() { r.askedToState(node(from), askState{Epoch: 1, For: as}) })
			ended := false
			r.wait(func() { ended = r.ctl.Ended() })
			if ended {
				t.Errorf("%s, for %q, has the epoch ended", from, as)
			}
		}
		w.do(r, "alice", "alice", &rooms.Say{Text: "on"})
	})
}
