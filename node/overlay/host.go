package overlay

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/autorelay"
	"github.com/libp2p/go-libp2p/p2p/host/observedaddrs"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	relayv2 "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/x/rate"
	ma "github.com/multiformats/go-multiaddr"
)

// observeOnce guards libp2p's only knob for how many peers must have seen a public address before a node
// behind a NAT believes in it. Its 4 are never reached in a small network; 1 is safe among admitted peers.
var observeOnce sync.Once

// newHost makes the libp2p host: listening, with no protocol of ours yet.
func (o *Overlay) newHost() (host.Host, error) {
	key, err := hostKey(o.cfg.Key)
	if err != nil {
		return nil, err
	}
	if len(o.cfg.HostOptions) == 0 { // simulated networks have no sockets
		if err := checkListen(o.ctx, o.cfg.Listen); err != nil {
			return nil, err
		}
	}
	manager, err := newResourceManager()
	if err != nil {
		return nil, err
	}
	conns, err := connmgr.NewConnManager(256, 320, connmgr.WithGracePeriod(30*time.Second))
	if err != nil {
		return nil, fmt.Errorf("make connection manager: %w", err)
	}
	opts := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.UserAgent("warren"),
		libp2p.DisableMetrics(),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Transport(quic.NewTransport),
		libp2p.ResourceManager(&gatedManager{ResourceManager: manager, may: o.mayStream}),
		libp2p.ConnectionGater(o.strangers),
		libp2p.ConnectionManager(conns),
		libp2p.WithDialTimeout(dialTimeout),
		libp2p.SwarmOpts(swarm.WithDialRanker(rankAddrs)),
	}
	if len(o.cfg.Listen) == 0 {
		opts = append(opts, libp2p.NoListenAddrs)
	} else {
		opts = append(opts, libp2p.ListenAddrStrings(o.cfg.Listen...))
	}
	if o.cfg.NoNAT || loopbackOnly(o.cfg.Listen) {
		opts = append(opts, libp2p.DisableRelay())
	} else {
		opts = append(opts, o.publicOptions()...)
	}
	h, err := libp2p.New(append(opts, o.cfg.HostOptions...)...)
	if err != nil {
		return nil, fmt.Errorf("listen for peers on %s: %w", strings.Join(o.cfg.Listen, ", "), err)
	}
	return h, nil
}

// publicOptions are for nodes that others reach through networks: port mapping, AutoNAT, relays, hole
// punching. Loopback-only nodes save the time.
func (o *Overlay) publicOptions() []libp2p.Option {
	observeOnce.Do(func() { observedaddrs.ActivationThresh = 1 })
	opts := []libp2p.Option{
		libp2p.NATPortMap(),
		libp2p.EnableAutoNATv2(),
		libp2p.EnableNATService(),
		libp2p.EnableHolePunching(),
		libp2p.EnableAutoRelayWithPeerSource(o.relaySource, autorelay.WithBootDelay(0)),
	}
	if o.cfg.Relay {
		res := relayv2.DefaultResources()
		res.Limit = nil // gossip does not flow through limited circuits
		res.MaxReservations, res.MaxReservationsPerIP = 512, connsPerIP
		opts = append(opts, libp2p.EnableRelayService(relayv2.WithResources(res), relayv2.WithInfiniteLimits(), relayv2.WithACL(relayACL{o})))
	}
	return opts
}

// relayACL lets only members reserve and connect.
type relayACL struct{ o *Overlay }

func (a relayACL) AllowReserve(p peer.ID, _ ma.Multiaddr) bool { return a.o.admitted(p) }

func (a relayACL) AllowConnect(src peer.ID, _ ma.Multiaddr, dst peer.ID) bool {
	return a.o.admitted(src) && a.o.admitted(dst)
}

// relaySource offers the connected members as relays.
func (o *Overlay) relaySource(ctx context.Context, n int) <-chan peer.AddrInfo {
	out := make(chan peer.AddrInfo, n)
	defer close(out)
	for _, p := range o.allPeers() {
		if n == 0 || ctx.Err() != nil {
			break
		}
		if p.connected() {
			out <- peer.AddrInfo{ID: p.pid, Addrs: o.h.Peerstore().Addrs(p.pid)}
			n--
		}
	}
	return out
}

// newResourceManager returns libp2p's, with room for a network whose members share one address: the default
// admits 8 connections per address and one new one in 5 s.
func newResourceManager() (network.ResourceManager, error) {
	limits := rcmgr.DefaultLimits
	limits.SystemBaseLimit.Conns, limits.SystemBaseLimit.ConnsInbound, limits.SystemBaseLimit.ConnsOutbound = 1024, 768, 768
	limits.SystemBaseLimit.Streams, limits.SystemBaseLimit.StreamsInbound, limits.SystemBaseLimit.StreamsOutbound = 16384, 8192, 8192
	limits.SystemBaseLimit.FD = 1024
	libp2p.SetDefaultServiceLimits(&limits)
	perSecond := func(bits int, rps float64, burst int) rate.SubnetLimit {
		return rate.SubnetLimit{PrefixLength: bits, Limit: rate.Limit{RPS: rps, Burst: burst}}
	}
	loopback := []rate.PrefixLimit{{Prefix: netip.MustParsePrefix("127.0.0.0/8")}, {Prefix: netip.MustParsePrefix("::1/128")}}
	m, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits.AutoScale()),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: connsPerIP}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: connsPerIP}, {PrefixLength: 48, ConnCount: 4 * connsPerIP}}),
		rcmgr.WithConnRateLimiters(&rate.Limiter{
			NetworkPrefixLimits: loopback,
			SubnetRateLimiter: rate.SubnetLimiter{
				IPv4SubnetLimits: []rate.SubnetLimit{perSecond(32, 10, 2*connsPerIP)},
				IPv6SubnetLimits: []rate.SubnetLimit{perSecond(56, 10, 2*connsPerIP), perSecond(48, 40, 8*connsPerIP)},
				GracePeriod:      time.Minute,
			},
		}))
	if err != nil {
		return nil, fmt.Errorf("make resource manager: %w", err)
	}
	return m, nil
}

// loopbackOnly says whether no listen address can be reached from another machine.
func loopbackOnly(listen []string) bool {
	for _, s := range listen {
		if !strings.HasPrefix(s, "/ip4/127.") && !strings.HasPrefix(s, "/ip6/::1/") {
			return false
		}
	}
	return true
}
