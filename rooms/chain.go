package rooms

import (
	"errors"
	"fmt"
	"slices"

	"warren/perms"
	"warren/rooms/errs"
)

// View is one immutable version of the directory, as seen by rooms.
type View interface {
	perms.Groups
	// Version is the directory height this view shows.
	Version() uint64
	// Signs reports whether the device may sign for the account.
	Signs(account string, device NodeID) bool
	// HasAccount reports whether the account exists.
	HasAccount(name string) bool
	// Node returns the record of an admitted node.
	Node(NodeID) (NodeRecord, bool)
	// Epochs returns the epochs of a room after its first, ascending. The caller must not change them.
	Epochs(RoomID) []EpochRecord
}

// Machine is what a chain of decisions drives: a room's State or the Directory. Both are in this package: their reducers are the two kinds
// of room there are.
type Machine interface {
	// Base returns the part that all machines share. The caller must not change it.
	Base() *Base
	// Snapshot returns the canonical encoding of the whole machine; Restore… reads it.
	Snapshot() []byte

	apply(ctx *context, r *Request, b Body) (errs.Kind, *Event)
}

// Base is what every room's state holds, whatever the room is for.
type Base struct {
	_           struct{}          `cbor:",toarray"`
	Controllers []NodeID          // sorted; those in force for the next height
	Since       uint64            // height of the decision that set them, 0: founding
	Counters    map[NodeID]uint64 // last ordered counter of each device
	Seq         uint64            // events so far
}

// context is what a request is judged by, beside the state.
type context struct {
	room   RoomID
	height uint64
	time   int64
	prev   Hash // header below
	dir    View
	seen   uint64 // the directory version that dir shows at least; for the directory itself its previous height
	alone  bool   // the batch holds one request
	id     Hash   // of the request
}

// Event is what an applied request did, for views and indexes. It is derived, never sent nor signed.
type Event struct {
	Room    RoomID
	Seq     uint64 // 1, 2, 3 … in the room
	Height  uint64
	Time    int64 // ms, of the ordering
	ID      Hash  // of the request
	Account string
	Nick    string // the author's nick when it was ordered
	Device  NodeID
	Op      Op
	Body    Body

	Gone   []Occupant // who left by it (leave, kick, ban, node-gone, close)
	Target *Occupant  // who is meant (the occupant who entered, changed nick, was kicked); after the change
	Object *Object    // the object as it is after the change, or as it was before its removal
}

// Principal returns the author.
func (e *Event) Principal() perms.Principal { return PrincipalOf(e.Account, e.Nick, e.Device) }

// Chain is the head of a room's history: where it stands, and the machine as it is there. Not safe for concurrent use.
type Chain struct {
	Room    RoomID
	Epoch   uint64
	Height  uint64 // of the last decision; 0: founded, nothing decided
	Head    Hash   // hash of the header at Height; the room id at height 0
	Time    int64
	Dir     uint64
	Machine Machine

	ahead   []EpochRecord // epochs that it knows of and has not come to, ascending; learned anew after a restart
	rescues []Rescue      // the same, of the directory
	rightly uint64        // of those that accounts had made, the newest that is found to be rightful
	void    uint64        // the first that is not: it and all after it are no epochs; 0: none is known
}

// Errors of Accept.
var (
	ErrGap      = errors.New("decision: does not follow the head")
	ErrOld      = errors.New("decision: below the head")
	ErrFork     = errors.New("decision: another header is known at this height")
	ErrDiverged = errors.New("decision: certified, but this node's own result differs")
	ErrEpoch    = errors.New("decision: of another epoch")
)

// NewChain returns the chain of a room at height 0.
func NewChain(room RoomID, m Machine) *Chain {
	return &Chain{Room: room, Epoch: 1, Head: room, Machine: m}
}

// Verifier reports whether the request, whose id is given, carries its device's signature. It exists so that a node checks each signature once.
type Verifier func(r *Request, id Hash) bool

// VerifySignature is the Verifier that always computes.
func VerifySignature(r *Request, id Hash) bool { return r.SignedAs(id) }

