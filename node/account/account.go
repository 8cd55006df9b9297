package account

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"warren/node/store"
	"warren/rooms"
)

// Store is where records lie; *store.Store is one. Commit returns when the batch is durable.
type Store interface {
	Get(bucket store.Bucket, key []byte) ([]byte, error)
	Range(bucket store.Bucket, from, to []byte, limit int) ([]store.KV, error)
	Commit(b *store.Batch) error
}

// Directory is the network's directory as this node sees it. Account and Inside must not block for long.
type Directory interface {
	// Order has a request ordered as one of this node, and waits until it is applied here. A refusal is an errs.Kind; errs.Frozen: the directory has no
	// quorum (any more), and whether the request takes effect when it is back is not known.
	Order(ctx context.Context, b rooms.Body) error
	// Frozen reports whether the directory is known to have no quorum: it orders nothing now.
	Frozen() bool
	// Account returns the record of an account by its canonical name. It must not be changed.
	Account(name string) (rooms.AccountRecord, bool)
	// Inside reports whether a node is in the network now.
	Inside(id rooms.NodeID) bool
	// ID returns the room id of the directory.
	ID() rooms.RoomID
}

// Peers asks other nodes.
type Peers interface {
	// Request sends a request of a protocol to a node and returns its answer.
	Request(ctx context.Context, to rooms.NodeID, proto string, req []byte) ([]byte, error)
}

// Config is what New needs. Store, Directory, Peers and Self must be set.
type Config struct {
	Self      rooms.NodeID
	Store     Store
	Directory Directory
	Peers     Peers
	Open      bool // registration is possible

	// Names returns the canonical form of an account name, or an error. Nil: PRECIS UsernameCaseMapped and what the directory refuses.
	Names func(string) (string, error)
	// Params are those of new records; zero: DefaultParams.
	Params Params
	// Floor are the weakest parameters that another device may tell us to hash a password with; zero: FloorParams.
	Floor Params

	Rand   io.Reader        // nil: crypto/rand
	Logger *slog.Logger     // nil: discards
	Now    func() time.Time // nil: time.Now
}

// Limits. Those that count are per fixed window.
const (
	// maxHashing is how many passwords are hashed at once. Each takes 64 MiB and a core; two leave a small machine usable.
	maxHashing = 2
	// maxHashQueue is how many more may wait, up to 4 s with the default parameters: nobody waits longer for a login.
	maxHashQueue = 32
	// maxWaiters is how many tries of one account may wait for each other.
	maxWaiters = 16

	// triesPerAccount bounds failed tries of one account at this node in a minute. A person does not type faster.
	triesPerAccount = 20
	// registrationsPerMinute bounds new accounts at this node: each is a request to the directory, for ever in its log.
	registrationsPerMinute = 60
)

// Accounts are the accounts of one node. All methods are safe for concurrent use. It runs no goroutine that outlives a call, so there is
// nothing to close.
type Accounts struct {
	cfg    Config
	log    *slog.Logger
	hash   *hasher
	cache  *checked
	turns  *turns
	random sync.Mutex // guards cfg.Rand

	tries, registrations       *window // at this node
	asked, guessed, guessedHow *window // by other nodes, see serve.go

	records sync.Mutex // guards read-compare-write of the records in the store
}

// New returns the accounts in cfg.Store.
func New(cfg Config) (*Accounts, error) {
	switch {
	case cfg.Store == nil || cfg.Directory == nil || cfg.Peers == nil || cfg.Self.IsZero():
		return nil, errors.New("accounts: Self, Store, Directory and Peers must be set")
	case cfg.Params == Params{}:
		cfg.Params = DefaultParams
	}
	if cfg.Floor == (Params{}) {
		cfg.Floor = FloorParams
	}
	if err := cfg.Params.check(Params{}); err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	if cfg.Names == nil {
		cfg.Names = canonical
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &Accounts{cfg: cfg, log: cfg.Logger, hash: newHasher(maxHashing, maxHashQueue), turns: newTurns(maxWaiters)}
	a.tries = newWindow(cfg.Now, time.Minute, triesPerAccount)
	a.registrations = newWindow(cfg.Now, time.Minute, registrationsPerMinute)
	a.asked = newWindow(cfg.Now, time.Minute, asksPerNode)
	a.guessed = newWindow(cfg.Now, guessWindow, guessesPerAccount)
	a.guessedHow = newWindow(cfg.Now, guessWindow, guessesPerNode)
	key, err := a.draw(32)
	if err != nil {
		return nil, err
	}
	a.cache = &checked{key: key, now: cfg.Now, entries: map[string]entry{}}
	return a, nil
}

// draw returns n random bytes.
func (a *Accounts) draw(n int) ([]byte, error) {
	a.random.Lock()
	defer a.random.Unlock()
	b := make([]byte, n)
	if _, err := io.ReadFull(a.cfg.Rand, b); err != nil {
		return nil, fmt.Errorf("draw random bytes: %w", err)
	}
	return b, nil
}

// Info is an account whose keys lie at this node.
type Info struct {
	Name     string // canonical
	Key      rooms.NodeID
	Revision uint64    // counts changes of the password, from 1
	Changed  time.Time // when the password was set
	Active   bool      // the directory knows the account, and this node as a device of it
}

// List returns the accounts whose keys lie here, sorted by name. Damaged records are logged and left out.
func (a *Accounts) List() ([]Info, error) {
	kvs, err := a.cfg.Store.Range(store.Accounts, nil, nil, 0)
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	var out []Info
	for _, kv := range kvs {
		r, err := DecodeRecord(kv.Value)
		if err != nil {
			a.log.Error("the sealed record of an account is damaged: log in again at another of its nodes", "account", string(kv.Key), "err", err)
			continue
		}
		d, ok := a.cfg.Directory.Account(r.Name)
		out = append(out, Info{
			Name: r.Name, Key: r.Key, Revision: r.Revision, Changed: time.UnixMilli(r.Time), Active: ok && d.Key == r.Key && signs(d, a.cfg.Self),
		})
	}
	return out, nil
}

// Has reports whether this node is a device of the account and holds its keys, so that SCRAM works here. The name need not be canonical.
func (a *Accounts) Has(name string) bool {
	_, _, err := a.Scram(context.Background(), name, SHA256)
	return err == nil
}

// signs reports whether a node is a device of the account now.
func signs(d rooms.AccountRecord, n rooms.NodeID) bool {
	return slices.ContainsFunc(d.Devices, func(v rooms.Device) bool { return v.Key == n && v.To == 0 })
}
