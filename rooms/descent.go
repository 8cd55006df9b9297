package rooms

import (
	"fmt"
	"slices"
)

// Descent follows a room's log downwards, from a certified header to the founding: each header names the one below, so nothing else than what was
// decided can pass. What a header does not cover is its certificate; Take checks it too, so that whoever is shown the decision later can do so.
type Descent struct {
	_           struct{} `cbor:",toarray"`
	Room        RoomID
	Height      uint64   // of the decision that is due; 0: the founding is reached
	Head        Hash     // of its header
	Controllers []NodeID // in force above Since; empty: not known
	Since       uint64   // height of the decision that set them, 0: founding
}

// NewDescent begins at the chain's head: the first decision that is due is the last one that the chain holds.
func NewDescent(c *Chain) Descent {
	b := c.Machine.Base()
	return Descent{Room: c.Room, Height: c.Height, Head: c.Head, Controllers: slices.Clone(b.Controllers), Since: b.Since}
}

// Take checks that d is the decision that is due, and goes on to the one below. set returns the controllers that were in force from the change at a
// height on (0: from the founding), or nil when nobody can tell. It is asked once for each change of controllers.
//
// Of ticks that d holds, those below it are done with it. One that covers the height due, and ends above, is not what is due: see Rise.
func (s *Descent) Take(d *Decision, set func(since uint64) []NodeID) error {
	h := &d.Header
	if h.Room != s.Room || h.Height != s.Height || h.Hash() != s.Head {
		return fmt.Errorf("decision: not the one of height %d that the header above names: %w", s.Height, ErrFork)
	}
	if err := d.CheckShape(); err != nil {
		return err
	}
	controllers, since := s.Controllers, s.Since
	// A change of controllers is certified by those whom it relieves, the beginning of an epoch by those who begin it.
	if rc, ok := d.ReconfigureOf(); ok && (h.Height == s.Since || len(controllers) == 0) {
		controllers, since = set(rc.Since), rc.Since
	}
	if err := s.certified(d, controllers); err != nil {
		return err
	}
	if h.Height == s.Since && d.Batch.Begins() {
		controllers, since = nil, 0
	}
	s.Height, s.Head, s.Controllers, s.Since = h.Height-1, h.Prev, controllers, since
	if d.Ticks != nil {
		s.Height, s.Head = d.Low()-1, d.Ticks.Prev
	}
	return nil
}

// Rise goes back up to a header that is known to be certified, between which and the place that was due nothing but ticks was decided: d holds them, and some that are
// due. false: it does not.
func (s *Descent) Rise(known *Header, d *Decision) bool {
	due, ok := d.HeaderAt(s.Height)
	if !ok || s.Height == d.Header.Height || known.Hash() != d.Header.Hash() || d.checkTicks() != nil || due.Hash() != s.Head {
		return false
	}
	s.Height, s.Head = d.Header.Height, d.Header.Hash()
	return true
}

// certified checks the certificate. Where the controllers are not known (below the beginning of an epoch, until their first change is met) the
// signatures must at least be good ones.
func (s *Descent) certified(d *Decision, controllers []NodeID) error {
	h := d.Header.Hash()
	if len(controllers) > 0 {
		return d.Cert.Verify(h, controllers)
	}
	for i, g := range d.Cert {
		if i > 0 && compareNodes(d.Cert[i-1].Node, g.Node) >= 0 || !g.OK(h) {
			return ErrBadSignature
		}
	}
	return nil
}