// Run applies a batch and returns what came of it: the header to sign, a verdict for each request, and the events of the applied ones. It is
// total: any batch gives a result. dir must be the view of max(b.Dir, c.Dir), which the header will name (ignored when the machine is the
// Directory itself).
func (c *Chain) Run(b *Batch, dir View, verify Verifier) (Header, Verdicts, []Event) {
	if b.Epoch > c.Epoch { // the first batch of an epoch that this chain has not been told of
		if r := rescueIn(b); r != nil {
			c.LearnRescue(r)
		}
		c.Learn(dir)
	}
	ctx := &context{
		room: c.Room, height: c.Height + 1, time: max(b.Time, c.Time), prev: c.Head, dir: dir, seen: max(b.Dir, c.Dir), alone: len(b.Requests) == 1,
	}
	if d, ok := c.Machine.(*Directory); ok {
		ctx.dir, ctx.seen = d.Now(), c.Height
	}
	base := c.Machine.Base()
	h := Header{
		Room: c.Room, Epoch: c.Epoch, Height: ctx.height, Prev: c.Head, Time: ctx.time, Dir: max(b.Dir, c.Dir), Seq: base.Seq, Payload: b.Hash(),
	}
	verdicts := make(Verdicts, len(b.Requests))
	var events []Event
	for i := range b.Requests {
		kind, ev := c.one(ctx, &b.Requests[i], verify)
		verdicts[i] = byte(kind)
		if ev != nil {
			events = append(events, *ev)
		}
	}
	h.Verdicts = verdicts.Hash()
	c.Height, c.Time, c.Dir = h.Height, h.Time, h.Dir
	if h.Height%CheckpointEvery == 0 {
		h.State = StateDigest(c.Machine)
	}
	c.Head = h.Hash()
	return h, verdicts, events
}

// StateDigest is the digest that checkpoint headers carry.
func StateDigest(m Machine) Hash { return hashOf("warren/state/1", m.Snapshot()) }

func (c *Chain) one(ctx *context, r *Request, verify Verifier) (errs.Kind, *Event) {
	ctx.id = r.ID()
	if r.Room != c.Room || r.Epoch != c.Epoch || !verify(r, ctx.id) || !mayAuthor(ctx.dir, r) {
		return errs.Void, nil
	}
	base := c.Machine.Base()
	last, known := base.Counters[r.Device]
	begins := r.Op == OpBegin && r.Counter == 0 // once an epoch, at its place: it takes no counter from what is waiting to be ordered
	switch {
	case begins && r.Dir <= ctx.seen:
	case r.Counter != last+1, r.Dir > ctx.seen: // its author has seen a later directory: it must not be judged by this one
		return errs.Stale, nil
	case !known && len(base.Counters) >= maxCounters:
		return errs.Quota, nil
	}
	if !begins {
		base.Counters[r.Device] = r.Counter
	}
	if len(r.Body) > MaxRequest {
		return errs.TooLarge, nil
	}
	body, err := r.Decode()
	if err != nil || r.Nick != "" && !validName(r.Nick) {
		return errs.Invalid, nil
	}
	if (r.Op == OpReconfigure || r.Op == OpClose || r.Op == OpBegin) && !ctx.alone {
		return errs.Invalid, nil // the decision is the proof that the directory takes: it must hold nothing else
	}
	var kind errs.Kind
	var ev *Event
	switch b := body.(type) {
	case *Reconfigure:
		kind, ev = c.reconfigure(ctx, b), &Event{}
	case *Begin:
		kind, ev = c.begin(ctx, r, b), &Event{}
	default:
		kind, ev = c.Machine.apply(ctx, r, body)
	}
	if kind != errs.OK {
		return kind, nil
	}
	base.Seq++
	ev.Room, ev.Seq, ev.Height, ev.Time, ev.ID = c.Room, base.Seq, ctx.height, ctx.time, ctx.id
	ev.Account, ev.Nick, ev.Device, ev.Op, ev.Body = r.Account, r.Nick, r.Device, r.Op, body
	return errs.OK, ev
}

// mayAuthor reports whether the device may speak for the author: a device of the account's record, or an admitted node for its guests and
// itself. The directory's founder is admitted from the start.
func mayAuthor(dir View, r *Request) bool {
	if r.Account != "" {
		return dir.Signs(r.Account, r.Device)
	}
	_, ok := dir.Node(r.Device)
	return ok
}

func (c *Chain) reconfigure(ctx *context, r *Reconfigure) errs.Kind {
	if s, ok := c.Machine.(*State); ok && s.Closed {
		return errs.Closed // the directory checks the proof of the closing by the controllers that gave it
	}
	b := c.Machine.Base()
	switch {
	case r.Since != b.Since || b.Since >= ctx.height: // in the second case it is the first decision of an epoch
		return errs.Stale
	case len(r.Controllers) == 0 || len(r.Controllers) > MaxControllers || !sortedNodes(r.Controllers) || slices.Equal(r.Controllers, b.Controllers):
		return errs.Invalid
	}
	if _, ok := endorsedBy(r.Endorsed, b.Controllers, ctx.room, KindReconfigure, r.Thing(), ctx.time, -1); !ok {
		return errs.Denied
	}
	for _, n := range r.Controllers {
		if slices.Contains(b.Controllers, n) {
			continue
		}
		if _, inside := ctx.dir.Node(n); !inside {
			return errs.NotFound
		}
		if !slices.ContainsFunc(r.Consents, func(c Consent) bool { return c.Node == n && c.OK(ctx.room, r.Since) }) {
			return errs.Denied
		}
	}
	b.Controllers, b.Since = slices.Clone(r.Controllers), ctx.height
	return errs.OK
}

// MaxControllers bounds the controllers of one room.
const MaxControllers = 7

