package replica

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
)

func TestBothSidesTalkWhileFrozenAndEverybodyHasEverythingOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, rs, ss := frozenRoom(t)
		var all []string
		for i := range 5 {
			for k, nick := range []string{"ann", "bob", "cyd", "dan"} {
				say(rs[k], nick, fmt.Sprint(i))
				all = append(all, fmt.Sprintf("%s: %d", nick, i))
			}
			time.Sleep(time.Minute)
		}
		for k, s := range ss {
			for _, line := range all {
				near := (line[0] <= 'b') == (k < 2)
				if s.has(line) != near {
					t.Errorf("screen %d shows %q while frozen: %v, want %v", k, line, !near, near)
				}
			}
			if len(s.ordered) > 0 {
				t.Errorf("screen %d: ordered without a quorum: %q", k, s.ordered)
			}
		}
		w.lan.split()
		w.eventually("all is ordered", 20*time.Second, func() bool {
			return !slices.ContainsFunc(ss, func(s *screen) bool { return !s.knows(all...) })
		})
		w.eventually("the room has thawed", 5*time.Second, func() bool {
			return !slices.ContainsFunc(ss, (*screen).isFrozen)
		})
		for k, s := range ss {
			s.once(t, fmt.Sprint("screen ", k), slices.Clone(all))
			if !slices.Equal(s.ordered, ss[0].ordered) {
				t.Errorf("screen %d has another order: %q and %q", k, s.ordered, ss[0].ordered)
			}
			if len(s.confirmed) != len(s.early) || len(s.early) < 10 || len(s.withdrawn) > 0 {
				t.Errorf("screen %d: %d of %d confirmed, %v withdrawn", k, len(s.confirmed), len(s.early), s.withdrawn)
			}
		}
		for _, nick := range []string{"ann", "bob", "cyd", "dan"} { // each one's words in their order
			var mine []string
			for _, l := range ss[0].ordered {
				if strings.HasPrefix(l, nick) {
					mine = append(mine, l)
				}
			}
			if !slices.IsSorted(mine) || len(mine) != 5 {
				t.Errorf("%s was ordered as %q", nick, mine)
			}
		}
		w.do(rs[0], "", "ann", &rooms.Say{Text: "as ever"})
		for n, s := range w.stores {
			if list, _ := s.Range(Outbox, nil, nil, 1000, false); len(list) > 0 {
				t.Errorf("%s still keeps %d messages", n, len(list))
			}
		}
	})
}

func TestWhoWasTakenForGoneIsBackBeforeTheTalkIsOrdered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		r1, s1 := w.seat("n1", "ann", id)
		r2, s2 := w.seat("n2", "bob", id)
		w.lan.split(node("n1"))
		say(r1, "ann", "under way") // before anybody knows
		w.eventually("the lone node knows", 2*time.Second, s1.isFrozen)
		for i := range 3 {
			say(r1, "ann", fmt.Sprint(i))
			say(r2, "bob", fmt.Sprint(i))
		}
		gone := func() (gone bool) {
			r2.View(func(st *rooms.State) { _, here := st.Occupant("ann"); gone = !here })
			return gone
		}
		w.eventually("ann is taken for gone", time.Minute, gone)
		if s2.isFrozen() || s1.has("ann: under way") {
			t.Error("the larger side froze, or what has no fixed id was shown")
		}
		w.lan.split()
		all := []string{"ann: under way"}
		for i := range 3 {
			all = append(all, fmt.Sprintf("ann: %d", i), fmt.Sprintf("bob: %d", i))
		}
		w.eventually("ann is back", 20*time.Second, func() bool { return !gone() })
		r1.Submit("", "ann", &rooms.Enter{}, nil, nil) // as the bridge does
		w.eventually("all is ordered", 20*time.Second, func() bool { return s1.knows(all...) && s2.knows(all...) })
		s1.once(t, "ann", slices.Clone(all))
		s2.once(t, "bob", slices.Clone(all))
		if mine := slices.DeleteFunc(slices.Clone(s2.ordered), func(l string) bool { return l[0] != 'a' }); mine[0] != "ann: under way" || !slices.IsSorted(mine[1:]) {
			t.Errorf("ann was ordered as %q", mine)
		}
		if len(s1.withdrawn) > 0 {
			t.Errorf("withdrawn: %v", s1.withdrawn)
		}
		r2.View(func(st *rooms.State) {
			if o, ok := st.Occupant("ann"); !ok || o.Real != "the real ann" || o.View != "irc" {
				t.Errorf("ann came back as %+v", o)
			}
		})
	})
}

