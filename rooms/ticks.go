package rooms

import (
	"errors"
	"fmt"
	"slices"
)

// Ticks are what is left of the ticks directly below a decision: what their headers need, and no more. Each header names the one below, so what certifies
// the decision certifies them as well. A tick changes nothing but the room's time: nobody misses the batch, or its own certificate.
type Ticks struct {
	_    struct{} `cbor:",toarray"`
	Prev Hash     // of the header below the lowest
	List []Tick   // ascending; never one at a height that CheckpointEvery divides
}

// Tick is what is left of one.
type Tick struct {
	_       struct{} `cbor:",toarray"`
	Time    int64    // ms, as in its header
	Dir     uint64   // the same
	Payload Hash     // the same
}

// errTicks is what is wrong with ticks that cannot lie below their decision.
var errTicks = errors.New("the ticks below it are not those that the header names")

// errBare is what is wrong with a decision that has no batch, and is not what UpTo leaves.
var errBare = errors.New("it is not what is left of a tick")

// IsTick reports whether nothing was asked for in the decision.
func (d *Decision) IsTick() bool { return len(d.Batch.Requests) == 0 }

// Low returns the lowest height that the decision covers: its own, or that of the lowest of the ticks that it holds.
func (d *Decision) Low() uint64 {
	if d.Ticks == nil {
		return d.Header.Height
	}
	return d.Header.Height - min(d.Header.Height, uint64(len(d.Ticks.List)))
}

// TickHeaders returns the headers of the ticks that the decision holds, ascending. It hashes each.
func (d *Decision) TickHeaders() []Header {
	if d.Ticks == nil {
		return nil
	}
	out := make([]Header, len(d.Ticks.List))
	prev, verdicts := d.Ticks.Prev, Verdicts{}.Hash()
	for i := range out {
		t, h := &d.Ticks.List[i], &out[i]
		*h = Header{
			Room: d.Header.Room, Epoch: d.Header.Epoch, Height: d.Low() + uint64(i), Prev: prev, Time: t.Time, Dir: t.Dir, Seq: d.Header.Seq,
			Payload: t.Payload, Verdicts: verdicts,
		}
		prev = h.Hash()
	}
	return out
}

// HeaderAt returns the header of a height that the decision covers; false: it does not.
func (d *Decision) HeaderAt(height uint64) (Header, bool) {
	switch {
	case height == d.Header.Height:
		return d.Header, true
	case height > d.Header.Height || height < d.Low():
		return Header{}, false
	}
	return d.TickHeaders()[height-d.Low()], true
}

// Above returns the decision with those of its ticks only that lie above a height, which must be good ones. It is itself when that is all.
func (d *Decision) Above(height uint64) *Decision {
	if d.Ticks == nil || d.Low() > height {
		return d
	}
	out := *d
	out.Ticks = nil
	if height+1 < d.Header.Height {
		below, _ := d.HeaderAt(height)
		out.Ticks = &Ticks{Prev: below.Hash(), List: d.Ticks.List[height+1-d.Low():]}
	}
	return &out
}

// Bare reports whether of a tick that certifies nothing below, and is held by nothing above, no more is left than its header: an epoch begins above it (see UpTo).
func (d *Decision) Bare() bool { return d.IsTick() && d.Batch.Leader.IsZero() && d.Batch.Time == 0 }

// UpTo returns what is left of a decision when the log ends at a height which it holds as a tick: that one, bare, with those below it. Nobody has its batch and its
// certificate any more; the directory vouches for its header, where an epoch begins above it. nil: the decision does not hold that height.
func (d *Decision) UpTo(height uint64) *Decision {
	h, ok := d.HeaderAt(height)
	if !ok || height == d.Header.Height {
		return nil
	}
	out := &Decision{Header: h, Batch: Batch{Epoch: h.Epoch, Height: height}, Verdicts: Verdicts{}}
	if n := height - d.Low(); n > 0 {
		out.Ticks = &Ticks{Prev: d.Ticks.Prev, List: d.Ticks.List[:n:n]}
	}
	return out
}

// checkBare reports whether the decision can be what is left of a tick.
func (d *Decision) checkBare() error {
	if d.Header.Height%CheckpointEvery == 0 || len(d.Cert) > 0 || len(d.Batch.Sig) > 0 || d.Batch.Epoch != d.Header.Epoch || d.Batch.Height != d.Header.Height {
		return fmt.Errorf("decision %d: %w", d.Header.Height, errBare)
	}
	return nil
}

