package overlay

import (
	"context"
	"errors"
	"fmt"

	"github.com/ipfs/go-cid"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	record "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
)

const sha2_256 = 0x12 // multicodec code

// errAlone says that there is no other node to ask.
var errAlone = errors.New("no other node is in the routing table")

// newDHT makes the network's own DHT: members only, under the network's prefix.
func (o *Overlay) newDHT() (*dht.IpfsDHT, error) {
	validators := record.NamespacedValidator{}
	for ns, v := range o.cfg.Validators {
		validators[ns] = boundedValidator{v}
	}
	d, err := dht.New(o.gated,
		dht.ProtocolPrefix(protocol.ID(o.proto)),
		dht.Mode(dht.ModeAutoServer), // with plain auto a network on a LAN has clients only
		dht.Validator(validators),
		dht.ValueDatastore(newBoundedStore(maxValueBytes)),
		dht.ProviderDatastore(newBoundedStore(maxProviderBytes)),
		dht.RoutingTableRefreshPeriod(dhtRefresh),
		dht.RoutingTableFilter(func(_ any, p peer.ID) bool { return o.admitted(p) }),
		dht.QueryFilter(func(_ any, pi peer.AddrInfo) bool { return o.admitted(pi.ID) }),
	)
	if err != nil {
		return nil, fmt.Errorf("make dht: %w", err)
	}
	return d, nil
}

// boundedValidator refuses long values before anybody looks at them.
type boundedValidator struct{ Validator }

func (b boundedValidator) Validate(key string, value []byte) error {
	if len(value) > MaxValue {
		return fmt.Errorf("value of %d bytes, limit %d: %w", len(value), MaxValue, errTooLong)
	}
	return b.Validator.Validate(key, value)
}

func (o *Overlay) alone() bool { return o.dht.RoutingTable().Size() == 0 }

// findAddrs asks the DHT for a member's addresses.
func (o *Overlay) findAddrs(ctx context.Context, p peer.ID) ([]ma.Multiaddr, error) {
	if o.alone() {
		return nil, errAlone
	}
	o.stats.lookups.Add(1)
	pi, err := o.dht.FindPeer(ctx, p)
	if err != nil {
		return nil, err
	}
	return pi.Addrs, nil
}

func providerKey(key []byte) (cid.Cid, error) {
	return cid.Prefix{Version: 1, Codec: cid.Raw, MhType: sha2_256, MhLength: -1}.Sum(key)
}

// Provide tells the nodes nearest to key that this node has what it names. It is forgotten after 48 h:
// repeat it. Blocks until they were told. A node that is alone keeps it for itself.
func (o *Overlay) Provide(ctx context.Context, key []byte) error {
	c, err := providerKey(key)
	if err != nil {
		return fmt.Errorf("provide: %w", err)
	}
	if err := o.dht.Provide(ctx, c, !o.alone()); err != nil {
		return fmt.Errorf("provide: %w", err)
	}
	return nil
}

// FindProviders returns up to n members that provided key, this node included. The answer is hearsay of
// the members asked. No provider found is no error.
func (o *Overlay) FindProviders(ctx context.Context, key []byte, n int) ([]NodeID, error) {
	c, err := providerKey(key)
	if err != nil {
		return nil, fmt.Errorf("find providers: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var out []NodeID
	for pi := range o.dht.FindProvidersAsync(ctx, c, n) {
		if id, ok := nodeID(pi.ID); ok {
			out = append(out, id)
			if p := o.peer(id); p != nil && len(pi.Addrs) > 0 {
				p.addAddrs(rumourAddrs, pi.Addrs)
			}
		}
	}
	if len(out) == 0 && ctx.Err() != nil {
		return nil, fmt.Errorf("find providers: %w", ctx.Err())
	}
	return out, nil
}

// PutValue stores value under key ("/<namespace>/…") at this node and at the nodes nearest to key. It is
// checked by the namespace's Validator, must be better than what is there, and is forgotten after 48 h. Nil
// does not say that other nodes have it.
func (o *Overlay) PutValue(ctx context.Context, key string, value []byte) error {
	alone := o.alone()
	if err := o.dht.PutValue(ctx, key, value); err != nil {
		if alone && o.holds(ctx, key) {
			return nil // stored here; there is nobody else
		}
		return fmt.Errorf("put %s: %w", key, err)
	}
	return nil
}

func (o *Overlay) holds(ctx context.Context, key string) bool {
	_, err := o.dht.GetValue(ctx, key, dht.Quorum(1))
	return err == nil
}

// GetValue returns the best value found under key among this node and the nodes nearest to it.
func (o *Overlay) GetValue(ctx context.Context, key string) ([]byte, error) {
	v, err := o.dht.GetValue(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	return v, nil
}