func TestWhatWasSaidWhileFrozenOutlivesTheNode(t *testing.T) {
	for _, away := range []struct {
		name string
		cut  []string
	}{{"nobody goes on", []string{"n1", "n2"}}, {"the others go on", []string{"n1"}}} {
		t.Run(away.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, id := newWorld(t).four("lobby")
				r1, s1 := w.seat("n1", "ann", id)
				_, s4 := w.seat("n4", "dan", id)
				var cut []rooms.NodeID
				for _, n := range away.cut {
					cut = append(cut, node(n))
				}
				w.lan.split(cut...)
				say(r1, "ann", "under way") // a counter of which nothing is on the disk, unless it came to lead
				w.eventually("ann's node knows", 2*time.Second, s1.isFrozen)
				for i := range 3 {
					say(r1, "ann", fmt.Sprint(i))
				}
				w.eventually("it is shown", time.Second, func() bool { return s1.has("ann: 2") })
				disk := w.stores["n1"].clone() // the disk as kill -9 finds it
				w.kill("n1")
				w.stores["n1"] = disk
				time.Sleep(time.Minute)
				h := w.start("n1")
				time.Sleep(time.Minute)
				if s4.has("ann: 0") {
					t.Error("ordered while n1 is cut off")
				}
				w.lan.split()
				all := []string{"ann: 0", "ann: 1", "ann: 2"}
				w.eventually("it is ordered", 20*time.Second, func() bool { return s4.knows(all...) })
				time.Sleep(10 * time.Second)
				seen := slices.Clone(all)
				if s4.has("ann: under way") {
					seen = append(seen, "ann: under way")
				}
				s4.once(t, "dan", seen)
				evs, err := h.Get(id).Events(t.Context(), Query{Limit: 100, Ops: []rooms.Op{rooms.OpSay}})
				evs = slices.DeleteFunc(evs, func(ev rooms.Event) bool { return ev.Body.(*rooms.Say).Text == "under way" })
				if err != nil || len(evs) != 3 {
					t.Fatalf("%d events of the log: %v", len(evs), err)
				}
				for i, ev := range evs {
					if want := s1.early[all[i]]; ev.ID != want {
						t.Errorf("%q has another id than it was shown with", all[i])
					}
				}
				h.Get(id).View(func(st *rooms.State) {
					if _, here := st.Occupant("ann"); here {
						t.Error("ann is still in the room, though her client is gone")
					}
				})
			})
		})
	}
}

func TestWhatIsRefusedLaterIsWithdrawnEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		w.join("n5", id)
		rMaker, _ := w.seat("n1", "ann", id) // made the room
		r4, s4 := w.seat("n4", "dan", id)
		_, s5 := w.seat("n5", "eve", id)
		w.lan.split(node("n4"), node("n5"))
		w.eventually("both are frozen", 2*time.Second, func() bool { return s4.isFrozen() && s5.isFrozen() })
		say(r4, "dan", "unheard")
		w.eventually("it is shown at both", time.Second, func() bool { return s4.has("dan: unheard") && s5.has("dan: unheard") })
		dan := perms.Guest("dan", node("n4").String())
		w.do(rMaker, "", "ann", &rooms.Sanction{Who: dan, Denies: perms.Say})
		w.lan.split()
		w.eventually("it is withdrawn at both", 20*time.Second, func() bool {
			s4.mu.Lock()
			defer s4.mu.Unlock()
			s5.mu.Lock()
			defer s5.mu.Unlock()
			return s4.withdrawn["dan: unheard"] == errs.Banned && s5.withdrawn["dan: unheard"] != nil
		})
		w.eventually("and the room thaws", 10*time.Second, func() bool { return !s4.isFrozen() })
		if s4.knows("dan: unheard") || s5.knows("dan: unheard") {
			t.Error("it was ordered as well")
		}
	})
}

