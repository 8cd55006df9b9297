package main

import (
	"errors"
	"flag"
	"io"
	"runtime"
	"strings"
	"testing"
)

// TestSchedules runs a hundred schedules and makes sure that they exercise what they are for. With the race detector they take five times as long; test/run has
// `go run ./test/sim` do thousands.
func TestSchedules(t *testing.T) {
	s := many(options{seed: 1, runs: 100, workers: runtime.GOMAXPROCS(0)})
	for _, c := range []struct {
		what string
		n    int
	}{
		{"acknowledged requests", s.stats.acked}, {"crashes", s.stats.crashes}, {"writes lost in a crash", s.stats.cuts}, {"partitions", s.stats.partitions},
		{"losses of raft state", s.stats.forgotten}, {"lost messages", s.stats.lost}, {"doubled messages", s.stats.doubled}, {"changes of leader", s.stats.takeovers}, {"reconfigurations", s.stats.reconfigurations},
		{"snapshot marks", s.stats.snapshots}, {"catch-ups", s.stats.catchUps}, {"epochs", s.stats.epochs}, {"statements", s.stats.statements}, {"headers carried over", s.stats.carried},
		{"recoveries", s.stats.recovered}, {"nodes that went back", s.stats.back},
		{"ticks", s.stats.ticks}, {"packs of ticks", s.stats.packs}, {"packs taken from others", s.stats.unpacked},
	} {
		if c.n == 0 {
			t.Errorf("no %s in 100 schedules", c.what)
		}
	}
	for _, f := range s.failures {
		t.Errorf("seed %d: %v", f.seed, f.err)
	}
}

// TestSameSeedSameStory runs seeds twice: whatever is not decided by the seed would show in the digest of all messages, writes and decisions.
func TestSameSeedSameStory(t *testing.T) {
	for seed := uint64(1); seed <= 8; seed++ {
		a, b := run(seed, forced{}, false), run(seed, forced{}, false)
		if a.trace != b.trace || a.stats != b.stats {
			t.Errorf("seed %d tells two stories: %x and %x", seed, a.trace[:8], b.trace[:8])
		}
	}
}

// TestSeedsThatFailedOnce runs schedules that found something: 188 the sole controller-to-be that was let in above every mark it could be given,
// 1344 a withheld snapshot, 7544 a leader that is no controller any more, to whom a controller in a new life does not listen,
// 1962 a learner that blamed the only controller for requests that are not its business, 11720 a snapshot mark that came while entries waited
// to be run, 113 a leader that spoiled the beginning of an epoch, 3770 and 6617 leaders who were taken to withhold certificates, 7076 and 8702 recoveries below a change
// of controllers that the directory had seen, 21217 a leader whose log a traitor had spoiled before, 22116 a snapshot mark amid the entries of one message.
// 1004072, which ticks, a recovery amid ticks that lay in later decisions only.
func TestSeedsThatFailedOnce(t *testing.T) {
	for _, seed := range []uint64{113, 188, 1344, 1962, 3576, 3770, 6617, 7076, 7544, 8702, 11720, 21217, 22116} {
		if s := many(options{seed: seed, runs: 1, workers: 1, forced: forced{ticks: "never"}}); len(s.failures) > 0 {
			t.Errorf("seed %d: %v", seed, s.failures[0].err)
		}
	}
	if s := many(options{seed: 1004072, runs: 1, workers: 1}); len(s.failures) > 0 {
		t.Errorf("seed 1004072: %v", s.failures[0].err)
	}
}

// TestSaboteurs runs each class of dishonest controller. What the honest ones must see of it is asked of all its schedules together, and of more when it
// was not seen in the first ones: in some of them it never comes to lead, or to sign.
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
		"statement-hides":    "the same",
		"tick-slow":          "a slow line looks like that",
		"pack-own":           "each part of what it gives is certified",
	}
	for _, c := range classes {
		t.Run(c.name, func(t *testing.T) {
			runs := 3
			switch c.name {
			case "reordered", "pack-wrong", "pack-own":
				runs = 12 // it takes batches of more than one request, or somebody who asks for just that part of the log
			}
			_, hidden := unseen[c.name]
			for seed, noticed := uint64(9_000), hidden; ; seed += uint64(runs) {
				s := many(options{seed: seed, runs: runs, workers: runtime.GOMAXPROCS(0), forced: forced{lies: c.name}})
				for _, f := range s.failures {
					t.Errorf("seed %d: %v", f.seed, f.err)
				}
				if s.stats.saboteurs != runs {
					t.Errorf("%d saboteurs in %d schedules", s.stats.saboteurs, runs)
				}
				if noticed = noticed || s.stats.noticed+s.stats.refused > 0; noticed {
					return
				}
				if seed > 9_000+3*uint64(runs) {
					t.Fatal("no honest controller noticed it")
				}
			}
		})
	}
}

func TestTheProgramHasItsOwnFlagsOnly(t *testing.T) {
	var help strings.Builder
	if _, err := parse([]string{"-h"}, &help); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("asked for help: %v", err)
	}
	if !strings.Contains(help.String(), "-saboteur") || strings.Contains(help.String(), "rapid") {
		t.Errorf("help:\n%s", &help)
	}
	for _, args := range [][]string{{"-runs", "0"}, {"-saboteur", "nobody"}, {"-tier", "other"}, {"-ticks", "often"}, {"word"}, {"-rapid.checks", "1"}} {
		if _, err := parse(args, io.Discard); err == nil {
			t.Errorf("%v: taken", args)
		}
	}
	if o, err := parse([]string{"-seed", "7", "-tier", oneNet}, io.Discard); err != nil || o.seed != 7 {
		t.Errorf("a child's arguments: %+v, %v", o, err)
	}
}