// Plain returns the decision without its ticks, for who wants to show what was decided in it.
func (d *Decision) Plain() *Decision {
	out := *d
	out.Ticks = nil
	return &out
}

// checkTicks reports whether the ticks can lie below the decision, and lead up to it. It costs a hash for each.
func (d *Decision) checkTicks() error {
	if d.Ticks == nil {
		return nil
	}
	h, n := &d.Header, uint64(len(d.Ticks.List))
	if n == 0 || h.Height == 0 || n > (h.Height-1)%CheckpointEvery {
		return fmt.Errorf("decision %d: %w", h.Height, errTicks)
	}
	list := d.TickHeaders()
	if list[n-1].Hash() != h.Prev {
		return fmt.Errorf("decision %d: %w", h.Height, errTicks)
	}
	return nil
}

// Pack puts the ticks of a stretch of a log, decisions that follow each other upwards, each into the next decision above that is none, or is at a
// checkpoint, and leaves them out themselves. A decision takes none of another epoch. The decisions that are given stay as they are.
func Pack(list []Decision) []Decision {
	out := make([]Decision, 0, len(list))
	run := 0 // ticks at the end of out
	for i := range list {
		d := list[i]
		if k := len(out); run > 0 && (d.Header.Epoch != out[k-1].Header.Epoch || d.Low() != out[k-1].Header.Height+1) {
			run = 0
		}
		if d.IsTick() && d.Header.Height%CheckpointEvery != 0 {
			out, run = append(out, d), run+1
			continue
		}
		if run > 0 {
			below := out[len(out)-run:]
			d.Ticks = join(below, d.Ticks)
			out = out[:len(out)-run]
		}
		out, run = append(out, d), 0
	}
	return out
}

// Repack returns those decisions of a stretch of a log that hold more ticks once it is packed: what is to be written when a copy packs it.
func Repack(list []Decision) (changed []Decision) {
	for _, p := range Pack(list) {
		if was := Covering(list, p.Header.Height); p.Ticks != was.Ticks {
			changed = append(changed, p)
		}
	}
	return changed
}

// join puts ticks, and those that they hold, before those that a decision holds already.
func join(below []Decision, own *Ticks) *Ticks {
	t := &Ticks{Prev: below[0].Header.Prev}
	if below[0].Ticks != nil {
		t.Prev = below[0].Ticks.Prev
	}
	for i := range below {
		if b := below[i].Ticks; b != nil {
			t.List = append(t.List, b.List...)
		}
		h := &below[i].Header
		t.List = append(t.List, Tick{Time: h.Time, Dir: h.Dir, Payload: h.Payload})
	}
	if own != nil {
		t.List = append(t.List, own.List...)
	}
	return t
}

// Pass goes over a tick by its header alone, which must be shown to be certified. ErrGap: it is not the next one; ErrDiverged: no tick has that header.
func (c *Chain) Pass(h *Header) error {
	switch {
	case h.Height != c.Height+1:
		return ErrGap
	case h.Room != c.Room || h.Prev != c.Head || h.Epoch != c.Epoch || h.Time < c.Time || h.Dir < c.Dir || h.Seq != c.Machine.Base().Seq ||
		h.Verdicts != Verdicts{}.Hash() || h.Height%CheckpointEvery == 0 || c.Unbegun():
		return fmt.Errorf("%w: height %d is no tick", ErrDiverged, h.Height)
	}
	c.Height, c.Time, c.Dir, c.Head = h.Height, h.Time, h.Dir, h.Hash()
	c.turn()
	return nil
}

// passAll goes over the ticks that a decision holds above where the chain stands.
func (c *Chain) passAll(d *Decision) error {
	for _, h := range d.TickHeaders() {
		if h.Height <= c.Height {
			continue
		}
		if err := c.Pass(&h); err != nil {
			return err
		}
	}
	return nil
}

// Covers returns how many heights decisions cover.
func Covers(list []Decision) (n int) {
	for i := range list {
		n += int(list[i].Header.Height + 1 - list[i].Low())
	}
	return n
}

// Covering returns the one of decisions in ascending order that covers a height; nil: none does.
func Covering(list []Decision, height uint64) *Decision {
	i, _ := slices.BinarySearchFunc(list, height, func(d Decision, h uint64) int {
		if d.Header.Height < h {
			return -1
		}
		return 1
	})
	if i == len(list) || list[i].Low() > height {
		return nil
	}
	return &list[i]
}
