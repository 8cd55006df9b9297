package replica

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
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

func TestWhoWaitsForTheDirectoryIsToldThatItIsFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := w.nodes(4)
		label := func(s string) (time.Duration, error) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			began := time.Now()
			err := h.OrderUnlessFrozen(ctx, &rooms.LabelNode{Label: s})
			return time.Since(began), err
		}
		if _, err := label("one"); err != nil {
			t.Fatal(err)
		}
		// Nothing comes through, but nobody knows that yet: it is known when the wish has waited for too long.
		w.lan.mu.Lock()
		w.lan.mute = func(from, _ rooms.NodeID) bool { return from == h.self }
		w.lan.mu.Unlock()
		if took, err := label("two"); !errors.Is(err, errs.Frozen) || took > frozenAfter+time.Second {
			t.Errorf("%v after %v, though nothing is ordered since %v", err, took, frozenAfter)
		}
		w.lan.set(node("n3"), false)
		w.lan.set(node("n4"), false)
		time.Sleep(time.Second)
		if took, err := label("three"); !errors.Is(err, errs.Frozen) || took > 0 {
			t.Errorf("%v after %v, of a directory known to be frozen", err, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := h.Order(ctx, &rooms.LabelNode{Label: "four"}); !errors.Is(err, errs.Frozen) {
			t.Errorf("%v, of who waited as long as was given", err)
		}
		w.lan.mu.Lock()
		w.lan.mute = nil
		w.lan.mu.Unlock()
		w.lan.set(node("n3"), true)
		w.lan.set(node("n4"), true)
		w.eventually("it orders again", time.Minute, func() bool { _, err := label("five"); return err == nil })
	})
}

// A room thaws once: people are told so when somebody leads it again and what they said meanwhile is ordered, and that takes no election time-out.
func TestAThawedRoomDoesNotFreezeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		names := []string{"n1", "n2", "n3", "n4"}
		var told [4]struct{ freezes, thaws atomic.Int32 }
		var rs [4]*Replica
		for i, n := range names {
			rs[i] = w.enter(n, id, "who"+n)
			rs[i].WatchFrozen(func(is bool) {
				if is {
					told[i].freezes.Add(1)
				} else {
					told[i].thaws.Add(1)
				}
			})
		}
		w.lan.split(node("n1"), node("n2"))
		time.Sleep(4 * time.Second) // raft's leader has given up
		var ordered atomic.Int32
		for i, r := range rs {
			r.Submit("", "who"+names[i], &rooms.Say{Text: "into the void"}, nil, func(o Outcome) { ordered.Add(1) })
		}
		time.Sleep(2 * time.Second)
		w.lan.split()
		began := time.Now()
		w.eventually("all is ordered", 10*time.Second, func() bool { return ordered.Load() == 4 })
		if d := time.Since(began); d > time.Second {
			t.Errorf("ordered %v after the quorum was back", d)
		}
		time.Sleep(10 * time.Second)
		for i := range told {
			if f, th := told[i].freezes.Load(), told[i].thaws.Load(); f != 1 || th != 1 {
				t.Errorf("%s was told %d times that the room is frozen, and %d times that it goes on", names[i], f, th)
			}
		}
	})
}
