package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"
)

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2)
	}
	switch o.tier {
	case oneNet:
		netOne(o.seed, o.verbose)
	case "net":
		failed, err := nets(o.seed, o.runs, o.limit, o.verbose)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		if err != nil || failed > 0 {
			os.Exit(1)
		}
		return
	}
	s := many(o)
	for _, f := range s.failures {
		fmt.Printf("FAIL seed %d: %v\n", f.seed, f.err)
	}
	fmt.Println(s)
	if len(s.failures) > 0 {
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	runs, workers int
	seed          uint64
	limit         time.Duration
	verbose       bool
	forced        forced
	tier          string
}

// parse reads the command line; what is wrong with it, and how it is used, goes to out. The flags are a set of their own: packages that are
// imported for their disk in memory bring flags for tests along.
func parse(args []string, out io.Writer) (o options, err error) {
	f := flag.NewFlagSet("sim", flag.ContinueOnError)
	f.SetOutput(out)
	f.IntVar(&o.runs, "runs", 1000, "schedules to run")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the first schedule; each next one has the next number")
	f.IntVar(&o.workers, "workers", runtime.GOMAXPROCS(0), "schedules at a time")
	f.DurationVar(&o.limit, "for", 0, "stop starting schedules after this time (0: run all)")
	f.BoolVar(&o.verbose, "v", false, "print what happens, for a single schedule")
	f.StringVar(&o.forced.lies, "saboteur", "", "class of the dishonest controller in every schedule: "+names()+"; any, none; empty: the seed decides (1 in 4)")
	f.StringVar(&o.forced.ticks, "ticks", "", "always, never: whether rooms ask for ticks; empty: the seed decides (1 in 4)")
	f.StringVar(&o.tier, "tier", "pure", "pure: rooms/order alone; net: whole nodes over real libp2p in virtual time, half a minute a schedule")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 || !known(o.forced.lies) || !slices.Contains([]string{"", "always", "never"}, o.forced.ticks) || o.runs < 1 || o.workers < 1 ||
		!slices.Contains([]string{"pure", "net", oneNet}, o.tier) {
		f.Usage()
		return o, errors.New("wrong arguments")
	}
	return o, nil
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
func many(o options) summary {
	start := time.Now()
	out := summary{first: o.seed}
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := o.seed
	for range o.workers {
		wg.Go(func() {
			for {
				mu.Lock()
				n := next
				stop := n >= o.seed+uint64(o.runs) || len(out.failures) >= maxFailures || o.limit > 0 && time.Since(start) > o.limit
				next++
				mu.Unlock()
				if stop {
					return
				}
				res := run(n, o.forced, o.verbose && o.runs == 1)
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
