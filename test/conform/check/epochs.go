package check

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

// record is what the directory knows of a room's controllers: the last that it was told of, and the room's epochs after the first.
type record struct {
	now       [][]byte
	since     uint64
	floor     uint64 // above this height they certify
	floorHead []byte
	before    []reign // in the present epoch, before the last change that the directory was told of
	epochs    []epoch
}

// reign is the time of one set of controllers: they certify what is above a height, up to the next one's.
type reign struct {
	now       [][]byte
	floor     uint64
	floorHead []byte
}

// epoch is one of a room's epochs after the first.
type epoch struct {
	number      uint64
	start       uint64 // height of the last decision before it
	head        []byte // hash of the header there
	carried     [][]byte
	controllers [][]byte
	of, silent  int
	by          string // the account that had it made; empty: the controllers by themselves
}

func (r *record) epoch() uint64 { return uint64(len(r.epochs)) + 1 }

// faults is how many of n controllers may lie.
func faults(n int) int { return (n - 1) / 3 }

// witness takes a room's change of controllers into its record.
func (r *record) witness(body []byte) error {
	var w witness
	var d decision
	var h header
	var b batch
	var q request
	var rc reconfigure
	if err := cbor.Unmarshal(body, &w); err != nil {
		return err
	}
	if err := cbor.Unmarshal(w.Decision, &d); err != nil {
		return err
	}
	if err := cbor.Unmarshal(d.Header, &h); err != nil {
		return err
	}
	if err := cbor.Unmarshal(d.Batch, &b); err != nil {
		return err
	}
	if len(b.Requests) != 1 || len(d.Verdicts) != 1 || d.Verdicts[0] != verdictOK {
		return fmt.Errorf("a change of controllers is witnessed by a decision that is none")
	}
	if err := cbor.Unmarshal(b.Requests[0], &q); err != nil {
		return err
	}
	if err := cbor.Unmarshal(q.Body, &rc); err != nil {
		return err
	}
	hash := digest("warren/header/1", d.Header)
	switch {
	case q.Op != opReconfigure || rc.Since != r.since || h.Height <= r.since || h.Epoch != r.epoch() || !bytes.Equal(h.Room, w.Room):
		return fmt.Errorf("a change of controllers is witnessed that does not follow the one at height %d of epoch %d", r.since, r.epoch())
	case !bytes.Equal(h.Payload, digest("warren/payload/1", d.Batch)) || !bytes.Equal(h.Verdicts, digest("warren/verdicts/1", encode(d.Verdicts))):
		return fmt.Errorf("a change of controllers is witnessed whose header is of something else")
	}
	if err := certified(r.now, hash, d.Cert); err != nil {
		return fmt.Errorf("a witnessed change of controllers: %w", err)
	}
	r.before = append(r.before, reign{r.now, r.floor, r.floorHead})
	r.now, r.since, r.floor, r.floorHead = rc.Controllers, h.Height, h.Height, hash
	return nil
}

// tally is what statements add up to.
type tally struct {
	n, stated int
	votes     map[uint64]map[string]int // promises, by height and header
	changes   map[string]bool           // headers that change the controllers
	level     bool                      // somebody has stated who holds the log up to where the controllers came in
	heights   []uint64                  // certified, by who stated
}

// held returns the height that more than f controllers claim, so that an honest one does.
func (t *tally) held(floor uint64) uint64 {
	slices.Sort(t.heights)
	if i := len(t.heights) - 1 - faults(t.n); i >= 0 {
		return t.heights[i]
	}
	return floor
}

// may returns the headers at a height of which a quorum may have been signed: who is silent may have signed any, and up to f of the others may lie.
func (t *tally) may(height uint64) (out []string, changes bool) {
	for h, votes := range t.votes[height] {
		if votes+t.n-t.stated+min(faults(t.n), t.stated-votes) >= quorum(t.n) {
			out = append(out, h)
			changes = changes || t.changes[h]
		}
	}
	return out, changes
}

