package main

import (
	"fmt"
	"slices"

	"warren/rooms"
	"warren/rooms/order"
)

// What a node takes for certified, and what is checked of it at once.

// write makes the records and decisions of a Ready durable.
func (n *node) write(rd *order.Ready) {
	n.flush()
	for i := range rd.Records {
		r := &rd.Records[i]
		n.w.tr.add(n.w.now, 'r', n.i, 0, rooms.Marshal(r))
		n.disk.Apply(r)
		if r.Snapshot != nil && r.Snapshot.Reset {
			n.w.st.snapshots++
		}
		if s := r.Signed; s != nil {
			n.promises(s)
		}
	}
	for i := range rd.Decisions {
		d := &rd.Decisions[i]
		if d.Header.Height <= n.chain.Height {
			if h, _ := n.headerAt(d.Header.Height); h != d.Header {
				n.w.fail(fmt.Errorf("node %d: two decisions at height %d", n.i, d.Header.Height))
			}
			continue
		}
		if !n.accept(n, d) {
			break // the room has begun anew below it meanwhile: the next one has nothing to follow
		}
	}
	n.flush()
	n.disk.Certified(n.log.top())
}

// promises keeps what a node promised, durably, and checks that it goes together.
func (n *node) promises(s *order.Signed) {
	at := place{s.Epoch, s.Height}
	old, twice := n.signed[at]
	n.signed[at] = s.Header
	switch {
	case n.liar != nil:
	case twice && old != s.Header:
		n.w.fail(fmt.Errorf("node %d signs two headers at height %d", n.i, s.Height))
	case s.Height == order.EndOfEpoch:
		n.ended = max(n.ended, s.Epoch)
	case s.Epoch <= n.ended:
		n.w.fail(fmt.Errorf("node %d signs at height %d in epoch %d, which it has ended", n.i, s.Height, s.Epoch))
	case s.Epoch <= n.stated:
		n.w.fail(fmt.Errorf("node %d signs at height %d in epoch %d, at whose end it gave a statement", n.i, s.Height, s.Epoch))
	}
}

// accept takes a certified decision into memory, which this node's controller has certified, or another node gave.
func (n *node) accept(from *node, d *rooms.Decision) bool {
	if d.Header.Dir > n.dir {
		return false // no replica applies what it cannot judge
	}
	if err := n.chain.CheckBy(d, n.w.checkSig); err != nil {
		switch {
		case n.excused(d, err):
		case from.liar != nil && from != n:
			n.w.tr.say(n.w.now, "node %d refuses what node %d gives it: %v", n.i, from.i, err)
			n.w.st.refused++
		default:
			n.w.fail(fmt.Errorf("node %d: %w", n.i, err))
		}
		return false
	}
	hash, at := d.Header.Hash(), place{d.Header.Epoch, d.Header.Height}
	for _, s := range d.Cert {
		if signer := n.w.byID[s.Node]; signer.liar == nil && signer.signed[at] != hash && !(signer == n && n.promised(d.Header.Height, hash)) && n.w.checkSig(s, hash) {
			n.w.fail(fmt.Errorf("node %d signed height %d without a durable promise", signer.i, d.Header.Height))
			return false
		}
	}
	epoch := n.chain.Epoch
	d = d.Above(n.chain.Height)
	if _, err := n.chain.Accept(d, n.w.view(d.Header.Dir), n.w.verify); err != nil {
		n.w.fail(fmt.Errorf("node %d: %w", n.i, err))
		return false
	}
	n.keep(d)
	for _, h := range d.TickHeaders() {
		n.w.certifyTick(n, &h)
	}
	n.w.certify(n, d, hash)
	n.liar.sees(d)
	if n.chain.Epoch != epoch {
		n.turned()
	}
	return true
}

// promised reports whether the promise is in what is being stored together with the decision.
func (n *node) promised(height uint64, hash rooms.Hash) bool {
	return n.flight != nil && slices.ContainsFunc(n.flight.Records, func(r order.Record) bool {
		return r.Signed != nil && r.Signed.Height == height && r.Signed.Header == hash
	})
}

// certify compares what a node takes for certified with what others did.
func (w *world) certify(n *node, d *rooms.Decision, hash rooms.Hash) {
	at := place{d.Header.Epoch, d.Header.Height}
	old, seen := w.certified[at]
	switch {
	case seen && old != hash:
		w.fail(fmt.Errorf("FORK: node %d holds another header at height %d of epoch %d", n.i, at.height, at.epoch))
	case seen:
	case at.height > 1 && !w.known[d.Header.Prev]:
		w.fail(fmt.Errorf("node %d: height %d before the one below", n.i, at.height))
	case d.Header.Time > epochStart+w.now+aheadMS:
		w.fail(fmt.Errorf("node %d: the room's time is %d s ahead at height %d", n.i, (d.Header.Time-epochStart-w.now)/1000, at.height))
	default:
		w.certified[at], w.known[hash] = hash, true
		w.st.decisions++
		w.tr.add(w.now, 'd', n.i, int(at.height)-1, hash[:])
		w.tr.say(w.now, "height %d of epoch %d certified, first at node %d: %d requests of term %d", at.height, at.epoch, n.i, len(d.Batch.Requests), d.Batch.Term)
		if d.IsTick() {
			w.ticks[hash] = true
			w.st.ticks++
		} else if d.Batch.Requests[0].Op == rooms.OpReconfigure && d.Verdicts[0] == 0 {
			w.st.reconfigurations++
			if w.plan.onChange && !n.apart {
				witness := &rooms.Witness{Room: w.room, Decision: rooms.Marshal(d)}
				w.after(0, func() { w.town.change(keys[n.i], "", witness) })
				w.after(int64(w.rng.IntN(50)), w.worst)
			}
		}
		term := place{at.epoch, d.Batch.Term}
		if lead := w.byID[d.Batch.Leader].i; len(w.leads) == 0 || w.leads[term] != lead+1 {
			w.st.takeovers++
			w.leads[term] = lead + 1
		}
	}
}
