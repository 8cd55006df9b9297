package main

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"warren/rooms"
	"warren/rooms/order"
)

// A schedule in four has one saboteur among four controllers, and a fifth node that can take its place.

// planLies decides whether, and how, one controller is dishonest. It draws from a source of its own.
func (w *world) planLies() {
	rng := rand.New(rand.NewPCG(w.seed, 0x5ab0))
	name := w.force.lies
	switch {
	case name == "none", name == "" && w.seed%4 != 1:
		return
	case name == "" || name == "any":
		name = general[rng.IntN(len(general))].name
		if w.plan.ticks.asked() && rng.IntN(2) == 0 {
			name = tickClasses[rng.IntN(len(tickClasses))].name
		}
	}
	p := &w.plan
	p.lies, p.liar = name, rng.IntN(4)
	c := p.class()
	if p.misled = c.misleads; c.steady {
		p.ticks = c.ticks
	}
	p.nodes, p.stages = 5, [][]int{{0, 1, 2, 3}}
	p.amnesia, p.forget = false, false
	p.crashEvery = max(p.crashEvery, min(p.crashEvery, 1)*1200)
	p.wishes += 40
}

// class is the kind of the schedule's dishonest controller.
func (p *plan) class() *class { return &classes[classOf(p.lies)] }

// honest returns the nodes whose word counts and that are not gone for ever.
func (w *world) honest() []*node {
	out := make([]*node, 0, len(w.nodes))
	for _, n := range w.nodes {
		if n.liar == nil && !n.gone() {
			out = append(out, n)
		}
	}
	return out
}

// slander reports an honest node that another one takes for a cheat, or believes to have made too many ticks: no line is so bad.
func (w *world) slander(n *node) error {
	if w.plan.amnesia {
		return nil // who forgets what it voted for cannot be told from who lies
	}
	for _, c := range n.ledger.Charges() {
		if p := w.byID[c.Node]; p != nil && p.liar == nil && (n.ledger.Unfit(c.Node, n.clock(), true) || c.Misdeed == order.Overticked && c.Strikes > 0) {
			return fmt.Errorf("node %d wants honest node %d replaced, or deposed: %s, %d times, %s", n.i, p.i, c.Misdeed, c.Count, c.Evidence)
		}
	}
	return nil
}

// replaceLiar plans the saboteur's replacement once the leading controller has seen enough.
func (w *world) replaceLiar() {
	if w.plan.lies == "" || len(w.plan.stages) > 1 {
		return
	}
	liar := w.nodes[w.plan.liar]
	if w.agreed() < rooms.Quorum(len(w.plan.stages[0])) {
		return // what only one of them has seen replaces nobody
	}
	for _, n := range w.honest() {
		if n.up && n.ctl != nil && n.ctl.Leader() == n.id && n.ledger.Unfit(liar.id, n.clock(), false) {
			w.tr.say(w.now, "node %d wants the saboteur replaced", n.i)
			next := []int{4}
			for i := range 4 {
				if i != w.plan.liar {
					next = append(next, i)
				}
			}
			w.plan.stages = append(w.plan.stages, next)
			w.st.replaced++
			w.wanted = w.st.crashes
			return
		}
	}
}

// forgotten reports whether the next stage is a replacement that too few agree to any more since somebody crashed: charges are kept in memory only, and a
// saboteur that has nothing left to do is not caught again.
func (w *world) forgotten() bool {
	return w.plan.lies != "" && w.st.crashes > w.wanted && w.agreed() < rooms.Quorum(len(w.plan.stages[0])) && !slices.ContainsFunc(w.nodes, func(n *node) bool {
		return slices.ContainsFunc(n.outbox, func(s *wish) bool { _, ok := s.body.(*rooms.Reconfigure); return ok })
	})
}

// agreed counts the honest controllers that would endorse the saboteur's replacement.
func (w *world) agreed() int {
	n := 0
	for _, i := range w.plan.stages[0] {
		if w.endorses(w.nodes[i]) {
			n++
		}
	}
	return n
}

// endorses reports whether a controller agrees to the next stage.
func (w *world) endorses(n *node) bool {
	return w.plan.lies == "" || w.recovered || n.liar == nil && n.ledger.Unfit(w.nodes[w.plan.liar].id, n.clock(), true)
}

// noticed reports whether an honest node has struck the saboteur.
func (w *world) noticed() bool {
	if w.plan.lies == "" {
		return false
	}
	for _, n := range w.honest() {
		for _, c := range n.ledger.Charges() {
			if c.Node == w.nodes[w.plan.liar].id && c.Strikes > 0 {
				return true
			}
		}
	}
	return false
}
