// Package bridgetest is a network of nodes in one process for tests of the bridge and its protocols: rooms and directory are the real ones
// (rooms.Chain), but one goroutine a room puts requests in order, and there is no disk, net or certificate.
package bridgetest

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"slices"
	"sync"
	"testing"
	"time"

	"warren/bridge"
	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
)

// Network is the rooms and the directory that all its nodes share.
type Network struct {
	genesis rooms.Genesis
	clock   func() int64

	mu    sync.RWMutex // guards all chains
	dir   *ordered
	rooms map[rooms.RoomID]*ordered
	nodes map[rooms.NodeID]*Node
	wg    sync.WaitGroup
	quit  chan struct{}
}

// New makes a network without nodes; the first Node founds it. It ends with the test.
func New(t testing.TB) *Network {
	n := &Network{rooms: map[rooms.RoomID]*ordered{}, nodes: map[rooms.NodeID]*Node{}, quit: make(chan struct{}), clock: func() int64 { return time.Now().UnixMilli() }}
	t.Cleanup(func() { close(n.quit); n.wg.Wait() })
	return n
}

// Node is one node of the network: a bridge.World and a bridge.Wire.
type Node struct {
	net  *Network
	id   rooms.NodeID
	key  ed25519.PrivateKey
	name string

	mu    sync.Mutex
	recv  []func(rooms.NodeID, []byte)
	peers []func(rooms.NodeID, bool)
}

var (
	_ bridge.World = (*Node)(nil)
	_ bridge.Wire  = (*Node)(nil)
	_ bridge.Room  = (*copyOf)(nil)
)

// Key returns a deterministic key for a name.
func Key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// Node adds a node, admitted to the directory.
func (n *Network) Node(t testing.TB, name string) *Node {
	t.Helper()
	w := &Node{net: n, key: Key("node " + name), name: name}
	w.id = rooms.NodeOf(w.key.Public().(ed25519.PublicKey))
	first := n.dir == nil
	if first {
		n.genesis = rooms.Genesis{Name: "test", Domain: "localhost", Founder: w.id, FounderName: name, Time: n.clock()}
		n.dir = n.order(rooms.NewChain(n.genesis.Directory(), rooms.NewDirectory(n.genesis)))
	}
	n.mu.Lock()
	var others []*Node
	for _, o := range n.nodes {
		others = append(others, o)
	}
	n.nodes[w.id] = w
	n.mu.Unlock()
	if !first {
		others[0].directory(t, &rooms.AdmitNode{Node: w.id, Name: name, Sponsor: others[0].name})
	}
	for _, o := range others {
		for _, f := range o.peers {
			f(w.id, true)
		}
	}
	return w
}

func (w *Node) directory(t testing.TB, b rooms.Body) {
	t.Helper()
	res := make(chan bridge.Outcome, 1)
	w.net.dir.in <- job{node: w, body: b, done: func(o bridge.Outcome) { res <- o }}
	if o := <-res; o.Err != nil {
		t.Fatalf("directory: %v", o.Err)
	}
}

// Register makes an account with this node as its device.
func (w *Node) Register(t testing.TB, name string) {
	t.Helper()
	key := Key("account " + name)
	pub := rooms.NodeOf(key.Public().(ed25519.PublicKey))
	b := &rooms.Register{Name: name, Key: pub, Device: w.id}
	b.Sig = ed25519.Sign(key, rooms.AccountDigest(w.net.genesis.Directory(), "register", name, pub, w.id, 0))
	w.directory(t, b)
}

// AddDevice lets this node sign for an account registered elsewhere.
func (w *Node) AddDevice(t testing.TB, name string) {
	t.Helper()
	key := Key("account " + name)
	pub := rooms.NodeOf(key.Public().(ed25519.PublicKey))
	var nonce uint64
	w.Directory(func(d *rooms.Directory) { nonce = d.Accounts[name].Changes })
	b := &rooms.AddDevice{Account: name, Device: w.id, Nonce: nonce}
	b.Sig = ed25519.Sign(key, rooms.AccountDigest(w.net.genesis.Directory(), "device", name, pub, w.id, nonce))
	w.directory(t, b)
}

// Self implements bridge.World.
func (w *Node) Self() rooms.NodeID { return w.id }

// Genesis implements bridge.World.
func (w *Node) Genesis() rooms.Genesis { return w.net.genesis }

// Now implements bridge.World.
func (w *Node) Now() int64 { return w.net.clock() }

// Directory implements bridge.World.
func (w *Node) Directory(f func(*rooms.Directory)) {
	w.net.mu.RLock()
	defer w.net.mu.RUnlock()
	f(w.net.dir.chain.Machine.(*rooms.Directory))
}

