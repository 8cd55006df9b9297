package order

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"

	"go.etcd.io/raft/v3"

	"warren/rooms"
)

// Config is what a controller needs to live.
type Config struct {
	Self rooms.NodeID
	Key  ed25519.PrivateKey // of Self

	// Chain is the tentative chain. It stands at the certified head, and is the controller's own from now on.
	Chain *rooms.Chain
	// Verify checks the signature of a request, usually through a cache. Nil: compute each time.
	Verify rooms.Verifier
	// CheckSignature checks a node's signature over a header's hash. Nil: compute each time.
	CheckSignature func(rooms.Signature, rooms.Hash) bool
	// PayloadHash returns the payload hash of a certified decision that this node stores; false: not stored (any more).
	PayloadHash func(height uint64) (rooms.Hash, bool)

	// Restored is what was on disk: the sum of all records stored. Nil or not Alive: this is the node's first life in the room's raft group,
	// or a new one after its raft state was dropped; signed records are needed then too.
	Restored *Restored
	// Incarnation numbers a new life of a node that does not found the room. It must be greater than any used before by this node in this
	// room: the time in ms does, as long as it is also above Restored.Incarnation.
	Incarnation uint64
	// Founding says that this node is one of Voters, the room's first controllers. It counts only while nothing of the room is stored, neither
	// records nor decisions.
	Founding bool
	Voters   []rooms.NodeID // founding only
	// Start is the height at which the chain's epoch starts, 0 in the first. Who stands there founds the epoch's raft group with the others, as it does
	// at height 0.
	Start uint64
	Begin *rooms.Begin // the request with which the epoch begins; nil in the first one, and when it is begun

	HeartbeatTicks int // ticks between heartbeats of a leader, at least 1; 0: 1
	ElectionTicks  int // ticks without a leader before a campaign; the real number is up to twice that. 0: 10
	// Rand returns a number in [0, n): the only source of chance, used to spread campaigns.
	Rand func(n int) int

	// Keep is how many certified entries are kept for slow followers; 0: KeepEntries.
	Keep int

	// Ledger is what this node has seen of the room's other controllers, kept over all lives of its own. Nil: a new one.
	Ledger *Ledger
	// Tamper changes a batch before this node signs and proposes it: the dishonest part of a saboteur in simulations. Nil: honest.
	Tamper func(*rooms.Batch)
	// Pace changes how many ms apart this node, when it leads, makes the room's ticks, from what the room asks for (0: none): another dishonest part. Nil: honest.
	Pace func(everyMS int64) int64

	Log *slog.Logger // nil: silent
}

// Errors of New.
var (
	// ErrBehind: the chain stands below the place where the stored log starts. Catch up first, or drop the raft state.
	ErrBehind = errors.New("controller: the chain is behind the stored log")
	// ErrDamaged: the stored raft state makes no sense. Drop it and come back with a new incarnation.
	ErrDamaged = errors.New("controller: the stored raft state is damaged")
)

func (cfg *Config) check() error {
	switch {
	case cfg.Chain == nil, cfg.PayloadHash == nil, cfg.Rand == nil:
		return errors.New("new controller: Chain, PayloadHash and Rand must be set")
	case len(cfg.Key) != ed25519.PrivateKeySize || rooms.NodeOf(cfg.Key.Public().(ed25519.PublicKey)) != cfg.Self:
		return errors.New("new controller: Key is not the key of Self")
	case cfg.Founding && !slices.Contains(cfg.Voters, cfg.Self):
		return errors.New("new controller: Self is not among the founding controllers")
	}
	if cfg.Verify == nil {
		cfg.Verify = rooms.VerifySignature
	}
	if cfg.CheckSignature == nil {
		cfg.CheckSignature = rooms.Signature.OK
	}
	cfg.HeartbeatTicks = max(cfg.HeartbeatTicks, 1)
	if cfg.ElectionTicks == 0 {
		cfg.ElectionTicks = 10 * cfg.HeartbeatTicks
	}
	cfg.ElectionTicks = max(cfg.ElectionTicks, cfg.HeartbeatTicks+1)
	if cfg.Keep <= 0 {
		cfg.Keep = KeepEntries
	}
	if cfg.Ledger == nil {
		cfg.Ledger = NewLedger()
	}
	return nil
}

