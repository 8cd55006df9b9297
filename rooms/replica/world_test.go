package replica

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"warren/rooms"
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

func newWorld(t testing.TB) *world {
	return &world{t: t, lan: &lan{nodes: map[rooms.NodeID]*port{}, topics: map[string]map[*port]func(rooms.NodeID, []byte){}}, stores: map[string]*memStore{}, hosts: map[string]*Host{}, since: map[string]uint64{},
		genesis: rooms.Genesis{Name: "test", Domain: "localhost", Founder: node("n1"), FounderName: "n1"}}
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
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := w.hosts["n1"].Order(ctx, &rooms.AdmitNode{Node: node(name), Name: name, Sponsor: "n1"}); err != nil {
		w.t.Fatalf("admit %s: %v", name, err)
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

// four starts four nodes that control the directory, and makes a room that they control.
func (w *world) four(name string) (*world, rooms.RoomID) {
	w.t.Helper()
	h1 := w.start("n1")
	for _, n := range []string{"n2", "n3", "n4"} {
		w.admit(n)
		w.start(n)
	}
	w.eventually("four controllers", time.Minute, func() bool { return len(h1.Dir().Status().Controllers) == 4 })
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	id, err := h1.Create(ctx, "", "ann", rooms.CreateRoom{Name: name, Temporary: true})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range w.hosts {
		w.eventually("every node knows the room", 10*time.Second, func() bool { _, err := h.record(id); return err == nil })
	}
	return w, id
}

// join starts one more node that knows the room.
func (w *world) join(name string, id rooms.RoomID) *Host {
	w.t.Helper()
	w.admit(name)
	h := w.start(name)
	w.eventually("the newcomer knows the room", 10*time.Second, func() bool { _, err := h.record(id); return err == nil })
	return h
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
	if err := h.Order(w.t.Context(), reg); err != nil {
		w.t.Fatal(err)
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
	r, err := w.join("n5", id).Open(w.t.Context(), id, "", "bob")
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := r.Ask(w.t.Context(), "", "bob", &rooms.Enter{}); err != nil {
		w.t.Fatal(err)
	}
	r.Watch(func(*rooms.Event, any) {})
	return r
}

// talk has ann enter the room at the host, if she is not there, and say n lines.
func talk(ctx context.Context, t *testing.T, h *Host, id rooms.RoomID, word string, n int) *Replica {
	t.Helper()
	r, err := h.Open(ctx, id, "", "ann")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Ask(ctx, "", "ann", &rooms.Enter{}); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, err := r.Ask(ctx, "", "ann", &rooms.Say{Text: fmt.Sprint(word, i)}); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// alone starts a network of one node with a room in which somebody has talked.
func (w *world) alone(ctx context.Context) (*Host, rooms.RoomID) {
	w.t.Helper()
	h := w.start("n1")
	id, err := h.Create(ctx, "", "ann", rooms.CreateRoom{Name: "lab"})
	if err != nil {
		w.t.Fatal(err)
	}
	return h, id
}
