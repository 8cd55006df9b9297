package account

import (
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"warren/node/store"
	"warren/rooms"
	"warren/rooms/errs"
)

var light = Params{Memory: 8, Time: 1, Threads: 1}

// world is a network: one directory that all nodes see at once, and requests that arrive unless a node is away.
type world struct {
	t   testing.TB
	dir rooms.RoomID

	mu       sync.Mutex
	now      time.Time
	accounts map[string]rooms.AccountRecord
	nodes    map[rooms.NodeID]*node
	height   uint64
	frozen   bool  // the directory is known to have no quorum
	refuse   error // what Order says; with applied, after it took effect
	applied  bool
	meddle   func(to rooms.NodeID, q question, ans *answer)
	guesses  int // questions of kind open
}

type node struct {
	*Accounts
	w     *world
	id    rooms.NodeID
	store *store.Store
	cfg   Config
	away  bool
	out   bool // not in the network
}

func newWorld(t testing.TB) *world {
	return &world{
		t: t, dir: rooms.RoomID{1}, now: time.UnixMilli(1_700_000_000_000), accounts: map[string]rooms.AccountRecord{},
		nodes: map[rooms.NodeID]*node{},
	}
}

func (w *world) node(b byte) *node {
	w.t.Helper()
	s, err := store.Open(w.t.TempDir(), store.Options{NoSync: true})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = s.Close() })
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = b
	n := &node{w: w, store: s, id: rooms.NodeOf(ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey))}
	n.cfg = Config{Self: n.id, Store: s, Directory: view{w}, Peers: view{w}.of(n), Open: true, Params: light, Floor: light, Now: w.clock}
	n.restart()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nodes[n.id] = n
	return n
}

// restart forgets all but what is stored.
func (n *node) restart() {
	n.w.t.Helper()
	a, err := New(n.cfg)
	if err != nil {
		n.w.t.Fatal(err)
	}
	n.Accounts = a
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// view is the world as one node uses it.
type view struct{ *world }

type peers struct {
	view
	self *node
}

func (v view) of(n *node) peers { return peers{v, n} }

func (v view) ID() rooms.RoomID { return v.dir }

func (v view) Inside(id rooms.NodeID) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	n, ok := v.nodes[id]
	return ok && !n.out
}

func (v view) Frozen() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.frozen
}

func (v view) Account(name string) (rooms.AccountRecord, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	r, ok := v.accounts[name]
	return r, ok
}

func (v view) Order(ctx context.Context, b rooms.Body) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if v.refuse != nil && !v.applied {
		return v.refuse
	}
	v.height++
	check := func(key rooms.NodeID, sig []byte, what, name string, device rooms.NodeID, nonce uint64) bool {
		return ed25519.Verify(key.Public(), rooms.AccountDigest(v.dir, what, name, key, device, nonce), sig)
	}
	switch b := b.(type) {
	case *rooms.Register:
		switch _, taken := v.accounts[b.Name]; {
		case !check(b.Key, b.Sig, "register", b.Name, b.Device, 0):
			return errs.Void
		case taken:
			return errs.Exists
		}
		v.accounts[b.Name] = rooms.AccountRecord{Name: b.Name, Key: b.Key, Changes: 1, Devices: []rooms.Device{{Key: b.Device, From: v.height}}}
	case *rooms.AddDevice:
		a, ok := v.accounts[b.Account]
		switch {
		case !ok:
			return errs.NotFound
		case b.Nonce != a.Changes:
			return errs.Stale
		case !check(a.Key, b.Sig, "device", b.Account, b.Device, b.Nonce):
			return errs.Void
		case signs(a, b.Device):
			return errs.Exists
		}
		a.Devices = append(slices.Clone(a.Devices), rooms.Device{Key: b.Device, From: v.height})
		a.Changes++
		v.accounts[b.Account] = a
	default:
		return errs.Invalid
	}
	return v.refuse
}

// drop ends a device.
func (w *world) drop(name string, n *node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.accounts[name]
	a.Devices = slices.Clone(a.Devices)
	for i := range a.Devices {
		if a.Devices[i].Key == n.id {
			a.Devices[i].To = w.height
		}
	}
	a.Changes++
	w.accounts[name] = a
}

func (p peers) Request(ctx context.Context, to rooms.NodeID, proto string, req []byte) ([]byte, error) {
	p.mu.Lock()
	n, meddle := p.nodes[to], p.meddle
	away := n != nil && n.away
	p.mu.Unlock()
	switch {
	case n == nil || proto != Protocol:
		<-ctx.Done() // as slow as can be
		return nil, ctx.Err()
	case away:
		return nil, errors.New("cannot be reached")
	}
	var q question
	if err := rooms.Unmarshal(req, &q); err != nil {
		return nil, err
	}
	if q.Op == opOpen {
		p.mu.Lock()
		p.guesses++
		p.mu.Unlock()
	}
	data, err := n.ServeSealed(ctx, p.self.id, req)
	if err != nil || meddle == nil {
		return data, err
	}
	var ans answer
	if err := rooms.Unmarshal(data, &ans); err != nil {
		return nil, err
	}
	meddle(to, q, &ans)
	return rooms.Marshal(ans), nil
}

func (n *node) register(name, password string) {
	n.w.t.Helper()
	if got, err := n.Register(n.w.t.Context(), name, password); err != nil || got != name {
		n.w.t.Fatalf("register %s: %q, %v", name, got, err)
	}
}

func (n *node) verify(name, password string, want error) {
	n.w.t.Helper()
	got, err := n.Verify(n.w.t.Context(), name, password)
	if !errors.Is(err, want) || want == nil && err != nil {
		n.w.t.Fatalf("verify %s/%s: got %v, want %v", name, password, err, want)
	}
	if want == nil && got != name {
		n.w.t.Fatalf("verify %s: account %q", name, got)
	}
}

// scram reports the error of looking up keys, and checks that both kinds fit the password.
func (n *node) scram(name, password string) error {
	n.w.t.Helper()
	for h, size := range map[string]int{SHA1: 20, SHA256: 32} {
		got, k, err := n.Scram(n.w.t.Context(), name, h)
		if err != nil {
			return err
		}
		want, err := makeScram(password, hashes[h], k.Salt, k.Iterations)
		if err != nil || got != name || len(k.StoredKey) != size || !slices.Equal(k.StoredKey, want.StoredKey) || !slices.Equal(k.ServerKey, want.ServerKey) {
			n.w.t.Fatalf("%s keys of %s do not fit", h, name)
		}
	}
	return nil
}
