package main

import (
	"slices"

	"warren/rooms/order"
)

// What goes wrong in a schedule, until all heals.

// heal ends all faults for good.
func (w *world) heal() {
	w.tr.say(w.now, "heal")
	w.healed = true
	clear(w.cut)
	for _, n := range w.nodes {
		n.end.stall.Patience = 0
		if !n.up && !n.away() {
			n.boot()
		}
	}
	if !w.plan.amnesia {
		w.after(1000, w.recovers)
	}
}

func (w *world) crashes() {
	if w.healed {
		return
	}
	if n := w.nodes[w.rng.IntN(len(w.nodes))]; n.up {
		n.crash()
		n.bootLater()
	}
	w.after(int64(w.rng.IntN(2*w.plan.crashEvery)), w.crashes)
}

// forgets makes a node lose its raft state, but not what it signed, nor what is certified: as when it gives them up after a divergence. It
// does so only when the last one that did is back, since a majority that forgets is more than raft can bear.
func (w *world) forgets() {
	if w.healed {
		return
	}
	w.after(int64(300+w.rng.IntN(2500)), w.forgets)
	lead := w.settled()
	if next := min(w.stage+1, len(w.plan.stages)-1); lead == nil || len(w.plan.stages[next]) < 3 {
		return
	}
	members := lead.ctl.Status().Members
	n := w.nodes[w.rng.IntN(len(w.nodes))]
	if n.up && n.ctl != nil && len(members) >= 3 && slices.Contains(lead.chain.Machine.Base().Controllers, n.id) {
		w.tr.say(w.now, "node %d forgets its raft state", n.i)
		w.st.forgotten++
		n.crash()
		n.disk = n.disk.Drop()
		n.bootLater()
	}
}

// settled returns a leader whose members all live the life that their disks know, nil when there is none.
func (w *world) settled() *node {
	for _, n := range w.nodes {
		if !n.up || n.ctl == nil {
			continue
		}
		s := n.ctl.Status()
		if s.Role != order.Leader || !s.Settled || !s.Sealed {
			continue
		}
		ok := true
		for _, m := range s.Members {
			p := w.byID[m.Node]
			ok = ok && m.Voter && p.disk.Alive && p.disk.Incarnation == m.Incarnation
		}
		for _, p := range w.nodes { // an older leader may not know
			ok = ok && (p.ctl == nil || p.ctl.Status().Term <= s.Term)
		}
		if ok {
			return n
		}
	}
	return nil
}

// partitions cuts some nodes off, both ways or one way, for a while.
func (w *world) partitions() {
	if w.healed {
		return
	}
	w.st.partitions++
	side := w.rng.IntN(1 << len(w.nodes))
	oneWay := w.rng.IntN(3) == 0
	var cuts [][2]int
	for a := range w.nodes {
		for b := range w.nodes {
			if side>>a&1 == 1 && side>>b&1 == 0 {
				cuts = append(cuts, [2]int{a, b})
				if !oneWay {
					cuts = append(cuts, [2]int{b, a})
				}
			}
		}
	}
	for _, c := range cuts {
		w.cut[c] = true
	}
	w.tr.say(w.now, "partition %05b one way %v", side, oneWay)
	w.after(int64(100+w.rng.IntN(3000)), func() {
		for _, c := range cuts {
			delete(w.cut, c)
		}
		w.tr.say(w.now, "partition %05b ends", side)
	})
	w.after(int64(w.rng.IntN(2*w.plan.cutEvery)), w.partitions)
}

// directoryGrows makes a new version, which nodes learn of at different times.
func (w *world) directoryGrows() {
	if w.healed || w.town.grown >= 6 {
		return
	}
	w.town.grow()
	w.town.spread()
	w.after(int64(w.rng.IntN(2500)), w.directoryGrows)
}

// send puts a message on the network.
func (w *world) send(from, to *node, size int, arrive func()) {
	if from == to {
		w.after(0, arrive)
		return
	}
	if from.apart != to.apart || w.cut[[2]int{from.i, to.i}] || !w.healed && w.rng.IntN(1000) < w.plan.loss {
		w.st.lost++
		return
	}
	times := 1
	if !w.healed && w.rng.IntN(1000) < w.plan.double {
		times = 2
		w.st.doubled++
	}
	delay := w.plan.delay
	if w.healed {
		delay = min(delay, 20)
	}
	for range times {
		life := to.life
		w.after(int64(1+w.rng.IntN(delay)), func() {
			if to.up && to.life == life && from.apart == to.apart && !w.cut[[2]int{from.i, to.i}] {
				arrive()
			}
		})
	}
}
