package replica

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

func TestANodeThatLostItsDiskFoundsNoOldRoomAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		h1 := w.start("n1")
		for _, n := range []string{"n2", "n3", "n4"} {
			w.admit(n)
			w.start(n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		w.eventually("four controllers", time.Minute, func() bool { return len(h1.Dir().Status().Controllers) == 4 })
		id, err := h1.Create(ctx, "", "ann", rooms.CreateRoom{Name: "lobby"})
		if err != nil {
			t.Fatal(err)
		}
		r, err := h1.Open(ctx, id, "", "ann")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Ask(ctx, "", "ann", &rooms.Enter{}); err != nil {
			t.Fatal(err)
		}
		lost := "n3"
		w.kill(lost)
		delete(w.stores, lost)
		w.since[lost], _ = h1.Dir().Head()
		h := w.start(lost)
		w.eventually("it holds the room again", time.Minute, func() bool {
			c := h.Get(id)
			if c == nil {
				return false
			}
			got, _ := c.Head()
			want, _ := r.Head()
			return got == want
		})
		for name, at := range map[string]*Replica{"room": h.Get(id), "directory": h.Dir()} {
			life := make(chan uint64, 1)
			at.call(func() {
				if at.ctl != nil {
					life <- at.ctl.Status().Self.Incarnation
				} else {
					life <- ^uint64(0)
				}
			})
			if <-life == 0 {
				t.Errorf("%s: the node passes for its old self, whose votes it has forgotten", name)
			}
		}
		if _, err := r.Ask(ctx, "", "ann", &rooms.Say{Text: "on"}); err != nil {
			t.Fatal(err)
		}
	})
}
