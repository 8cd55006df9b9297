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

// ordered is one room's chain with its sequencer.
type ordered struct {
	net    *Network
	chain  *rooms.Chain
	in     chan job
	log    []rooms.Event
	watch  map[int]watcher
	next   int
	sigs   map[int]signalWatcher
	freeze map[int]func(bool)
	talk   map[int]func(bridge.Provisional, rooms.NodeID)
	frozen bool  // owned by run; guarded by mu for others
	held   []job // what waits for the thaw
	count  map[rooms.NodeID]uint64
	mu     sync.Mutex // guards watch, sigs
}

type watcher struct {
	node rooms.NodeID
	f    func(*rooms.Event, any)
}

type signalWatcher struct {
	node rooms.NodeID
	f    func(rooms.NodeID, []byte)
}

type job struct {
	node          *Node
	account, nick string
	body          rooms.Body
	cookie        any
	done          func(bridge.Outcome)
	sync          chan struct{}
	freeze        *bool // freeze or thaw, then close sync
	held          *rooms.Request
}

func (n *Network) order(c *rooms.Chain) *ordered {
	o := &ordered{net: n, chain: c, in: make(chan job, 4096), watch: map[int]watcher{}, sigs: map[int]signalWatcher{}, freeze: map[int]func(bool){}, talk: map[int]func(bridge.Provisional, rooms.NodeID){}, count: map[rooms.NodeID]uint64{}}
	n.wg.Go(o.run)
	return o
}

func (o *ordered) run() {
	for {
		select {
		case <-o.net.quit:
			return
		case j := <-o.in:
			switch {
			case j.freeze != nil:
				o.freezes(*j.freeze)
				close(j.sync)
			case j.sync != nil:
				close(j.sync)
			case o.frozen:
				o.hold(j)
			default:
				o.step(j)
			}
		}
	}
}

// freezes tells all who watch that the room is frozen, or that it thawed, after what was held is ordered.
func (o *ordered) freezes(is bool) {
	o.mu.Lock()
	o.frozen = is
	held := o.held
	if !is {
		o.held = nil
	}
	o.mu.Unlock()
	if !is {
		for _, j := range held {
			o.step(j)
		}
	}
	o.mu.Lock()
	var fs []func(bool)
	for _, k := range sortedInts(o.freeze) {
		fs = append(fs, o.freeze[k])
	}
	o.mu.Unlock()
	for _, f := range fs {
		f(is)
	}
}

// hold does with a wish what a frozen room does: talk is shown on all nodes, who leaves waits, the rest is refused.
func (o *ordered) hold(j job) {
	n := uint64(1)
	for _, h := range o.held {
		if h.node == j.node {
			n++
		}
	}
	r := o.request(j, o.count[j.node.id]+n)
	switch j.body.(type) {
	case *rooms.Say:
		o.provisional(j, &r, nil)
	case *rooms.Leave:
	default:
		if j.done != nil {
			j.done(bridge.Outcome{ID: r.ID(), Err: errs.Frozen})
		}
		return
	}
	j.held = &r
	o.held = append(o.held, j)
}

func (o *ordered) provisional(j job, r *rooms.Request, err error) {
	ev := &rooms.Event{
		Room: o.chain.Room, Time: o.net.clock(), ID: r.ID(), Account: j.account, Nick: j.nick, Device: j.node.id, Op: r.Op, Body: j.body,
	}
	o.mu.Lock()
	var fs []func(bridge.Provisional, rooms.NodeID)
	for _, k := range sortedInts(o.talk) {
		fs = append(fs, o.talk[k])
	}
	o.mu.Unlock()
	for _, f := range fs {
		f(bridge.Provisional{Event: ev, Cookie: j.cookie, Err: err}, j.node.id)
	}
}

func (o *ordered) request(j job, counter uint64) rooms.Request {
	r := rooms.NewRequest(o.chain.Room, j.account, j.nick, j.body)
	r.Counter = counter
	r.Sign(j.node.key)
	return r
}

func (o *ordered) step(j job) {
	var r rooms.Request
	if j.held != nil {
		r = *j.held
	} else {
		r = o.request(j, o.count[j.node.id]+1)
	}
	o.net.mu.Lock()
	b := rooms.Batch{Epoch: 1, Time: o.net.clock(), Dir: o.net.dir.chain.Height, Requests: []rooms.Request{r}}
	_, verdicts, events := o.chain.Run(&b, o.net.dir.chain.Machine.(*rooms.Directory).Now(), rooms.VerifySignature)
	o.count[j.node.id] = o.chain.Machine.Base().Counters[j.node.id]
	o.log = append(o.log, events...)
	if kind := verdicts.At(0); kind == errs.OK {
		if b, ok := j.body.(*rooms.CreateRoom); ok {
			d := o.chain.Machine.(*rooms.Directory)
			rec, _ := d.RoomByName(b.Name)
			o.net.rooms[rec.ID] = o.net.order(rooms.NewChain(rec.ID, rooms.NewState(rec)))
		}
	}
	o.net.mu.Unlock()
	for i := range events {
		o.mu.Lock()
		ws := make([]watcher, 0, len(o.watch))
		for _, id := range sortedInts(o.watch) {
			ws = append(ws, o.watch[id])
		}
		o.mu.Unlock()
		for _, w := range ws {
			var cookie any
			if w.node == j.node.id {
				cookie = j.cookie
			}
			w.f(&events[i], cookie)
		}
	}
	if k := verdicts.At(0); k != errs.OK && j.held != nil && r.Op == rooms.OpSay {
		o.provisional(j, &r, k)
	}
	if j.done != nil {
		var err error
		if k := verdicts.At(0); k != errs.OK {
			err = k
		}
		j.done(bridge.Outcome{ID: r.ID(), Err: err})
	}
}

