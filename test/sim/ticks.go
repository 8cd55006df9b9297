package main

import (
	"fmt"
	"math/rand/v2"

	"warren/rooms"
)

// A room in four asks for ticks, as after `!room ticks N`, and some time later for none any more. The ticks go on beside everything else that
// happens: they are ordered, certified, packed at checkpoints, fetched packed by who was away, and cut off where an epoch begins below them.

// ticking is how many ticks per second a schedule's room asks for, and when.
type ticking struct {
	rate     uint8 // 0: it never asks for any
	from, to int64 // ms of the schedule
}

// asked reports whether the room ever asks for ticks.
func (t ticking) asked() bool { return t.rate > 0 }

// tendMS is how often somebody looks whether the room has as many ticks as are wanted, and asks for them.
const tendMS = 500

// planTicks draws whether the room asks for ticks. It draws from a source of its own.
func (w *world) planTicks() {
	w.ticksRng = rand.New(rand.NewPCG(w.seed, 0x71c5))
	rng, p := w.ticksRng, &w.plan
	chance, rate := rng.IntN(4), []uint8{5, 20, 20}[rng.IntN(3)]
	from := int64(rng.IntN(1500))
	to := from + 6000 + int64(rng.IntN(8000))
	switch {
	case w.force.ticks == "never", w.force.ticks == "" && chance > 0:
		return
	}
	p.ticks = ticking{rate, from, to}
	p.wishes /= 2 // there is enough to do
}

// wanted returns how many ticks per second the room shall ask for now.
func (t ticking) wanted(now int64) uint8 {
	if now < t.from || now >= t.to {
		return 0
	}
	return t.rate
}

// configured returns how many ticks per second the room asks for where this node's chain stands.
func (n *node) configured() uint8 { return n.chain.Machine.(*rooms.State).Set.Ticks }

// tendTicks has the manager ask for the ticks that are wanted, at any node, until the room does so everywhere.
func (w *world) tendTicks() {
	w.after(tendMS, w.tendTicks)
	want := w.plan.ticks.wanted(w.now)
	if w.settledTicks(want) || w.wish != nil && !w.wish.done && !w.wish.dropped && !w.wish.n.away() && w.now < w.wishedAt+10*tendMS {
		return
	}
	n := w.nodes[w.ticksRng.IntN(len(w.nodes))]
	if !n.up || n.apart || n.liar != nil {
		return
	}
	title := fmt.Sprint("title ", len(w.wishes)) // no two wishes are equal
	w.wish, w.wishedAt = &wish{n: n, what: -len(w.wishes), account: manager, body: &rooms.Configure{Ticks: &want, Title: &title}}, w.now
	w.wishes = append(w.wishes, w.wish)
	n.outbox = append(n.outbox, w.wish)
	n.sendWishes()
}

// settledTicks reports whether all honest nodes' rooms ask for so many ticks.
func (w *world) settledTicks(want uint8) bool {
	for _, n := range w.honest() {
		if n.up && n.configured() != want {
			return false
		}
	}
	return true
}

// setBeat has the controller told of the time when the room's next tick is due, as rooms/replica does with a timer.
func (n *node) setBeat() {
	if n.ctl == nil {
		return
	}
	at := n.ctl.NextBeat()
	if at == n.beatAt {
		return
	}
	if n.beatAt = at; at == 0 {
		return
	}
	ctl := n.ctl
	n.w.after(at-n.clock(), func() {
		if n.ctl != ctl || n.beatAt != at {
			return
		}
		n.beatAt = 0
		n.ctl.Beat(n.clock())
		n.pump()
	})
}

// certifyTick compares a tick of which somebody was given no more than the header with what was ordered.
func (w *world) certifyTick(n *node, h *rooms.Header) {
	hash, at := h.Hash(), place{h.Epoch, h.Height}
	switch was, seen := w.certified[at]; {
	case !seen || was != hash:
		w.fail(fmt.Errorf("FORK: node %d takes a tick for certified at height %d of epoch %d that nobody else does", n.i, at.height, at.epoch))
	case !w.ticks[hash]:
		w.fail(fmt.Errorf("node %d takes the decision at height %d of epoch %d for a tick", n.i, at.height, at.epoch))
	}
}
