package net

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"warren/rooms"
)

// Config says how large a run is. The zero value of a field means the value of Full.
type Config struct {
	Seed  uint64
	Nodes int           // at least 5
	Rooms int           //
	Users int           // every third has an account
	Talk  time.Duration // of virtual time in which people talk; at least 30 s: faults need their time
	Loss  float64       // part of packets lost, 0 to 1; negative: none
	Ticks int           // ticks per second of the first room, 0 to rooms.MaxTicks; 0: none
	Pair  bool          // two nodes lose their power at one moment, at some time
}

// Full is the size of the acceptance run.
func Full(seed uint64) Config {
	return Config{Seed: seed, Nodes: 16, Rooms: 5, Users: 20, Talk: time.Minute, Loss: 0.005}
}

// Drawn is a size between, as the seed decides. In one run of three the first room ticks, in one of three two nodes lose their power together.
func Drawn(seed uint64) Config {
	rng := rand.New(rand.NewPCG(seed, 4))
	c := Config{Seed: seed, Nodes: 6 + rng.IntN(11), Rooms: 2 + rng.IntN(4), Talk: time.Minute, Loss: 0.005, Pair: rng.IntN(3) == 0}
	c.Users = c.Nodes + 4
	if rng.IntN(3) == 0 {
		c.Ticks = 1 + rng.IntN(rooms.MaxTicks)
	}
	return c
}

// Small is for machines that need the time for something else, like the race detector.
func Small(seed uint64) Config {
	return Config{Seed: seed, Nodes: 9, Rooms: 3, Users: 10, Talk: 40 * time.Second, Loss: 0.005}
}

func (c Config) withDefaults() (Config, error) {
	f := Full(c.Seed)
	set := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	set(&c.Nodes, f.Nodes)
	set(&c.Rooms, f.Rooms)
	set(&c.Users, f.Users)
	if c.Talk == 0 {
		c.Talk = f.Talk
	}
	if c.Loss == 0 {
		c.Loss = f.Loss
	}
	if c.Nodes < 5 || c.Rooms < 1 || c.Users < 1 || c.Talk < 30*time.Second || c.Loss >= 1 {
		return c, fmt.Errorf("a run needs 5 nodes, a room, a user, 30 s of talk and a loss below 1, not %+v", c)
	}
	return c, nil
}

// lease is how long occupants of a silent node stay: some faults are shorter and some longer.
const lease = 8 * time.Second

// fault is one thing that happens to the world.
type fault struct {
	at    time.Duration // after people began to talk
	what  string        // "split", "heal", "crash", "restart"
	nodes []string
}

func (f fault) String() string {
	return fmt.Sprintf("%v %s %s", f.at.Round(time.Millisecond), f.what, strings.Join(f.nodes, " "))
}

// plan draws one partition and two crashes, in order of time. Crashes may fall into the partition; the nodes are different ones, and not down at the
// same time, since no more than one fault at a time is what rooms go on in; but for a pair, which some rooms freeze for.
func plan(c Config, rng *rand.Rand) []fault {
	between := func(a, b time.Duration) time.Duration { return a + time.Duration(rng.Int64N(int64(b-a))) }
	order := rng.Perm(c.Nodes)
	names := make([]string, c.Nodes)
	for i, n := range order {
		names[i] = fmt.Sprint("n", n+1)
	}
	var out []fault
	split := between(2*time.Second, c.Talk-25*time.Second)
	side := slices.Clone(names[:1+rng.IntN(c.Nodes/2)])
	out = append(out, fault{split, "split", side}, fault{split + between(10*time.Second, 20*time.Second), "heal", nil})
	half := c.Talk / 2
	for i := range 2 {
		down := between(time.Duration(i)*half+time.Second, time.Duration(i)*half+half-10*time.Second)
		hit := names[len(names)-1-i:][:1]
		if c.Pair && i == 1 {
			hit = names[len(names)-3:][:2]
		}
		for _, n := range hit {
			out = append(out, fault{down, "crash", []string{n}}, fault{down + between(2*time.Second, 9*time.Second), "restart", []string{n}})
		}
	}
	slices.SortStableFunc(out, func(a, b fault) int { return int(a.at - b.at) })
	return out
}