// New makes a controller. It returns ErrBehind or ErrDamaged (wrapped) when what was stored cannot be used as it is.
func New(cfg Config) (c *Controller, err error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	c = &Controller{
		cfg: cfg, chain: cfg.Chain, certified: cfg.Chain.Height, certHead: cfg.Chain.Head,
		controllers: cfg.Chain.Machine.Base().Controllers,
		signed:      map[uint64]Signed{}, early: map[uint64]map[rooms.NodeID]earlySign{}, recent: map[uint64]recentCert{},
		devices: map[rooms.NodeID]*deviceQueue{}, queued: map[rooms.Hash]bool{}, known: map[uint64]Member{},
		hellos: map[rooms.NodeID]uint64{}, snapTicks: map[uint64]int{},
	}
	_, c.isDirectory = cfg.Chain.Machine.(*rooms.Directory)
	defer func() {
		if p := recover(); p != nil {
			c, err = nil, fmt.Errorf("new controller: %w: %v", ErrDamaged, p)
		}
	}()
	stored := cfg.Restored
	if stored == nil {
		stored = &Restored{}
	}
	for _, s := range stored.Signed {
		if s.Epoch == c.chain.Epoch && s.Height > c.certified && s.Height != EndOfEpoch {
			c.signed[s.Height] = s
		}
	}
	if stored, err = c.ofThisEpoch(stored); err != nil {
		return nil, err
	}
	if stored.Alive && stored.Snapshot == nil {
		// A life that never took hold, or one of which the rest was deleted: either way the next one gets another number.
		stored = stored.Drop()
	}
	c.cfg.Founding = c.cfg.Founding && !stored.Alive && !stored.Lived && c.chain.Height == c.cfg.Start
	if c.memory.read = stored.Alive; !stored.Alive {
		if stored, err = c.born(stored); err != nil {
			return nil, err
		}
	}
	if err := c.restore(stored); err != nil {
		return nil, err
	}
	c.resetTimer()
	return c, nil
}

// born begins a life: it returns what the first records add up to.
func (c *Controller) born(old *Restored) (*Restored, error) {
	first := firstLife(c.chain.Epoch)
	life := Born{Incarnation: first | c.cfg.Incarnation&(1<<lifeBits-1)}
	if c.cfg.Founding {
		life.Incarnation = first
	} else if life.Incarnation == first || old.Lived && life.Incarnation <= old.Incarnation || life.Incarnation > math.MaxInt64 {
		return nil, fmt.Errorf("new controller: incarnation %d of a new life is not above %d", life.Incarnation, old.Incarnation)
	}
	r := &Restored{}
	c.records = append(c.records, Record{Born: &life})
	if c.chain.Epoch > 1 && !c.ended { // also when this node gave no statement: it knows of the new epoch now. A later end is on disk in the same place
		c.records = append(c.records, Record{Signed: &Signed{Epoch: c.chain.Epoch - 1, Height: EndOfEpoch}})
	}
	if c.cfg.Founding {
		conf := Conf{}
		for _, n := range c.cfg.Voters {
			conf.Voters = append(conf.Voters, Member{Node: n, Incarnation: first})
		}
		sortMembers(conf.Voters)
		c.records = append(c.records,
			Record{Snapshot: &Snapshot{Index: 1, Term: 1, Height: c.cfg.Start, Head: c.chain.Head, Conf: conf}}, Record{Hard: &Hard{Term: 1, Commit: 1}})
	}
	for i := range c.records {
		r.Apply(&c.records[i])
	}
	return r, nil
}

// restore brings raft to where the stored records leave off.
func (c *Controller) restore(r *Restored) error {
	c.self = Member{Node: c.cfg.Self, Incarnation: r.Incarnation}
	c.selfID = c.self.raftID()
	c.log = &storage{MemoryStorage: raft.NewMemoryStorage(), c: c}
	c.base = Snapshot{}
	last := uint64(0)
	if r.Snapshot != nil {
		c.base = *r.Snapshot
		c.base.Reset = false
		last = c.base.Index
		if c.base.Height > c.chain.Height {
			return fmt.Errorf("%w: the chain is at height %d, the log starts at height %d", ErrBehind, c.chain.Height, c.base.Height)
		}
		if err := checkConf(&c.base.Conf); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if err := c.log.ApplySnapshot(pbSnapshot(&c.base)); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	for i := range r.Entries {
		if r.Entries[i].Index != last+1 {
			return fmt.Errorf("%w: entry %d follows entry %d", ErrDamaged, r.Entries[i].Index, last)
		}
		last++
	}
	if err := c.log.Append(pbEntries(r.Entries)); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if r.Hard != nil {
		c.hard = *r.Hard
		c.hardStored = c.hard
		c.hard.Commit = max(c.hard.Commit, c.base.Index) // a snapshot's place is committed by definition
		if c.hard.Commit > last {
			return fmt.Errorf("%w: committed up to entry %d, stored up to %d", ErrDamaged, c.hard.Commit, last)
		}
		if err := c.log.SetHardState(pbHard(c.hard)); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	c.conf, c.confs = c.base.Conf, []confMark{{c.base.Index, c.base.Conf}}
	c.applied, c.height, c.certIndex, c.appliedTerm = c.base.Index, c.base.Height, c.base.Index, c.base.Term
	c.learnMembers()
	var err error
	c.rn, err = raft.NewRawNode(&raft.Config{
		ID: c.selfID, ElectionTick: c.cfg.ElectionTicks, HeartbeatTick: c.cfg.HeartbeatTicks, Storage: c.log, AsyncStorageWrites: true,
		MaxSizePerMsg: rooms.MaxBatch, MaxCommittedSizePerReady: maxApplying, MaxUncommittedEntriesSize: maxUncommitted,
		MaxInflightMsgs: maxInflight, MaxInflightBytes: maxInflightSize, CheckQuorum: true, PreVote: true,
		DisableProposalForwarding: true, StepDownOnRemoval: true, Logger: raftLog{c.cfg.Log},
	})
	return err
}
