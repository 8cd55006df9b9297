package rooms

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"warren/rooms/errs"
)

// ErrBegin is Check's answer to a first decision of an epoch that does not say so.
var ErrBegin = errors.New("decision: the first of an epoch must hold its beginning, and nothing else")

// Learn tells the chain which epochs the directory shows, and moves it on to the newest that starts where it stands; it reports whether that
// happened. From then on decisions above the start of a later epoch are refused in earlier ones. dir is the newest view there is. The directory's
// own chain learns by LearnRescue.
func (c *Chain) Learn(dir View) bool {
	if _, ok := c.Machine.(*State); !ok || dir == nil {
		return false
	}
	return c.later(dir.Epochs(c.Room))
}

// LearnRescue is Learn for the directory itself. It returns false when the rescue is not new, or is no valid one.
func (c *Chain) LearnRescue(r *Rescue) bool {
	d, ok := c.Machine.(*Directory)
	if !ok || r.Epoch <= c.Epoch || !r.OK(&d.Genesis) {
		return false
	}
	i, known := slices.BinarySearchFunc(c.rescues, r.Epoch, func(o Rescue, epoch uint64) int { return cmp.Compare(o.Epoch, epoch) })
	if known {
		return false
	}
	c.rescues = slices.Insert(slices.Clone(c.rescues), i, *r) // later ones may have been heard of before
	ahead := make([]EpochRecord, len(c.rescues))
	for j := range c.rescues {
		ahead[j] = c.rescues[j].record()
	}
	return c.later(ahead)
}

// later takes a list of epochs, ascending.
func (c *Chain) later(list []EpochRecord) bool {
	c.ahead = nil
	for i := range list {
		if list[i].Epoch > c.Epoch && (c.void == 0 || list[i].Epoch < c.void) {
			c.ahead = append(c.ahead, list[i])
		}
	}
	return c.turn()
}

// judge asks of the epochs that accounts had made whether those had the right to, as soon as the chain holds all that is certified below: it is the
// state that everybody has. One by somebody who had no right is none, nor is one that begins at another header than the one certified here, nor is what the directory
// built on it: the room goes on in its old epoch.
func (c *Chain) judge() {
	for i := range c.ahead {
		e := &c.ahead[i]
		if c.Height < e.proven() || c.overruns(e) {
			return
		}
		if !c.settle(e, c) {
			return
		}
	}
}

// settle judges one epoch by the state of another chain of the same room, or of this one, and strikes it out when it is none.
func (c *Chain) settle(e *EpochRecord, by *Chain) bool {
	s, ok := by.Machine.(*State)
	if !ok || !c.doubts(e) {
		return true
	}
	if e.rightful(s, by.Height, by.Time, by.Head) {
		c.rightly = e.Epoch
		return true
	}
	c.strike(e)
	return false
}

// rightful reports whether the account that had the epoch made had the right to, by the room as it was at a height.
func (e *EpochRecord) rightful(s *State, height uint64, time int64, head Hash) bool {
	// Two certified headers at one height: whoever had the epoch begin there shows another history than the one that is certified here.
	other := len(e.Carried) == 0 && height == e.Start && head != e.Head
	return s.Manages(e.By, time) && !other
}

// passes reports whether a decision above the start of an epoch holds, as a tick, the height at which that is found to be none: on the way there the state does not
// change. Without that, nobody who stands below could come by it once the ticks are packed. It is judged when the ticks are passed (turn).
func (c *Chain) passes(e *EpochRecord, d *Decision) bool {
	s, ok := c.Machine.(*State)
	at, covered := d.HeaderAt(e.proven())
	return ok && covered && c.Height < e.proven() && e.proven() < d.Header.Height && c.doubts(e) && !e.rightful(s, at.Height, at.Time, at.Hash())
}

// doubts reports whether an epoch was made by an account whose right is not judged yet.
func (c *Chain) doubts(e *EpochRecord) bool { return e.By != "" && e.Epoch > c.rightly }