// WatchDirectory implements bridge.World.
func (w *Node) WatchDirectory(f func(*rooms.Event)) func() {
	return w.net.dir.subscribe(w.id, func(e *rooms.Event, _ any) { f(e) })
}

// Open implements bridge.World.
func (w *Node) Open(_ context.Context, id rooms.RoomID, _, _ string) (bridge.Room, error) {
	w.net.mu.RLock()
	defer w.net.mu.RUnlock()
	o, ok := w.net.rooms[id]
	if !ok {
		return nil, errs.NotFound
	}
	return &copyOf{w, o}, nil
}

// Glance implements bridge.World: each node has a copy of every room.
func (w *Node) Glance(id rooms.RoomID) (g bridge.Glance, ok bool) {
	r, err := w.Open(context.Background(), id, "", "")
	if err != nil {
		return g, false
	}
	r.View(func(st *rooms.State) {
		g = bridge.Glance{Users: len(st.Occupants), Subject: st.Subject, SubjectTime: st.SubjectTime,
			Open: st.ACL.Get(perms.Everyone).Allow.Has(perms.Read), Hidden: st.Set.Secret || st.Closed}
	})
	return g, true
}

// Create implements bridge.World.
func (w *Node) Create(ctx context.Context, account, nick string, b rooms.CreateRoom) (rooms.RoomID, error) {
	b.Maker, b.Controllers = rooms.PrincipalOf(account, nick, w.id), []rooms.NodeID{w.net.genesis.Founder}
	res := make(chan bridge.Outcome, 1)
	w.net.dir.in <- job{node: w, account: account, nick: nick, body: &b, done: func(o bridge.Outcome) { res <- o }}
	var o bridge.Outcome
	select {
	case o = <-res:
	case <-ctx.Done():
		return rooms.RoomID{}, ctx.Err()
	}
	var id rooms.RoomID
	w.Directory(func(d *rooms.Directory) {
		if r, ok := d.RoomByName(b.Name); ok {
			id = r.ID
		}
	})
	return id, o.Err
}

// Broadcast implements bridge.Wire.
func (w *Node) Broadcast(data []byte) {
	for _, o := range w.net.all() {
		w.Send(o.id, data)
	}
}

func (n *Network) all() []*Node {
	n.mu.RLock()
	defer n.mu.RUnlock()
	var out []*Node
	for _, o := range n.nodes {
		out = append(out, o)
	}
	return out
}

// Send implements bridge.Wire.
func (w *Node) Send(to rooms.NodeID, data []byte) {
	w.net.mu.RLock()
	o := w.net.nodes[to]
	w.net.mu.RUnlock()
	if o == nil || o == w {
		return
	}
	o.mu.Lock()
	fs := slices.Clone(o.recv)
	o.mu.Unlock()
	for _, f := range fs {
		f(w.id, data)
	}
}

// Receive implements bridge.Wire.
func (w *Node) Receive(f func(rooms.NodeID, []byte)) func() {
	w.mu.Lock()
	w.recv = append(w.recv, f)
	w.mu.Unlock()
	return func() { w.mu.Lock(); w.recv = nil; w.mu.Unlock() }
}

// Peers implements bridge.Wire.
func (w *Node) Peers(f func(rooms.NodeID, bool)) func() {
	w.mu.Lock()
	w.peers = append(w.peers, f)
	w.mu.Unlock()
	for _, o := range w.net.all() {
		if o != w {
			f(o.id, true)
		}
	}
	return func() { w.mu.Lock(); w.peers = nil; w.mu.Unlock() }
}

// Tick makes a room tick, and returns when all who watch that have been told.
func (n *Network) Tick(id rooms.RoomID, k bridge.Tick) {
	n.mu.RLock()
	o := n.rooms[id]
	n.mu.RUnlock()
	done := make(chan struct{})
	o.in <- job{tick: &k, sync: done}
	<-done
}

// Freeze makes a room freeze, or thaw, and returns when all who watch it have been told.
func (n *Network) Freeze(id rooms.RoomID, frozen bool) {
	n.mu.RLock()
	o := n.rooms[id]
	n.mu.RUnlock()
	done := make(chan struct{})
	o.in <- job{freeze: &frozen, sync: done}
	<-done
}

// Gap makes a room's log a part of which is still on its way to the nodes, or ends that: it can be read afterwards only, and what is not found in it
// may be in the gap.
func (n *Network) Gap(id rooms.RoomID, is bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rooms[id].gap = is
}
