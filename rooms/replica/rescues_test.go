package replica

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

// TestSleptThroughTwoRescues: a node whose directory went on in the first epoch, and that misses two later ones, comes back to the others.
func TestSleptThroughTwoRescues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.genesis.Recovery = node("recovery")
		w.nodes(4)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		w.kill("n1")
		for _, n := range []string{"lost1", "lost2", "lost3"} {
			w.admitBy("n2", n, "n2")
		}
		for _, n := range []string{"n2", "n3", "n4"} {
			w.kill(n)
		}
		h1 := w.start("n1")
		time.Sleep(time.Minute)
		if _, err := h1.Rescue(ctx, key("recovery")); err != nil {
			t.Fatal(err)
		}
		w.admit("n5")
		d := h1.Dir()
		d.call(func() {
			again := rooms.Rescue{Epoch: 3, Start: d.chain.Height, Head: d.chain.Head, Controllers: []rooms.NodeID{h1.Self()}}
			again.Sign(d.id, key("recovery"))
			d.rescued(&again)
		})
		w.eventually("the second rescue", time.Minute, func() bool { return d.Status().Epoch == 3 })
		for range 2 { // and it stays there when it starts again
			h2 := w.start("n2")
			w.eventually("who slept is with the others", 2*time.Minute, func() bool {
				s := h2.Dir().Status()
				return s.Epoch == 3 && s.Head == d.Status().Head
			})
			w.kill("n2")
		}
	})
}
