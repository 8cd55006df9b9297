package main

import (
	"runtime"
	"testing"
	"time"
)

// TestSchedules runs some hundred schedules, for a minute at most: with the race detector they take five times as long. test/run has
// `go run ./test/sim` do ten thousand.
func TestSchedules(t *testing.T) {
	runs := 400
	if testing.Short() {
		runs = 100
	}
	const limit = time.Minute
	s := many(1, runs, runtime.GOMAXPROCS(0), limit, "", false)
	t.Log(s)
	for _, f := range s.failures {
		t.Errorf("seed %d: %v", f.seed, f.err)
	}
}

// TestSameSeedSameStory runs seeds twice: whatever is not decided by the seed would show in the digest of all messages, writes and decisions.
func TestSameSeedSameStory(t *testing.T) {
	for seed := uint64(1); seed <= 40; seed++ {
		a, b := run(seed, "", false), run(seed, "", false)
		if a.trace != b.trace || a.stats != b.stats {
			t.Errorf("seed %d tells two stories: %x and %x", seed, a.trace[:8], b.trace[:8])
		}
	}
}

// TestSchedulesReachWhatMatters makes sure that the schedules still exercise what they are for.
func TestSchedulesReachWhatMatters(t *testing.T) {
	s := many(1, 100, runtime.GOMAXPROCS(0), 0, "", false).stats
	for _, c := range []struct {
		what string
		n    int
	}{
		{"acknowledged requests", s.acked}, {"crashes", s.crashes}, {"writes lost in a crash", s.cuts}, {"partitions", s.partitions},
		{"losses of raft state", s.forgotten}, {"lost messages", s.lost}, {"doubled messages", s.doubled}, {"changes of leader", s.takeovers}, {"reconfigurations", s.reconfigurations},
		{"snapshot marks", s.snapshots}, {"catch-ups", s.catchUps}, {"epochs", s.epochs}, {"statements", s.statements}, {"headers carried over", s.carried},
		{"recoveries", s.recovered}, {"nodes that went back", s.back},
	} {
		if c.n == 0 {
			t.Errorf("no %s in 100 schedules", c.what)
		}
	}
}

// TestSeedsThatFailedOnce runs schedules that found something: 188 the sole controller-to-be that was let in above every mark it could be given,
// 1344 a withheld snapshot, 7544 a leader that is no controller any more, to whom a controller in a new life does not listen,
// 1962 a learner that blamed the only controller for requests that are not its business, 11720 a snapshot mark that came while entries waited
// to be run, 113 a leader that spoiled the beginning of an epoch.
func TestSeedsThatFailedOnce(t *testing.T) {
	for _, seed := range []uint64{113, 188, 1344, 1962, 3576, 7544, 11720} {
		if s := many(seed, 1, 1, 0, "", false); len(s.failures) > 0 {
			t.Errorf("seed %d: %v", seed, s.failures[0].err)
		}
	}
}

// TestSaboteurs runs each class of dishonest controller. What the honest ones must see of it is asked of all its schedules together: in some of them it
// never comes to lead.
func TestSaboteurs(t *testing.T) {
	unseen := map[string]string{
		"raft-votes":         "who voted twice is known to nobody else: the second leader of a term is not followed",
		"raft-commit":        "what is committed too early is signed by a quorum, or by nobody",
		"raft-acks":          "the same",
		"nothing":            "it is away, like one that has crashed",
		"deposer":            "its votes find no grounds",
		"statement-withheld": "who says nothing may be away",
		"statement-claims":   "nobody knows what it has really signed",
		"statement-two":      "the same",
	}
	for _, c := range classes {
		t.Run(c.name, func(t *testing.T) {
			runs := 3
			if c.name == "reordered" {
				runs = 12 // it takes batches of more than one request
			}
			s := many(9_000, runs, runtime.GOMAXPROCS(0), 0, c.name, false)
			for _, f := range s.failures {
				t.Errorf("seed %d: %v", f.seed, f.err)
			}
			if s.stats.saboteurs != runs {
				t.Errorf("%d saboteurs in %d schedules", s.stats.saboteurs, runs)
			}
			if _, ok := unseen[c.name]; !ok && s.stats.noticed == 0 {
				t.Error("no honest controller noticed it")
			}
		})
	}
}
