package replica

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
)

// screen is what a client at a copy is shown: what is ordered after it was shown provisionally is not shown again.
type screen struct {
	mu        sync.Mutex
	lines     []string              // as shown
	ordered   []string              // as ordered
	early     map[string]rooms.Hash // shown before it was ordered
	confirmed map[string]rooms.Hash
	withdrawn map[string]error
	frozen    bool
}

func watch(r *Replica) *screen {
	s := &screen{early: map[string]rooms.Hash{}, confirmed: map[string]rooms.Hash{}, withdrawn: map[string]error{}}
	text := func(ev *rooms.Event) string { return ev.Nick + ": " + ev.Body.(*rooms.Say).Text }
	r.Watch(func(ev *rooms.Event, _ any) {
		if ev.Op != rooms.OpSay {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		line := text(ev)
		s.ordered = append(s.ordered, line)
		if id, shown := s.early[line]; shown && id == ev.ID {
			s.confirmed[line] = ev.ID
			return
		}
		s.lines = append(s.lines, line)
	})
	r.WatchProvisional(func(p Provisional) {
		s.mu.Lock()
		defer s.mu.Unlock()
		line := text(p.Event)
		if p.Err != nil {
			s.withdrawn[line] = p.Err
			return
		}
		s.lines = append(s.lines, line)
		s.early[line] = p.Event.ID
	})
	r.WatchFrozen(func(is bool) { s.mu.Lock(); defer s.mu.Unlock(); s.frozen = is })
	return s
}

func (s *screen) isFrozen() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.frozen }

func (s *screen) has(line string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.lines, line)
}

func (s *screen) knows(lines ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range lines {
		if !slices.Contains(s.ordered, l) {
			return false
		}
	}
	return true
}

// once reports what is not on the screen exactly once.
func (s *screen) once(t *testing.T, who string, want []string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	got := slices.Clone(s.lines)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s was shown\n  %q, want\n  %q", who, got, want)
	}
}

// seat puts somebody into the room at a node.
func (w *world) seat(name, nick string, id rooms.RoomID) (*Replica, *screen) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	r, err := w.hosts[name].Open(ctx, id, "", nick)
	if err != nil {
		w.t.Fatalf("%s at %s: %v", nick, name, err)
	}
	s := watch(r)
	if _, err := r.Ask(ctx, "", nick, &rooms.Enter{View: "irc", Real: "the real " + nick}); err != nil {
		w.t.Fatalf("%s at %s: %v", nick, name, err)
	}
	return r, s
}

func say(r *Replica, nick, text string) { r.Submit("", nick, &rooms.Say{Text: text}, nil, nil) }

// frozenRoom has people at four nodes, of which the first two are cut off from the others, and all know it.
func frozenRoom(t *testing.T) (*world, rooms.RoomID, []*Replica, []*screen) {
	w, id := newWorld(t).four("lobby")
	var rs []*Replica
	var ss []*screen
	for i, nick := range []string{"ann", "bob", "cyd", "dan"} {
		r, s := w.seat(fmt.Sprint("n", i+1), nick, id)
		rs, ss = append(rs, r), append(ss, s)
	}
	w.eventually("all see all", 10*time.Second, func() bool {
		for _, r := range rs {
			n := 0
			r.View(func(st *rooms.State) { n = len(st.Occupants) })
			if n < 4 {
				return false
			}
		}
		return true
	})
	w.lan.split(node("n1"), node("n2"))
	w.eventually("all know that the room is frozen", time.Second, func() bool {
		return !slices.ContainsFunc(ss, func(s *screen) bool { return !s.isFrozen() })
	})
	return w, id, rs, ss
}

func TestBothSidesTalkWhileFrozenAndEverybodyHasEverythingOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, rs, ss := frozenRoom(t)
		defer w.close()
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
		if _, err := rs[0].Ask(t.Context(), "", "ann", &rooms.Say{Text: "as ever"}); err != nil {
			t.Error(err)
		}
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
		defer w.close()
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
				defer w.close()
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
		defer w.close()
		w.join("n5", id)
		rMaker, _ := w.seat("n1", "ann", id) // made the room
		r4, s4 := w.seat("n4", "dan", id)
		_, s5 := w.seat("n5", "eve", id)
		w.lan.split(node("n4"), node("n5"))
		w.eventually("both are frozen", 2*time.Second, func() bool { return s4.isFrozen() && s5.isFrozen() })
		say(r4, "dan", "unheard")
		w.eventually("it is shown at both", time.Second, func() bool { return s4.has("dan: unheard") && s5.has("dan: unheard") })
		dan := perms.Guest("dan", node("n4").String())
		if _, err := rMaker.Ask(t.Context(), "", "ann", &rooms.Sanction{Who: dan, Denies: perms.Say}); err != nil {
			t.Fatal(err)
		}
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
		defer w.close()
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
		defer w.close()
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
		if _, err := rs[0].Ask(t.Context(), "", "ann", &rooms.Say{Text: "as ever"}); err != nil {
			t.Error(err)
		}
	})
}

