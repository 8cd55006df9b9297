package main

import "warren/rooms/order"

// crash loses all memory and whatever was not durable; a write under way is lost or done.
func (n *node) crash() {
	w := n.w
	w.st.crashes++
	dir := n.chain.Dir
	done := false
	rd := n.flight
	if n.flight = nil; n.storing {
		if done = w.rng.IntN(2) == 0; done {
			n.write(rd)
		} else {
			w.st.cuts++
		}
	}
	w.tr.add(w.now, 'c', n.i, 0, nil)
	w.tr.say(w.now, "node %d crashes; a write was under way: %v, done: %v", n.i, n.storing, done)
	n.up, n.ctl, n.storing, n.flight, n.pulling = false, nil, false, nil, false
	n.ledger = order.NewLedger()
	n.end = endings{stall: order.Stall{Patience: n.end.stall.Patience}}
	n.life++
	if lost := len(n.newer) > 0; lost || len(w.town.epochs()) > 0 {
		n.loseWrites()
		n.chain = n.replay(n.log.top())
	}
	n.unpacked = false
	if w.plan.amnesia {
		n.loseSynced()
	}
	n.dir = min(n.dir, max(w.town.base, dir, n.dir-uint64(w.rng.IntN(2))))
}

// loseSynced takes votes and the tail of the log from the disk, as a disk would that lies about what it has synced. Promises stay.
func (n *node) loseSynced() {
	d, rng := n.disk, n.w.rng
	if k := len(d.Entries); k > 0 {
		d.Entries = d.Entries[:k-rng.IntN(min(k, 6)+1)]
	}
	if d.Hard != nil && d.Snapshot != nil {
		h := *d.Hard
		h.Commit = min(h.Commit, d.Snapshot.Index+uint64(len(d.Entries)))
		if rng.IntN(2) == 0 {
			h.Vote = 0
		}
		d.Hard = &h
	}
}

func (n *node) bootLater() {
	n.w.after(int64(20+n.w.rng.IntN(2500)), func() {
		if !n.up && !n.away() {
			n.boot()
		}
	})
}

func (n *node) boot() {
	n.w.st.restarts++
	n.w.tr.add(n.w.now, 'b', n.i, 0, nil)
	n.w.tr.say(n.w.now, "node %d restarts", n.i)
	n.up, n.halted = true, false
	n.w.after(int64(n.w.rng.IntN(300)), func() { n.learnDirectory(n.w.town.top) })
	if len(n.w.town.epochs()) > 0 { // what the chain knew of epochs was in memory
		n.load()
		n.recount()
		n.learned = n.dir
	}
	n.manage()
}
