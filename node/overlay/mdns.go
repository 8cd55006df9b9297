package overlay

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/zeroconf/v2"
)

// serviceName is the same for all networks, so that a stranger can list them.
const serviceName = "_warren._udp"

// maxFound bounds what is taken from the local network while browsing.
const maxFound = 64

// handleFound takes the addresses of members, and keeps those of a few strangers in case they are admitted.
func (o *Overlay) handleFound(pi peer.AddrInfo) {
	id, ok := nodeID(pi.ID)
	if !ok || id == o.id {
		return
	}
	if p := o.peer(id); p != nil {
		p.addAddrs(storedAddrs, pi.Addrs)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.nearby) < maxFound {
		o.nearby[id] = pi.Addrs[:min(len(pi.Addrs), maxAddrs)]
	}
}

type foundPeer func(peer.AddrInfo)

func (f foundPeer) HandlePeerFound(pi peer.AddrInfo) { f(pi) }

// startMDNS announces this node on the local network and hears of others. It is best effort: containers and
// some networks have no multicast.
func (o *Overlay) startMDNS() {
	s := mdns.NewMdnsService(o.h, serviceName, foundPeer(o.handleFound))
	if err := s.Start(); err != nil {
		o.log.Warn("no discovery on the local network: mDNS did not start", "err", err)
		_ = s.Close()
		return
	}
	o.mu.Lock()
	late := o.closed
	o.mdns = s
	o.mu.Unlock()
	if late { // Close did not see it
		_ = s.Close()
	}
}

// Stranger is a node without a network: it dials, listens to nothing, and can only look around and ask for
// admission. Not for use after Close.
type Stranger struct{ h host.Host }

// NewStranger makes one with the key that the node will have. Only simulated networks need options.
func NewStranger(key ed25519.PrivateKey, opts ...HostOption) (*Stranger, error) {
	k, err := hostKey(key)
	if err != nil {
		return nil, err
	}
	h, err := libp2p.New(append([]HostOption{
		libp2p.Identity(k), libp2p.NoListenAddrs, libp2p.UserAgent("warren"), libp2p.DisableMetrics(),
		libp2p.Transport(tcp.NewTCPTransport), libp2p.Transport(quic.NewTransport),
	}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("overlay: %w", err)
	}
	return &Stranger{h}, nil
}

// Admit is as Overlay.Admit.
func (s *Stranger) Admit(ctx context.Context, addrs []string, req []byte) (from NodeID, resp []byte, err error) {
	return admit(ctx, s.h, addrs, req)
}

// Browse listens to mDNS for d and returns the networks whose nodes answered, one entry per network, sorted
// by name.
func (s *Stranger) Browse(ctx context.Context, d time.Duration) ([]Found, error) {
	return browse(ctx, s.h, d)
}

// Close closes all connections.
func (s *Stranger) Close() error { return s.h.Close() }

// Browse is as Stranger.Browse; this node's own network is listed when another node of it is near.
func (o *Overlay) Browse(ctx context.Context, d time.Duration) ([]Found, error) {
	return browse(ctx, o.h, d)
}

func browse(ctx context.Context, h host.Host, d time.Duration) ([]Found, error) {
	entries := make(chan *zeroconf.ServiceEntry, maxFound)
	listen, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var wg sync.WaitGroup
	var failed error
	wg.Go(func() { failed = zeroconf.Browse(listen, serviceName, "local", entries) }) // closes entries
	var mu sync.Mutex
	var found []Found
	seen := make(map[NodeID]bool)
	for e := range entries {
		addrs := addrsOf(e)
		ids, _, _ := groupAddrs(addrs)
		if len(ids) != 1 || seen[ids[0]] || ids[0] == selfID(h) || len(seen) >= maxFound {
			continue
		}
		seen[ids[0]] = true
		wg.Go(func() {
			ask, cancel := context.WithTimeout(ctx, dialTimeout)
			defer cancel()
			if f, err := info(ask, h, addrs); err == nil {
				mu.Lock()
				defer mu.Unlock()
				found = append(found, f)
			}
		})
	}
	wg.Wait()
	if failed != nil && len(found) == 0 && !errors.Is(failed, context.DeadlineExceeded) {
		return nil, fmt.Errorf("browse the local network: %w; ask for an invitation link instead", failed)
	}
	return mergeFound(found), nil
}

func selfID(h host.Host) NodeID {
	id, _ := nodeID(h.ID())
	return id
}

// addrsOf returns the node addresses in a service's TXT records.
func addrsOf(e *zeroconf.ServiceEntry) []string {
	var out []string
	for _, t := range e.Text {
		if a, ok := strings.CutPrefix(t, "dnsaddr="); ok && len(out) < maxAddrs && len(a) <= maxAddrLen {
			out = append(out, a)
		}
	}
	return out
}

// mergeFound makes one entry of all nodes of a network.
func mergeFound(found []Found) []Found {
	slices.SortFunc(found, func(a, b Found) int {
		if c := strings.Compare(a.NetworkName, b.NetworkName); c != 0 {
			return c
		}
		if c := slices.Compare(a.NetworkID[:], b.NetworkID[:]); c != 0 {
			return c
		}
		return slices.Compare(a.Addrs, b.Addrs)
	})
	var out []Found
	for _, f := range found {
		if n := len(out); n > 0 && out[n-1].NetworkID == f.NetworkID && out[n-1].NetworkName == f.NetworkName {
			out[n-1].Addrs = append(out[n-1].Addrs, f.Addrs...)
			continue
		}
		out = append(out, f)
	}
	return out
}
