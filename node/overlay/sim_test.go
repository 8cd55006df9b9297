package overlay

import (
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"
)

// simNet is a network in virtual time with a wall that can be put up between its nodes.
type simNet struct {
	*simnet.Simnet
	cut  atomic.Bool // nothing passes any more
	link simnet.NodeBiDiLinkSettings
}

func newSimNet(t *testing.T) *simNet {
	link := simnet.LinkSettings{BitsPerSecond: 100 * simlibp2p.OneMbps}
	s := &simNet{link: simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link}}
	void := &net.UDPAddr{IP: net.IPv4(203, 0, 113, 1).To4(), Port: 9} // where lost packets go
	s.Simnet = &simnet.Simnet{
		Logger: slog.New(slog.DiscardHandler),
		LatencyFunc: func(p *simnet.Packet) time.Duration {
			if s.cut.Load() {
				p.To = void
				return 0
			}
			return 10 * time.Millisecond
		},
	}
	sink := s.NewEndpoint(void, s.link)
	s.Start()
	var wg sync.WaitGroup
	wg.Go(func() { // an endpoint that nobody reads blocks the router
		b := make([]byte, 2000)
		for _, _, err := sink.ReadFrom(b); err == nil; _, _, err = sink.ReadFrom(b) {
		}
	})
	t.Cleanup(func() {
		_ = sink.Close()
		s.Close()
		wg.Wait()
	})
	return s
}

// on puts a node onto the network.
func (s *simNet) on(n int) func(*Config) {
	return func(c *Config) {
		c.Listen = []string{"/ip4/" + simnet.IntToPublicIPv4(n).String() + "/udp/8000/quic-v1"}
		c.Heartbeat, c.DownAfter, c.NoNAT = 250*time.Millisecond, 4, true
		c.HostOptions = []HostOption{simlibp2p.QUICSimnet(s.Simnet, s.link), libp2p.DisableIdentifyAddressDiscovery()}
	}
}

// A silent partition is noticed within the limit, though QUIC itself would wait for 30 s, and heals without
// anybody asking.
func TestPartitionIsNoticedAndHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSimNet(t)
		r := members(1, 2)
		a, b := newNode(t, 1, r, s.on(1)), newNode(t, 2, r, s.on(2))
		a.dial(b)
		a.waitPeer(b.id, true)
		b.waitPeer(a.id, true)
		time.Sleep(2 * time.Second)
		if p := a.Peers()[0]; p.RTT < 19*time.Millisecond || p.RTT > 40*time.Millisecond {
			t.Errorf("round trip time %v, want about 20 ms", p.RTT)
		}
		for _, outage := range []time.Duration{2 * time.Second, 90 * time.Second} {
			s.cut.Store(true)
			began := time.Now()
			a.waitPeer(b.id, false)
			if d := time.Since(began); d > 1200*time.Millisecond {
				t.Errorf("noticed after %v, want 4 heartbeats of 250 ms", d)
			}
			b.waitPeer(a.id, false)
			time.Sleep(outage - time.Since(began))
			s.cut.Store(false)
			began = time.Now()
			for !upBoth(a, b) {
				time.Sleep(100 * time.Millisecond)
				if time.Since(began) > 2*maxRedial {
					t.Fatalf("not healed %v after an outage of %v", time.Since(began), outage)
				}
			}
			t.Logf("healed %v after an outage of %v", time.Since(began), outage)
			drain(a)
			drain(b)
		}
		if !a.Send(b.id, []byte("x")) {
			t.Error("frame not taken")
		}
		if f := b.waitFrame(); string(f.f) != "x" {
			t.Errorf("got %q", f.f)
		}
	})
}

func upBoth(a, b *node) bool {
	x, _ := a.Alive(b.id)
	y, _ := b.Alive(a.id)
	return x && y
}

func drain(n *node) {
	for {
		select {
		case <-n.events:
		default:
			return
		}
	}
}