// newEpoch judges a new epoch that the directory has applied, and takes it into the room's record.
func (r *record) newEpoch(account string, device, body []byte) error {
	var b newEpoch
	if err := cbor.Unmarshal(body, &b); err != nil {
		return err
	}
	if b.Epoch != r.epoch()+1 {
		return fmt.Errorf("epoch %d after epoch %d", b.Epoch, r.epoch())
	}
	top, head := r.floor, r.floorHead
	higher := func(height uint64, hash []byte) error {
		switch {
		case height == top && !bytes.Equal(hash, head):
			return fmt.Errorf("two headers are certified at height %d", height)
		case height > top:
			top, head = height, hash
		}
		return nil
	}
	t := &tally{n: len(r.now), stated: len(b.Statements), votes: map[uint64]map[string]int{}, changes: map[string]bool{}}
	var spoke [][]byte
	for i := range b.Statements {
		s := &b.Statements[i]
		if has(spoke, s.Node) {
			return fmt.Errorf("%s states twice", short(s.Node))
		}
		spoke = append(spoke, s.Node)
		if s.For != account {
			return fmt.Errorf("%s states for %q, the epoch is for %q", short(s.Node), s.For, account)
		}
		if err := r.statement(b.Room, s, t); err != nil {
			return fmt.Errorf("the statement of %s: %w", short(s.Node), err)
		}
		if s.Since < r.since {
			continue
		}
		t.level = true
		if err := higher(s.Height, s.Head); err != nil {
			return err
		}
	}
	if !none(b.Header) {
		h, hash, err := r.proven(b.Room, b.Header, b.Cert)
		if err != nil {
			return err
		}
		if err := higher(h.Height, hash); err != nil {
			return err
		}
	}
	if b.Below != nil {
		if account == "" || t.level || !none(b.Header) || len(b.Carried) > 0 {
			return fmt.Errorf("the epoch begins below height %d without need", r.floor)
		}
		var err error
		if top, head, err = r.below(b.Room, b.Below); err != nil {
			return fmt.Errorf("the epoch begins below height %d: %w", r.floor, err)
		}
	}
	e := epoch{number: b.Epoch, start: top, head: head, controllers: r.now, of: t.n, silent: t.n - t.stated, by: account}
	if account != "" {
		e.controllers = [][]byte{device}
	} else if t.stated < t.n-faults(t.n) {
		return fmt.Errorf("%d of %d controllers state: too few for an epoch without people", t.stated, t.n)
	}
	held := t.held(r.floor)
	if len(b.Carried) > 0 { // it may begin below the highest certified one, and must where only liars may hold that
		var h header
		if err := cbor.Unmarshal(b.Carried[0], &h); err != nil {
			return err
		}
		if h.Height > 0 && h.Height <= top {
			e.start, e.head = h.Height-1, h.Prev
		}
	}
	if account == "" && e.start > held {
		return fmt.Errorf("the epoch starts at height %d, but an honest controller is sure to hold %d only, and nothing is carried over from there", top, held)
	}
	for _, raw := range b.Carried {
		var h header
		if err := cbor.Unmarshal(raw, &h); err != nil {
			return err
		}
		hash := digest("warren/header/1", raw)
		may, changes := t.may(h.Height)
		switch {
		case h.Height != e.start+1 || !bytes.Equal(h.Prev, e.head) || h.Epoch != r.epoch() || !bytes.Equal(h.Room, b.Room):
			return fmt.Errorf("a header at height %d is carried over that does not follow height %d", h.Height, e.start)
		case h.Height < top, h.Height == top && bytes.Equal(hash, head):
		case changes || !slices.Contains(may, string(hash)):
			return fmt.Errorf("the header at height %d is carried over, but it cannot be certified", h.Height)
		case account == "" && len(may) > 1:
			return fmt.Errorf("the header at height %d is carried over without people, but another one may be certified", h.Height)
		}
		e.start, e.head, e.carried = h.Height, hash, append(e.carried, hash)
	}
	if e.start < top {
		return fmt.Errorf("the epoch starts at height %d, but %d is certified", e.start, top)
	}
	if may, _ := t.may(e.start + 1); account == "" && len(may) > 0 {
		return fmt.Errorf("what may be certified at height %d is left out without people", e.start+1)
	}
	r.epochs = append(r.epochs, e)
	r.now, r.since, r.floor, r.floorHead, r.before = e.controllers, e.start+1, e.start, e.head, nil
	return nil
}

// below checks that a header below where the last controllers came in is certified by those before.
func (r *record) below(room []byte, b *below) (height uint64, head []byte, err error) {
	var h header
	if err := cbor.Unmarshal(b.Header, &h); err != nil {
		return 0, nil, err
	}
	hash := digest("warren/header/1", b.Header)
	if !bytes.Equal(h.Room, room) || h.Height >= r.floor {
		return 0, nil, fmt.Errorf("height %d is not below it", h.Height)
	}
	for _, g := range slices.Backward(r.before) {
		switch {
		case h.Height == g.floor && bytes.Equal(hash, g.floorHead):
			return h.Height, hash, nil
		case h.Height > g.floor && h.Epoch == r.epoch():
			return h.Height, hash, certified(g.now, hash, b.Cert)
		}
	}
	return 0, nil, fmt.Errorf("nobody is known to have certified height %d", h.Height)
}