func TestOnlyWhatCanBecomeAnEventIsShownOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id, rs, ss := frozenRoom(t)
		defer w.close()
		next := uint64(0)
		rs[0].call(func() { next = rs[0].chain.Machine.Base().Counters[node("n2")] + 1 })
		synctest.Wait()
		request := func(text string, change func(*rooms.Request)) []byte {
			req := rooms.NewRequest(id, "", "bob", &rooms.Say{Text: text})
			req.Counter = next
			if change != nil {
				change(&req)
			}
			device := req.Device
			req.Sign(key("n2"))
			if !device.IsZero() {
				req.Device = device
			}
			return rooms.Marshal(&req)
		}
		tell := func(data []byte) {
			w.hosts["n1"].Frame(node("n2"), rooms.Marshal(frame{Room: id, Kind: frameProvisional, Data: data}))
			synctest.Wait()
		}
		for name, change := range map[string]func(*rooms.Request){
			"somebody else's name":   func(r *rooms.Request) { r.Nick = "ann" },
			"somebody not here":      func(r *rooms.Request) { r.Nick = "zoe" },
			"an account not its own": func(r *rooms.Request) { r.Account = "bob" },
			"another node's name":    func(r *rooms.Request) { r.Nick, r.Device = "cyd", node("n3") },
			"another room":           func(r *rooms.Request) { r.Room[0]++ },
			"a used counter":         func(r *rooms.Request) { r.Counter = next - 1 },
			"a counter far ahead":    func(r *rooms.Request) { r.Counter = next + counterAhead },
			"something else than talk": func(r *rooms.Request) {
				*r = rooms.NewRequest(id, "", "bob", &rooms.Subject{Text: "x"})
				r.Counter = next
			},
		} {
			tell(request(name, change))
			if ss[0].has("bob: "+name) || ss[0].has("ann: "+name) || ss[0].has("cyd: "+name) || ss[0].has("zoe: "+name) {
				t.Errorf("shown: %s", name)
			}
		}
		if n := len(ss[0].lines); n > 0 {
			t.Errorf("%d lines shown: %q", n, ss[0].lines)
		}
		tell(request("really", nil))
		tell(request("really", nil))
		tell(request("or not", nil)) // in the same place
		ss[0].once(t, "ann", []string{"bob: really"})
		for i := range maxSaidBy + 10 {
			tell(request(fmt.Sprint(i), func(r *rooms.Request) { r.Counter = next + 1 + uint64(i) }))
		}
		if n := len(ss[0].lines); n != maxSaidBy {
			t.Errorf("%d messages of one author are shown, at most %d", n, maxSaidBy)
		}
	})
}

// account registers an account with the node as its only device; the function returned takes the device from it.
func (w *world) account(name, at string) (drop func()) {
	w.t.Helper()
	k, dir := key("account "+name), w.genesis.Directory()
	pub := rooms.NodeOf(k.Public().(ed25519.PublicKey))
	order := func(by string, b rooms.Body) {
		w.t.Helper()
		ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
		defer cancel()
		if err := w.hosts[by].Order(ctx, b); err != nil {
			w.t.Fatalf("%T: %v", b, err)
		}
	}
	sign := func(what string, nonce uint64) []byte {
		return ed25519.Sign(k, rooms.AccountDigest(dir, what, name, pub, node(at), nonce))
	}
	order(at, &rooms.Register{Name: name, Key: pub, Device: node(at), Sig: sign("register", 0)})
	return func() {
		var nonce uint64
		w.hosts["n1"].Directory(func(d *rooms.Directory) { nonce = d.Accounts[name].Changes })
		order("n1", &rooms.DropDevice{Account: name, Device: node(at), Nonce: nonce, Sig: sign("drop", nonce)})
	}
}

func TestANodeThatMayNotSpeakForAnAccountAnyMoreIsNotHeardAndTakesItsWordsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		defer w.close()
		w.join("n5", id) // no controller: who orders has the newest directory
		drop := w.account("dora", "n5")
		_, s1 := w.seat("n1", "ann", id)
		r5, err := w.hosts["n5"].Open(t.Context(), id, "dora", "dora")
		if err != nil {
			t.Fatal(err)
		}
		s5 := watch(r5)
		if _, err := r5.Ask(t.Context(), "dora", "dora", &rooms.Enter{}); err != nil {
			t.Fatal(err)
		}
		w.lan.split(node("n5"))
		w.eventually("n5 is frozen", 2*time.Second, s5.isFrozen)
		r5.Submit("dora", "dora", &rooms.Say{Text: "mine"}, nil, nil)
		w.eventually("it is shown", time.Second, func() bool { return s5.has("dora: mine") })
		drop()
		var data []byte
		r5.call(func() {
			i := slices.IndexFunc(r5.out.pending, func(w *wish) bool { return w.said })
			data = rooms.Marshal(&r5.out.pending[i].req)
		})
		synctest.Wait()
		w.hosts["n1"].Frame(node("n5"), rooms.Marshal(frame{Room: id, Kind: frameProvisional, Data: data}))
		synctest.Wait()
		if s1.has("dora: mine") {
			t.Error("shown, though the node may not speak for the account")
		}
		w.lan.split()
		w.eventually("it is withdrawn", 20*time.Second, func() bool {
			s5.mu.Lock()
			defer s5.mu.Unlock()
			return s5.withdrawn["dora: mine"] == errs.Void
		})
		w.eventually("the room thaws", 10*time.Second, func() bool { return !s5.isFrozen() })
	})
}
