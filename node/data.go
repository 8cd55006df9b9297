package node

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"warren/node/store"
	"warren/rooms"
)

// Keys in store.Meta.
const (
	genesisKey = "genesis"
	joiningKey = "joining" // name of the network that this node asked to join last; absent once it is admitted
	sinceKey   = "since"   // directory height (uint64 BE) at which this disk begins; absent: the founder's
)

// dataDir is what a node has on disk: its lock, keys and store. It is the first step of Open and Join.
type dataDir struct {
	key      ed25519.PrivateKey
	recovery func() (ed25519.PrivateKey, error) // for the founder of a network
	store    *store.Store
}

// openDir opens and makes the data directory at path.
func openDir(path string, log *slog.Logger) (*dataDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	s, err := store.Open(path, store.Options{Logger: log})
	if err != nil {
		return nil, fmt.Errorf("data directory %s: %w", path, err)
	}
	key, err := loadKey(filepath.Join(path, keyFile))
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &dataDir{key, func() (ed25519.PrivateKey, error) { return loadKey(filepath.Join(path, recoveryFile)) }, s}, nil
}

func (d *dataDir) genesis() (g rooms.Genesis, ok bool, err error) {
	data, err := d.store.Get(store.Meta, []byte(genesisKey))
	if err != nil || data == nil {
		return g, false, err
	}
	if err := rooms.Unmarshal(data, &g); err != nil {
		return g, false, fmt.Errorf("genesis on disk: %w", err)
	}
	return g, true, nil
}

func (d *dataDir) setGenesis(g rooms.Genesis, more func(*store.Batch)) error {
	b := &store.Batch{}
	b.Put(store.Meta, []byte(genesisKey), rooms.Marshal(g))
	if more != nil {
		more(b)
	}
	return d.store.Commit(b)
}

// joining returns the name of the network that this node asked to join and that has not admitted it.
func (d *dataDir) joining() (name string, ok bool, err error) {
	data, err := d.store.Get(store.Meta, []byte(joiningKey))
	return string(data), data != nil, err
}

// setJoining notes, before anybody is asked, which network the node wants to join.
func (d *dataDir) setJoining(name string) error {
	b := &store.Batch{}
	b.Put(store.Meta, []byte(joiningKey), []byte(name))
	return d.store.Commit(b)
}
