package replica

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
	"warren/rooms/placement"
)

type world struct {
	t       testing.TB
	lan     *lan
	genesis rooms.Genesis
	stores  map[string]*memStore
	hosts   map[string]*Host
	away    time.Duration
	adapt   func(*Config)     // what the next nodes have different; nil: nothing
	since   map[string]uint64 // directory height at which a node's disk begins
}

func key(name string) ed25519.PrivateKey {
	s := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(s[:])
}

func node(name string) rooms.NodeID { return rooms.NodeOf(key(name).Public().(ed25519.PublicKey)) }

// newWorld returns a world without nodes. Its nodes are closed when the test ends.
func newWorld(t testing.TB) *world {
	w := &world{
		t: t, lan: &lan{nodes: map[rooms.NodeID]*port{}, topics: map[string]map[*port]func(rooms.NodeID, []byte){}},
		genesis: rooms.Genesis{Name: "test", Domain: "localhost", Founder: node("n1"), FounderName: "n1"},
		stores:  map[string]*memStore{}, hosts: map[string]*Host{}, since: map[string]uint64{},
	}
	t.Cleanup(w.close)
	return w
}

func (w *world) start(name string) *Host {
	w.t.Helper()
	if w.stores[name] == nil {
		w.stores[name] = &memStore{m: map[Table][]Entry{}}
	}
	p := &port{l: w.lan, id: node(name), up: true, since: time.Now(), q: make(chan func(), 4096), done: make(chan struct{})}
	var log *slog.Logger
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(w.t.Output(), nil)).With("node", name)
	}
	cfg := Config{Key: key(name), Genesis: w.genesis, Since: w.since[name], Store: w.stores[name], Net: p, Logger: log, Lease: 5 * time.Second, Away: w.away}
	if w.adapt != nil {
		w.adapt(&cfg)
	}
	h, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	p.h = h
	w.lan.mu.Lock()
	w.lan.nodes[p.id] = p
	w.lan.mu.Unlock()
	go func() {
		for f := range p.q {
			f()
		}
		close(p.done)
	}()
	if err := h.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.hosts[name] = h
	w.lan.set(p.id, true)
	return h
}

func (w *world) kill(name string) {
	w.lan.set(node(name), false)
	w.hosts[name].Close()
	w.lan.mu.Lock()
	p := w.lan.nodes[node(name)]
	close(p.q)
	w.lan.mu.Unlock()
	<-p.done
	delete(w.hosts, name)
}

func (w *world) close() {
	for name := range w.hosts {
		w.kill(name)
	}
}

func (w *world) admit(name string) {
	w.t.Helper()
	w.admitBy("n1", name, "n1")
}

// admitBy has a node let another one in, for whom somebody vouches.
func (w *world) admitBy(by, name, sponsor string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := w.hosts[by].Order(ctx, &rooms.AdmitNode{Node: node(name), Name: name, Sponsor: sponsor}); err != nil {
		w.t.Fatalf("%s admits %s: %v", by, name, err)
	}
}

// eventually waits in virtual time.
func (w *world) eventually(what string, d time.Duration, f func() bool) {
	w.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if f() {
			return
		}
	}
	for n, h := range w.hosts {
		for _, r := range h.Replicas() {
			s := r.Status()
			w.t.Logf("%s %s: height %d leader %s controllers %d controls %v", n, r.ID().Short(), s.Height, s.Leader.Short(), len(s.Controllers), s.Controls)
		}
	}
	w.t.Fatalf("not within %v: %s", d, what)
}

// patience is how long a helper waits for one thing that it asks for: far longer than that should take.
const patience = 10 * time.Minute

// grow admits nodes and starts them.
func (w *world) grow(names ...string) {
	w.t.Helper()
	for _, n := range names {
		w.admit(n)
		w.start(n)
	}
}

// nodes starts n nodes, n1, n2, …, waits until as many of them control the directory as a network of that size has, and until raft knows them for good,
// so that n1 is not needed any more. It returns n1's host.
func (w *world) nodes(n int) *Host {
	w.t.Helper()
	h := w.start("n1")
	for i := 2; i <= n; i++ {
		w.grow(fmt.Sprint("n", i))
	}
	want := placement.Want(n)
	w.eventually("the directory has its controllers", time.Minute, func() bool {
		return len(h.Dir().Status().Controllers) == want && (want == 1 || sealed(h.Dir()))
	})
	return h
}

// found makes a room at n1, in the name of an account or of a guest.
func (w *world) found(account, nick string, b rooms.CreateRoom) rooms.RoomID {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	id, err := w.hosts["n1"].Create(ctx, account, nick, b)
	if err != nil {
		w.t.Fatalf("make %s: %v", b.Name, err)
	}
	return id
}

