package rooms

import (
	"crypto/ed25519"
	"errors"
	"slices"

	"warren/perms"
)

// An epoch is a span of heights with one chain of controller sets. A room begins in epoch 1. The directory orders a new one when a height cannot
// be certified any more, or when most of the controllers are gone for ever: fresh raft state, from a start header on that everybody who was
// heard agrees to. The directory's own new epochs are signed with the network's recovery key (Rescue), since nobody stands above it.

// Limits of epochs.
const (
	MaxEpochs    = 64 // of one room: each is a whole breakdown, and all of them stay in the directory for ever
	PeopleEpochs = 8  // of these, made by accounts only: however often controllers begin anew by themselves, people can still recover the room
	MaxPromises  = 64 // headers in one statement: twice what a controller runs ahead of its certified head
)

// Promise is a header that a controller has signed above its certified head.
type Promise struct {
	_      struct{} `cbor:",toarray"`
	Height uint64
	Header Hash
	Change bool // it changes the controllers: what is above it is not theirs to state
}

// Statement is a controller's signed word at the end of an epoch: what it knows as certified, what it has signed above that, and that it signs
// nothing more in that epoch. It may say so again later; the certified part can only grow then, and the promises only shrink. One whose log does not
// reach up to where the present controllers came in says just that: Since is less than the directory's, there is no proof, and what it claims as certified counts
// for nothing.
type Statement struct {
	_        struct{} `cbor:",toarray"`
	Node     NodeID
	Epoch    uint64      // in which it signs nothing more
	For      string      // the account for whose recovery of the room it is given; empty: for the controllers to begin anew by themselves
	Since    uint64      // Base.Since of its certified state: the last change of controllers that it knows
	Height   uint64      // of the highest header that it knows as certified
	Head     Hash        // of that header
	Header   *Header     // the same; nil when Height is where its controllers came in: the directory knows that one
	Cert     Certificate // over Header
	Promises []Promise   // ascending by height, all above Height
	Sig      []byte      // Ed25519 by Node, domain warren/statement/1
}

type statedThing struct {
	_        struct{} `cbor:",toarray"`
	Room     RoomID
	Node     NodeID
	Epoch    uint64
	For      string
	Since    uint64
	Height   uint64
	Head     Hash
	Promises []Promise
}

func (s *Statement) digest(room RoomID) Hash {
	return hashOf("warren/statement/1", statedThing{
		Room: room, Node: s.Node, Epoch: s.Epoch, For: s.For, Since: s.Since, Height: s.Height, Head: s.Head, Promises: s.Promises,
	})
}

// Sign fills in the node and its signature. Before a statement leaves, that nothing more is signed must be durable.
func (s *Statement) Sign(room RoomID, key ed25519.PrivateKey) {
	s.Node = NodeOf(key.Public().(ed25519.PublicKey))
	h := s.digest(room)
	s.Sig = ed25519.Sign(key, h[:])
}

// EpochRecord is what the directory knows of one epoch after a room's first.
type EpochRecord struct {
	_           struct{} `cbor:",toarray"`
	Epoch       uint64
	From        uint64   // directory version
	Start       uint64   // height of the last decision before it; the first of the epoch is the next
	Head        Hash     // of the header at Start; the room's id at 0
	Carried     []Hash   // of the headers up to Start for which the directory vouches, since it is not sure that an honest node can show their certificates: the last one is Head
	Controllers []NodeID // from Start on
	Of          uint32   // how many controllers the epoch before had at its end
	Silent      []NodeID // those of them who gave no statement
	By          string   // the account that had it made, by its right to manage the room; empty: the statements sufficed
}

// proven returns the height below the headers that are carried over: all up to there is certified. Of an epoch by an account that is the highest such height.
func (e *EpochRecord) proven() uint64 { return e.Start - min(e.Start, uint64(len(e.Carried))) }

// Epoch returns the number of the room's newest epoch.
func (r *RoomRecord) Epoch() uint64 {
	if n := len(r.Epochs); n > 0 {
		return r.Epochs[n-1].Epoch
	}
	return 1
}

// begun returns the record as it was when the present epoch began: what happened in it is to be proven.
func (r *RoomRecord) begun() RoomRecord {
	was := RoomRecord{ID: r.ID, Now: r.Controllers, FloorHead: r.ID, Epochs: r.Epochs}
	if n := len(r.Epochs); n > 0 {
		e := &r.Epochs[n-1]
		was.Now, was.Since, was.Floor, was.FloorHead = e.Controllers, e.Start+1, e.Start, e.Head
	}
	return was
}

