package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"
)

func main() {
	runs := flag.Int("runs", 1000, "schedules to run")
	seed := flag.Uint64("seed", 1, "seed of the first schedule; each next one has the next number")
	workers := flag.Int("workers", runtime.GOMAXPROCS(0), "schedules at a time")
	limit := flag.Duration("for", 0, "stop starting schedules after this time (0: run all)")
	verbose := flag.Bool("v", false, "print what happens, for a single schedule")
	lies := flag.String("saboteur", "", "class of the dishonest controller in every schedule: "+names()+"; any, none; empty: the seed decides (1 in 4)")
	ticks := flag.String("ticks", "", "always, never: whether rooms ask for ticks; empty: the seed decides (1 in 4)")
	tier := flag.String("tier", "pure", "pure: rooms/order alone; net: whole nodes over real libp2p in virtual time, half a minute a schedule")
	flag.Parse()
	if flag.NArg() > 0 || !known(*lies) || !slices.Contains([]string{"", "always", "never"}, *ticks) || *runs < 1 || *workers < 1 || *tier != "pure" && *tier != "net" && *tier != oneNet {
		flag.Usage()
		os.Exit(2)
	}
	switch *tier {
	case oneNet:
		netOne(*seed, *verbose)
	case "net":
		failed, err := nets(*seed, *runs, *limit, *verbose)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		if err != nil || failed > 0 {
			os.Exit(1)
		}
		return
	}
	s := many(*seed, *runs, *workers, *limit, forced{*lies, *ticks}, *verbose)
	for _, f := range s.failures {
		fmt.Printf("FAIL seed %d: %v\n", f.seed, f.err)
	}
	fmt.Println(s)
	if len(s.failures) > 0 {
		os.Exit(1)
	}
}

// summary is what a number of schedules came to.
type summary struct {
	runs     int
	first    uint64
	stats    stats
	failures []failure
	took     time.Duration
}

type failure struct {
	seed uint64
	err  error
}

// maxFailures is how many failing seeds are reported before the rest is not run.
const maxFailures = 5

// String is one line.
func (s summary) String() string {
	verdict := "ok"
	if len(s.failures) > 0 {
		verdict = "FAILED"
	}
	return fmt.Sprintf("sim: %s: %d schedules from seed %d in %.1fs (%.0f a minute): %d violations, %s",
		verdict, s.runs, s.first, s.took.Seconds(), float64(s.runs)/s.took.Minutes(), len(s.failures), s.stats)
}

// many runs schedules on several cores.
func many(seed uint64, runs, workers int, limit time.Duration, force forced, verbose bool) summary {
	start := time.Now()
	out := summary{first: seed}
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := seed
	for range workers {
		wg.Go(func() {
			for {
				mu.Lock()
				n := next
				stop := n >= seed+uint64(runs) || len(out.failures) >= maxFailures || limit > 0 && time.Since(start) > limit
				next++
				mu.Unlock()
				if stop {
					return
				}
				res := run(n, force, verbose && runs == 1)
				mu.Lock()
				out.runs++
				out.stats.add(res.stats)
				if res.err != nil {
					out.failures = append(out.failures, failure{n, res.err})
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	out.took = time.Since(start)
	return out
}
