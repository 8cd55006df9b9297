package order

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"warren/rooms"
)

// A new epoch begins with fresh raft state: members of another life, whose numbers say the epoch, so that nothing of an earlier one can be taken for
// theirs. What was promised stays: the end of an epoch is itself a promise, at a height that no decision reaches.

// EndOfEpoch is the height of the Signed record by which a controller promises to sign nothing more in that epoch, and in none before it.
const EndOfEpoch = math.MaxUint64

// lifeBits is how many bits of an incarnation number the lives within an epoch: times in ms for thousands of years.
const lifeBits = 48

// ErrEpoch is Step's answer to a message of another epoch.
var ErrEpoch = errors.New("step: of another epoch of the room")

// firstLife is the incarnation of the members with which an epoch begins.
func firstLife(epoch uint64) uint64 { return (epoch - 1) << lifeBits }

// epochOf returns the epoch in which an incarnation lives.
func epochOf(incarnation uint64) uint64 { return incarnation>>lifeBits + 1 }

// ofThisEpoch returns what of the stored state counts in the chain's epoch: of a life in an earlier one the promises only.
func (c *Controller) ofThisEpoch(r *Restored) (*Restored, error) {
	for _, s := range r.Signed {
		if s.Height == EndOfEpoch && s.Epoch >= c.chain.Epoch {
			c.ended, c.endStored = true, true
		}
	}
	switch life := epochOf(r.Incarnation); {
	case !r.Alive && !r.Lived, life == c.chain.Epoch:
		return r, nil
	case life > c.chain.Epoch:
		return nil, fmt.Errorf("%w: the chain is in epoch %d, the log in epoch %d", ErrBehind, c.chain.Epoch, life)
	}
	return &Restored{Incarnation: r.Incarnation, Signed: r.Signed}, nil
}

// End ends the epoch here: the controller signs nothing that it has not signed already. When Ended returns true, that is durable, and Promises may
// be stated.
func (c *Controller) End() {
	if c.broken != nil || c.ended {
		return
	}
	c.ended = true
	c.records = append(c.records, Record{Signed: &Signed{Epoch: c.chain.Epoch, Height: EndOfEpoch}})
}

// Ended reports whether it is durable that this controller signs nothing more in this epoch.
func (c *Controller) Ended() bool { return c.endStored }

// Promises returns what this controller has signed above the certified head, in this life or an earlier one, ascending by height.
func (c *Controller) Promises() []rooms.Promise {
	var out []rooms.Promise
	for height, s := range c.signed {
		if height > c.certified {
			out = append(out, rooms.Promise{Height: height, Header: s.Header, Change: s.Change})
		}
	}
	slices.SortFunc(out, func(a, b rooms.Promise) int { return cmp.Compare(a.Height, b.Height) })
	return out[:min(len(out), rooms.MaxPromises)]
}

// Header returns the header that this controller computed at a height above the certified head, if it is that one.
func (c *Controller) Header(height uint64, hash rooms.Hash) (rooms.Header, bool) {
	if s := c.step(height); s != nil && s.hash == hash {
		return s.header, true
	}
	return rooms.Header{}, false
}

// carried are headers that the directory vouches for, ascending; the last one is at start.
type carried struct {
	start   uint64
	headers []rooms.Hash
}

// Carry takes the directory's word for the headers up to start, the last of which is at start: they count as certified, and come as decisions with one
// of the next Readys, with whatever signatures there are, as soon as they have been run here: after a restart that may be a while later.
func (c *Controller) Carry(start uint64, headers []rooms.Hash) {
	if c.broken != nil {
		return
	}
	defer c.guard(nil)
	c.carried = carried{start, slices.Clone(headers)}
	for _, s := range c.open {
		c.takeCarried(s)
	}
	c.settle()
}

// takeCarried certifies a step that the directory vouches for.
func (c *Controller) takeCarried(s *step) {
	k := &c.carried
	height := s.header.Height
	if height > k.start || k.start-height >= uint64(len(k.headers)) || k.headers[uint64(len(k.headers))-1-(k.start-height)] != s.hash || s.cert != nil {
		return
	}
	s.cert = rooms.Certificate{}
	for _, n := range s.controllers {
		if sig, ok := s.sigs[n]; ok {
			s.cert = append(s.cert, sig)
		}
	}
}

// begin puts the first request of an epoch in order: what happened, in the room's own log, before anything else. A controller that was just made
// and leads alone does not know the time yet; it is told with the next tick.
func (c *Controller) begin() {
	if c.cfg.Begin == nil || !c.chain.Unbegun() || c.now == 0 || c.ledTerm == 0 || c.appliedTerm != c.ledTerm || len(c.proposed)+len(c.open) > 0 {
		return
	}
	r := rooms.NewRequest(c.chain.Room, "", "", c.cfg.Begin)
	r.Epoch = c.chain.Epoch
	r.Sign(c.cfg.Key)
	c.put([]*item{{r: &r, id: r.ID(), at: c.now}})
}
