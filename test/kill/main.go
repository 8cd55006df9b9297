package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

type options struct {
	nodes              int
	rate               int // messages a second, of all clients together
	leader, backup     int // how many blows of each kind
	both, stop, rounds int
	calm               time.Duration // of talk without any blow, before the first
	program            string
	level              string // log level of the nodes
	verbose            bool
}

func main() {
	var o options
	times := flag.Int("times", 20, "how often the leader's node is killed; the other blows come a quarter as often, and one rolling restart of all nodes")
	flag.IntVar(&o.nodes, "nodes", 5, "nodes of the network, 4 to 16")
	flag.IntVar(&o.rate, "rate", 200, "messages a second, of all clients together")
	flag.DurationVar(&o.calm, "calm", 10*time.Second, "talk without a blow before the first one, in which the lead should not change")
	only := flag.String("only", "", "only these kinds of blow, as often as -times says each, with commas between: leader, backup, both, stop, rolling")
	flag.StringVar(&o.level, "log", "error", "log level of the nodes: debug, info, warn, error")
	flag.BoolVar(&o.verbose, "v", false, "say of each blow whom it hit and what each client waited")
	flag.StringVar(&o.program, "program", "", "the warren binary to test (default: build it)")
	flag.Parse()
	if flag.NArg() > 0 || *times < 0 || o.nodes < 4 || o.nodes > 16 || o.rate < o.nodes {
		flag.Usage()
		os.Exit(2)
	}
	kinds := map[string]*int{"leader": &o.leader, "backup": &o.backup, "both": &o.both, "stop": &o.stop, "rolling": &o.rounds}
	if *only == "" {
		o.leader, o.rounds = *times, min(*times, 1)
		o.backup, o.both, o.stop = (*times+3)/4, (*times+3)/4, (*times+3)/4
	} else {
		for _, kind := range strings.Split(*only, ",") {
			if kinds[kind] == nil {
				flag.Usage()
				os.Exit(2)
			}
			*kinds[kind] = *times
		}
	}
	problems, err := run(o, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "test/kill:", err)
	}
	if err != nil || problems > 0 {
		os.Exit(1)
	}
}

// run runs all phases and returns how many problems were found; it says all it finds to out.
func run(o options, out io.Writer) (problems int, err error) {
	dir, err := os.MkdirTemp("", "warren-kill-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if o.program == "" {
		o.program = filepath.Join(dir, "warren")
		cmd := exec.Command("go", "build", "-o", o.program, "warren/cmd/warren")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if said, err := cmd.CombinedOutput(); err != nil {
			return 0, fmt.Errorf("build warren: %w\n%s", err, said)
		}
	}
	net, err := startNetwork(o.program, filepath.Join(dir, "demo"), o.nodes, o.level)
	if err != nil {
		return 0, err
	}
	defer net.stop()
	s := &story{o: o, net: net, out: out}
	if err := s.tell(); err != nil {
		s.end()
		return 0, err
	}
	s.end()
	net.stop()
	return s.judge()
}