func sortedNodes(ns []NodeID) bool {
	for i := 1; i < len(ns); i++ {
		if compareNodes(ns[i-1], ns[i]) >= 0 {
			return false
		}
	}
	return true
}

// SortNodes sorts ids into the order in which controllers are listed.
func SortNodes(ns []NodeID) { slices.SortFunc(ns, compareNodes) }

// Check reports whether d can follow the head and is certified by the controllers in force, without applying it. A header that the directory
// carried over into a later epoch needs no certificate, nor does a tick that lies in the decision which follows it.
func (c *Chain) Check(d *Decision) error { return c.CheckBy(d, Signature.OK) }

// CheckBy is Check with another way to see that a signature is good, usually one that remembers which were.
func (c *Chain) CheckBy(d *Decision, check func(Signature, Hash) bool) error {
	switch h := &d.Header; {
	case h.Room != c.Room:
		return fmt.Errorf("decision: of another room: %w", ErrFork)
	case h.Height <= c.Height:
		return ErrOld
	case d.Low() > c.Height+1:
		return ErrGap
	}
	if _, dir := c.Machine.(*Directory); dir && d.Ticks != nil {
		return fmt.Errorf("decision %d: %w", d.Header.Height, errTicks) // it has no use for time, and its log is read height by height
	}
	if err := d.checkTicks(); err != nil {
		return err
	}
	if next, ok := d.HeaderAt(c.Height + 1); !ok || next.Prev != c.Head {
		return ErrFork
	}
	controllers, carried, err := c.checkEpoch(d)
	if err != nil {
		return err
	}
	if err := d.CheckShape(); err != nil || carried {
		return err
	}
	return d.Cert.VerifyBy(d.Header.Hash(), controllers, check)
}

// Accept applies a certified decision. dir must be the view that d.Header.Dir names. Call Check first unless the decision comes from this
// node's own controller. ErrDiverged means that this node computes something else than a quorum signed: the chain is then unusable, a defect
// or a damaged disk.
func (c *Chain) Accept(d *Decision, dir View, verify Verifier) ([]Event, error) {
	if err := c.passAll(d); err != nil {
		return nil, err
	}
	if d.Header.Height != c.Height+1 {
		return nil, ErrGap
	}
	if d.Bare() {
		return nil, c.Pass(&d.Header)
	}
	_, verdicts, events := c.Run(&d.Batch, dir, verify)
	if c.Head != d.Header.Hash() {
		return nil, fmt.Errorf("%w: height %d, own verdicts %v, certified %v", ErrDiverged, d.Header.Height, []byte(verdicts), []byte(d.Verdicts))
	}
	c.turn()
	return events, nil
}

// TalkEvents returns the events of a decision that can be told from the decision alone, without the state: everything but its effects on
// occupants (Gone, Target) and objects (Object). For history.
func (d *Decision) TalkEvents() []Event {
	var out []Event
	seq := d.Header.Seq
	for i := range d.Batch.Requests {
		if d.Verdicts.At(i) != errs.OK {
			continue
		}
		seq++
		r := &d.Batch.Requests[i]
		body, err := r.Decode()
		if err != nil {
			continue
		}
		out = append(out, Event{
			Room: d.Header.Room, Seq: seq, Height: d.Header.Height, Time: d.Header.Time, ID: r.ID(),
			Account: r.Account, Nick: r.Nick, Device: r.Device, Op: r.Op, Body: body,
		})
	}
	return out
}

// ChainSnapshot is a chain's head and machine in one encodable value, for disk and for catch-up. It is trusted only against a certified
// checkpoint header (State digest), or when this node wrote it itself.
type ChainSnapshot struct {
	_         struct{} `cbor:",toarray"`
	Directory bool
	Room      RoomID
	Epoch     uint64
	Height    uint64
	Head      Hash
	Time      int64
	Dir       uint64
	Machine   []byte
}

// Snapshot returns the encoded chain.
func (c *Chain) Snapshot() []byte {
	_, isDir := c.Machine.(*Directory)
	return Marshal(ChainSnapshot{
		Directory: isDir, Room: c.Room, Epoch: c.Epoch, Height: c.Height, Head: c.Head, Time: c.Time, Dir: c.Dir, Machine: c.Machine.Snapshot(),
	})
}

// RestoreChain reads what Snapshot wrote.
func RestoreChain(data []byte) (*Chain, error) {
	var s ChainSnapshot
	if err := Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("restore snapshot: %w", err)
	}
	var m Machine
	var err error
	if s.Directory {
		m, err = RestoreDirectory(s.Machine)
	} else {
		m, err = RestoreState(s.Machine)
	}
	if err != nil {
		return nil, fmt.Errorf("restore snapshot: %w", err)
	}
	return &Chain{Room: s.Room, Epoch: s.Epoch, Height: s.Height, Head: s.Head, Time: s.Time, Dir: s.Dir, Machine: m}, nil
}
