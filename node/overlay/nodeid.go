package overlay

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"warren/rooms"
)

// NodeID names a node: its raw Ed25519 public key.
type NodeID = rooms.NodeID

// idPrefix is what stands before the raw key in the peer id of an Ed25519 key: an identity multihash
// (code 0, length 36) of the key's protobuf form (type 1 = Ed25519, 32 bytes).
const idPrefix = "\x00\x24\x08\x01\x12\x20"

// peerID returns the libp2p name of a node.
func peerID(id NodeID) peer.ID { return peer.ID(idPrefix + string(id[:])) }

// nodeID returns the node behind a libp2p peer id; false when its key is not an Ed25519 key.
func nodeID(p peer.ID) (NodeID, bool) {
	if len(p) != len(idPrefix)+32 || string(p[:len(idPrefix)]) != idPrefix {
		return NodeID{}, false
	}
	return NodeID([]byte(p[len(idPrefix):])), true
}

// short is the form of a node id for logs and errors.
func short(id NodeID) string { return id.Short() }

// hostKey turns a key into libp2p's form.
func hostKey(k ed25519.PrivateKey) (crypto.PrivKey, error) {
	if len(k) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("overlay: the node key has %d bytes, want %d", len(k), ed25519.PrivateKeySize)
	}
	return crypto.UnmarshalEd25519PrivateKey(k)
}

var errNoPeerID = errors.New("address does not end in /p2p/<peer id>")

// parseAddr splits a multiaddr that ends in a peer id.
func parseAddr(s string) (NodeID, ma.Multiaddr, error) {
	if len(s) > maxAddrLen {
		return NodeID{}, nil, fmt.Errorf("address has %d bytes, more than %d", len(s), maxAddrLen)
	}
	m, err := ma.NewMultiaddr(s)
	if err != nil {
		return NodeID{}, nil, fmt.Errorf("address %q: %w", s, err)
	}
	t, pid := peer.SplitAddr(m)
	if pid == "" || t == nil {
		return NodeID{}, nil, fmt.Errorf("%q: %w", s, errNoPeerID)
	}
	id, ok := nodeID(pid)
	if !ok {
		return NodeID{}, nil, fmt.Errorf("address %q: the peer id is not an ed25519 key", s)
	}
	return id, t, nil
}

// groupAddrs sorts addresses by the node they lead to, in the order of first mention. Bad ones are
// returned as one joined error beside the good ones.
func groupAddrs(addrs []string) ([]NodeID, map[NodeID][]ma.Multiaddr, error) {
	var order []NodeID
	var bad []error
	by := make(map[NodeID][]ma.Multiaddr)
	for _, s := range addrs {
		id, t, err := parseAddr(s)
		if err != nil {
			bad = append(bad, err)
			continue
		}
		if by[id] == nil {
			order = append(order, id)
		}
		by[id] = append(by[id], t)
	}
	return order, by, errors.Join(bad...)
}

// withPeerID writes transport addresses of a node as text.
func withPeerID(id NodeID, addrs []ma.Multiaddr) []string {
	suffix := "/p2p/" + peerID(id).String()
	out := make([]string, 0, len(addrs))
	for _, a := range addrs {
		out = append(out, a.String()+suffix)
	}
	return out
}
