package node

import (
	"crypto/ed25519"
	"log/slog"
	"time"

	"warren/node/overlay"
	"warren/node/store"
)

// Parts are pieces of a node that a simulation gives in place of the machine's own. What is left out is as in a real node: the zero value is
// what Open and Join use.
type Parts struct {
	// Key and Store take the place of the data directory, which is not touched then. Both or none must be given. The node closes the store,
	// also when it cannot be opened.
	Key   ed25519.PrivateKey
	Store *store.Store

	// Host puts the node on a simulated network, addresses included: config.Network.Listen should be empty. Such a network has no NATs.
	Host []overlay.HostOption

	Tick, Lease, Away time.Duration // of rooms/replica; 0: its defaults
}

func (p Parts) openDir(path string, log *slog.Logger) (*dataDir, error) {
	if p.Store == nil {
		return openDir(path, log)
	}
	return &dataDir{key: p.Key, recovery: func() (ed25519.PrivateKey, error) { return p.Key, nil }, store: p.Store}, nil
}
