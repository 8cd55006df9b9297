package node

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
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
	hadKey   bool // the key was there before
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
	d := &dataDir{store: s, recovery: func() (ed25519.PrivateKey, error) { return loadKey(filepath.Join(path, recoveryFile)) }}
	if d.key, err = d.ownKey(filepath.Join(path, keyFile)); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return d, nil
}

// errKeyLost: the directory is that of a node of a network, and the node's key is gone.
var errKeyLost = errors.New("there is no such file, and a node of a network lives in this directory: restore it from a backup, or join anew with an empty directory: without it the node is another one")

// ownKey reads the node's key, or makes it where no node has lived yet.
func (d *dataDir) ownKey(path string) (ed25519.PrivateKey, error) {
	_, lived, err := d.genesis()
	if err != nil {
		return nil, err
	}
	_, err = os.Stat(path)
	if d.hadKey = err == nil; lived && errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read key: %s: %w", path, errKeyLost)
	}
	return loadKey(path)
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