// ProveBelow shows that a certified header of the present epoch is one, to the directory, which has witnessed what is above it. since is the height of the last
// change of controllers up to it, at returns a certified decision. nil: it cannot be shown; it may be that the controllers changed more than MaxPast times.
func (r *RoomRecord) ProveBelow(h *Header, cert Certificate, since uint64, at func(height uint64) *Decision) *Proof {
	begun := r.begun()
	p := &Proof{Header: *h, Cert: cert}
	for _, d := range begun.Unwitnessed(since, at) {
		if d.Header.Height < h.Height { // those before it certify a change
			p.Changes = append(p.Changes, *d)
		}
	}
	if p.check(&begun, MaxPast) != nil {
		return nil
	}
	return p
}

// MayBegin reports whether the room may have one more epoch: by an account's will, or (account is empty) without people.
func (r *RoomRecord) MayBegin(account string) bool {
	if account == "" {
		return len(r.Epochs) < MaxEpochs-PeopleEpochs
	}
	return len(r.Epochs) < MaxEpochs
}

// Errors of statements, and of what follows from them.
var (
	ErrStatement = errors.New("statement: not by a controller of this epoch, or not to be believed")
	ErrStale     = errors.New("statement: of other controllers than the directory knows; it must be told of their changes first")
	ErrForked    = errors.New("statements: two headers are certified at one height: more controllers lie than the room can bear")
	ErrUnclear   = errors.New("statements: they do not tell what was certified: people must decide (warren room recover)")
)

// CheckStatement reports whether s can be counted for ending the room's present epoch: by one of the controllers that the directory knows,
// rightly signed, and with a certificate for what it claims as certified. It costs up to a quorum of signature checks.
func (r *RoomRecord) CheckStatement(s *Statement) error {
	switch {
	case s.Epoch != r.Epoch() || !slices.Contains(r.Now, s.Node) || len(s.Promises) > MaxPromises:
		return ErrStatement
	case s.Since != r.Since && !s.behind(r):
		return ErrStale
	}
	last := s.Height
	for _, p := range s.Promises {
		if p.Height <= last {
			return ErrStatement
		}
		last = p.Height
	}
	if h := s.digest(r.ID); !signedBy(s.Node, s.Sig, h[:]) {
		return ErrStatement
	}
	if s.behind(r) {
		if s.Height >= r.Floor || s.Header != nil || s.Cert != nil {
			return ErrStatement
		}
		return nil
	}
	if s.Header == nil {
		if s.Height != r.Floor || s.Head != r.FloorHead || s.Cert != nil {
			return ErrStatement
		}
		return nil
	}
	if s.Header.Height != s.Height || s.Header.Hash() != s.Head || r.certified(s.Header, s.Cert) != nil {
		return ErrStatement
	}
	return nil
}

// behind reports whether the statement, given for an account, is of a controller whose log does not reach up to where it came in.
func (s *Statement) behind(r *RoomRecord) bool { return s.For != "" && s.Since < r.Since }

// certified reports whether a header of the present epoch, above the last change of controllers, is certified by them.
func (r *RoomRecord) certified(h *Header, cert Certificate) error {
	if h.Room != r.ID || h.Epoch != r.Epoch() || h.Height <= r.Floor {
		return ErrStatement
	}
	return cert.Verify(h.Hash(), r.Now)
}

// Tally is what statements add up to.
type Tally struct {
	Height uint64 // highest certified height
	Head   Hash
	Silent []NodeID // controllers without a statement, sorted
	stated []Statement
	n      int
	floor  uint64 // all that states knows the log up to here, but for who is behind
	level  bool   // some who have stated are not behind
}

// Tally counts statements that have passed CheckStatement, one for each node. ErrForked: they prove a fork.
func (r *RoomRecord) Tally(stated []Statement) (Tally, error) {
	t := Tally{Height: r.Floor, Head: r.FloorHead, stated: stated, n: len(r.Now), floor: r.Floor}
	for i := range stated {
		if stated[i].behind(r) {
			continue
		}
		t.level = true
		if err := t.Known(stated[i].Height, stated[i].Head); err != nil {
			return t, err
		}
	}
	for _, n := range r.Now {
		if !slices.ContainsFunc(stated, func(s Statement) bool { return s.Node == n }) {
			t.Silent = append(t.Silent, n)
		}
	}
	return t, nil
}

// Known adds a certified header.
func (t *Tally) Known(height uint64, head Hash) error {
	switch {
	case height == t.Height && head != t.Head:
		return ErrForked
	case height > t.Height:
		t.Height, t.Head = height, head
	}
	return nil
}

// Enough reports whether n−f controllers have spoken: then at least one honest one of any quorum has.
func (t *Tally) Enough() bool { return len(t.stated) >= t.n-Faults(t.n) }

