package rooms

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	"warren/rooms/canon"
	"warren/rooms/errs"
)

// CheckpointEvery is the distance in heights between headers that carry a digest of the state.
const CheckpointEvery = 64

// Batch is what a leading controller puts in order as one step. One without requests is a tick: it changes nothing but the room's time.
type Batch struct {
	_        struct{} `cbor:",toarray"`
	Epoch    uint64
	Term     uint64 // raft term of the proposal
	Height   uint64 // of the decision it is meant to become: who signs two batches for one (epoch, term, height) can be convicted by them
	Time     int64  // ms since the Unix epoch by the leader's clock
	Dir      uint64 // directory version by which rights are judged; for the directory itself its own previous height
	Leader   NodeID
	Requests []Request
	Sig      []byte // Ed25519 by Leader over the hash of everything above
}

// Mark is what a leader signs of a batch: enough to convict it, without the requests.
type Mark struct {
	_        struct{} `cbor:",toarray"`
	Room     RoomID
	Epoch    uint64
	Term     uint64
	Height   uint64
	Time     int64
	Dir      uint64
	Leader   NodeID
	Requests Hash   // of the list of the hashes of the whole requests
	Sig      []byte // as in the batch; not part of what is signed
}

// Mark returns what the leader signed, or is to sign, of the batch.
func (b *Batch) Mark(room RoomID) Mark {
	var buf []byte
	ids := make([]Hash, len(b.Requests))
	for i := range b.Requests {
		buf = appendRequest(buf[:0], &b.Requests[i])
		ids[i] = hashBytes("warren/request-in-batch/1", buf)
	}
	return Mark{
		Room: room, Epoch: b.Epoch, Term: b.Term, Height: b.Height, Time: b.Time, Dir: b.Dir, Leader: b.Leader,
		Requests: hashBytes("warren/requests-in-batch/1", canon.AppendList(buf[:0], ids, appendHash)), Sig: b.Sig,
	}
}

func (m Mark) hash() Hash {
	var buf [batchFrame]byte
	return hashBytes("warren/batch/2", appendMark(buf[:0], &m))
}

// OK reports whether Leader signed it.
func (m Mark) OK() bool {
	h := m.hash()
	return len(m.Sig) == ed25519.SignatureSize && ed25519.Verify(m.Leader.Public(), h[:], m.Sig)
}

// Convicts reports whether both marks, taken together, prove that their leader put two batches in one place. No honest node ever signs such a
// pair, whatever was lost or delayed.
func (m Mark) Convicts(o Mark) bool {
	return m.Leader == o.Leader && m.Room == o.Room && m.Epoch == o.Epoch && m.Term == o.Term && m.Height == o.Height &&
		m.hash() != o.hash() && m.OK() && o.OK()
}

// Sign fills in leader and signature.
func (b *Batch) Sign(room RoomID, key ed25519.PrivateKey) {
	b.Leader = NodeOf(key.Public().(ed25519.PublicKey))
	h := b.Mark(room).hash()
	b.Sig = ed25519.Sign(key, h[:])
}

// SignatureOK reports whether Leader signed the batch for this room.
func (b *Batch) SignatureOK(room RoomID) bool { return b.Mark(room).OK() }

// Hash is the payload hash that the header names.
func (b *Batch) Hash() Hash { return hashOf("warren/payload/1", b) }

// Verdicts holds one errs.Kind for each request of a batch, in order. errs.OK: applied.
type Verdicts []byte

// At returns the verdict of the i-th request; errs.Void when there is none.
func (v Verdicts) At(i int) errs.Kind {
	if i < 0 || i >= len(v) {
		return errs.Void
	}
	return errs.Kind(v[i])
}

// Hash is the verdict hash that the header names.
func (v Verdicts) Hash() Hash { return hashOf("warren/verdicts/1", []byte(v)) }

// Header is what controllers sign: one step of a room's history.
type Header struct {
	_        struct{} `cbor:",toarray"`
	Room     RoomID
	Epoch    uint64
	Height   uint64 // 1, 2, 3 … in the room
	Prev     Hash   // hash of the header below; the room id at height 1
	Time     int64  // ms; never goes back in a room
	Dir      uint64 // directory version; never goes back in a room
	Seq      uint64 // events of the room before this decision
	Payload  Hash
	Verdicts Hash
	State    Hash // digest of the state after this decision, at heights divisible by CheckpointEvery; else zero
}

// Hash is what the signatures of a certificate cover.
func (h *Header) Hash() Hash { return hashOf("warren/header/1", h) }

// Signature is one controller's signature over a header's hash.
type Signature struct {
	_    struct{} `cbor:",toarray"`
	Node NodeID
	Sig  []byte
}

// Certificate holds signatures of a quorum of the room's controllers over the header, sorted by node.
type Certificate []Signature

