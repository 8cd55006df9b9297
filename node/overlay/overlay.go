package overlay

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
	ma "github.com/multiformats/go-multiaddr"
)

// ErrClosed is returned by what is called on a closed Overlay.
var ErrClosed = errors.New("the overlay is closed")

// Overlay is this node's place in its network. Its methods are safe for concurrent use.
type Overlay struct {
	cfg         Config
	id          NodeID
	log         *slog.Logger
	started     time.Time // origin of the clock in heartbeats
	ran         stopwatch
	incarnation uint64
	proto       string // protocol prefix of the network

	strangers *strangers
	h         host.Host  // sees everybody
	gated     *gatedHost // sees members
	dht       *dht.IpfsDHT
	ps        *pubsub.PubSub
	changed   event.Emitter // EvtPeerProtocolsUpdated: makes pubsub and DHT look at a peer again
	stats     stats
	dials     chan struct{} // semaphore of dials under way
	serving   chan struct{} // semaphore of requests being served
	admitting *admission
	events    *dirtyPeers // peers whose liveness may have to be told
	chores    *dirtyPeers // peers to save and to tell others of

	ctx     context.Context
	cancel  context.CancelFunc
	running chan struct{} // closed by Start
	wg      sync.WaitGroup

	mu      sync.Mutex // guards what follows
	peers   map[NodeID]*peerLink
	topics  map[string]*Topic
	mdns    mdns.Service              // nil: off
	nearby  map[NodeID][]ma.Multiaddr // strangers that mDNS found; at most maxFound
	begun   bool
	closed  bool
	closing chan struct{} // closed when Close has finished
}

// New listens on the configured addresses and readies pubsub and DHT. Nothing is dialled and nothing of the
// consumer's is called before Start. Its error says which address could not be had. Call Close in any case.
func New(cfg Config) (*Overlay, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	o := &Overlay{
		cfg:     cfg,
		id:      NodeID(cfg.Key[32:]),
		log:     cfg.Logger,
		started: time.Now(),
		proto:   prefix(cfg.Network),
		dials:   make(chan struct{}, maxDials),
		serving: make(chan struct{}, requestsInAll),
		events:  newDirtyPeers(),
		chores:  newDirtyPeers(),
		running: make(chan struct{}),
		closing: make(chan struct{}),
		peers:   make(map[NodeID]*peerLink),
		topics:  make(map[string]*Topic),
		nearby:  make(map[NodeID][]ma.Multiaddr),
	}
	var inc [8]byte
	_, _ = rand.Read(inc[:]) // never fails: crypto/rand
	o.incarnation = binary.BigEndian.Uint64(inc[:])
	o.strangers = newStrangers(o.admitted)
	o.admitting = newAdmission(o)
	o.ctx, o.cancel = context.WithCancel(context.Background())
	if o.h, err = o.newHost(); err != nil {
		o.cancel()
		return nil, fmt.Errorf("overlay: %w", err)
	}
	o.gated = &gatedHost{Host: o.h, o: o}
	if err := o.assemble(); err != nil {
		return nil, fmt.Errorf("overlay: %w", errors.Join(err, o.Close()))
	}
	return o, nil
}

// assemble puts the services on the host.
func (o *Overlay) assemble() (err error) {
	if o.changed, err = o.h.EventBus().Emitter(new(event.EvtPeerProtocolsUpdated)); err != nil {
		return fmt.Errorf("make emitter: %w", err)
	}
	if o.dht, err = o.newDHT(); err != nil {
		return err
	}
	if o.ps, err = o.newPubSub(); err != nil {
		return err
	}
	o.h.Network().Notify(&network.NotifyBundle{ConnectedF: o.onConnected, DisconnectedF: o.onDisconnected})
	return nil
}

// Start begins to accept and dial. It does not block. Call it once.
func (o *Overlay) Start() error {
	o.mu.Lock()
	if o.closed || o.begun {
		o.mu.Unlock()
		return ErrClosed
	}
	o.begun = true
	o.mu.Unlock()
	o.h.SetStreamHandler(admitProtocol, o.admitting.serve)
	o.gated.SetStreamHandler(o.framesProtocol(), o.serveFrames)
	o.loadPeers()
	close(o.running)
	o.spawn(o.tickLoop)
	o.spawn(o.eventLoop)
	o.spawn(o.choreLoop)
	o.spawn(o.bootstrapLoop)
	o.spawn(o.retell)
	if o.cfg.MDNS {
		o.startMDNS()
	}
	return nil
}

