package node

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"warren/node/account"
	"warren/node/bootstrap"
	"warren/node/config"
	"warren/node/overlay"
	"warren/node/store"
	"warren/rooms"
	"warren/rooms/replica"
	"warren/search"
)

// Errors of Open.
var (
	// ErrNoNetwork: the data directory belongs to no network yet.
	ErrNoNetwork = errors.New("the data directory belongs to no network yet")
	// ErrMember: the data directory belongs to a network already.
	ErrMember = errors.New("the data directory belongs to a network already")
	// ErrNotAdmitted: the data directory asked to join a network and was never admitted, so it must not found another one.
	ErrNotAdmitted = errors.New("the data directory asked to join a network that has not admitted it yet")
)

// Node is one peer. Make it with Open, bring it up with Start, end it with Close.
type Node struct {
	cfg     config.Config
	parts   Parts
	log     *slog.Logger
	key     ed25519.PrivateKey
	id      rooms.NodeID
	genesis rooms.Genesis
	founded bool // by opening the data directory

	store    *store.Store
	over     *overlay.Overlay
	host     *replica.Host
	accounts *account.Accounts
	finder   *search.Service
	bridge   *Wire
	search   *Wire
	started  time.Time
	broken   chan error // cap 1

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	stops  []func()

	mu      sync.Mutex
	waiting bootstrap.Waiting
}

// Open opens the data directory of cfg. With found, an empty one becomes the first node of a new network; without, that is ErrNoNetwork.
// One that asked to join a network and was not admitted founds none: ErrNotAdmitted. Another process that uses the directory is an error that says so. Nothing runs before Start.
func Open(cfg config.Config, found bool, log *slog.Logger) (*Node, error) {
	return OpenWith(cfg, Parts{}, found, log)
}

// OpenWith is Open with some parts given.
func OpenWith(cfg config.Config, parts Parts, found bool, log *slog.Logger) (*Node, error) {
	dir, err := parts.openDir(string(cfg.Node.Data), log)
	if err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, parts: parts, log: log, key: dir.key, id: rooms.NodeOf(dir.key.Public().(ed25519.PublicKey)), store: dir.store, broken: make(chan error, 1)}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.bridge, n.search = newWire(n, chanBridge), newWire(n, chanSearch)
	ok := false
	if n.genesis, ok, err = dir.genesis(); err == nil && !ok {
		if !found {
			err = ErrNoNetwork
		} else {
			n.genesis, err = foundNetwork(cfg, dir)
			n.founded = true
		}
	}
	if err == nil && cfg.XMPP.Domain != "" && cfg.XMPP.Domain != n.genesis.Domain {
		err = fmt.Errorf("config: xmpp.domain is %q, but the network's domain is %q for ever: remove the line", cfg.XMPP.Domain, n.genesis.Domain)
	}
	if err == nil {
		err = n.assemble()
	}
	if err != nil {
		n.cancel()
		return nil, errors.Join(err, n.store.Close())
	}
	return n, nil
}

func foundNetwork(cfg config.Config, dir *dataDir) (rooms.Genesis, error) {
	if name, ok, err := dir.joining(); err != nil {
		return rooms.Genesis{}, err
	} else if ok {
		return rooms.Genesis{}, fmt.Errorf("%w (%q): run warren join again and wait until somebody inside admits it, or use another --data for a network of your own", ErrNotAdmitted, name)
	}
	recovery, err := dir.recovery()
	if err != nil {
		return rooms.Genesis{}, err
	}
	name, domain := cfg.Network.Name, cfg.XMPP.Domain
	if name == "" {
		name = NodeName(cfg)
	}
	if domain == "" {
		domain = "localhost"
	}
	g := rooms.Genesis{
		Name: name, Domain: domain, Founder: rooms.NodeOf(dir.key.Public().(ed25519.PublicKey)), FounderName: NodeName(cfg),
		Time: time.Now().UnixMilli(), Recovery: rooms.NodeOf(recovery.Public().(ed25519.PublicKey)),
	}
	return g, dir.setGenesis(g, nil)
}

// Founded reports whether opening the data directory has founded the network: whoever meant another one has lost what was in it, or named the wrong directory.
func (n *Node) Founded() bool { return n.founded }

