package overlay

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p"
)

// Limits. Everything that others can fill has one.
const (
	// MaxFrame is the greatest payload of a frame, in bytes: a batch of a few hundred requests, or one
	// raft snapshot part. Longer things go by Request.
	MaxFrame = 1 << 20
	// MaxMessage is the greatest payload of a topic message, in bytes. Gossip carries it many times over.
	MaxMessage = 64 << 10
	// MaxResponse is the greatest answer to a Request, in bytes.
	MaxResponse = 16 << 20
	// MaxValue is the greatest value in the DHT, in bytes: records, not content.
	MaxValue = 64 << 10

	maxPeers        = 4096 // known admitted nodes; 1000 is the design's scale
	maxAddrLen      = 256  // bytes of one address as text; real ones have about 100
	maxAddrs        = 16   // addresses kept per node and source
	fullMesh        = 64   // up to so many nodes all are connected with all
	minConnected    = 16   // in larger networks a node keeps at least so many
	fastLinks       = 8    // a node sends as many heartbeats as so many links need, however many it has
	maxNews         = 8    // members that are told at once of one that came up
	maxRetold       = 16   // members named in what is told to one member now and then
	maxDials        = 8    // dials under way at once
	maxStrangers    = 64   // connections of peers that are not admitted
	strangerPerIP   = 16   // of these, from one address (a class room behind one NAT)
	strangerIdle    = 60 * time.Second
	connsPerIP      = 256 // a school behind one NAT; libp2p's default is 8
	topicBuffer     = 1024
	maxErrorText    = 1 << 10 // bytes of an error's text on the wire
	requestsPerPeer = 32      // requests served at once for one peer
	requestsInAll   = 256     // requests served at once

	maxValueBytes    = 64 << 20 // of other members' DHT values kept here
	maxProviderBytes = 16 << 20 // the same for provider records
)

// Times. The ones of liveness follow from Config.Heartbeat.
const (
	defaultHeartbeat = 200 * time.Millisecond
	maxHeartbeat     = 10 * time.Second // that a peer may have: the longer, the later its death is noticed
	maxPace          = 2 * time.Second  // between heartbeats on a link that nobody uses
	busyFor          = time.Second      // a link is in use so long after a frame: by then it is known whether its other end lives
	defaultDownAfter = 4
	defaultLostGrace = 200 * time.Millisecond
	dialTimeout      = 10 * time.Second
	openTimeout      = 5 * time.Second
	writeTimeout     = 10 * time.Second // a peer that takes nothing for so long has its stream reset; at the earliest after three quarters of it
	helloTimeout     = 5 * time.Second
	requestTimeout   = 30 * time.Second // when the caller's context has no deadline
	handlerTimeout   = 60 * time.Second // for one served request, admission included
	firstRedial      = 200 * time.Millisecond
	minRedial        = 15 * time.Second // steady state: between min and max, at random
	maxRedial        = 30 * time.Second
	dhtRefresh       = 90 * time.Second
)

// HostOption configures the libp2p host. Only tests (simulated networks) set any.
type HostOption = libp2p.Option

// PeerAddrs is where a node was reached or said to be.
type PeerAddrs struct {
	ID       NodeID
	Addrs    []string // multiaddrs with peer id, at most 16
	LastSeen time.Time
}

// PeerStore remembers peers across restarts. Save is called from one goroutine, seldom (a peer came up, or
// its addresses changed); it may block. Implementations keep one entry per node.
type PeerStore interface {
	Load() ([]PeerAddrs, error)
	Save(PeerAddrs) error
}

// Validator judges values of one namespace of the DHT: keys are "/<namespace>/…". Both methods must be
// deterministic and safe for concurrent use.
type Validator interface {
	// Validate says whether value may stand under key.
	Validate(key string, value []byte) error
	// Select returns the index of the best of several valid values.
	Select(key string, values [][]byte) (int, error)
}

