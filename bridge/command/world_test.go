package command_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"warren/bridge"
	"warren/bridge/bridgetest"
	"warren/bridge/command"
)

// client keeps where it was led to.
type client struct {
	mu   sync.Mutex
	went []string
}

func (c *client) Deliver(d bridge.Delivery) {
	if d.Kind == bridge.GoTo {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.went = append(c.went, d.Room)
	}
}

// person is somebody connected to one of the two nodes.
type person struct {
	*client
	*bridge.Session
	tree *command.Tree
}

// world is two nodes with alice and dora (accounts) at the first, bob (account) and eve (guest) at the second.
type world struct {
	t      testing.TB
	people map[string]*person
	finder *finder
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, people: map[string]*person{}, finder: &finder{}}
	n := bridgetest.New(t)
	n1, n2 := n.Node(t, "n1"), n.Node(t, "n2")
	h1 := bridge.New(bridge.Config{World: n1, Wire: n1, Finder: w.finder})
	h2 := bridge.New(bridge.Config{World: n2, Wire: n2})
	t.Cleanup(h1.Close)
	t.Cleanup(h2.Close)
	t1, t2 := command.New(command.Config{Hub: h1}), command.New(command.Config{Hub: h2})
	h1.SetRunner(t1)
	h2.SetRunner(t2)
	n1.Register(t, "alice")
	n1.Register(t, "dora")
	n2.Register(t, "bob")
	w.attach(h1, t1, bridge.Person{Account: "alice", Nick: "alice", View: "irc"})
	w.attach(h1, t1, bridge.Person{Account: "dora", Nick: "Dora", View: "xmpp"})
	w.attach(h2, t2, bridge.Person{Account: "bob", Nick: "bob", View: "xmpp"})
	w.attach(h2, t2, bridge.Person{Nick: "eve", View: "irc"})
	return w
}

func (w *world) attach(h *bridge.Hub, tree *command.Tree, p bridge.Person) {
	w.t.Helper()
	c := &client{}
	s, err := h.Attach(c, p)
	if err != nil {
		w.t.Fatal(err)
	}
	w.people[strings.ToLower(p.Nick)] = &person{client: c, Session: s, tree: tree}
}

func (w *world) join(who, room string) *bridge.Seat {
	w.t.Helper()
	seat, err := w.people[who].Join(context.Background(), room, bridge.JoinOptions{Create: true})
	if err != nil {
		w.t.Fatalf("%s joins #%s: %v", who, room, err)
	}
	return seat
}

// run runs a line: in the room when one is given, else in private.
func (w *world) run(who, room, line string) bridge.Reply {
	w.t.Helper()
	p := w.people[who]
	var seat *bridge.Seat
	if room != "" {
		if seat = p.Seat(room); seat == nil {
			w.t.Fatalf("%s is not in #%s", who, room)
		}
	}
	return p.tree.Run(context.Background(), p.Session, seat, line)
}

// finder answers from a list.
type finder struct {
	found []bridge.Found
	asked []string
	err   error
}

func (f *finder) Find(ctx context.Context, expr, account, nick string) ([]bridge.Found, error) {
	found, _, err := f.FindCounted(ctx, expr, account, nick)
	return found, err
}

func (f *finder) FindCounted(_ context.Context, expr, account, nick string) ([]bridge.Found, int, error) {
	f.asked = append(f.asked, expr+" by "+account+"/"+nick)
	return f.found, 3, f.err
}

func (f *finder) Tags() map[string]int { return map[string]int{"physics": 5, "chem": 7} }
