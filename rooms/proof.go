package rooms

import (
	"errors"
	"fmt"
	"slices"
)

// Limits of a proof.
const (
	MaxAbove   = 1024 // headers: copies keep a snapshot every few hundred heights
	MaxChanges = 16   // of controllers that the directory has not been told of yet: it is told within seconds
	MaxPast    = 32   // of controllers in the proof of an epoch that begins below what the directory has witnessed: it must fit into a request
)

// ErrUnproven is what a proof ends with that proves nothing.
var ErrUnproven = errors.New("proof: the header is not shown to be certified")

// Proof shows that a header is certified, to whoever has the directory's record of the room but not the room's log. The directory witnesses
// every change of controllers, so the certificate of the last set that it knows is enough: no earlier set counts, whoever its members have
// become since.
type Proof struct {
	_       struct{} `cbor:",toarray"`
	Header  Header
	Above   []Header    // what follows Header, link by link, up to one that the directory names, or that Cert is of
	Cert    Certificate // by the controllers in force, over the last of Above, or Header when there is none
	Changes []Decision  // the changes of controllers that the directory's record does not show yet, ascending
}

// Check reports whether the proof holds by the directory's record of the room. It costs a certificate check, and one more for each change.
func (p *Proof) Check(rec *RoomRecord) error { return p.check(rec, MaxChanges) }

func (p *Proof) check(rec *RoomRecord, changes int) error {
	if len(p.Above) > MaxAbove || len(p.Changes) > changes {
		return fmt.Errorf("%w: it is too long", ErrUnproven)
	}
	controllers, since, floor := rec.Now, rec.Since, rec.Floor
	for i := range p.Changes {
		d := &p.Changes[i]
		rc, ok := d.ReconfigureOf()
		if !ok || d.Header.Room != rec.ID || rc.Since != since || d.Header.Height <= floor || d.Header.Epoch != rec.Epoch() {
			return fmt.Errorf("%w: a change of controllers does not follow the one before", ErrUnproven)
		}
		if err := d.CheckShape(); err != nil {
			return err
		}
		if err := d.Cert.Verify(d.Header.Hash(), controllers); err != nil {
			return err
		}
		controllers, since, floor = rc.Controllers, d.Header.Height, d.Header.Height
	}
	top := &p.Header
	for i := range p.Above {
		next := &p.Above[i]
		if next.Height != top.Height+1 || next.Prev != top.Hash() {
			return fmt.Errorf("%w: the headers are no chain", ErrUnproven)
		}
		top = next
	}
	switch {
	case p.Header.Room != rec.ID:
		return fmt.Errorf("%w: it is of another room", ErrUnproven)
	case top.Height == rec.Floor && top.Hash() == rec.FloorHead:
		return nil // the directory itself names it
	case top.Height <= floor || top.Epoch != rec.Epoch():
		return fmt.Errorf("%w: other controllers were in force there", ErrUnproven)
	}
	return p.Cert.Verify(top.Hash(), controllers)
}

// ReconfigureOf returns what the decision changes the controllers to; false when it does not.
func (d *Decision) ReconfigureOf() (*Reconfigure, bool) {
	if len(d.Batch.Requests) != 1 || d.Batch.Requests[0].Op != OpReconfigure || d.Verdicts.At(0) != 0 {
		return nil, false
	}
	body, err := d.Batch.Requests[0].Decode()
	rc, ok := body.(*Reconfigure)
	return rc, ok && err == nil && len(rc.Controllers) > 0
}

// Unwitnessed returns the changes of controllers up to the one at height since, the room's newest, that the directory's record does not show: what it must
// be told (Witness), ascending. at returns a certified decision; nil when one of them is not at hand.
func (r *RoomRecord) Unwitnessed(since uint64, at func(height uint64) *Decision) (changes []*Decision) {
	for since > r.Since {
		d := at(since)
		if d == nil {
			return nil
		}
		rc, ok := d.ReconfigureOf()
		if !ok {
			return nil
		}
		changes = append(changes, d.Plain())
		since = rc.Since
	}
	slices.Reverse(changes)
	return changes
}

// RestoreAt reads the snapshot of the room's chain at a header that is known to be certified, from whomever it comes. The header must carry
// the digest of the state.
func RestoreAt(h *Header, snapshot []byte) (*Chain, error) {
	c, err := RestoreChain(snapshot)
	if err != nil {
		return nil, err
	}
	if _, ok := c.Machine.(*State); !ok {
		return nil, errors.New("restore snapshot: it is not a room's")
	}
	if h.State.IsZero() || c.Room != h.Room || c.Epoch != h.Epoch || c.Height != h.Height || c.Head != h.Hash() || c.Time != h.Time || c.Dir != h.Dir ||
		StateDigest(c.Machine) != h.State {
		return nil, errors.New("restore snapshot: it is not the state that the controllers signed")
	}
	return c, nil
}
