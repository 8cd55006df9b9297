package replica

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

func TestAControllerThatStaysAwayIsReplacedAndComesBackAsAMember(t *testing.T) {
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
		away := "n3"
		w.kill(away)
		w.eventually("the room and the directory have done with it", 20*time.Minute, func() bool {
			return !slices.Contains(r.Status().Controllers, node(away)) && !slices.Contains(h1.Dir().Status().Controllers, node(away)) &&
				len(r.Status().Controllers) == 4
		})
		for i := range 300 { // more than is kept of raft's log
			if _, err := r.Ask(ctx, "", "ann", &rooms.Say{Text: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
		}
		back := w.start(away)
		want, _ := h1.Dir().Head()
		w.eventually("it has caught up with the directory", time.Minute, func() bool {
			got, _ := back.Dir().Head()
			return got >= want
		})
		rb, err := back.Open(ctx, id, "", "bob")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rb.Ask(ctx, "", "bob", &rooms.Enter{}); err != nil {
			t.Fatal(err)
		}
		if _, err := rb.Ask(ctx, "", "bob", &rooms.Say{Text: "back"}); err != nil {
			t.Fatal(err)
		}
	})
}

// TestARoomThatIsCrowdedTakesInAStranger: three of four controllers were let in by the first; a node that another one let in takes the place of one
// of them, in the directory and in a room, though nobody is away.
func TestARoomThatIsCrowdedTakesInAStranger(t *testing.T) {
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
		r, err := h1.Open(ctx, id, "", "ann")
		if err != nil {
			t.Fatal(err)
		}
		if err := w.hosts["n2"].Order(ctx, &rooms.AdmitNode{Node: node("n5"), Name: "n5", Sponsor: "somebody else"}); err != nil {
			t.Fatal(err)
		}
		w.start("n5")
		w.eventually("the stranger controls", 5*time.Minute, func() bool {
			a, b := r.Status().Controllers, h1.Dir().Status().Controllers
			return len(a) == 4 && len(b) == 4 && slices.Contains(a, node("n5")) && slices.Contains(b, node("n5"))
		})
		before, _ := r.Head()
		time.Sleep(20 * time.Minute) // virtual: it rests there
		if after, _ := r.Head(); after > before+2 {
			t.Errorf("the room goes on changing: from height %d to %d", before, after)
		}
	})
}