// Run starts the overlay, waits for the end of ctx and closes it.
func (o *Overlay) Run(ctx context.Context) error {
	if err := o.Start(); err != nil {
		return err
	}
	<-ctx.Done()
	return o.Close()
}

// Close closes all connections and returns when everything has stopped, handlers included (their contexts
// end at once).
func (o *Overlay) Close() error {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		<-o.closing
		return nil
	}
	o.closed = true
	o.mu.Unlock()
	defer close(o.closing)
	o.cancel()
	var errs []error
	o.mu.Lock()
	m := o.mdns
	o.mu.Unlock()
	if m != nil {
		errs = append(errs, m.Close())
	}
	if o.dht != nil {
		errs = append(errs, o.dht.Close())
	}
	if o.changed != nil {
		errs = append(errs, o.changed.Close())
	}
	errs = append(errs, o.h.Close())
	o.wg.Wait()
	return errors.Join(errs...)
}

// enter counts the caller as something that Close waits for, until leave; false when closed.
func (o *Overlay) enter() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	o.wg.Add(1)
	return true
}

func (o *Overlay) leave() { o.wg.Done() }

// spawn runs f in a goroutine that Close waits for; f must end when o.ctx does.
func (o *Overlay) spawn(f func()) {
	if !o.enter() {
		return
	}
	go func() {
		defer o.leave()
		f()
	}()
}

// ID returns this node's id.
func (o *Overlay) ID() NodeID { return o.id }

// Addrs returns the addresses under which others can dial this node, with its peer id.
func (o *Overlay) Addrs() []string { return withPeerID(o.id, o.h.Addrs()) }

func (o *Overlay) framesProtocol() protocol.ID { return protocol.ID(o.proto + "/frames/1") }

// onConnected is called by libp2p for each new connection; it must not block.
func (o *Overlay) onConnected(_ network.Network, c network.Conn) {
	now := time.Now()
	o.strangers.use(c, now)
	if id, ok := nodeID(c.RemotePeer()); ok {
		if p := o.peer(id); p != nil {
			p.poke(true)
		}
	}
}

func (o *Overlay) onDisconnected(n network.Network, c network.Conn) {
	o.strangers.forget(c)
	id, ok := nodeID(c.RemotePeer())
	if !ok || slices.ContainsFunc(n.ConnsToPeer(c.RemotePeer()), overTCP) {
		return // what is over UDP may outlive the peer's process by half a minute
	}
	if p := o.knownPeer(id); p != nil {
		p.poke(true)
		o.spawn(func() { p.knock(c) })
	}
}

// AdmissionChanged says that Config.Admitted has another answer for this node than before. A new member's
// connection is used at once; a former member's is closed.
func (o *Overlay) AdmissionChanged(id NodeID) {
	if id == o.id {
		return
	}
	if !o.cfg.Admitted(id) {
		o.removePeer(id)
		o.spawn(func() { _ = o.h.Network().ClosePeer(peerID(id)) })
		return
	}
	if p := o.peer(id); p != nil {
		o.mu.Lock()
		near := o.nearby[id]
		delete(o.nearby, id)
		o.mu.Unlock()
		p.addAddrs(storedAddrs, near)
		p.poke(true)
	}
	o.reintroduce(peerID(id))
}

// reintroduce makes pubsub and DHT look again at a connected peer: they decide when it is identified, and
// its admission, or ours there, may have come later.
func (o *Overlay) reintroduce(p peer.ID) {
	if o.h.Network().Connectedness(p) != network.Connected {
		return
	}
	protos, err := o.h.Peerstore().GetProtocols(p)
	if err != nil || len(protos) == 0 {
		return
	}
	o.spawn(func() {
		_ = o.changed.Emit(event.EvtPeerProtocolsUpdated{Peer: p, Added: protos}) // fails when closed
	})
}
