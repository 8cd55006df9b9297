package account

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"warren/node/store"
	"warren/rooms"
)

const (
	recordVersion = 1
	saltLen       = 16
	boxLen        = ed25519.SeedSize + chacha20poly1305.Overhead

	// MaxRecord is the greatest encoding of a Record in bytes; a real one has about 600.
	MaxRecord = 2 << 10
)

// Params are the parameters of Argon2id (RFC 9106).
type Params struct {
	_       struct{} `cbor:",toarray"`
	Memory  uint32   // KiB
	Time    uint32   // passes
	Threads uint8
}

// DefaultParams take 0.2 s on a busy machine of two cores (BenchmarkCheck): the memory and passes of RFC 9106's second choice, in one thread,
// since as many logins run at once as a small machine has cores.
var DefaultParams = Params{Memory: 64 << 10, Time: 3, Threads: 1}

// FloorParams are the weakest that a node hashes a password with when another node says so: whoever asks for less wants to guess.
var FloorParams = Params{Memory: 19 << 10, Time: 2, Threads: 1}

// ceiling bounds what another node can make us spend: memory of a small machine, about a second.
var ceiling = Params{Memory: 256 << 10, Time: 10, Threads: 4}

// check accepts parameters between floor and the ceiling.
func (p Params) check(floor Params) error {
	if p.Threads < 1 || p.Time < 1 || p.Memory < 8*uint32(p.Threads) || p.Memory < floor.Memory || p.Time < floor.Time {
		return errors.New("argon2 parameters are too weak")
	}
	if p.Memory > ceiling.Memory || p.Time > ceiling.Time || p.Threads > ceiling.Threads {
		return errors.New("argon2 parameters are too costly")
	}
	return nil
}

// Record is the sealed key of an account, as it lies on the account's devices. Without the password it gives nothing away but a slow way to
// test guesses. It is immutable once signed.
type Record struct {
	_        struct{} `cbor:",toarray"`
	Version  uint8    // 1
	Name     string   // canonical
	Key      rooms.NodeID
	Salt     []byte
	Params   Params
	Check    []byte // SHA-256 of the fetch token
	Revision uint64 // counts changes of the password, from 1
	Time     int64  // ms
	Nonce    []byte
	Box      []byte // the private key's seed under the password's key; Name to Time are authenticated with it
	Scram1   ScramKeys
	Scram256 ScramKeys
	Sig      []byte // by Key over everything above
}

// header is what the seal covers beside the seed.
type header struct {
	_        struct{} `cbor:",toarray"`
	Version  uint8
	Name     string
	Key      rooms.NodeID
	Salt     []byte
	Params   Params
	Check    []byte
	Revision uint64
	Time     int64
}

func (r *Record) header() []byte {
	h := rooms.Marshal(header{
		Version: r.Version, Name: r.Name, Key: r.Key, Salt: r.Salt, Params: r.Params, Check: r.Check, Revision: r.Revision, Time: r.Time,
	})
	return append([]byte("warren/sealed/1\x00"), h...)
}

// digest is what the account's key signs.
func (r *Record) digest() []byte {
	u := *r
	u.Sig = nil
	h := sha256.New()
	h.Write([]byte("warren/account-record/1\x00"))
	h.Write(rooms.Marshal(u))
	return h.Sum(nil)
}

// Encode returns the canonical encoding.
func (r *Record) Encode() []byte { return rooms.Marshal(r) }

// DecodeRecord reads what Encode wrote, and nothing else: sizes, ranges and the signature are checked. Any bytes are safe.
func DecodeRecord(data []byte) (*Record, error) {
	if len(data) > MaxRecord {
		return nil, fmt.Errorf("sealed record: longer than %d bytes", MaxRecord)
	}
	r := &Record{}
	if err := rooms.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("sealed record: %w", err)
	}
	switch {
	case r.Version != recordVersion:
		return nil, fmt.Errorf("sealed record: version %d, this program reads %d", r.Version, recordVersion)
	case !possible(r.Name) || len(r.Salt) != saltLen || len(r.Check) != sha256.Size || len(r.Nonce) != chacha20poly1305.NonceSizeX ||
		len(r.Box) != boxLen || r.Revision == 0 || r.Time < 0 || !r.Scram1.ok(sha1.Size) || !r.Scram256.ok(sha256.Size):
		return nil, errors.New("sealed record: a field is out of range")
	case !bytes.Equal(r.Encode(), data):
		return nil, errors.New("sealed record: not in its canonical form")
	case len(r.Sig) != ed25519.SignatureSize || !ed25519.Verify(r.Key.Public(), r.digest(), r.Sig):
		return nil, errors.New("sealed record: no valid signature of the account's key")
	}
	if err := r.Params.check(Params{}); err != nil {
		return nil, fmt.Errorf("sealed record: %w", err)
	}
	return r, nil
}

