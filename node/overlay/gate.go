package overlay

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// ErrNotAdmitted says that the other node is no member of this network, as far as this node knows.
var ErrNotAdmitted = errors.New("the node is not a member of this network")

// admitted says whether the peer may use more than the admission protocol.
func (o *Overlay) admitted(p peer.ID) bool {
	id, ok := nodeID(p)
	return ok && id != o.id && o.cfg.Admitted(id)
}

// mayStream is the gate for every stream that libp2p opens or accepts.
func (o *Overlay) mayStream(p peer.ID, proto protocol.ID) bool {
	switch proto {
	case identify.ID, identify.IDPush, ping.ID, admitProtocol:
		return true
	}
	return p == o.h.ID() || o.admitted(p)
}

// gatedHost is the host as pubsub, DHT and our own protocols see it: peers that are not admitted can
// neither be dialled nor get a stream either way.
type gatedHost struct {
	host.Host
	o *Overlay
}

func (g *gatedHost) Connect(ctx context.Context, pi peer.AddrInfo) error {
	if !g.o.admitted(pi.ID) {
		return fmt.Errorf("connect to %s: %w", pi.ID, ErrNotAdmitted)
	}
	return g.Host.Connect(ctx, pi)
}

func (g *gatedHost) NewStream(ctx context.Context, p peer.ID, pids ...protocol.ID) (network.Stream, error) {
	if !g.o.admitted(p) {
		return nil, fmt.Errorf("open stream to %s: %w", p, ErrNotAdmitted)
	}
	return g.Host.NewStream(ctx, p, pids...)
}

func (g *gatedHost) wrap(h network.StreamHandler) network.StreamHandler {
	return func(s network.Stream) {
		if !g.o.admitted(s.Conn().RemotePeer()) {
			g.o.stats.refusedStreams.Add(1)
			_ = s.Reset()
			return
		}
		h(s)
	}
}

func (g *gatedHost) SetStreamHandler(pid protocol.ID, h network.StreamHandler) {
	g.Host.SetStreamHandler(pid, g.wrap(h))
}

func (g *gatedHost) SetStreamHandlerMatch(pid protocol.ID, m func(protocol.ID) bool, h network.StreamHandler) {
	g.Host.SetStreamHandlerMatch(pid, m, g.wrap(h))
}

// Close does nothing: the host belongs to the Overlay.
func (g *gatedHost) Close() error { return nil }

// gatedManager is the resource manager with the gate in it. It sees the protocol of every stream before
// its handler runs, also of libp2p's own services (AutoNAT, relay, hole punching), which use the bare host.
type gatedManager struct {
	network.ResourceManager
	may func(peer.ID, protocol.ID) bool
}

func (m *gatedManager) OpenStream(p peer.ID, d network.Direction) (network.StreamManagementScope, error) {
	s, err := m.ResourceManager.OpenStream(p, d)
	if err != nil {
		return nil, err
	}
	return &gatedScope{StreamManagementScope: s, peer: p, may: m.may}, nil
}

// GetConnLimit keeps libp2p's check of the connection manager against the limits working.
func (m *gatedManager) GetConnLimit() int {
	if l, ok := m.ResourceManager.(interface{ GetConnLimit() int }); ok {
		return l.GetConnLimit()
	}
	return 1 << 30
}

type gatedScope struct {
	network.StreamManagementScope
	peer peer.ID
	may  func(peer.ID, protocol.ID) bool
}

func (s *gatedScope) SetProtocol(proto protocol.ID) error {
	if !s.may(s.peer, proto) {
		return fmt.Errorf("protocol %s with %s: %w", proto, s.peer, ErrNotAdmitted)
	}
	return s.StreamManagementScope.SetProtocol(proto)
}

// strangers bounds the connections of peers that are not admitted. It is also the connection gater.
type strangers struct {
	admitted func(peer.ID) bool

	mu    sync.Mutex
	conns map[network.Conn]time.Time // last use, guarded by mu
}

func newStrangers(admitted func(peer.ID) bool) *strangers {
	return &strangers{admitted: admitted, conns: make(map[network.Conn]time.Time)}
}

func (s *strangers) InterceptPeerDial(peer.ID) bool               { return true }
func (s *strangers) InterceptAddrDial(peer.ID, ma.Multiaddr) bool { return true }
func (s *strangers) InterceptAccept(network.ConnMultiaddrs) bool  { return true }

func (s *strangers) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

// InterceptSecured refuses a stranger's connection when there are too many, in all or from its address.
func (s *strangers) InterceptSecured(d network.Direction, p peer.ID, c network.ConnMultiaddrs) bool {
	if d != network.DirInbound || s.admitted(p) {
		return true
	}
	from := addrOf(c.RemoteMultiaddr())
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) >= maxStrangers {
		return false
	}
	same := 0
	for c := range s.conns {
		if addrOf(c.RemoteMultiaddr()) == from {
			same++
		}
	}
	return same < strangerPerIP || from.IsLoopback()
}

// use notes that a stranger's connection was made or does something; admitted peers' are not kept.
func (s *strangers) use(c network.Conn, now time.Time) {
	if s.admitted(c.RemotePeer()) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !c.IsClosed() {
		s.conns[c] = now
	}
}

// forget is told of every closed connection.
func (s *strangers) forget(c network.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// sweep forgets the connections of peers admitted by now and returns the idle ones.
func (s *strangers) sweep(now time.Time) (idle []network.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, used := range s.conns {
		switch {
		case s.admitted(c.RemotePeer()):
			delete(s.conns, c)
		case now.Sub(used) >= strangerIdle:
			delete(s.conns, c)
			idle = append(idle, c)
		}
	}
	return idle
}

// count is the number of strangers' connections.
func (s *strangers) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// addrOf is the IP address of a peer for limits: an IPv4 address, or the /64 network of an IPv6 one.
func addrOf(m ma.Multiaddr) netip.Addr {
	ip, err := manet.ToIP(m)
	if err != nil {
		return netip.Addr{}
	}
	a, _ := netip.AddrFromSlice(ip)
	a = a.Unmap()
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil && !a.IsLoopback() {
			return p.Addr()
		}
	}
	return a
}
