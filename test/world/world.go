package world

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"warren/rooms"
	"warren/rooms/placement"
)

// maxNodes is how many nodes a world has at most: their addresses hold the number in two bytes, and patience is the narrower bound.
const maxNodes = 256

// In a network of more than allLinked nodes each has at least fewLinked links: see node/overlay.
const (
	allLinked = 64
	fewLinked = 16
)

// linksOf is with how many others a node is linked in a network of so many.
func linksOf(nodes int) int {
	if nodes > allLinked {
		return fewLinked
	}
	return nodes - 1
}

type options struct {
	nodes       int
	seed        uint64
	least, most time.Duration
	loss        float64
	lease, away time.Duration
	calm        bool
	log         slog.Leveler
}

// Option says how a world is other than usual.
type Option func(*options)

// Nodes sets how many nodes there are, n1, n2, n3 …, 1 to 256; 4 when not said. n1 founds the network.
func Nodes(n int) Option { return func(o *options) { o.nodes = n } }

// Seed is what all that is drawn comes from.
func Seed(s uint64) Option { return func(o *options) { o.seed = s } }

// Delay sets between what two times of travel, one way, each pair of nodes has its own; 5 to 40 ms when not said.
func Delay(least, most time.Duration) Option {
	return func(o *options) { o.least, o.most = least, most }
}

// Loss sets the part of packets that is lost, 0 to 1; 0 when not said.
func Loss(p float64) Option { return func(o *options) { o.loss = p } }

// Lease sets after what time occupants of a silent node are gone; as in rooms/replica when not said.
func Lease(d time.Duration) Option { return func(o *options) { o.lease = d } }

// Away sets after what time a silent controller is replaced; as in rooms/replica when not said.
func Away(d time.Duration) Option { return func(o *options) { o.away = d } }

// Calm makes all heartbeats some twenty times slower, for worlds that live for hours.
func Calm() Option { return func(o *options) { o.calm = true } }

// LogLevel sets from which level on nodes' logs go to the test's output; warnings when not said.
func LogLevel(l slog.Leveler) Option { return func(o *options) { o.log = l } }

// World is a network of nodes and the people on them. Methods that return no error end the test when they fail, and are for the test's own
// goroutine; those called Try… are for any.
type World struct {
	t      *testing.T
	o      options
	cables *cables
	nodes  []*Node
	began  time.Time

	mu     sync.Mutex
	rng    *rand.Rand
	users  map[string]*User
	wishes []Wish
}

// New founds a network, lets the other nodes in by invitation, and waits until all know each other and the directory has its controllers.
// It must be called inside a bubble of testing/synctest, and ends with the test.
func New(t *testing.T, opts ...Option) *World {
	t.Helper()
	o := options{nodes: 4, seed: 1, least: 5 * time.Millisecond, most: 40 * time.Millisecond, log: slog.LevelWarn}
	for _, f := range opts {
		f(&o)
	}
	if o.nodes < 1 || o.nodes > maxNodes {
		t.Fatalf("a world has 1 to %d nodes, not %d", maxNodes, o.nodes)
	}
	w := &World{t: t, o: o, rng: rand.New(rand.NewPCG(o.seed, 2)), users: map[string]*User{}, began: time.Now()}
	w.cables = newCables(t, &o)
	for i := range o.nodes {
		w.nodes = append(w.nodes, w.newNode(i+1))
	}
	t.Cleanup(w.close)
	first := w.nodes[0]
	if err := first.start(true); err != nil {
		t.Fatalf("found the network: %v", err)
	}
	link, err := first.running().Invite(time.Hour, max(1, o.nodes-1))
	if err != nil {
		t.Fatalf("invite: %v", err)
	}
	for _, n := range w.nodes[1:] {
		if err := n.join(link); err != nil {
			t.Fatalf("%s joins: %v", n.Name, err)
		}
		if err := n.start(false); err != nil {
			t.Fatalf("%s starts: %v", n.Name, err)
		}
	}
	w.Eventually("all nodes are linked", 3*time.Minute, func() bool {
		return !slices.ContainsFunc(w.nodes, func(n *Node) bool { return n.peersUp() < linksOf(o.nodes) })
	})
	w.Eventually("the directory has its controllers", 3*time.Minute, func() bool {
		return !slices.ContainsFunc(w.nodes, func(n *Node) bool {
			return len(n.Host().Dir().Status().Controllers) != placement.Want(o.nodes)
		})
	})
	return w
}