func (c *Chain) overruns(e *EpochRecord) bool {
	return e.Start < c.Height || e.Start == c.Height && e.Head != c.Head
}

// overrun returns the first known epoch above whose start the chain holds decisions, or others than it starts with; nil: none.
func (c *Chain) overrun() *EpochRecord {
	for i := range c.ahead {
		if c.overruns(&c.ahead[i]) {
			return &c.ahead[i]
		}
	}
	return nil
}

// Doubt returns the height at which the right of an account must be judged (Judge) before the chain is taken back to the start of the epoch which that
// account had made. false: nothing is to be judged.
func (c *Chain) Doubt() (height uint64, doubt bool) {
	if e := c.overrun(); e != nil && c.doubts(e) {
		return e.proven(), true
	}
	return 0, false
}

// Judge settles the doubt by the room as it was at that height. Another state may say something else than all others judge by: who lacks that one
// leaves the doubt as it is. Then nothing is taken back, and nothing more is taken in (Check).
func (c *Chain) Judge(was *Chain) {
	if e := c.overrun(); e != nil {
		c.settle(e, was)
	}
}

// Refuse settles the doubt against the epoch, for who has let go what it would be judged by: it goes back behind all that is kept here.
func (c *Chain) Refuse() {
	if e := c.overrun(); e != nil && c.doubts(e) {
		c.strike(e)
	}
}

// strike takes an epoch, and all that the directory built on it, for none.
func (c *Chain) strike(e *EpochRecord) {
	c.void = e.Epoch
	c.ahead = slices.DeleteFunc(slices.Clone(c.ahead), func(o EpochRecord) bool { return o.Epoch >= c.void })
}

// turn moves the chain on to the newest known epoch that starts where it stands.
func (c *Chain) turn() bool {
	c.judge()
	for i := len(c.ahead) - 1; i >= 0; i-- {
		e := &c.ahead[i]
		if e.Start != c.Height || e.Head != c.Head {
			continue
		}
		b := c.Machine.Base()
		b.Controllers, b.Since = slices.Clone(e.Controllers), e.Start+1
		c.Epoch, c.Dir = e.Epoch, max(c.Dir, e.From)
		if d, ok := c.Machine.(*Directory); ok {
			j := slices.IndexFunc(c.rescues, func(r Rescue) bool { return r.Epoch == e.Epoch })
			begun := slices.DeleteFunc(slices.Clone(d.Rescues), func(r Rescue) bool { return r.Start >= e.Start })
			d.Rescues = append(begun, c.rescues[j]) // one that no decision began leaves no trace: not everybody was told of it
			c.rescues = c.rescues[j+1:]
		}
		c.ahead = slices.Clone(c.ahead[i+1:])
		return true
	}
	return false
}

// Overrun returns the height down to which the chain must be taken back: it holds decisions above the start of an epoch that it learned of, or
// others than that epoch starts with. false: it need not, or there is a Doubt.
func (c *Chain) Overrun() (start uint64, over bool) {
	if e := c.overrun(); e != nil && !c.doubts(e) {
		return e.Start, true
	}
	return 0, false
}

// Carried returns the headers up to start that count as certified without a certificate, by the word of the directory.
func (c *Chain) Carried() (start uint64, headers []Hash) {
	if len(c.ahead) == 0 || c.doubts(&c.ahead[0]) {
		return 0, nil
	}
	return c.ahead[0].Start, c.ahead[0].Carried
}

// Ahead returns the known epochs that the chain has not come to, ascending.
func (c *Chain) Ahead() []EpochRecord { return slices.Clone(c.ahead) }

// Unbegun reports whether the chain stands at the start of an epoch that no decision has begun yet.
func (c *Chain) Unbegun() bool { return c.Machine.Base().Since > c.Height }