// NodeName returns the configured name of the node, or one made from the host's name.
func NodeName(cfg config.Config) string {
	if cfg.Node.Name != "" {
		return cfg.Node.Name
	}
	host, _ := os.Hostname()
	out := []byte{}
	for i := range len(host) {
		switch c := host[i]; {
		case 'A' <= c && c <= 'Z':
			out = append(out, c+'a'-'A')
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-':
			out = append(out, c)
		case c == '.' && len(out) > 0:
			return string(out[:min(len(out), 24)])
		}
	}
	if len(out) == 0 {
		return "node"
	}
	return string(out[:min(len(out), 24)])
}

// assemble makes the parts, bottom first. Nothing runs yet.
func (n *Node) assemble() (err error) {
	n.over, err = overlay.New(overlay.Config{
		Key: n.key, Network: n.genesis.ID(), NetworkName: n.genesis.Name, Listen: n.cfg.Network.Listen, MDNS: n.cfg.Network.MDNS,
		Bootstrap: n.cfg.Network.Bootstrap, Admitted: n.Inside, Peers: peers{n.store}, OnFrame: n.frame, OnPeer: n.peer,
		Heartbeat: n.cfg.Network.Heartbeat.Duration, Logger: n.log, HostOptions: n.parts.Host, NoNAT: n.parts.Host != nil,
	})
	if err != nil {
		return err
	}
	since, err := n.since()
	if err != nil {
		return errors.Join(err, n.over.Close())
	}
	n.host, err = replica.New(replica.Config{
		Key: n.key, Genesis: n.genesis, Since: since, Store: disk{n.store, n.diskFailed}, Net: network{n.over}, Logger: n.log,
		Heartbeat: n.cfg.Order.Heartbeat.Duration, Election: n.cfg.Order.ElectionTimeout.Duration,
		Tick: n.parts.Tick, Lease: n.parts.Lease, Away: n.parts.Away,
		Opened: func(id rooms.RoomID) {
			n.finder.RoomOpened(id, func(f func(*rooms.State)) { n.host.View(id, f) })
		},
		Applied: func(ev *rooms.Event) { n.finder.Event(ev) },
		Parked:  func(id rooms.RoomID) { n.finder.RoomParked(id) },
		Closed:  func(id rooms.RoomID) { n.finder.RoomClosed(id) },
	})
	if err != nil {
		return errors.Join(err, n.over.Close())
	}
	n.finder = search.New(search.Config{
		Self: n.id, Sign: func(d []byte) []byte { return ed25519.Sign(n.key, d) }, Topics: newTopics(n.over), Sender: n.search, Directory: n.host.Directory, Now: n.host.Now, Logger: n.log,
	})
	n.accounts, err = account.New(account.Config{
		Self: n.id, Store: n.store, Directory: directory{n}, Peers: n.over, Open: n.cfg.Accounts.Registration == "open", Logger: n.log,
	})
	if err != nil {
		return errors.Join(err, n.over.Close())
	}
	return nil
}

// since returns the directory height at which this node's disk begins.
func (n *Node) since() (uint64, error) {
	data, err := n.store.Get(store.Meta, []byte(sinceKey))
	if err != nil || data == nil {
		return 0, err
	}
	if len(data) != 8 {
		return 0, errors.New("the data directory is damaged: " + sinceKey)
	}
	return binary.BigEndian.Uint64(data), nil
}

// Start brings the node up. It does not wait for other nodes.
func (n *Node) Start() error {
	n.started = time.Now()
	n.over.Handle(pullProtocol, pullLimit, n.host.ServePull)
	n.over.Handle(account.Protocol, account.MaxRequest, n.accounts.ServeSealed)
	n.over.HandleAdmission(n.admission)
	if err := n.host.Start(); err != nil {
		return err
	}
	n.stops = append(n.stops, n.host.Dir().Watch(n.directoryEvent))
	if err := n.over.Start(); err != nil {
		return err
	}
	n.wg.Go(n.tellOwnRecord)
	n.wg.Go(n.tellLabel)
	return nil
}

