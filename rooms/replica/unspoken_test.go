package replica

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// TestARefusedWishHoldsUpNobody: an account has taken its device from it, and its wishes there are refused at once. What other people of the node wish
// goes on.
func TestARefusedWishHoldsUpNobody(t *testing.T) {
	for _, at := range []string{"n1", "n5"} { // one that orders the room, and one that does not
		t.Run(at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, id := newWorld(t).four("lobby")
				w.join("n5", id)
				drop := w.account("dora", at)
				r := w.openAs(at, id, "dora", "dora")
				w.do(r, "dora", "dora", &rooms.Enter{})
				w.do(r, "", "zed", &rooms.Enter{})
				drop()
				for _, h := range w.hosts {
					w.eventually("all nodes know", time.Minute, func() bool { return !h.view(h.dirHeight()).Signs("dora", node(at)) })
				}
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				got := make(chan Outcome, 4)
				keep := func(o Outcome) { got <- o }
				r.Submit("", "zed", &rooms.Say{Text: "one"}, nil, nil)
				r.Submit("dora", "dora", &rooms.Say{Text: "two"}, nil, keep)
				r.Submit("dora", "dora", &rooms.Say{Text: "three"}, nil, keep)
				if _, err := r.Ask(ctx, "", "zed", &rooms.Say{Text: "four"}); err != nil {
					t.Errorf("what another one says behind that: %v", err)
				}
				for range 2 {
					select {
					case o := <-got:
						if !errors.Is(o.Err, errs.Void) {
							t.Errorf("she was told: %v", o.Err)
						}
					case <-ctx.Done():
						t.Error("she was told nothing")
					}
				}
				if got := said(t, r); !slices.Equal(got, []string{"one", "four"}) {
					t.Errorf("said was %q", got)
				}
			})
		})
	}
}

// TestWhoLiesAboutAWishRefusesNothing: a controller says that the node may not speak for an author, and the directory says that it may.
func TestWhoLiesAboutAWishRefusesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		w.join("n5", id)
		r, s := w.seat("n5", "bob", id)
		w.lan.split(node("n5"))
		w.eventually("it is frozen", 5*time.Second, s.isFrozen)
		done := make(chan int, 2)
		r.call(func() { r.submit("", "bob", &rooms.Leave{}, nil, nil); done <- len(r.out.pending) })
		r.call(func() {
			r.answered(node("n2"), answer{ID: r.out.pending[0].id, Kind: errs.Void})
			done <- len(r.out.pending)
		})
		if a, b := <-done, <-done; a != 1 || b != 1 {
			t.Errorf("%d wishes waited, %d after the lie", a, b)
		}
	})
}