// statement checks one statement and counts its promises.
func (r *record) statement(room []byte, s *statement, t *tally) error {
	var promises []promise
	if err := cbor.Unmarshal(s.Promises, &promises); err != nil {
		return err
	}
	what := digest("warren/statement/1", list(room, s.Node, s.Epoch, s.For, s.Since, s.Height, s.Head, s.Promises))
	switch {
	case !has(r.now, s.Node):
		return fmt.Errorf("it does not control the room")
	case s.Epoch != r.epoch() || s.Since != r.since && (s.For == "" || s.Since > r.since):
		return fmt.Errorf("it is of epoch %d and the controllers since height %d, not of epoch %d and those since %d", s.Epoch, s.Since, r.epoch(), r.since)
	case !signed(s.Node, s.Sig, what):
		return fmt.Errorf("the signature does not verify")
	}
	t.heights = append(t.heights, s.Height)
	last := s.Height
	for _, p := range promises {
		if p.Height <= last {
			return fmt.Errorf("its promises do not ascend")
		}
		last = p.Height
		if t.votes[p.Height] == nil {
			t.votes[p.Height] = map[string]int{}
		}
		t.votes[p.Height][string(p.Header)]++
		t.changes[string(p.Header)] = t.changes[string(p.Header)] || p.Change
	}
	if s.Since < r.since {
		if !none(s.Header) || s.Height >= r.floor {
			return fmt.Errorf("it proves something that controllers before certified")
		}
		return nil
	}
	if none(s.Header) {
		if s.Height != r.floor || !bytes.Equal(s.Head, r.floorHead) {
			return fmt.Errorf("it claims height %d without a proof", s.Height)
		}
		return nil
	}
	h, hash, err := r.proven(room, s.Header, s.Cert)
	if err == nil && (h.Height != s.Height || !bytes.Equal(hash, s.Head)) {
		err = fmt.Errorf("it proves another head than it claims")
	}
	return err
}

// proven checks a header with its certificate.
func (r *record) proven(room, raw []byte, cert []signature) (h header, hash []byte, err error) {
	if err := cbor.Unmarshal(raw, &h); err != nil {
		return h, nil, err
	}
	hash = digest("warren/header/1", raw)
	if !bytes.Equal(h.Room, room) || h.Epoch != r.epoch() || h.Height <= r.floor {
		return h, nil, fmt.Errorf("the header at height %d of epoch %d proves nothing here", h.Height, h.Epoch)
	}
	return h, hash, certified(r.now, hash, cert)
}

// none reports whether an optional part is not there.
func none(raw cbor.RawMessage) bool { return len(raw) == 0 || raw[0] == 0xf6 }

// turn takes the chain to the newest epoch that begins where it stands. next is the epoch of the decision that follows; 0: nothing does. What an account
// had made is followed when the log does so: whether it had the right, only the room's state can tell.
func (c *chain) turn(next uint64) {
	for i := len(c.epochs) - 1; i >= 0; i-- {
		e := &c.epochs[i]
		if e.number <= c.epoch || e.start != c.height || !bytes.Equal(e.head, c.head) || e.by != "" && next < e.number {
			continue
		}
		c.epoch, c.controllers, c.since, c.begins = e.number, e.controllers, e.start+1, e
		return
	}
}

// ahead returns the next epoch of the room that the chain has not come to.
func (c *chain) ahead() *epoch {
	for i := range c.epochs {
		if c.epochs[i].number > c.epoch {
			return &c.epochs[i]
		}
	}
	return nil
}

// carries reports whether the directory vouches for a header.
func (c *chain) carries(hash []byte) bool {
	e := c.ahead()
	return e != nil && c.height <= e.start && has(e.carried, hash)
}

// beginning checks that the first decision of an epoch says so, alone.
func (c *chain) beginning(b *batch, verdicts []byte) error {
	var r request
	var body begin
	if len(b.Requests) != 1 {
		return fmt.Errorf("the first decision of epoch %d holds %d requests, not its beginning alone", c.epoch, len(b.Requests))
	}
	if err := cbor.Unmarshal(b.Requests[0], &r); err != nil {
		return err
	}
	if r.Op != opBegin || verdicts[0] != verdictOK {
		return fmt.Errorf("the first decision of epoch %d does not say that it begins", c.epoch)
	}
	if err := cbor.Unmarshal(r.Body, &body); err != nil {
		return err
	}
	e := c.begins
	if body.Epoch != e.number || body.By != e.by || int(body.Silent) != e.silent || int(body.Of) != e.of {
		return fmt.Errorf("epoch %d says that it is epoch %d by %q, %d of %d silent; the directory has it by %q, %d of %d", e.number, body.Epoch, body.By, body.Silent, body.Of, e.by, e.silent, e.of)
	}
	return nil
}

// rescued takes the directory itself to an epoch by the network's recovery key, if the batch brings one.
func (c *chain) rescued(b *batch) error {
	var r request
	var body begin
	if len(b.Requests) != 1 || cbor.Unmarshal(b.Requests[0], &r) != nil || r.Op != opBegin || cbor.Unmarshal(r.Body, &body) != nil || body.Proof == nil {
		return fmt.Errorf("epoch %d of the directory begins without the proof", b.Epoch)
	}
	p := body.Proof
	switch {
	case p.Epoch != b.Epoch || p.Start != c.height || !bytes.Equal(p.Head, c.head) || len(p.Controllers) == 0:
		return fmt.Errorf("the rescue of the directory to epoch %d starts at height %d, not here", p.Epoch, p.Start)
	case !signed(c.recovery, p.Sig, digest("warren/rescue/1", list(c.id, p.Epoch, p.Start, p.Head, p.Controllers))):
		return fmt.Errorf("the rescue of the directory is not signed by the network's recovery key")
	}
	c.epoch, c.controllers, c.since = p.Epoch, p.Controllers, p.Start+1
	c.begins = &epoch{number: p.Epoch}
	return nil
}