// newer reports whether r is to replace old.
func (r *Record) newer(old *Record) bool {
	return old == nil || r.Revision > old.Revision || r.Revision == old.Revision && r.Time > old.Time
}

// seal makes the record of an account for a prepared password.
func (a *Accounts) seal(name string, key ed25519.PrivateKey, secret *secrets, salt []byte, password string, revision uint64) (*Record, error) {
	nonce, err := a.draw(chacha20poly1305.NonceSizeX)
	if err != nil {
		return nil, err
	}
	r := &Record{
		Version: recordVersion, Name: name, Key: rooms.NodeOf(key.Public().(ed25519.PublicKey)), Salt: salt, Params: a.cfg.Params,
		Check: secret.check(), Revision: revision, Time: a.cfg.Now().UnixMilli(), Nonce: nonce,
	}
	if r.Scram1, r.Scram256, err = a.newScram(password); err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(secret.key())
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	seed := key.Seed()
	defer clear(seed)
	r.Box = aead.Seal(nil, nonce, seed, r.header())
	r.Sig = ed25519.Sign(key, r.digest())
	return r, nil
}

// unseal returns the account's private key, which the caller clears. The only error is ErrCredentials.
func (r *Record) unseal(secret *secrets) (ed25519.PrivateKey, error) {
	aead, err := chacha20poly1305.NewX(secret.key())
	if err != nil {
		return nil, ErrCredentials
	}
	seed, err := aead.Open(nil, r.Nonce, r.Box, r.header())
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, ErrCredentials
	}
	defer clear(seed)
	key := ed25519.NewKeyFromSeed(seed)
	if !bytes.Equal(key.Public().(ed25519.PublicKey), r.Key[:]) {
		clear(key)
		return nil, ErrCredentials
	}
	return key, nil
}

// load returns the record of an account, or nil when it does not lie here.
func (a *Accounts) load(name string) (*Record, error) {
	data, err := a.cfg.Store.Get(store.Accounts, []byte(name))
	if err != nil {
		return nil, fmt.Errorf("read the account's record: %w", err)
	}
	if data == nil {
		return nil, nil
	}
	r, err := DecodeRecord(data)
	if err != nil || r.Name != name {
		return nil, fmt.Errorf("read the account's record: damaged: %w", errors.Join(err))
	}
	return r, nil
}

// adopt stores a record durably if it is newer than the one that lies here, which must have the same key or have lost its claim. It tells
// whether it did.
func (a *Accounts) adopt(r *Record) (bool, error) {
	a.records.Lock()
	defer a.records.Unlock()
	old, err := a.load(r.Name)
	if err != nil {
		a.log.Warn("replacing a damaged record", "account", r.Name, "err", err)
	}
	if old != nil && old.Key == r.Key && !r.newer(old) {
		return false, nil
	}
	var b store.Batch
	b.Put(store.Accounts, []byte(r.Name), r.Encode())
	if err := a.cfg.Store.Commit(&b); err != nil {
		return false, fmt.Errorf("store the account's record: %w", err)
	}
	return true, nil
}

// forget removes the record of an account if it still has this key.
func (a *Accounts) forget(name string, key rooms.NodeID) error {
	a.records.Lock()
	defer a.records.Unlock()
	old, err := a.load(name)
	if err == nil && (old == nil || old.Key != key) {
		return nil
	}
	var b store.Batch
	b.Delete(store.Accounts, []byte(name))
	if err := a.cfg.Store.Commit(&b); err != nil {
		return fmt.Errorf("remove the account's record: %w", err)
	}
	return nil
}