// Nine nodes that know one address each find all others, and a topic reaches all.
func TestNineNodesFindEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 9
		s := newSimNet(t)
		r := &roster{m: map[NodeID]bool{}}
		for i := range byte(n) {
			r.set(keyID(i+1), true)
		}
		var nodes []*node
		var heard atomic.Int64
		var topics []*Topic
		for i := range n {
			nd := newNode(t, byte(i+1), r, s.on(i+1), func(c *Config) {
				if i > 0 {
					c.Bootstrap = nodes[i/2].Addrs()
				}
			})
			nodes = append(nodes, nd)
			topic, err := nd.Join("room", func(NodeID, []byte) { heard.Add(1) })
			if err != nil {
				t.Fatal(err)
			}
			topics = append(topics, topic)
		}
		time.Sleep(40 * time.Second)
		for i, nd := range nodes {
			up := 0
			for _, p := range nd.Peers() {
				if p.Up {
					up++
				}
			}
			if up != n-1 {
				t.Errorf("node %d has %d peers up, want %d", i, up, n-1)
			}
		}
		if err := topics[3].Publish([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if got := heard.Load(); got != n-1 {
			t.Errorf("%d nodes heard it, want %d", got, n-1)
		}
	})
}

// Each newcomer costs the others a few frames, not one from each to each.
func TestNewcomersAreNotToldOfByAllToAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 20
		s := newSimNet(t)
		r := &roster{m: map[NodeID]bool{}}
		for i := range byte(n) {
			r.set(keyID(i+1), true)
		}
		var nodes []*node
		told := uint64(0)
		for i := range n {
			nodes = append(nodes, newNode(t, byte(i+1), r, s.on(i+1), func(c *Config) {
				if i > 0 {
					c.Bootstrap = nodes[0].Addrs()
				}
			}))
			for up := func() (up int) {
				for _, nd := range nodes {
					up += len(nd.upBut(nil))
				}
				return up
			}; up() < i*(i+1); {
				time.Sleep(10 * time.Millisecond)
			}
		}
		for _, nd := range nodes {
			told += nd.Stats().Introductions
		}
		if most := uint64(n * 3 * maxNews); told > most {
			t.Errorf("%d frames with addresses for %d nodes, want at most %d", told, n, most)
		}
	})
}

// A member that nobody has an address of is expected to come, and looked for only when it does not.
func TestANewcomerIsAwaitedNotLookedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSimNet(t)
		r := members(1, 2)
		a, b := newNode(t, 1, r, s.on(1)), newNode(t, 2, r, s.on(2))
		a.dial(b)
		a.waitPeer(b.id, true)
		b.waitPeer(a.id, true)
		r.set(keyID(3), true)
		a.AdmissionChanged(keyID(3))
		b.AdmissionChanged(keyID(3))
		time.Sleep(minRedial - time.Second)
		if n := a.Stats().Lookups + b.Stats().Lookups; n > 0 {
			t.Errorf("it was looked for %d times at once", n)
		}
		time.Sleep(maxRedial)
		if a.Stats().Lookups == 0 || b.Stats().Lookups == 0 {
			t.Error("it was never looked for")
		}
	})
}

// A process that is killed and back before anybody missed it is told as down, then up, and reached at once
// over new connections, not over those that its former self left behind.
func TestKilledAndRestartedIsDownThenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSimNet(t)
		r := members(1, 2)
		a, b := newNode(t, 1, r, s.on(1)), newNode(t, 2, r, s.on(2))
		a.dial(b)
		a.waitPeer(b.id, true)
		b.waitPeer(a.id, true)
		time.Sleep(time.Second)
		s.cut.Store(true) // no goodbye gets out
		_ = b.Close()
		time.Sleep(100 * time.Millisecond)
		s.cut.Store(false)
		b2 := newNode(t, 2, r, s.on(2), func(c *Config) { c.Bootstrap = a.Addrs() })
		began := time.Now()
		a.waitPeer(b.id, false)
		a.waitPeer(b.id, true)
		b2.waitPeer(a.id, true)
		for !a.Send(b.id, []byte("to the new one")) {
			time.Sleep(10 * time.Millisecond)
		}
		if f := b2.waitFrame(); string(f.f) != "to the new one" {
			t.Errorf("got %q", f.f)
		}
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("took %v", d)
		}
	})
}

// mDNS needs multicast, which every Linux machine has on some interface.
func TestMDNSFindsMembersAndNetworks(t *testing.T) {
	r := members(1, 2)
	near := func(c *Config) { c.Listen, c.MDNS, c.NoNAT = []string{"/ip4/0.0.0.0/tcp/0"}, true, true }
	a, b := newNode(t, 1, r, near), newNode(t, 2, r, near)
	a.waitPeer(b.id, true)
	s, err := NewStranger(testKey(9))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	found, err := s.Browse(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(found, func(f Found) bool { return f.NetworkName == "testnet" && f.NetworkID == a.cfg.Network })
	if i < 0 || len(found[i].Addrs) < 2 {
		t.Errorf("found %+v", found)
	}
}