// Held returns the height up to which an honest node is sure to hold the log with its certificates: the highest that is claimed, but for what up to f controllers
// claim alone. They may have gathered a certificate for themselves, show it, and give nobody what it certifies.
func (t *Tally) Held() uint64 {
	heights := make([]uint64, 0, len(t.stated))
	for i := range t.stated {
		heights = append(heights, t.stated[i].Height)
	}
	slices.Sort(heights)
	if i := len(heights) - 1 - Faults(t.n); i >= 0 {
		return heights[i]
	}
	return t.floor
}

// May returns the headers at a height above the certified one that a quorum may have signed, as far as the statements tell: who is silent may
// have signed any of them, and up to f of the others may lie about what they signed. changes: one of them changes the controllers.
func (t *Tally) May(height uint64) (may []Hash, changes bool) {
	votes := map[Hash]int{}
	var order []Hash
	change := map[Hash]bool{}
	for i := range t.stated {
		for _, p := range t.stated[i].Promises {
			if p.Height != height {
				continue
			}
			if votes[p.Header] == 0 {
				order = append(order, p.Header)
			}
			votes[p.Header]++
			change[p.Header] = change[p.Header] || p.Change
		}
	}
	for _, h := range order {
		if votes[h]+len(t.Silent)+min(Faults(t.n), len(t.stated)-votes[h]) >= Quorum(t.n) {
			may = append(may, h)
			changes = changes || change[h]
		}
	}
	return may, changes
}

// Lowest reports whether an epoch by an account may begin below where the present controllers came in: nobody who has stated holds the log up to there.
func (t *Tally) Lowest() bool { return !t.level }

// Below returns the headers above what an honest node is sure to hold, up to the highest certified one: an epoch without people carries them over too.
// false: find does not know them all.
func (t *Tally) Below(find func(height uint64, head Hash) (Header, bool)) (out []Header, ok bool) {
	return t.Down(t.Held(), find)
}

// Down returns the headers above a height, up to the highest certified one. They are certified too, each by the one that follows it. false: find does not know them
// all.
func (t *Tally) Down(low uint64, find func(height uint64, head Hash) (Header, bool)) (out []Header, ok bool) {
	for height, head := t.Height, t.Head; height > low; height-- {
		h, ok := find(height, head)
		if !ok || len(out) == MaxPromises {
			return nil, false
		}
		out, head = append(out, h), h.Prev
	}
	slices.Reverse(out)
	return out, true
}

// Carry returns the headers above the certified one that the next epoch carries over, of those that find knows. With ErrUnclear they are what can be said at
// all: enough for an epoch by people's will, not for one without.
func (t *Tally) Carry(find func(height uint64, head Hash) (Header, bool)) (out []Header, err error) {
	for height := t.Height + 1; ; height++ {
		may, changes := t.May(height)
		if len(may) == 0 {
			return out, nil
		}
		if len(may) > 1 || changes || len(out) == MaxPromises {
			return out, ErrUnclear
		}
		h, ok := find(height, may[0])
		if !ok {
			return out, ErrUnclear
		}
		out = append(out, h)
	}
}

// Rescue is a new epoch of the directory itself, by the holder of the network's recovery key. Two different ones of one number are a fork: the
// key must be used in one place.
type Rescue struct {
	_           struct{} `cbor:",toarray"`
	Epoch       uint64
	Start       uint64
	Head        Hash
	Controllers []NodeID
	Sig         []byte // Ed25519 by the recovery key, domain warren/rescue/1
}

func (r *Rescue) digest(directory RoomID) Hash {
	return hashOf("warren/rescue/1", []any{directory, r.Epoch, r.Start, r.Head, r.Controllers})
}

// Sign signs with the recovery key.
func (r *Rescue) Sign(directory RoomID, recovery ed25519.PrivateKey) {
	h := r.digest(directory)
	r.Sig = ed25519.Sign(recovery, h[:])
}

// OK reports whether the network's recovery key signed a rescue that makes sense.
func (r *Rescue) OK(g *Genesis) bool {
	if r.Epoch < 2 || len(r.Controllers) == 0 || len(r.Controllers) > MaxControllers || !sortedNodes(r.Controllers) || g.Recovery.IsZero() {
		return false
	}
	h := r.digest(g.Directory())
	return signedBy(g.Recovery, r.Sig, h[:])
}

func (r *Rescue) record() EpochRecord {
	return EpochRecord{Epoch: r.Epoch, Start: r.Start, Head: r.Head, Controllers: r.Controllers}
}

// Manages reports whether the account manages the room as it stands, at a time in ms: the condition under which a replica follows an epoch that the
// account had made.
func (s *State) Manages(account string, now int64) bool {
	return s.Decide(perms.Subject{Principal: perms.Account(account)}, perms.Manage, nil, now, nil).OK
}