// Started returns the height at which the chain's epoch starts, and the directory version that made it; 0 in the first epoch. dir must show the epoch.
func (c *Chain) Started(dir View) (start, from uint64) {
	if c.Epoch == 1 {
		return 0, 0
	}
	if d, ok := c.Machine.(*Directory); ok {
		for _, e := range d.Rescues {
			if e.Epoch == c.Epoch {
				return e.Start, e.Start + 1
			}
		}
		return 0, 0
	}
	for _, e := range dir.Epochs(c.Room) {
		if e.Epoch == c.Epoch {
			return e.Start, e.From
		}
	}
	return 0, 0
}

// Beginning returns the body of the request with which the chain's epoch begins, nil when it is begun. dir must show the epoch.
func (c *Chain) Beginning(dir View) *Begin {
	if !c.Unbegun() {
		return nil
	}
	if d, ok := c.Machine.(*Directory); ok {
		if n := len(d.Rescues); n > 0 {
			return &Begin{Epoch: c.Epoch, Proof: &d.Rescues[n-1]}
		}
		return nil
	}
	for _, e := range dir.Epochs(c.Room) {
		if e.Epoch == c.Epoch {
			return &Begin{Epoch: c.Epoch, By: e.By, Silent: uint32(len(e.Silent)), Of: e.Of}
		}
	}
	return nil
}

// Begins reports whether the batch can be the first of an epoch: one request that says so, alone.
func (b *Batch) Begins() bool { return len(b.Requests) == 1 && b.Requests[0].Op == OpBegin }

// begin judges the request that begins an epoch: it says for ever, in the room's own log, what happened.
func (c *Chain) begin(ctx *context, r *Request, b *Begin) errs.Kind {
	base := c.Machine.Base()
	switch {
	case base.Since != ctx.height || b.Epoch != c.Epoch:
		return errs.Stale
	case !r.Principal().IsNode() || !slices.Contains(base.Controllers, r.Device):
		return errs.Denied
	}
	want := c.Beginning(ctx.dir)
	if want == nil || !bytes.Equal(Marshal(want), Marshal(b)) {
		return errs.Invalid
	}
	return errs.OK
}

// rescueIn returns the rescue that a batch of the directory brings along.
func rescueIn(b *Batch) *Rescue {
	if !b.Begins() {
		return nil
	}
	body, err := b.Requests[0].Decode()
	if begin, ok := body.(*Begin); ok && err == nil {
		return begin.Proof
	}
	return nil
}

// checkEpoch reports whether d is of the epoch that the chain is in, or that it must turn to for d; it returns the controllers in force.
// carried: the directory vouches for the header.
func (c *Chain) checkEpoch(d *Decision) (controllers []NodeID, carried bool, err error) {
	h := &d.Header
	base := c.Machine.Base()
	controllers, first := base.Controllers, c.Unbegun()
	if dir, ok := c.Machine.(*Directory); ok && h.Epoch > c.Epoch {
		r := rescueIn(&d.Batch)
		if r == nil || r.Epoch != h.Epoch || r.Start != c.Height || r.Head != c.Head || d.Batch.Epoch != h.Epoch || !r.OK(&dir.Genesis) {
			return nil, false, ErrEpoch
		}
		return r.Controllers, false, nil
	}
	if h.Epoch != c.Epoch || d.Batch.Epoch != h.Epoch {
		return nil, false, ErrEpoch
	}
	if len(c.ahead) > 0 && !c.passes(&c.ahead[0], d) {
		e := &c.ahead[0]
		if h.Height > e.Start {
			return nil, false, fmt.Errorf("the room went on from height %d in epoch %d: %w", e.Start, e.Epoch, ErrEpoch)
		}
		if i := int(e.Start - h.Height); i < len(e.Carried) {
			if e.Carried[len(e.Carried)-1-i] != h.Hash() {
				return nil, false, ErrFork
			}
			carried = true
		} else if h.Height == e.Start && d.Bare() && h.Hash() == e.Head {
			carried = true
		}
	}
	if first && !d.Batch.Begins() {
		return nil, false, ErrBegin
	}
	return controllers, carried, nil
}
