package overlay

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// peerLink is what this node has with one member: where it is, the stream to it, the stream from it, and
// whether it is up. One goroutine per peerLink dials and writes (link.go).
type peerLink struct {
	o      *Overlay
	id     NodeID
	pid    peer.ID
	q      *outQueue
	kick   chan struct{} // cap 1: look again
	ctx    context.Context
	cancel context.CancelFunc

	linked    atomic.Bool  // the stream to it is open
	fails     atomic.Int32 // attempts failed since the last success or poke
	lastHeard atomic.Int64 // ns of o.ran
	lastSent  atomic.Int64 // ns since o.started
	pacing

	mu      sync.Mutex // guards what follows
	addrs   addrBook
	out     network.Stream // the stream to it, while linked
	outLost time.Time      // when it was last lost
	in      *inStream      // the stream from it
	inLost  time.Time
	refused bool          // since the connection broke its machine said that nobody listens there any more
	ended   bool          // … and it is the peer's own machine that said it
	peerInc uint64        // its incarnation, 0: never heard
	peerHB  time.Duration // how often it sends while the link is in use
	knows   int           // members of which it had an address when it said hello
	echo    uint64        // its clock as last heard
	echoAt  time.Time
	rtt     time.Duration // 0: not measured yet
	seen    time.Time     // last time it was known to be up
	up      bool
	since   time.Time // when up last changed
	bounced bool      // it restarted since the consumer was last told
	clock   time.Time // what its clock showed when it said hello; zero: not told
	clockAt time.Time // when that was

	untimely bool // at this node's time its certificate is not valid
	told     bool // what the consumer knows; owned by eventLoop
}

// memberTag keeps the connection manager from closing members' connections.
const memberTag = "member"

// addrBook holds a peer's addresses by how good they are. Each list has at most maxAddrs.
type addrBook struct {
	own    []ma.Multiaddr // the peer itself named them (identify)
	stored []ma.Multiaddr // remembered, configured or found by mDNS
	rumour []ma.Multiaddr // another member named them; never passed on
}

func (b *addrBook) all() []ma.Multiaddr {
	out := slices.Concat(b.own, b.stored, b.rumour)
	slices.SortFunc(out, func(x, y ma.Multiaddr) int { return x.Compare(y) })
	return slices.CompactFunc(out, func(x, y ma.Multiaddr) bool { return x.Equal(y) })
}

// best is what is worth telling others: the peer's own word, else what was remembered.
func (b *addrBook) best() []ma.Multiaddr {
	if len(b.own) > 0 {
		return b.own
	}
	return b.stored
}

// peer returns the link to a member, making it when it is new; nil for strangers, for this node itself and
// when closed or full.
func (o *Overlay) peer(id NodeID) *peerLink {
	if p := o.knownPeer(id); p != nil {
		return p
	}
	if id == o.id || !o.cfg.Admitted(id) {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.peers[id]; p != nil || o.closed || len(o.peers) >= maxPeers {
		return p
	}
	p := &peerLink{
		o: o, id: id, pid: peerID(id),
		q:    newOutQueue(o.cfg.QueueFrames, o.cfg.QueueBytes),
		kick: make(chan struct{}, 1),
	}
	p.ctx, p.cancel = context.WithCancel(o.ctx)
	o.peers[id] = p
	o.h.ConnManager().Protect(p.pid, memberTag)
	o.wg.Add(1)
	go func() {
		defer o.wg.Done()
		p.run()
	}()
	return p
}

func (o *Overlay) knownPeer(id NodeID) *peerLink {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.peers[id]
}

func (o *Overlay) allPeers() []*peerLink {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make([]*peerLink, 0, len(o.peers))
	for _, p := range o.peers {
		out = append(out, p)
	}
	return out
}

// removePeer ends the link to a former member.
func (o *Overlay) removePeer(id NodeID) {
	o.mu.Lock()
	p := o.peers[id]
	delete(o.peers, id)
	o.mu.Unlock()
	if p == nil {
		return
	}
	p.cancel()
	o.h.ConnManager().Unprotect(p.pid, memberTag)
	p.mu.Lock()
	p.setUp(false, time.Now())
	in, out := p.in, p.out
	p.mu.Unlock()
	if in != nil {
		_ = in.s.Reset()
	}
	if out != nil {
		_ = out.Reset()
	}
}

// addAddrs notes addresses; which picks the list.
func (p *peerLink) addAddrs(which func(*addrBook) *[]ma.Multiaddr, addrs []ma.Multiaddr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := which(&p.addrs)
	grown := false
	for _, a := range addrs {
		if !slices.ContainsFunc(*list, a.Equal) {
			*list = append(*list, a)
			grown = true
		}
	}
	if n := len(*list); n > maxAddrs {
		*list = slices.Clone((*list)[n-maxAddrs:]) // the newest
	}
	if grown && !p.linked.Load() {
		p.poke(true)
	}
}

func storedAddrs(b *addrBook) *[]ma.Multiaddr { return &b.stored }
func rumourAddrs(b *addrBook) *[]ma.Multiaddr { return &b.rumour }

// connected says whether libp2p has a direct or unlimited connection.
func (p *peerLink) conns() []network.Conn { return p.o.h.Network().ConnsToPeer(p.pid) }

func (p *peerLink) connected() bool {
	return p.o.h.Network().Connectedness(p.pid) == network.Connected
}

// poke makes run look again; fresh forgets past failures, so that it tries at once.
func (p *peerLink) poke(fresh bool) {
	if fresh {
		p.fails.Store(0)
	}
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// PeerInfo describes a known member.
type PeerInfo struct {
	ID        NodeID
	Addrs     []string // with peer id
	Connected bool     // a connection exists
	Up        bool     // it is heard and can be sent to
	Since     time.Time
	RTT       time.Duration // 0: not measured yet
	Ahead     time.Duration // its clock, of this node's; 0 also when it has not told
	LastSeen  time.Time     // zero: never in this run
	Queued    int           // frames waiting for it
}

// Peers returns what is known of each member, sorted by id.
func (o *Overlay) Peers() []PeerInfo {
	all := o.allPeers()
	out := make([]PeerInfo, 0, len(all))
	for _, p := range all {
		out = append(out, p.info())
	}
	slices.SortFunc(out, func(a, b PeerInfo) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return out
}

func (p *peerLink) info() PeerInfo {
	p.q.mu.Lock()
	queued := p.q.count
	p.q.mu.Unlock()
	connected := p.connected()
	p.mu.Lock()
	defer p.mu.Unlock()
	ahead, _ := p.clockAhead()
	return PeerInfo{
		ID: p.id, Ahead: ahead, Addrs: withPeerID(p.id, p.addrs.all()), Connected: connected,
		Up: p.up, Since: p.since, RTT: p.rtt, LastSeen: p.seen, Queued: queued,
	}
}
