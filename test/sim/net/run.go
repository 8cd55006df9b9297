package net

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
	"warren/rooms/placement"
	"warren/test/world"
)

// settleTime is how long the world may take to come to rest after all has healed: re-dialling alone takes up to 30 s.
const settleTime = 90 * time.Second

// Summary is what a run came to.
type Summary struct {
	Config        Config
	Faults        []string
	Virtual, Real time.Duration
	Talking       time.Duration // of virtual time until the world began to talk, growth included
	Wishes        int           // that people had
	Acknowledged  int
	Decisions     int // in all rooms and the directory, but for ticks
	Ticks         int
	Events        int           //
	Longest       time.Duration // that an acknowledged wish waited
	Gap           time.Duration // longest time between two acknowledgements in one room
	Packets, Lost int
}

// String is one line.
func (s Summary) String() string {
	ms := time.Millisecond
	return fmt.Sprintf("sim net: seed %d: %d nodes, %d rooms, %d users: %v virtual in %v real: %d wishes, %d acknowledged, %d decisions, %d ticks, %d events, longest wait %v, longest gap %v, %d packets, %d lost; faults: %q",
		s.Config.Seed, s.Config.Nodes, s.Config.Rooms, s.Config.Users, s.Virtual.Round(ms), s.Real.Round(ms), s.Wishes, s.Acknowledged, s.Decisions,
		s.Ticks, s.Events, s.Longest.Round(ms), s.Gap.Round(ms), s.Packets, s.Lost, s.Faults)
}

// Run runs one world and reports to t what must not be. It must not be called inside a bubble of testing/synctest.
func Run(t *testing.T, c Config) (sum Summary) {
	t.Helper()
	c, err := c.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	synctest.Test(t, func(t *testing.T) { sum = run(t, c) })
	sum.Real = time.Since(began)
	return sum
}

// Main makes a run for a program that is no test: it prints the summary, what goes wrong, and with verbose the nodes' warnings too. Then it ends the
// program: with status 1 when anything went wrong. Virtual time can be had from package testing alone, and a *testing.T from its main function
// alone, which ends so, with a line PASS or FAIL of its own.
func Main(verbose bool, c Config) {
	test := testing.InternalTest{Name: fmt.Sprint("seed ", c.Seed), F: func(t *testing.T) { fmt.Println(Run(t, c)) }}
	testing.Init()
	_ = flag.CommandLine.Parse(nil) // the program's arguments are not the test's
	if verbose {
		_ = flag.Set("test.v", "true") // it exists since Init
	}
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{test}, nil, nil)
}

func run(t *testing.T, c Config) Summary {
	rng := rand.New(rand.NewPCG(c.Seed, 3))
	sum := Summary{Config: c}
	w := world.New(t, world.Nodes(c.Nodes), world.Seed(c.Seed), world.Loss(max(c.Loss, 0)), world.Lease(lease))
	sum.Talking = w.Since()
	began := time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	clock := clockmaker(w, c)
	people := crowd(ctx, w, c)
	for _, f := range plan(c, rng) {
		sum.Faults = append(sum.Faults, f.String())
		time.Sleep(f.at - time.Since(began))
		switch f.what {
		case "split":
			w.Partition(f.nodes...)
		case "heal":
			w.Heal()
		case "crash":
			w.Crash(f.nodes[0])
		case "restart":
			w.Restart(f.nodes[0])
		}
	}
	time.Sleep(c.Talk - time.Since(began))
	cancel()
	people.Wait()
	clock.stop()
	w.Settle(settleTime)
	sum.count(w, w.Check(), t)
	return sum
}

// count takes the figures, and checks what the world's check does not know: that all rooms were made, and have all their controllers.
func (s *Summary) count(w *world.World, logs []world.Log, t *testing.T) {
	t.Helper()
	s.Virtual = w.Since()
	s.Packets, s.Lost = w.Packets()
	for _, l := range logs {
		s.Ticks += l.Ticks
		if steps := l.Ticks + len(l.Decisions); l.Name == "#"+ticking && steps < s.Config.Ticks*int(s.Config.Talk/time.Second)/3 { // each decision is one; it stands still for a while
			t.Errorf("%d steps of %s in %v, %d a second were asked for", steps, l.Name, s.Config.Talk, s.Config.Ticks)
		}
		s.Decisions += len(l.Decisions)
		s.Events += len(l.Events)
		if got, want := len(l.Machine.Base().Controllers), placement.Want(s.Config.Nodes); got != want {
			t.Errorf("%s has %d controllers, want %d", l.Name, got, want)
		}
		if l.Copies < 3 {
			t.Errorf("%s has %d copies, want at least 3", l.Name, l.Copies)
		}
	}
	if len(logs) != s.Config.Rooms+1 {
		t.Errorf("%d rooms were made, want %d", len(logs)-1, s.Config.Rooms)
	}
	wishes := w.Wishes()
	s.Wishes = len(wishes)
	last := map[string]time.Time{}
	said := 0
	for _, wish := range wishes {
		if wish.Err != nil {
			continue
		}
		s.Acknowledged++
		if wish.Op == rooms.OpSay {
			said++
		}
		s.Longest = max(s.Longest, wish.Done.Sub(wish.Asked))
		if at, ok := last[wish.Room]; ok {
			s.Gap = max(s.Gap, wish.Done.Sub(at))
		}
		last[wish.Room] = wish.Done
	}
	if said < 5*s.Config.Users {
		t.Errorf("%d users said %d things: there is no talk", s.Config.Users, said)
	}
}