// Config is what an Overlay needs. Only Key is required; a zero Network is for strangers who have none yet.
type Config struct {
	Key         ed25519.PrivateKey // the node's identity
	Network     [32]byte           // network id: hash of the genesis
	NetworkName string             // told to whoever asks on mDNS or with an info request
	Listen      []string           // multiaddrs; nil: port 4067, TCP and QUIC, IPv4 and IPv6; empty: dial only
	MDNS        bool               // announce on and listen to the local network
	Bootstrap   []string           // addresses with peer ids, tried while no peer is connected
	Relay       bool               // relay for admitted peers behind NATs (rendezvous nodes)
	NoNAT       bool               // no port mapping, AutoNAT, relays, hole punching; implied by loopback addresses

	// Admitted says whether a node is a member. Called often and concurrently; it must be quick. When an
	// answer changes, call Overlay.AdmissionChanged. Nil: nobody is.
	Admitted func(NodeID) bool
	// Peers remembers addresses; may be nil.
	Peers PeerStore
	// OnFrame gets each frame from its stream's reader, in order per sender and incarnation. It must not
	// block (consumers have bounded inboxes) and owns f.
	OnFrame func(from NodeID, f []byte)
	// OnPeer tells that a peer came up or went down, from one goroutine. A restarted peer shows as down,
	// then up. It may lag behind the frames of that peer, and should not block for long.
	OnPeer func(id NodeID, up bool)
	// Validators own the DHT's namespaces. Nil: no value is accepted.
	Validators map[string]Validator

	Heartbeat   time.Duration // default 200 ms; something is sent at least so often on each link that is in use, see pace.go
	DownAfter   int           // default 4: heartbeats missed until a peer is down
	LostGrace   time.Duration // default 200 ms: a broken connection that comes back within this is no outage
	QueueFrames int           // default 4096: frames waiting per peer
	QueueBytes  int           // default 8 MiB: bytes waiting per peer, at least MaxFrame

	Now         func() time.Time // the wall clock, for comparing it with others'; default time.Now
	Logger      *slog.Logger     // default: discards
	HostOptions []HostOption
}

// withDefaults checks c and fills what is left out.
func (c Config) withDefaults() (Config, error) {
	if len(c.Key) != ed25519.PrivateKeySize {
		return c, fmt.Errorf("overlay: the node key has %d bytes, want %d", len(c.Key), ed25519.PrivateKeySize)
	}
	if len(c.NetworkName) > maxNameLen {
		return c, fmt.Errorf("overlay: the network's name has %d bytes, at most %d are allowed", len(c.NetworkName), maxNameLen)
	}
	if c.Heartbeat < 0 || c.Heartbeat > maxHeartbeat || c.DownAfter < 0 || c.LostGrace < 0 {
		return c, errors.New("overlay: the heartbeat must lie between 0 and 10 s, and the missed heartbeats and the grace must not be negative")
	}
	if _, _, err := groupAddrs(c.Bootstrap); err != nil {
		return c, fmt.Errorf("overlay: bootstrap: %w", err)
	}
	if c.Listen == nil {
		c.Listen = []string{"/ip4/0.0.0.0/tcp/4067", "/ip4/0.0.0.0/udp/4067/quic-v1", "/ip6/::/tcp/4067", "/ip6/::/udp/4067/quic-v1"}
	}
	if c.Admitted == nil {
		c.Admitted = func(NodeID) bool { return false }
	}
	if c.OnFrame == nil {
		c.OnFrame = func(NodeID, []byte) {}
	}
	if c.OnPeer == nil {
		c.OnPeer = func(NodeID, bool) {}
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = defaultHeartbeat
	}
	if c.DownAfter == 0 {
		c.DownAfter = defaultDownAfter
	}
	if c.LostGrace == 0 {
		c.LostGrace = defaultLostGrace
	}
	if c.QueueFrames <= 0 {
		c.QueueFrames = 4096
	}
	if c.QueueBytes <= 0 {
		c.QueueBytes = 8 << 20
	}
	c.QueueBytes = max(c.QueueBytes, MaxFrame)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// prefix is the protocol prefix of a network.
func prefix(network [32]byte) string { return "/warren/" + hex.EncodeToString(network[:8]) }
