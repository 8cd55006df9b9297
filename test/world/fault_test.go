package world

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// talker is somebody who talks on and on.
type talker struct {
	seat *Seat
	n    int
	err  error
}

// talk says n things, one after the other, and stops at the first that is not acknowledged.
func (a *talker) talk(n int, pause time.Duration) {
	for range n {
		a.n++
		if a.err = a.seat.TryAsk(&rooms.Say{Text: fmt.Sprintf("%s %d", a.seat.u.Name, a.n)}); a.err != nil {
			return
		}
		time.Sleep(pause)
	}
}

// The node that leads a busy room loses its power. Who sits elsewhere waits for a moment, and is told no lies. The links are QUIC, so that only
// silence tells that a node is gone: that takes a second.
func TestTheLeaderOfABusyRoomDies(t *testing.T) {
	for _, c := range []struct {
		name    string
		links   []Option
		talk    int           // messages of each
		longest time.Duration // that is borne: the second of silence, a campaign that fails, 150 ms and a round trip for each rank behind it, and a resend
		usual   time.Duration // for 99 of 100
	}{
		{"5 to 40 ms apart", nil, 150, 4 * time.Second, 500 * time.Millisecond},
		{"150 ms apart", []Option{Delay(150*time.Millisecond, 150*time.Millisecond)}, 60, 5 * time.Second, 1500 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) { theLeaderDies(t, c.talk, c.longest, c.usual, c.links...) })
	}
}

func theLeaderDies(t *testing.T, talk int, longest, usual time.Duration, links ...Option) {
	synctest.Test(t, func(t *testing.T) {
		w := New(t, append(links, Nodes(5))...)
		first := w.User("ann").On("n1").Join("market")
		var lead string
		w.Eventually("somebody leads", 10*time.Second, func() bool { lead = w.Leader("market"); return lead != "" })
		var talkers []*talker
		for _, n := range w.Nodes() {
			if n.Name != lead && n.Name != "n1" {
				talkers = append(talkers, &talker{seat: w.User("at " + n.Name).On(n.Name).Join("market")})
			}
		}
		if lead != "n1" {
			talkers = append(talkers, &talker{seat: first})
		}
		began := time.Now()
		done := make(chan struct{}, len(talkers))
		for _, a := range talkers {
			go func() { a.talk(talk, 20*time.Millisecond); done <- struct{}{} }()
		}
		time.Sleep(5 * time.Second)
		killed := time.Now()
		w.Crash(lead)
		for range talkers {
			<-done
		}
		for _, a := range talkers {
			if a.err != nil || a.n != talk {
				t.Errorf("%s was refused its message %d: %v", a.seat.u.Name, a.n, a.err)
			}
		}
		gaps := w.Gaps("market", began)
		slices.Sort(gaps)
		p := func(q float64) time.Duration { return gaps[int(q*float64(len(gaps)-1))].Round(time.Millisecond) }
		t.Logf("%s led; %d acknowledgements in %v; gaps: half below %v, 9 of 10 below %v, 99 of 100 below %v, longest %v", lead, len(gaps)+1,
			time.Since(began).Round(time.Second), p(0.5), p(0.9), p(0.99), p(1))
		if p(1) > longest || p(0.99) > usual {
			t.Errorf("the room stood still for too long: %v (99 of 100: %v)", p(1), p(0.99))
		}
		if now := w.Leader("market"); now == lead || now == "" {
			t.Errorf("the room is led by %q", now)
		}
		t.Logf("%s was dead for %v", lead, time.Since(killed).Round(time.Second))
		w.Restart(lead)
		w.Settle(time.Minute)
		w.Check()
	})
}

// A node that was switched off for an hour of talk has all of it a moment after it is back. Meanwhile others control in its place.
func TestANodeCatchesUpAfterAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(t, Nodes(5), Calm())
		alice := w.User("alice").On("n1").Join("lobby")
		w.User("bob").On("n2").Join("lobby").Say("I shall be away")
		w.Crash("n2")
		for i := range 120 {
			alice.Say(fmt.Sprint("minute ", i/2, " ", i%2))
			time.Sleep(30 * time.Second)
		}
		gone := false
		w.Node("n1").Room("lobby").View(func(s *rooms.State) { _, here := s.Occupant("bob"); gone = !here })
		if !gone {
			t.Error("bob is still in the room after an hour")
		}
		for _, c := range w.Node("n1").Room("lobby").Status().Controllers {
			if w.Name(c) == "n2" {
				t.Error("n2 still counts as a controller after an hour")
			}
		}
		w.Restart("n2")
		began := time.Now()
		bob := w.User("bob").On("n2").Join("lobby")
		height, _ := w.Node("n2").Room("lobby").Head()
		if want, _ := w.Node("n1").Room("lobby").Head(); height+1 < want {
			t.Errorf("bob is in a room of height %d, it has %d", height, want)
		}
		t.Logf("caught up with %d decisions within %v", height, time.Since(began))
		if d := time.Since(began); d > 40*time.Second {
			t.Errorf("that took %v", d)
		}
		bob.Say("I am back")
		w.Settle(2 * time.Minute)
		w.Check()
	})
}