// four starts four nodes that control the directory, and makes a temporary room that they control.
func (w *world) four(name string) (*world, rooms.RoomID) {
	w.t.Helper()
	w.nodes(4)
	id := w.found("", "ann", rooms.CreateRoom{Name: name, Temporary: true})
	for _, h := range w.hosts {
		w.knows(h, id)
	}
	return w, id
}

// knows waits until the directory shows the room at a node.
func (w *world) knows(h *Host, id rooms.RoomID) {
	w.t.Helper()
	w.eventually("the node knows the room", 10*time.Second, func() bool { _, err := h.record(id); return err == nil })
}

// join starts one more node that knows the room.
func (w *world) join(name string, id rooms.RoomID) *Host {
	w.t.Helper()
	w.grow(name)
	w.knows(w.hosts[name], id)
	return w.hosts[name]
}

// open returns a node's copy of a room, opened for a guest.
func (w *world) open(name string, id rooms.RoomID, nick string) *Replica {
	w.t.Helper()
	return w.openAs(name, id, "", nick)
}

// openAs is open for an account, or for a guest.
func (w *world) openAs(name string, id rooms.RoomID, account, nick string) *Replica {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	r, err := w.hosts[name].Open(ctx, id, account, nick)
	for errors.Is(err, errs.NotFound) && ctx.Err() == nil { // the directory's word of it is on its way
		time.Sleep(10 * time.Millisecond)
		r, err = w.hosts[name].Open(ctx, id, account, nick)
	}
	if err != nil {
		w.t.Fatalf("%q %q opens the room at %s: %v", account, nick, name, err)
	}
	return r
}

// do has somebody order things in a room, one after the other.
func (w *world) do(r *Replica, account, nick string, bodies ...rooms.Body) {
	w.t.Helper()
	for _, b := range bodies {
		ctx, cancel := context.WithTimeout(w.t.Context(), patience)
		_, err := r.Ask(ctx, account, nick, b)
		cancel()
		if err != nil {
			w.t.Fatalf("%T of %s: %v", b, nick, err)
		}
	}
}

// enter lets a guest enter a room at a node.
func (w *world) enter(name string, id rooms.RoomID, nick string) *Replica {
	w.t.Helper()
	r := w.open(name, id, nick)
	w.do(r, "", nick, &rooms.Enter{})
	return r
}

// talk lets ann enter a room at a node and say n lines.
func (w *world) talk(name string, id rooms.RoomID, word string, n int) *Replica {
	w.t.Helper()
	r := w.enter(name, id, "ann")
	for i := range n {
		w.do(r, "", "ann", &rooms.Say{Text: fmt.Sprint(word, i)})
	}
	return r
}

// leader waits until the copy knows who leads the room, and names that one.
func (w *world) leader(r *Replica) string {
	w.t.Helper()
	w.eventually("somebody leads", 5*time.Second, func() bool { return !r.Status().Leader.IsZero() })
	return w.name(r.Status().Leader)
}

func (w *world) name(id rooms.NodeID) string {
	for n := range w.hosts {
		if node(n) == id {
			return n
		}
	}
	w.t.Fatalf("no node %s", id.Short())
	return ""
}

// other returns one of the first four nodes that is not this one.
func (w *world) other(name string) string {
	for _, n := range []string{"n1", "n2", "n3", "n4"} {
		if n != name {
			return n
		}
	}
	return ""
}

// registered makes an account whose device is the host.
func (w *world) registered(h *Host, name string) {
	w.t.Helper()
	k := key(name)
	reg := &rooms.Register{Name: name, Key: rooms.NodeOf(k.Public().(ed25519.PublicKey)), Device: h.Self()}
	reg.Sig = ed25519.Sign(k, rooms.AccountDigest(w.genesis.Directory(), "register", name, reg.Key, h.Self(), 0))
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	if err := h.Order(ctx, reg); err != nil {
		w.t.Fatalf("register %s: %v", name, err)
	}
}

// said returns the texts of a room's log.
func said(t *testing.T, r *Replica) (out []string) {
	t.Helper()
	list, err := r.Events(t.Context(), Query{Limit: 1000, Ops: []rooms.Op{rooms.OpSay, rooms.OpBegin}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		switch b := list[i].Body.(type) {
		case *rooms.Say:
			out = append(out, b.Text)
		case *rooms.Begin:
			out = append(out, "begin by "+b.By)
		}
	}
	return out
}

// member starts a fifth node, which controls nothing, and lets bob enter the room there.
func (w *world) member(id rooms.RoomID) *Replica {
	w.t.Helper()
	w.join("n5", id)
	r := w.enter("n5", id, "bob")
	r.Watch(func(*rooms.Event, any) {})
	return r
}
