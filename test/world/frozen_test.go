package world

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// Both halves of a split network talk; some of them more than the controllers' nodes. When it heals, everybody has everything, once.
func TestBothSidesOfASplitTalkAndAllHaveAllAfterwards(t *testing.T) {
	for _, nodes := range []int{4, 16} {
		t.Run(fmt.Sprint(nodes, " nodes"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { splitTalk(t, nodes) })
		})
	}
}

func splitTalk(t *testing.T, nodes int) {
	w := New(t, Nodes(nodes), Lease(20*time.Second))
	var seats []*Seat
	for _, n := range w.Nodes() {
		seats = append(seats, w.User("at "+n.Name).On(n.Name).Join("lobby").Say("here from "+n.Name))
	}
	w.Settle(time.Minute)
	// Two of the four controllers on each side: no side has a quorum.
	controllers := seats[0].r.Status().Controllers
	var cut []string
	side := map[*Seat]bool{}
	for i, s := range seats {
		at := slices.Index(controllers, s.node.ID)
		if side[s] = at >= 2 || at < 0 && i%2 == 0; side[s] {
			cut = append(cut, s.node.Name)
		}
	}
	before := map[*Seat]int{}
	for _, s := range seats {
		before[s] = len(s.Shown())
	}
	w.Partition(cut...)
	w.Eventually("everybody is told that the room is frozen", 15*time.Second, func() bool {
		return !slices.ContainsFunc(seats, func(s *Seat) bool { return !s.Frozen() })
	})
	var all []string
	for round := range 3 {
		for _, s := range seats {
			text := fmt.Sprintf("%s says %d", s.Nick(), round)
			s.Talk(text)
			all = append(all, text)
		}
		time.Sleep(10 * time.Second)
	}
	if err := seats[0].TryAsk(&rooms.Subject{Text: "x"}); err != errs.Frozen {
		t.Errorf("a subject while frozen: %v", err)
	}
	reached := 0
	for _, s := range seats {
		shown := s.Shown()[before[s]:]
		for _, o := range seats {
			for round := range 3 {
				there := slices.Contains(shown, fmt.Sprintf("%s says %d", o.Nick(), round))
				switch {
				case there && side[s] != side[o]:
					t.Errorf("%s was shown what %s said on the other side", s.Nick(), o.Nick())
				case there && s != o:
					reached++
				case !there && s == o:
					t.Errorf("%s was not shown its own words", s.Nick())
				}
			}
		}
	}
	if most := len(cut)*(len(cut)-1)*3 + (nodes-len(cut))*(nodes-len(cut)-1)*3; reached < most*9/10 {
		t.Errorf("%d of %d messages reached the others of the same side", reached, most)
	}
	w.Heal()
	w.Eventually("everything is ordered everywhere", 2*time.Minute, func() bool {
		return !slices.ContainsFunc(seats, func(s *Seat) bool {
			heard := s.Heard()
			return slices.ContainsFunc(all, func(text string) bool { return !slices.Contains(heard, text) })
		})
	})
	w.Eventually("everybody is told that the room goes on", time.Minute, func() bool {
		return !slices.ContainsFunc(seats, (*Seat).Frozen)
	})
	slices.Sort(all)
	for _, s := range seats {
		shown := s.Shown()[before[s]:]
		slices.Sort(shown)
		if !slices.Equal(shown, all) {
			t.Errorf("%s was shown %d messages, %d were said", s.Nick(), len(shown), len(all))
		}
		if gone := s.Withdrawn(); len(gone) > 0 {
			t.Errorf("%s was shown the withdrawal of %q", s.Nick(), gone)
		}
		if a, b := s.Heard(), seats[0].Heard(); !slices.Equal(a[len(a)-len(all):], b[len(b)-len(all):]) {
			t.Errorf("%s heard another order than %s", s.Nick(), seats[0].Nick())
		}
	}
	w.Settle(2 * time.Minute)
	w.Check()
}

// The node of somebody who talks to nobody loses power and starts again: what was said there is ordered all the same.
func TestTalkOfANodeThatLosesPowerWhileFrozenIsOrdered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(t, Nodes(4))
		a, b := w.User("a").On("n1").Join("lobby").Say("one"), w.User("b").On("n3").Join("lobby").Say("two")
		w.Settle(time.Minute)
		w.Partition("n1", "n2")
		w.Eventually("it is known", 15*time.Second, a.Frozen)
		for i := range 5 {
			a.Talk(fmt.Sprint("kept ", i))
		}
		w.Eventually("it is shown", 5*time.Second, func() bool { return slices.Contains(a.Shown(), "kept 4") })
		w.Crash("n1")
		a.Go()
		time.Sleep(20 * time.Second)
		w.Restart("n1")
		time.Sleep(20 * time.Second)
		w.Heal()
		w.Eventually("it is ordered", time.Minute, func() bool { return slices.Contains(b.Heard(), "kept 4") })
		var kept []string
		for _, text := range b.Shown() {
			if len(text) > 4 && text[:4] == "kept" {
				kept = append(kept, text)
			}
		}
		if !slices.IsSorted(kept) || len(kept) != 5 {
			t.Errorf("b was shown %q", kept)
		}
		w.Settle(time.Minute)
		w.Check()
	})
}