// Two people on two nodes make a room of one name at one moment: they meet.
func TestTwoNodesFoundOneRoom(t *testing.T) {
	for seed := range uint64(3) {
		synctest.Test(t, func(t *testing.T) {
			w := New(t, Nodes(4), Seed(seed))
			alice, bob := w.User("alice").On("n2"), w.User("bob").On("n4")
			type joined struct {
				s   *Seat
				err error
			}
			ch := make(chan joined)
			for _, u := range []*User{alice, bob} {
				go func() { s, err := u.TryJoin("Lobby"); ch <- joined{s, err} }()
			}
			a, b := <-ch, <-ch
			if a.err != nil || b.err != nil {
				t.Fatalf("join: %v, %v", a.err, b.err)
			}
			if a.s.ID() != b.s.ID() {
				t.Fatal("they are in two rooms")
			}
			a.s.Say("anybody here?")
			b.s.Say("yes")
			w.Settle(30 * time.Second)
			if n := len(w.Check()); n != 2 {
				t.Errorf("there are %d rooms, the directory included; want 2", n)
			}
		})
	}
}

// A guest and the owner of an account want the same nick on two nodes at one moment. The name belongs to the account; neither stays out.
func TestAGuestAndAnAccountOfOneName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(t, Nodes(4))
		w.User("host").On("n1").Join("lobby")
		// The account comes to be while the guest sits there under its name already.
		guest := w.User("Alice").On("n2").Join("lobby")
		if guest.Nick() != "Alice" {
			t.Errorf("the first Alice is %q", guest.Nick())
		}
		owner := w.User("alice").WithAccount().On("n3")
		if s, err := owner.TryJoin("lobby"); !errors.Is(err, errs.NickInUse) {
			t.Errorf("the account pushed the guest out: %v, %v", s, err)
		}
		guest.Leave()
		seat := owner.Join("lobby")
		// Now the name is taken, whoever sits where.
		again := w.User("Alice").On("n4").Join("lobby")
		if again.Nick() != "Alice~n4" || seat.Nick() != "alice" {
			t.Errorf("the guest is %q and the account %q", again.Nick(), seat.Nick())
		}
		elsewhere := w.User("Alice").On("n2").Join("den")
		if elsewhere.Nick() != "Alice~n2" {
			t.Errorf("in a room without her the guest took the account's name: %q", elsewhere.Nick())
		}
		again.Say("one")
		seat.Say("two")
		// And at one moment, in a room where nobody is yet.
		errc := make(chan error, 2)
		for _, u := range []*User{w.User("carol").WithAccount().On("n1"), w.User("Carol").On("n4")} {
			go func() { _, err := u.TryJoin("hall"); errc <- err }()
		}
		if err := errors.Join(<-errc, <-errc); err != nil {
			t.Error(err)
		}
		w.Settle(30 * time.Second)
		for _, l := range w.Check() {
			if st, ok := l.Machine.(*rooms.State); ok && l.Name == "#hall" {
				if got := strings.Join(st.Nicks(), " "); got != "carol carol~n4" {
					t.Errorf("in the hall are %s", got)
				}
			}
		}
	})
}

// The smaller side of a partition acknowledges nothing, however long one asks; the larger goes on; when it heals, all go on together.
func TestTheSmallerSideOfAPartitionWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(t, Nodes(4), Lease(5*time.Second))
		var seats []*Seat
		for _, n := range w.Nodes() {
			seats = append(seats, w.User("at "+n.Name).On(n.Name).Join("lobby"))
			seats[len(seats)-1].Say("here from " + n.Name)
		}
		lead := w.Leader("lobby") // the hard case: who is cut off thinks that it leads
		if lead == "" {
			t.Fatal("nobody leads")
		}
		w.Settle(20 * time.Second)
		w.Partition(lead)
		lone := seats[w.Node(lead).number-1]
		refused := make(chan error, 1)
		go func() { refused <- lone.TryAsk(&rooms.Say{Text: "does anybody hear me?"}) }()
		var others []*Seat
		for _, s := range seats {
			if s != lone {
				others = append(others, s)
			}
		}
		for i := range 10 {
			for _, s := range others {
				s.Say(fmt.Sprintf("%s: %d", s.Nick(), i))
			}
		}
		if err := <-refused; !errors.Is(err, errs.Timeout) && !errors.Is(err, errs.Frozen) {
			t.Errorf("the smaller side answered %v", err)
		}
		before, _ := lone.r.Head()
		for range 3 {
			if err := lone.TryAsk(&rooms.Say{Text: fmt.Sprint("and now? ", time.Now().Unix())}); err == nil {
				t.Error("the smaller side acknowledged something")
			}
		}
		if after, _ := lone.r.Head(); after != before {
			t.Errorf("the smaller side went from height %d to %d", before, after)
		}
		w.Eventually("who is on the smaller side is gone on the larger", 20*time.Second, func() (gone bool) {
			others[0].r.View(func(s *rooms.State) { _, here := s.Occupant(lone.Nick()); gone = !here })
			return gone
		})
		w.Heal()
		w.Settle(90 * time.Second)
		lone.Go()
		back := lone.u.On(lead).Join("lobby")
		back.Say("there you are")
		others[0].Say("there you are too")
		w.Settle(30 * time.Second)
		w.Check()
	})
}

// The two halves of an even split: neither has a quorum.
func TestAnEvenSplitStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(t, Nodes(4))
		a, b := w.User("a").On("n1").Join("lobby").Say("one"), w.User("b").On("n3").Join("lobby").Say("two")
		w.Partition("n1", "n2")
		time.Sleep(2 * time.Second)
		errc := make(chan error, 2)
		for _, s := range []*Seat{a, b} {
			go func() { errc <- s.TryAsk(&rooms.Say{Text: s.Nick() + " into the void"}) }()
		}
		for range 2 {
			if err := <-errc; err == nil {
				t.Error("something was acknowledged by half of the controllers")
			}
		}
		w.Heal()
		w.Settle(90 * time.Second)
		a.Say("three")
		b.Say("four")
		w.Settle(30 * time.Second)
		w.Check()
	})
}