// handOverTime bounds how long a node that is taken down waits for others to lead its rooms.
const handOverTime = 2 * time.Second

// Leave is Close in good order: others lead this node's rooms before it goes, so nobody waits for a time-out. It takes up to two seconds longer.
func (n *Node) Leave() error {
	ctx, cancel := context.WithTimeout(n.ctx, handOverTime)
	defer cancel()
	n.host.HandOver(ctx)
	return n.Close()
}

// Close takes the node down, top first, and returns when nothing of it runs.
func (n *Node) Close() error {
	n.cancel()
	for _, stop := range n.stops {
		stop()
	}
	n.wg.Wait()
	n.host.Close()
	n.finder.Close()
	return errors.Join(n.over.Close(), n.store.Close())
}

// Inside reports whether a node belongs to the network now.
func (n *Node) Inside(id rooms.NodeID) bool {
	if n.host == nil {
		return id == n.genesis.Founder
	}
	ok := false
	n.host.Directory(func(d *rooms.Directory) { _, ok = d.Now().Node(id) })
	return ok
}

// directoryEvent tells the overlay and the door who came in and who was put out.
func (n *Node) directoryEvent(ev *rooms.Event, _ any) {
	switch b := ev.Body.(type) {
	case *rooms.AdmitNode:
		n.admitted(b.Node)
		n.over.AdmissionChanged(b.Node)
	case *rooms.DropNode:
		n.over.AdmissionChanged(b.Node)
	}
}

// tellOwnRecord keeps the addresses of this node's accounts' devices current: records that another device changed are fetched now and then.
func (n *Node) tellOwnRecord() {
	t := time.NewTicker(10 * time.Minute)
	defer t.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-t.C:
			if err := n.accounts.Sync(n.ctx); err != nil {
				n.log.Debug("account records could not be compared with other devices", "err", err)
			}
		}
	}
}

// Broken gives the error with which the disk failed, if it does: nothing can be acknowledged after that, so the node should be closed.
func (n *Node) Broken() <-chan error { return n.broken }

func (n *Node) diskFailed(err error) {
	select {
	case n.broken <- err:
	default:
	}
}

// ID returns the node's id.
func (n *Node) ID() rooms.NodeID { return n.id }

// Genesis returns the network's genesis.
func (n *Node) Genesis() rooms.Genesis { return n.genesis }

// Host returns the rooms of this node.
func (n *Node) Host() *replica.Host { return n.host }

// Accounts returns the accounts of this node.
func (n *Node) Accounts() *account.Accounts { return n.accounts }

// Finder returns the network-wide search.
func (n *Node) Finder() *search.Service { return n.finder }

// Wire returns what bridges of different nodes talk over.
func (n *Node) Wire() *Wire { return n.bridge }

// Store returns the node's store.
func (n *Node) Store() *store.Store { return n.store }

// Addrs returns the addresses under which others reach this node, with its id.
func (n *Node) Addrs() []string { return n.over.Addrs() }

// Peers returns what is known of the other members.
func (n *Node) Peers() []overlay.PeerInfo { return n.over.Peers() }

// Clock compares this node's clock with those of the others.
func (n *Node) Clock() overlay.Clock { return n.over.Clock() }

// Traffic returns what the overlay has carried and dropped since the start.
func (n *Node) Traffic() overlay.Stats { return n.over.Stats() }

// Uptime returns how long the node has been up.
func (n *Node) Uptime() time.Duration { return time.Since(n.started) }

// directory gives node/account the directory in its own words.
type directory struct{ n *Node }

func (d directory) Frozen() bool                { return d.n.host.Dir().Status().Frozen }
func (d directory) Inside(id rooms.NodeID) bool { return d.n.Inside(id) }
func (d directory) ID() rooms.RoomID            { return d.n.genesis.Directory() }

func (d directory) Order(ctx context.Context, b rooms.Body) error {
	return d.n.host.OrderUnlessFrozen(ctx, b)
}

func (d directory) Account(name string) (a rooms.AccountRecord, ok bool) {
	d.n.host.Directory(func(dir *rooms.Directory) {
		a, ok = dir.Accounts[name]
		a.Devices = slices.Clone(a.Devices)
	})
	return a, ok
}
