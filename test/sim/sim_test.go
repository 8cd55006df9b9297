package main

import (
	"runtime"
	"testing"
	"time"
)

// TestSchedules runs 10,000 schedules, or as many as fit before the test's deadline with two minutes to spare; -short 300. How many it were
// is logged. `go run ./test/sim -runs N` has no deadline.
func TestSchedules(t *testing.T) {
	runs, limit := 10_000, time.Duration(0)
	if testing.Short() {
		runs = 300
	}
	if end, ok := t.Deadline(); ok {
		limit = max(time.Until(end)-2*time.Minute, 20*time.Second)
	}
	s := many(1, runs, runtime.GOMAXPROCS(0), limit, false)
	t.Log(s)
	for _, f := range s.failures {
		t.Errorf("seed %d: %v", f.seed, f.err)
	}
}

// TestSameSeedSameStory runs seeds twice: whatever is not decided by the seed would show in the digest of all messages, writes and decisions.
func TestSameSeedSameStory(t *testing.T) {
	for seed := uint64(1); seed <= 40; seed++ {
		a, b := run(seed, false), run(seed, false)
		if a.trace != b.trace || a.stats != b.stats {
			t.Errorf("seed %d tells two stories: %x and %x", seed, a.trace[:8], b.trace[:8])
		}
	}
}

// TestSchedulesReachWhatMatters makes sure that the schedules still exercise what they are for.
func TestSchedulesReachWhatMatters(t *testing.T) {
	s := many(1, 100, runtime.GOMAXPROCS(0), 0, false).stats
	for _, c := range []struct {
		what string
		n    int
	}{
		{"acknowledged requests", s.acked}, {"crashes", s.crashes}, {"writes lost in a crash", s.cuts}, {"partitions", s.partitions},
		{"losses of raft state", s.forgotten}, {"lost messages", s.lost}, {"doubled messages", s.doubled}, {"changes of leader", s.takeovers}, {"reconfigurations", s.reconfigurations},
		{"snapshot marks", s.snapshots}, {"catch-ups", s.catchUps},
	} {
		if c.n == 0 {
			t.Errorf("no %s in 100 schedules", c.what)
		}
	}
}
