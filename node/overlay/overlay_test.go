package overlay

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/ipfs/go-log/v2/writer.(*MirrorWriter).logRoutine"),
		goleak.IgnoreAnyFunction("go.opencensus.io/stats/view.(*worker).start"))
}

const soon = 20 * time.Second // much more than anything here takes, on a busy machine

func testKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func keyID(n byte) NodeID { return NodeID(testKey(n)[32:]) }

// roster is who is admitted, in all nodes of a test.
type roster struct {
	mu sync.Mutex
	m  map[NodeID]bool
}

func members(ns ...byte) *roster {
	r := &roster{m: map[NodeID]bool{}}
	for _, n := range ns {
		r.m[keyID(n)] = true
	}
	return r
}

func (r *roster) set(id NodeID, in bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.m[id] = in
}

func (r *roster) has(id NodeID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.m[id]
}

type peerEvent struct {
	id NodeID
	up bool
}

type frameFrom struct {
	from NodeID
	f    []byte
}

// node is an Overlay whose frames and events can be waited for.
type node struct {
	*Overlay
	t      *testing.T
	frames chan frameFrom
	events chan peerEvent
}

var (
	onTCP  = []string{"/ip4/127.0.0.1/tcp/0"}
	onQUIC = []string{"/ip4/127.0.0.1/udp/0/quic-v1"}
)

// newNode starts node n on loopback; change may alter its configuration.
func newNode(t *testing.T, n byte, r *roster, change ...func(*Config)) *node {
	t.Helper()
	nd := &node{t: t, frames: make(chan frameFrom, 20000), events: make(chan peerEvent, 1000)}
	cfg := Config{
		Key: testKey(n), Network: [32]byte{1, 2, 3}, NetworkName: "testnet", Listen: onTCP, Admitted: r.has,
		Heartbeat: 100 * time.Millisecond, DownAfter: 10, // a busy machine
		OnFrame: func(from NodeID, f []byte) {
			select {
			case nd.frames <- frameFrom{from, f}:
			default:
				t.Error("the test's frame channel is full")
			}
		},
		OnPeer: func(id NodeID, up bool) { nd.events <- peerEvent{id, up} },
	}
	if testing.Verbose() {
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})).With("node", n)
	}
	for _, c := range change {
		c(&cfg)
	}
	o, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	nd.Overlay = o
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Errorf("close node %d: %v", n, err)
		}
	})
	if err := o.Start(); err != nil {
		t.Fatal(err)
	}
	return nd
}

func (n *node) waitFrame() frameFrom {
	n.t.Helper()
	select {
	case f := <-n.frames:
		return f
	case <-time.After(soon):
		n.t.Fatal("no frame came")
		panic("unreachable")
	}
}

func (n *node) waitPeer(id NodeID, up bool) {
	n.t.Helper()
	for deadline := time.After(soon); ; {
		select {
		case e := <-n.events:
			if e == (peerEvent{id, up}) {
				return
			}
		case <-deadline:
			n.t.Fatalf("peer %s did not become up=%v", short(id), up)
		}
	}
}

func (n *node) dial(to *node) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), soon)
	defer cancel()
	if err := n.Connect(ctx, to.Addrs()...); err != nil {
		n.t.Fatal(err)
	}
}

// pair returns two connected nodes that both see the other up.
func pair(t *testing.T, listen []string) (a, b *node) {
	t.Helper()
	r := members(1, 2)
	on := func(c *Config) { c.Listen = listen }
	a, b = newNode(t, 1, r, on), newNode(t, 2, r, on)
	a.dial(b)
	a.waitPeer(b.id, true)
	b.waitPeer(a.id, true)
	return a, b
}

// eventually waits for something that gives no event.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(soon); !f(); {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func TestFramesBothWaysInOrder(t *testing.T) {
	for name, listen := range map[string][]string{"tcp": onTCP, "quic": onQUIC} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t, listen)
			const n = 1000
			for i := range uint32(n) {
				if !a.Send(b.id, binary.BigEndian.AppendUint32(nil, i)) || !b.Send(a.id, binary.BigEndian.AppendUint32(nil, i)) {
					t.Fatalf("frame %d was not taken", i)
				}
			}
			for _, x := range []*node{a, b} {
				for i := range uint32(n) {
					if got := binary.BigEndian.Uint32(x.waitFrame().f); got != i {
						t.Fatalf("got frame %d, want %d", got, i)
					}
				}
			}
			big := bytes.Repeat([]byte{7}, MaxFrame)
			if !a.Send(b.id, big) {
				t.Fatal("a frame of MaxFrame bytes was not taken")
			}
			if got := b.waitFrame(); !bytes.Equal(got.f, big) || got.from != a.id {
				t.Errorf("got %d bytes from %s, want %d", len(got.f), short(got.from), len(big))
			}
			if a.Send(b.id, make([]byte, MaxFrame+1)) {
				t.Error("a frame of more than MaxFrame bytes was taken")
			}
			if a.Send(a.id, nil) || a.Send(keyID(9), nil) {
				t.Error("a frame to the node itself or to a stranger was taken")
			}
			eventually(t, "a round trip time is measured", func() bool { return a.Peers()[0].RTT > 0 })
		})
	}
}

