package main

import (
	"slices"
	"sort"

	"warren/rooms"
)

// What a node keeps of the room's log, as rooms/replica does: each decision when it comes, and the ticks of 64 heights packed as soon as the last of those is certified.

// records are decisions as they lie on a disk, ascending. They are never changed in place: what was there before a write can be gone back to.
type records []rooms.Decision

func (l records) top() uint64 {
	if len(l) == 0 {
		return 0
	}
	return l[len(l)-1].Header.Height
}

// index returns the place of the first record at a height or above.
func (l records) index(height uint64) int {
	return sort.Search(len(l), func(i int) bool { return l[i].Header.Height >= height })
}

// above returns what lies above a height, ticks that reach down to it included.
func (l records) above(height uint64) records { return l[l.index(height+1):] }

// upto returns what lies at a height and below, without what a record above covers of it.
func (l records) upto(height uint64) records {
	n := l.index(height + 1)
	return l[:n:n]
}

// cut returns what is left of the log when it ends at a height.
func (l records) cut(height uint64) records {
	out := slices.Clone(l.upto(height))
	if d := rooms.Covering(l, height); d != nil {
		if left := d.UpTo(height); left != nil {
			out = append(out, *left)
		}
	}
	return out
}

// put returns the records with one more. The ticks that it holds lie there no more themselves.
func (l records) put(d *rooms.Decision) records {
	i, j := l.index(d.Low()), l.index(d.Header.Height+1)
	if i == len(l) {
		return append(l, *d)
	}
	return slices.Concat(l[:i], records{*d}, l[j:])
}

// held is the log with what is not durable yet.
func (n *node) held() records {
	if k := len(n.newer); k > 0 {
		return n.newer[k-1]
	}
	return n.log
}

// at returns the certified decision at a height; nil: there is none here, or no more than the header of a tick.
func (n *node) at(height uint64) *rooms.Decision {
	l := n.held()
	if i := l.index(height); i < len(l) && l[i].Header.Height == height {
		return &l[i]
	}
	return nil
}

func (n *node) headerAt(height uint64) (rooms.Header, bool) {
	d := rooms.Covering(n.held(), height)
	if d == nil {
		return rooms.Header{}, false
	}
	return d.HeaderAt(height)
}

func (n *node) payload(height uint64) (rooms.Hash, bool) {
	h, ok := n.headerAt(height)
	return h.Payload, ok
}

// keep writes an accepted decision, which begins where the log ends. One write, that of the pack included, is lost or done as a whole.
func (n *node) keep(d *rooms.Decision) {
	l := n.held().put(d)
	n.unpacked = n.unpacked || d.IsTick()
	if height := d.Header.Height; height%rooms.CheckpointEvery == 0 && n.unpacked {
		for _, p := range rooms.Repack(l.above(height - rooms.CheckpointEvery)) {
			l = l.put(&p)
			n.w.st.packs++
		}
		n.unpacked = false
	}
	n.newer = append(n.newer, l)
}

// flush makes what was learned durable.
func (n *node) flush() {
	if len(n.newer) == 0 {
		return
	}
	n.log, n.newer = n.held(), nil
	n.acknowledge()
}

// loseWrites leaves what a crash leaves of the writes that were not durable. In rooms without ticks that is none of them.
func (n *node) loseWrites() {
	if k := len(n.newer); k > 0 && n.w.plan.ticks.asked() {
		if done := n.w.rng.IntN(k + 1); done > 0 {
			n.log = n.newer[done-1]
		}
	}
	n.log, n.newer = slices.Clip(n.log), nil
	n.acknowledge() // it finds it there when it comes back
}

// replay returns the chain as the disk has it, up to a height: it may be that of a tick which lies in the decision above.
func (n *node) replay(height uint64) *rooms.Chain {
	c := n.w.genesis()
	l := n.log.upto(height)
	for i := range l {
		if _, err := c.Accept(&l[i], n.w.view(l[i].Header.Dir), n.w.verify); err != nil {
			n.w.fail(err)
			return c
		}
	}
	if d := rooms.Covering(n.log, c.Height+1); d != nil && c.Height < height {
		for _, h := range d.TickHeaders() {
			if h.Height <= c.Height || h.Height > height {
				continue
			}
			if err := c.Pass(&h); err != nil {
				n.w.fail(err)
				return c
			}
		}
	}
	return c
}

// servesAtMost is how many decisions a node gives at once.
const servesAtMost = 16

// serves returns decisions that follow each other, from the one that covers a height on, as they lie on the disk.
func (n *node) serves(low uint64) (out []*rooms.Decision) {
	if n.liar.keeps() {
		return nil
	}
	l := n.log.above(low - 1)
	for i := range l {
		if len(out) == servesAtMost || l[i].Low() > low {
			break
		}
		out, low = append(out, &l[i]), l[i].Header.Height+1
	}
	return n.liar.serves(out)
}
