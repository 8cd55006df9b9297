package main

import (
	"bytes"
	"fmt"

	"warren/rooms"
)

// whole checks that a node's log has each height once, from the first to its head, that what it certifies is what everybody took for certified, and that it holds the
// ticks which were ordered, and nothing else, packed: all of them up to the last checkpoint, unless it has been restarted.
func (w *world) whole(n *node) error {
	next, head := uint64(1), w.room
	log := n.held()
	for i := range log {
		d := &log[i]
		if d.Low() != next {
			return fmt.Errorf("node %d: in its log, height %d comes where height %d belongs", n.i, d.Low(), next)
		}
		if err := d.CheckShape(); err != nil {
			return fmt.Errorf("node %d: %w", n.i, err)
		}
		for _, h := range append(d.TickHeaders(), d.Header) {
			hash := h.Hash()
			switch {
			case h.Height != next || h.Prev != head:
				return fmt.Errorf("node %d: height %d does not follow the one below", n.i, h.Height)
			case w.certified[place{h.Epoch, h.Height}] != hash:
				return fmt.Errorf("node %d: height %d is not what was certified", n.i, h.Height)
			case h.Height < d.Header.Height && (!w.ticks[hash] || h.Height%rooms.CheckpointEvery == 0):
				return fmt.Errorf("node %d: height %d, which is no tick, or at a checkpoint, is packed", n.i, h.Height)
			}
			next, head = next+1, hash
		}
	}
	if next != n.chain.Height+1 || head != n.chain.Head {
		return fmt.Errorf("node %d: its log ends at height %d, its chain stands at height %d", n.i, next-1, n.chain.Height)
	}
	if i := log.loose(); n.life == 0 && i >= 0 {
		return fmt.Errorf("node %d: the tick at height %d is not packed", n.i, log[i].Header.Height)
	}
	return nil
}

// loose returns the place of a tick that should lie in the decision above it: the next one that is none, or is at a checkpoint, which is there and of the same epoch. -1: there is none.
func (l records) loose() int {
	tick := -1 // the highest of a run
	for i := range l {
		switch h := &l[i].Header; {
		case tick >= 0 && h.Epoch != l[tick].Header.Epoch:
			tick = -1
		case tick >= 0 && (!l[i].IsTick() || h.Height%rooms.CheckpointEvery == 0) && l.top() >= (h.Height+rooms.CheckpointEvery-1)/rooms.CheckpointEvery*rooms.CheckpointEvery:
			return tick
		}
		if l[i].IsTick() && l[i].Header.Height%rooms.CheckpointEvery != 0 {
			tick = i
		} else {
			tick = -1
		}
	}
	return -1
}

// sameLog checks that two nodes hold the same headers at each height, and the same batches and verdicts where both have more than the header.
func sameLog(a, b *node) error {
	if a.log.top() != b.log.top() {
		return fmt.Errorf("node %d holds %d heights, node %d %d", a.i, a.log.top(), b.i, b.log.top())
	}
	differ := func(height uint64) error { return fmt.Errorf("nodes %d and %d differ at height %d", a.i, b.i, height) }
	other := b.log.headers()
	for i, h := range a.log.headers() {
		if h != other[i] {
			return differ(h.Height)
		}
	}
	for i := range a.log {
		x := &a.log[i]
		y := b.at(x.Header.Height)
		if y != nil && !x.Bare() && !y.Bare() && (!bytes.Equal(rooms.Marshal(x.Batch), rooms.Marshal(y.Batch)) || !bytes.Equal(x.Verdicts, y.Verdicts)) {
			return differ(x.Header.Height)
		}
	}
	return nil
}

// headers returns the header of each height.
func (l records) headers() []rooms.Header {
	out := make([]rooms.Header, 0, l.top())
	for i := range l {
		out = append(append(out, l[i].TickHeaders()...), l[i].Header)
	}
	return out
}