// close ends all nodes that run, all at once: each of them alone would take its time.
func (w *World) close() {
	var wg sync.WaitGroup
	for _, n := range w.nodes {
		wg.Go(n.stop)
	}
	wg.Wait()
}

// Node returns the node of that name.
func (w *World) Node(name string) *Node {
	w.t.Helper()
	i := slices.IndexFunc(w.nodes, func(n *Node) bool { return n.Name == name })
	if i < 0 {
		w.t.Fatalf("there is no node %q", name)
	}
	return w.nodes[i]
}

// Nodes returns all nodes, n1 first.
func (w *World) Nodes() []*Node { return slices.Clone(w.nodes) }

// Name returns the name of the node with that id, "" for none.
func (w *World) Name(id rooms.NodeID) string {
	for _, n := range w.nodes {
		if n.ID == id {
			return n.Name
		}
	}
	return ""
}

// Partition puts up a wall between these nodes and all others, in place of an earlier one. Nobody is told; packets vanish.
func (w *World) Partition(names ...string) {
	w.t.Helper()
	side := map[int]bool{}
	for _, name := range names {
		side[w.Node(name).number] = true
	}
	w.cables.split(side)
}

// Heal takes the wall away.
func (w *World) Heal() { w.cables.split(nil) }

// Crash takes the power from a node: it says no goodbye, and its disk forgets what was not synced, or keeps some of it, torn.
func (w *World) Crash(name string) {
	w.t.Helper()
	w.Node(name).crash()
}

// Restart starts a crashed node from what its disk holds. Nobody is on it then.
func (w *World) Restart(name string) {
	w.t.Helper()
	if err := w.Node(name).start(false); err != nil {
		w.t.Fatalf("restart %s: %v", name, err)
	}
}

// Eventually waits until f holds, at most d of virtual time.
func (w *World) Eventually(what string, d time.Duration, f func() bool) {
	w.t.Helper()
	for end := time.Now().Add(d); ; time.Sleep(50 * time.Millisecond) {
		if f() {
			return
		}
		if time.Now().After(end) {
			break
		}
	}
	w.tell()
	w.t.Fatalf("not within %v: %s", d, what)
}

// Since returns the virtual time since the world began.
func (w *World) Since() time.Duration { return time.Since(w.began) }

// Packets returns how many packets were sent, and how many of them were lost.
func (w *World) Packets() (sent, lost int) { return w.cables.packets() }

// tell writes how everything stands to the test's log.
func (w *World) tell() {
	w.t.Helper()
	for _, n := range w.nodes {
		h := n.Host()
		if h == nil {
			w.t.Logf("%s: down", n.Name)
			continue
		}
		w.t.Logf("%s (%s): %d peers up", n.Name, n.ID.Short(), n.peersUp())
		for _, r := range h.Replicas() {
			s := r.Status()
			var by []string
			for _, c := range s.Controllers {
				by = append(by, w.Name(c))
			}
			w.t.Logf("  %s: height %d head %s leader %s controllers %v controls %v dropped %d broken %v",
				w.roomName(h, r.ID()), s.Height, s.Head.Short(), w.Name(s.Leader), by, s.Controls, s.Dropped, s.Broken)
		}
	}
}

// patience is how long people wait for one thing, in virtual time: longer than rooms/replica waits before it gives up a wish.
const patience = 30 * time.Second

func (w *World) patience() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

// draw uses the world's source of random numbers.
func (w *World) draw(f func(*rand.Rand)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(w.rng)
}

func (w *World) logger(name string) *slog.Logger {
	h := slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: w.o.log, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.String("at", fmt.Sprintf("%.3f", w.Since().Seconds()))
		}
		return a
	}})
	return slog.New(h).With("on", name)
}