// Faults returns f, the number of traitors that n controllers bear: ⌊(n−1)/3⌋.
func Faults(n int) int { return (n - 1) / 3 }

// Quorum returns how many of n controllers must sign: ⌊(n+f)/2⌋+1, so that two quorums share an honest one.
// 1 of 1, 2 of 2, 2 of 3, 3 of 4, 5 of 7.
func Quorum(n int) int { return (n+Faults(n))/2 + 1 }

// Errors of Certificate.Verify.
var (
	ErrNoQuorum     = errors.New("certificate: fewer valid signatures of distinct controllers than a quorum")
	ErrBadSignature = errors.New("certificate: a signature does not verify")
)

// SignHeader returns node's signature over the header's hash.
func SignHeader(h Hash, key ed25519.PrivateKey) Signature {
	return Signature{Node: NodeOf(key.Public().(ed25519.PublicKey)), Sig: ed25519.Sign(key, h[:])}
}

// OK reports whether the signature is the node's over h.
func (s Signature) OK(h Hash) bool {
	return len(s.Sig) == ed25519.SignatureSize && ed25519.Verify(s.Node.Public(), h[:], s.Sig)
}

// Verify checks that c holds valid signatures over h of a quorum of the controllers. Signatures of others, and the same node twice,
// make it invalid: a certificate has one form.
func (c Certificate) Verify(h Hash, controllers []NodeID) error {
	return c.VerifyBy(h, controllers, Signature.OK)
}

// VerifyBy is Verify for who has checked some of the signatures before: check reports whether one is good.
func (c Certificate) VerifyBy(h Hash, controllers []NodeID, check func(Signature, Hash) bool) error {
	if len(controllers) == 0 || len(c) < Quorum(len(controllers)) {
		return ErrNoQuorum
	}
	for i, s := range c {
		if i > 0 && compareNodes(c[i-1].Node, s.Node) >= 0 {
			return fmt.Errorf("certificate: signatures are not sorted by distinct node: %w", ErrNoQuorum)
		}
		if !slices.Contains(controllers, s.Node) {
			return fmt.Errorf("certificate: %s is no controller: %w", s.Node.Short(), ErrNoQuorum)
		}
		if !check(s, h) {
			return ErrBadSignature
		}
	}
	return nil
}

// MakeCertificate sorts signatures into a certificate. It does not check them.
func MakeCertificate(sigs []Signature) Certificate {
	c := slices.Clone(sigs)
	slices.SortFunc(c, func(a, b Signature) int { return compareNodes(a.Node, b.Node) })
	return c
}

func compareNodes(a, b NodeID) int { return slices.Compare(a[:], b[:]) }

// Decision is a batch with what came of it and the proof that the controllers agreed.
type Decision struct {
	_        struct{} `cbor:",toarray"`
	Header   Header
	Batch    Batch
	Verdicts Verdicts
	Cert     Certificate
	Ticks    *Ticks // directly below, when they are kept no more themselves; nil: none
}

// CheckAuthors reports whether every request that the decision does not call void is signed by its device, which may speak for its author in that
// version of the directory. It is what can be told of a decision without the state that it was judged by.
func (d *Decision) CheckAuthors(dir View, verify Verifier) error {
	for i := range d.Batch.Requests {
		r := &d.Batch.Requests[i]
		if d.Verdicts.At(i) != errs.Void && (r.Room != d.Header.Room || !verify(r, r.ID()) || !mayAuthor(dir, r)) {
			return fmt.Errorf("decision %d: request %d is not its author's", d.Header.Height, i)
		}
	}
	return nil
}

// Marks reports whether the decision changes who orders the room, or begins an epoch: whoever follows the log downwards (Descent) needs it, however
// old it is, and so does who wants to know what befell the room.
func (d *Decision) Marks() bool {
	if len(d.Batch.Requests) != 1 || d.Verdicts.At(0) != errs.OK {
		return false
	}
	op := d.Batch.Requests[0].Op
	return op == OpReconfigure || op == OpBegin
}

// CheckShape reports whether the parts of the decision belong together: payload and verdict hashes, one verdict a request, and the ticks below it. Of one that is
// Bare there is no payload: its header is a tick's.
// It checks no signature.
func (d *Decision) CheckShape() error {
	switch {
	case len(d.Verdicts) != len(d.Batch.Requests):
		return fmt.Errorf("decision %d: %d verdicts for %d requests", d.Header.Height, len(d.Verdicts), len(d.Batch.Requests))
	case !d.Bare() && d.Batch.Hash() != d.Header.Payload:
		return fmt.Errorf("decision %d: the batch is not the one the header names", d.Header.Height)
	case d.Verdicts.Hash() != d.Header.Verdicts:
		return fmt.Errorf("decision %d: the verdicts are not those the header names", d.Header.Height)
	}
	if d.Bare() {
		if err := d.checkBare(); err != nil {
			return err
		}
	}
	return d.checkTicks()
}
