package node

import (
	"context"
	"slices"
	"sync"
	"time"

	"warren/node/overlay"
	"warren/rooms"
)

// First byte of a frame between nodes: whose it is.
const (
	chanRooms  = 0 // rooms/replica
	chanBridge = 1 // what bridges tell each other (presence)
	chanSearch = 2 // answers to searches
	chanDoor   = 3 // knocks of newcomers
)

const (
	pullProtocol = "pull/1"
	pullLimit    = 1 << 10 // bytes of a pull
)

// network gives rooms/replica the overlay in its own words.
type network struct{ o *overlay.Overlay }

// Send implements replica.Net.
func (n network) Send(to rooms.NodeID, f []byte) bool { return n.o.Send(to, framed(chanRooms, f)) }

func framed(kind byte, f []byte) []byte {
	return append(append(make([]byte, 0, len(f)+1), kind), f...)
}

// Pull implements replica.Net.
func (n network) Pull(ctx context.Context, to rooms.NodeID, req []byte) ([]byte, error) {
	return n.o.Request(ctx, to, pullProtocol, req)
}

// Alive implements replica.Net.
func (n network) Alive(id rooms.NodeID) (bool, time.Time) { return n.o.Alive(id) }

// Ended implements replica.Net.
func (n network) Ended(id rooms.NodeID) bool { return n.o.Ended(id) }

// RTT implements replica.Net.
func (n network) RTT(id rooms.NodeID) time.Duration { return n.o.RTT(id) }

// Join implements replica.Net.
func (n network) Join(topic string, f func(from rooms.NodeID, data []byte)) (func([]byte), func(), error) {
	t, err := n.o.Join(topic, f)
	if err != nil {
		return nil, nil, err
	}
	return func(b []byte) { _ = t.Publish(b) }, func() { _ = t.Leave() }, nil
}

// Wire carries what bridges (and searches) of different nodes tell each other, by frames of one channel. Safe for concurrent use.
type Wire struct {
	n    *Node
	kind byte

	mu    sync.Mutex
	next  int
	recv  map[int]func(rooms.NodeID, []byte)
	peers map[int]func(rooms.NodeID, bool)
}

func newWire(n *Node, kind byte) *Wire {
	return &Wire{n: n, kind: kind, recv: map[int]func(rooms.NodeID, []byte){}, peers: map[int]func(rooms.NodeID, bool){}}
}

// Send sends to one node; it does not block.
func (w *Wire) Send(to rooms.NodeID, data []byte) { w.n.over.Send(to, framed(w.kind, data)) }

// Broadcast sends to every node that is up; it does not block.
func (w *Wire) Broadcast(data []byte) { w.n.broadcast(w.kind, data) }

func (n *Node) broadcast(kind byte, data []byte) {
	f := framed(kind, data)
	for _, p := range n.over.Peers() {
		if p.Up {
			n.over.Send(p.ID, f)
		}
	}
}

// Receive calls f with what others sent; f must not block.
func (w *Wire) Receive(f func(from rooms.NodeID, data []byte)) (stop func()) {
	return register(w, w.recv, f)
}

// Peers calls f whenever a node comes up or goes down, and now for those that are up; f must not block.
func (w *Wire) Peers(f func(id rooms.NodeID, up bool)) (stop func()) {
	stop = register(w, w.peers, f)
	for _, p := range w.n.over.Peers() {
		if p.Up {
			f(p.ID, true)
		}
	}
	return stop
}

func register[F any](w *Wire, m map[int]F, f F) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := w.next
	w.next++
	m[id] = f
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(m, id)
	}
}

func all[F any](w *Wire, m map[int]F) []F {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]F, 0, len(m))
	for id := range w.next {
		if f, ok := m[id]; ok {
			out = append(out, f)
		}
	}
	return slices.Clip(out)
}

// frame takes one frame of the overlay. It never blocks.
func (n *Node) frame(from rooms.NodeID, f []byte) {
	if len(f) == 0 {
		return
	}
	switch f[0] {
	case chanRooms:
		n.host.Frame(from, f[1:])
	case chanBridge:
		for _, r := range all(n.bridge, n.bridge.recv) {
			r(from, f[1:])
		}
	case chanSearch:
		for _, r := range all(n.search, n.search.recv) {
			r(from, f[1:])
		}
	case chanDoor:
		n.heardOfKnock(f[1:])
	}
}

func (n *Node) peer(id rooms.NodeID, up bool) {
	n.host.Peer(id, up)
	for _, w := range []*Wire{n.bridge, n.search} {
		for _, f := range all(w, w.peers) {
			f(id, up)
		}
	}
}
