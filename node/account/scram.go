package account

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"hash"
)

// The hash functions of SCRAM (RFC 5802, RFC 7677).
const (
	SHA1   = "SHA-1"
	SHA256 = "SHA-256"
)

// ScramIterations of PBKDF2 for new SCRAM keys, ScramSaltLen the bytes of their salt: the same as for the made-up keys of unknown accounts
// in bridge/login, so that the two look alike.
const (
	ScramIterations = 10_000
	ScramSaltLen    = 16
)

// maxScramIterations bounds what a record may hold: a client pays for it.
const maxScramIterations = 1_000_000

// ScramKeys are what is kept to check SCRAM, never the password (RFC 5802 §3).
type ScramKeys struct {
	_          struct{} `cbor:",toarray"`
	Salt       []byte
	Iterations int
	StoredKey  []byte
	ServerKey  []byte
}

// Scram returns the account's canonical name and its keys for a hash function, SHA1 or SHA256. Errors: ErrCredentials (no such account),
// ErrElsewhere (its keys lie on other nodes).
func (a *Accounts) Scram(_ context.Context, name, hash string) (string, ScramKeys, error) {
	name, err := a.cfg.Names(name)
	if err != nil {
		return "", ScramKeys{}, ErrCredentials
	}
	d, ok := a.cfg.Directory.Account(name)
	if !ok {
		return "", ScramKeys{}, ErrCredentials
	}
	r, err := a.load(name)
	switch {
	case err != nil:
		return "", ScramKeys{}, err
	case r == nil || r.Key != d.Key || !signs(d, a.cfg.Self):
		return "", ScramKeys{}, ErrElsewhere
	}
	switch hash {
	case SHA1:
		return name, r.Scram1, nil
	case SHA256:
		return name, r.Scram256, nil
	}
	return "", ScramKeys{}, fmt.Errorf("SCRAM keys: unknown hash function %.20q", hash)
}

// makeScram derives the keys of a prepared password.
func makeScram(password string, fn func() hash.Hash, salt []byte, iterations int) (ScramKeys, error) {
	salted, err := pbkdf2.Key(fn, password, salt, iterations, fn().Size())
	if err != nil {
		return ScramKeys{}, fmt.Errorf("derive SCRAM keys: %w", err)
	}
	defer clear(salted)
	mac := func(text string) []byte {
		m := hmac.New(fn, salted)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	stored := fn()
	stored.Write(mac("Client Key"))
	return ScramKeys{Salt: salt, Iterations: iterations, StoredKey: stored.Sum(nil), ServerKey: mac("Server Key")}, nil
}

// ok accepts keys of a digest of that size in bytes.
func (k *ScramKeys) ok(size int) bool {
	return len(k.Salt) > 0 && len(k.Salt) <= 64 && k.Iterations > 0 && k.Iterations <= maxScramIterations &&
		len(k.StoredKey) == size && len(k.ServerKey) == size
}

// newScram draws salts and derives both sets of keys.
func (a *Accounts) newScram(password string) (one, two ScramKeys, err error) {
	salts, err := a.draw(2 * ScramSaltLen)
	if err != nil {
		return one, two, err
	}
	if one, err = makeScram(password, sha1.New, salts[:ScramSaltLen:ScramSaltLen], ScramIterations); err != nil {
		return one, two, err
	}
	two, err = makeScram(password, sha256.New, salts[ScramSaltLen:], ScramIterations)
	return one, two, err
}