func TestWhatCannotWaitIsRefusedAtOnceWhileFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id, rs, ss := frozenRoom(t)
		begin := time.Now()
		for _, b := range []rooms.Body{
			&rooms.Subject{Text: "x"}, &rooms.Kick{Nick: "bob"}, &rooms.Nick{New: "anna"}, &rooms.Configure{}, &rooms.Put{Kind: rooms.Document, Name: "d"},
		} {
			if _, err := rs[0].Ask(t.Context(), "", "ann", b); !errors.Is(err, errs.Frozen) {
				t.Errorf("%T: %v", b, err)
			}
		}
		if _, err := rs[0].Ask(t.Context(), "", "newcomer", &rooms.Enter{}); !errors.Is(err, errs.Frozen) {
			t.Errorf("enter: %v", err)
		}
		if _, err := w.hosts["n2"].Open(t.Context(), id, "", "newcomer"); !errors.Is(err, errs.Frozen) {
			t.Errorf("open: %v", err)
		}
		if _, err := rs[0].Ask(t.Context(), "", "cyd", &rooms.Say{Text: "I am elsewhere"}); !errors.Is(err, errs.NotHere) {
			t.Errorf("talk of somebody who is not here: %v", err)
		}
		if d := time.Since(begin); d > 0 {
			t.Errorf("it took %v", d)
		}
		left := make(chan error, 1)
		say(rs[0], "ann", "goodbye")
		rs[0].Submit("", "ann", &rooms.Leave{}, nil, func(o Outcome) { left <- o.Err })
		time.Sleep(giveUpAfter + time.Minute) // whoever leaves is not forgotten, however long it takes
		w.lan.split()
		if err := <-left; err != nil {
			t.Errorf("leave: %v", err)
		}
		w.eventually("what was said before she left is there", 5*time.Second, func() bool { return ss[3].knows("ann: goodbye") })
	})
}

func TestTalkThatWaitsTooLongOrTooMuchIsWithdrawnOrRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, rs, ss := frozenRoom(t)
		say(rs[0], "ann", "old")
		busy := make(chan error, 1)
		for i := range maxSaidBy - 1 {
			say(rs[0], "ann", fmt.Sprint(i))
		}
		rs[0].Submit("", "ann", &rooms.Say{Text: "too much"}, nil, func(o Outcome) { busy <- o.Err })
		if err := <-busy; !errors.Is(err, errs.Busy) {
			t.Errorf("message %d of one author: %v", maxSaidBy+1, err)
		}
		rs[0].call(func() {
			for _, w := range rs[0].out.pending {
				if b, _ := w.req.Decode(); w.said && b.(*rooms.Say).Text == "old" {
					w.since = w.since.Add(-provisionalLife)
				}
			}
		})
		w.eventually("it is withdrawn", time.Second, func() bool {
			ss[0].mu.Lock()
			defer ss[0].mu.Unlock()
			return ss[0].withdrawn["ann: old"] == errs.Timeout
		})
		w.lan.split()
		w.eventually("the rest is ordered", 20*time.Second, func() bool { return ss[3].knows(fmt.Sprint("ann: ", maxSaidBy-2)) })
		if ss[3].has("ann: old") || ss[0].knows("ann: old") {
			t.Error("what was withdrawn was ordered")
		}
		w.do(rs[0], "", "ann", &rooms.Say{Text: "as ever"})
	})
}

// TestASpoiledCopyWithdrawsNothing: a leader that cheats orders what a node said, with another signature or one for another epoch, as void. That says
// nothing of what the node itself has signed.
func TestASpoiledCopyWithdrawsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		r, s := w.seat("n1", "ann", id)
		w.lan.split(node("n1"))
		w.eventually("ann's node knows", 10*time.Second, s.isFrozen)
		say(r, "ann", "wait for me")
		w.eventually("it is shown", time.Second, func() bool { return s.has("ann: wait for me") })
		waits := func(change func(*rooms.Request)) (still bool) {
			r.wait(func() {
				i := slices.IndexFunc(r.out.pending, func(w *wish) bool { return w.said })
				if i < 0 {
					return
				}
				req := r.out.pending[i].req
				change(&req)
				r.decided(&rooms.Decision{Batch: rooms.Batch{Requests: []rooms.Request{req}}, Verdicts: rooms.Verdicts{byte(errs.Void)}}, r.counter())
				still = slices.ContainsFunc(r.out.pending, func(w *wish) bool { return w.said })
			})
			return still
		}
		if !waits(func(req *rooms.Request) { req.Sig = make([]byte, 64) }) {
			t.Error("withdrawn for a copy with another signature")
		}
		if !waits(func(req *rooms.Request) { req.Epoch++ }) {
			t.Error("withdrawn for a copy of another epoch")
		}
		if waits(func(*rooms.Request) {}) {
			t.Error("void as it was signed, and it still waits")
		}
		w.lan.split()
	})
}