func TestNoFrameIsLostWhenTheConsumerKeepsUp(t *testing.T) {
	a, b := pair(t, onTCP)
	const n = 10000
	for i := range uint32(n) {
		for !a.Send(b.id, binary.BigEndian.AppendUint32(nil, i)) { // back-pressure is the caller's
			<-time.After(time.Millisecond)
		}
	}
	for i := range uint32(n) {
		if got := binary.BigEndian.Uint32(b.waitFrame().f); got != i {
			t.Fatalf("got frame %d, want %d", got, i)
		}
	}
}

func TestFullQueueDropsAreCounted(t *testing.T) {
	r := members(1, 2)
	block := make(chan struct{})
	a := newNode(t, 1, r, func(c *Config) { c.QueueFrames, c.QueueBytes = 16, MaxFrame })
	b := newNode(t, 2, r, func(c *Config) { c.OnFrame = func(NodeID, []byte) { <-block } })
	a.dial(b)
	a.waitPeer(b.id, true)
	defer close(block)
	dropped := uint64(0)
	for range 400 { // 100 KiB each: more than all buffers between them hold
		if !a.Send(b.id, make([]byte, 100<<10)) {
			dropped++
		}
	}
	if dropped == 0 {
		t.Fatal("nothing was dropped")
	}
	if s := a.Stats(); s.DroppedFull+s.DroppedDown < dropped {
		t.Errorf("stats count %d and %d drops, want at least %d", s.DroppedFull, s.DroppedDown, dropped)
	}
	if q := a.Peers()[0].Queued; q > 16 {
		t.Errorf("%d frames are queued, limit 16", q)
	}
}

func TestDownOnClosedHostAndUpAgainOnTheSameAddress(t *testing.T) {
	a, b := pair(t, onTCP)
	addrs := b.Addrs()
	began := time.Now()
	if err := b.h.Close(); err != nil { // abrupt: no goodbye of ours
		t.Fatal(err)
	}
	a.waitPeer(b.id, false)
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("noticed after %v", d)
	}
	if up, _ := a.Alive(b.id); up {
		t.Error("a closed peer is up")
	}
	_ = b.Close()
	listen := addrs[0][:len(addrs[0])-len("/p2p/"+peerID(b.id).String())]
	b2 := newNode(t, 2, members(1, 2), func(c *Config) { c.Listen = []string{listen} })
	a.waitPeer(b.id, true) // a redials by itself
	if !a.Send(b.id, []byte("again")) {
		t.Fatal("frame not taken")
	}
	if got := b2.waitFrame(); string(got.f) != "again" {
		t.Errorf("got %q", got.f)
	}
}

func TestRequests(t *testing.T) {
	a, b := pair(t, onTCP)
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	b.Handle("echo/1", 100, func(_ context.Context, from NodeID, req []byte) ([]byte, error) {
		if string(req) == "fail" {
			return nil, errors.New("no such thing")
		}
		return fmt.Appendf(nil, "%s:%s", short(from), req), nil
	})
	if got, err := a.Request(ctx, b.id, "echo/1", []byte("hi")); err != nil || string(got) != short(a.id)+":hi" {
		t.Errorf("got %q, %v", got, err)
	}
	var remote *RemoteError
	if _, err := a.Request(ctx, b.id, "echo/1", []byte("fail")); !errors.As(err, &remote) || remote.Text != "no such thing" {
		t.Errorf("got %v, want the handler's error", err)
	}
	if _, err := a.Request(ctx, b.id, "echo/1", make([]byte, 101)); err == nil || errors.As(err, &remote) {
		t.Errorf("a request over the limit: got %v", err)
	}
	if _, err := a.Request(ctx, b.id, "none/1", nil); err == nil {
		t.Error("a protocol that nobody handles answered")
	}
	if _, err := a.Request(ctx, keyID(9), "echo/1", nil); !errors.Is(err, ErrNotAdmitted) {
		t.Errorf("a request to a stranger: got %v", err)
	}
}

