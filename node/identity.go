package node

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	keyFile      = "node.key"     // the node's private key: its identity
	recoveryFile = "recovery.key" // founder only: may found a new epoch of the directory; to be taken offline
)

// loadKey reads the private key in a file, or makes one when there is none. The file holds the seed in base64, readable by its owner only.
func loadKey(path string) (ed25519.PrivateKey, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	seed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(data)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("read key: %s does not hold a key; restore it from a backup: without it the node is another one", path)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// Secret returns 32 bytes for one purpose that only this node can make, the same in every run.
func (n *Node) Secret(purpose string) []byte {
	m := hmac.New(sha256.New, n.key.Seed())
	m.Write([]byte("warren/node-secret/1\x00" + purpose))
	return m.Sum(nil)
}

func makeKey(path string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	text := base64.StdEncoding.EncodeToString(key.Seed()) + "\n"
	if err := writeSynced(path, []byte(text)); err != nil {
		return nil, fmt.Errorf("write key: %w", err)
	}
	return key, nil
}

// writeSynced writes a file that only its owner can read, so that it is there whole or not at all after a crash.
func writeSynced(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