func sortedInts[V any](m map[int]V) []int {
	var out []int
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
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

// Glance implements bridge.Glancer: each node has a copy of every room.
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

func (o *ordered) subscribe(node rooms.NodeID, f func(*rooms.Event, any)) func() {
	o.mu.Lock()
	defer o.mu.Unlock()
	id := o.next
	o.next++
	o.watch[id] = watcher{node, f}
	return func() { o.mu.Lock(); defer o.mu.Unlock(); delete(o.watch, id) }
}

// copyOf is a room as one node sees it.
type copyOf struct {
	w *Node
	o *ordered
}

func (r *copyOf) ID() rooms.RoomID { return r.o.chain.Room }

func (r *copyOf) View(f func(*rooms.State)) {
	r.w.net.mu.RLock()
	defer r.w.net.mu.RUnlock()
	f(r.o.chain.Machine.(*rooms.State))
}

func (r *copyOf) Submit(account, nick string, b rooms.Body, cookie any, done func(bridge.Outcome)) {
	select {
	case r.o.in <- job{node: r.w, account: account, nick: nick, body: b, cookie: cookie, done: done}:
	case <-r.w.net.quit:
		if done != nil {
			done(bridge.Outcome{Err: errs.Closed})
		}
	}
}

func (r *copyOf) Watch(f func(*rooms.Event, any)) func() { return r.o.subscribe(r.w.id, f) }

func (r *copyOf) Sync(ctx context.Context) error {
	c := make(chan struct{})
	select {
	case r.o.in <- job{sync: c}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *copyOf) History(_ context.Context, q bridge.HistoryQuery) ([]rooms.Event, error) {
	r.w.net.mu.RLock()
	defer r.w.net.mu.RUnlock()
	return bridge.SelectHistory(r.o.log, q), nil
}

func (r *copyOf) Find(_ context.Context, id string) (rooms.Event, error) {
	r.w.net.mu.RLock()
	defer r.w.net.mu.RUnlock()
	for _, e := range r.o.log {
		if e.ID.MsgID() == id {
			return e, nil
		}
	}
	return rooms.Event{}, errs.NotFound
}

func (r *copyOf) Status() bridge.RoomStatus {
	var s bridge.RoomStatus
	r.View(func(st *rooms.State) {
		s = bridge.RoomStatus{Name: "#" + st.Name, ID: r.ID().String(), Epoch: 1, Height: r.o.chain.Height, Occupants: len(st.Occupants)}
		for _, c := range st.B.Controllers {
			s.Controllers = append(s.Controllers, c.String())
			s.ControlIDs = append(s.ControlIDs, c)
		}
		s.Leader, s.LeaderID = s.Controllers[0], s.ControlIDs[0]
	})
	return s
}

func (r *copyOf) Signal(data []byte) {
	r.o.mu.Lock()
	ws := make([]signalWatcher, 0, len(r.o.sigs))
	for _, w := range r.o.sigs {
		ws = append(ws, w)
	}
	r.o.mu.Unlock()
	for _, w := range ws {
		if w.node != r.w.id {
			w.f(r.w.id, data)
		}
	}
}

// WatchProvisional implements bridge.Room: all nodes hear what is said while the room is frozen.
func (r *copyOf) WatchProvisional(f func(bridge.Provisional)) func() {
	r.o.mu.Lock()
	defer r.o.mu.Unlock()
	id := r.o.next
	r.o.next++
	r.o.talk[id] = func(p bridge.Provisional, from rooms.NodeID) {
		if from != r.w.id {
			p.Cookie = nil
		}
		f(p)
	}
	return func() { r.o.mu.Lock(); defer r.o.mu.Unlock(); delete(r.o.talk, id) }
}

// WatchFrozen implements bridge.Room: Network.Freeze makes a room freeze and thaw.
func (r *copyOf) WatchFrozen(f func(bool)) func() {
	r.o.mu.Lock()
	defer r.o.mu.Unlock()
	id := r.o.next
	r.o.next++
	r.o.freeze[id] = f
	if r.o.frozen {
		f(true)
	}
	return func() { r.o.mu.Lock(); defer r.o.mu.Unlock(); delete(r.o.freeze, id) }
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

func (r *copyOf) WatchSignals(f func(rooms.NodeID, []byte)) func() {
	r.o.mu.Lock()
	defer r.o.mu.Unlock()
	id := r.o.next
	r.o.next++
	r.o.sigs[id] = signalWatcher{r.w.id, f}
	return func() { r.o.mu.Lock(); defer r.o.mu.Unlock(); delete(r.o.sigs, id) }
}