func TestTopicDelivers(t *testing.T) {
	a, b := pair(t, onTCP)
	got := make(chan []byte, 10)
	tb, err := b.Join("room", func(_ NodeID, data []byte) { got <- data })
	if err != nil {
		t.Fatal(err)
	}
	ta, err := a.Join("room", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Join("room", nil); err == nil {
		t.Error("the same topic was joined twice")
	}
	eventually(t, "a sees b in the topic", func() bool { return slices.Contains(ta.Peers(), b.id) })
	if err := ta.Publish([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	select {
	case m := <-got:
		if string(m) != "hello" {
			t.Errorf("got %q", m)
		}
	case <-time.After(soon):
		t.Fatal("no message came")
	}
	if len(tb.Peers()) != 0 {
		t.Error("a node that only publishes is seen as subscriber")
	}
	if err := ta.Publish(make([]byte, MaxMessage+1)); err == nil {
		t.Error("a message over the limit was published")
	}
	for _, topic := range []*Topic{ta, tb} {
		if err := topic.Leave(); err != nil {
			t.Error(err)
		}
	}
	if _, err := a.Join("room", nil); err != nil {
		t.Errorf("join after leave: %v", err)
	}
}

// anyValue accepts every value; the longest wins.
type anyValue struct{}

func (anyValue) Validate(string, []byte) error { return nil }
func (anyValue) Select(_ string, vs [][]byte) (int, error) {
	best := 0
	for i, v := range vs {
		if len(v) > len(vs[best]) {
			best = i
		}
	}
	return best, nil
}

func withValues(c *Config) { c.Validators = map[string]Validator{"test": anyValue{}} }

func TestDHTOfThree(t *testing.T) {
	r := members(1, 2, 3)
	a, b, c := newNode(t, 1, r, withValues), newNode(t, 2, r, withValues), newNode(t, 3, r, withValues)
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	if err := a.PutValue(ctx, "/test/alone", []byte("v")); err != nil {
		t.Errorf("put while alone: %v", err)
	}
	if got, err := a.GetValue(ctx, "/test/alone"); err != nil || string(got) != "v" {
		t.Errorf("get while alone: %q, %v", got, err)
	}
	if err := a.Provide(ctx, []byte("k0")); err != nil {
		t.Errorf("provide while alone: %v", err)
	}
	b.dial(a)
	c.dial(a)
	eventually(t, "all know all", func() bool {
		return a.dht.RoutingTable().Size() == 2 && b.dht.RoutingTable().Size() == 2 && c.dht.RoutingTable().Size() == 2
	})
	if err := b.PutValue(ctx, "/test/x", []byte("value")); err != nil {
		t.Fatal(err)
	}
	if got, err := c.GetValue(ctx, "/test/x"); err != nil || string(got) != "value" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := b.PutValue(ctx, "/other/x", nil); err == nil {
		t.Error("a value of an unknown namespace was taken")
	}
	if err := b.Provide(ctx, []byte("key")); err != nil {
		t.Fatal(err)
	}
	if got, err := c.FindProviders(ctx, []byte("key"), 5); err != nil || !slices.Equal(got, []NodeID{b.id}) {
		t.Errorf("got %d providers, %v", len(got), err)
	}
}

func TestNodesTellEachOtherOfNodes(t *testing.T) {
	r := members(1, 2, 3, 4)
	hub := newNode(t, 1, r)
	rest := []*node{newNode(t, 2, r), newNode(t, 3, r), newNode(t, 4, r)}
	for _, n := range rest {
		n.dial(hub)
	}
	for _, n := range append(rest, hub) {
		eventually(t, "every node is up for every other", func() bool {
			up := 0
			for _, p := range n.Peers() {
				if p.Up {
					up++
				}
			}
			return up == 3
		})
	}
}

// memStore is a PeerStore in memory.
type memStore struct {
	mu sync.Mutex
	m  map[NodeID]PeerAddrs
}

func (s *memStore) Load() ([]PeerAddrs, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.m)), nil
}

func (s *memStore) Save(p PeerAddrs) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m[p.ID] = p
	return nil
}

func TestPeersAreRememberedAcrossRestarts(t *testing.T) {
	r := members(1, 2)
	store := &memStore{m: map[NodeID]PeerAddrs{}}
	keep := func(c *Config) { c.Peers = store }
	a, b := newNode(t, 1, r, keep), newNode(t, 2, r)
	a.dial(b)
	a.waitPeer(b.id, true)
	eventually(t, "b is saved", func() bool { l, _ := store.Load(); return len(l) == 1 && l[0].ID == b.id })
	b.waitPeer(a.id, true)
	_ = a.Close()
	a2 := newNode(t, 1, r, keep)
	a2.waitPeer(b.id, true)
	b.waitPeer(a.id, false) // another incarnation: down, then up
	b.waitPeer(a.id, true)
}
