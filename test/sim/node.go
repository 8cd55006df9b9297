package main

import (
	"errors"
	"fmt"
	"slices"

	"warren/rooms"
	"warren/rooms/order"
)

// node is one node: a replica in a few lines, with a disk that forgets.
type node struct {
	w    *world
	i    int
	id   rooms.NodeID
	skew int64 // ms its clock is off
	up   bool
	life int // crashes so far
	dir  uint64

	ctl      *order.Controller
	ledger   *order.Ledger // of its controllers since it was started
	liar     *liar         // the dishonest part; nil: honest
	newcomer bool          // asked to become a controller
	storing  bool
	flight   *order.Ready // being stored

	// On disk.
	disk   *order.Restored
	log    []rooms.Decision
	signed map[uint64]rooms.Hash // every promise ever made durable, by height

	// In memory.
	chain  *rooms.Chain     // certified; len(log)+len(staged) high
	staged []rooms.Decision // learned, not durable

	hint     rooms.NodeID // who seems to lead
	pulling  bool
	outbox   []*wish
	nextSend int64
	counted  uint64 // own requests that took their counter, in those
	ackedAt  int    // decisions of the log that have been looked through
}

func newNode(w *world, i int) *node {
	n := &node{w: w, i: i, disk: &order.Restored{}, ledger: order.NewLedger(), signed: map[uint64]rooms.Hash{}, skew: int64(w.rng.IntN(400)) - 200}
	n.id = rooms.NodeOf(keys[i].Public().(ed25519Public))
	return n
}

func (n *node) clock() int64 { return epochStart + n.w.now + n.skew }

// tick is the node's pulse.
func (n *node) tick() {
	n.w.after(tickMS, n.tick)
	if !n.up {
		return
	}
	n.manage()
	if n.ctl != nil {
		n.ctl.Tick(n.clock())
		n.feed()
		n.pump()
	}
	n.liar.tick()
	n.flush()
	if n.w.now >= n.nextSend {
		n.sendWishes()
	}
	if n.w.rng.IntN(6) == 0 {
		n.pull(n.w.nodes[n.w.rng.IntN(len(n.w.nodes))])
	}
}

// manage starts and stops the controller, as the certified chain says.
func (n *node) manage() {
	wanted := slices.Contains(n.chain.Machine.Base().Controllers, n.id)
	switch {
	case n.ctl == nil && (wanted || n.newcomer || n.disk.Alive):
		n.start()
	}
	if wanted {
		n.newcomer = false
	}
}

func (n *node) start() {
	if n.storing {
		return
	}
	chain, err := rooms.RestoreChain(n.chain.Snapshot())
	if err != nil {
		n.w.fail(err)
		return
	}
	n.ctl, err = order.New(order.Config{
		Self: n.id, Key: keys[n.i], Chain: chain, Verify: n.w.verify, CheckSignature: n.w.checkSig, PayloadHash: n.payload,
		Restored: n.disk.Clone(), Incarnation: uint64(n.w.now) + 1, Founding: slices.Contains(n.w.ids(n.w.plan.stages[0]), n.id), Voters: n.w.ids(n.w.plan.stages[0]),
		Keep: n.w.plan.keep, HeartbeatTicks: 1, ElectionTicks: 6, Rand: n.w.rng.IntN, Ledger: n.ledger, Tamper: n.liar.tamper(),
	})
	if err != nil {
		n.ctl = nil
		if n.w.plan.amnesia || n.w.plan.misled {
			n.disk = n.disk.Drop()
			return
		}
		n.w.fail(fmt.Errorf("node %d: %w", n.i, err))
		return
	}
	n.w.tr.say(n.w.now, "node %d starts its controller at height %d, incarnation %d", n.i, n.chain.Height, n.ctl.Status().Self.Incarnation)
	n.tellDirectory()
	n.pump()
}

// tellDirectory tells the controller how far this node knows the directory; a saboteur's may be left behind.
func (n *node) tellDirectory() { n.ctl.DirectoryAt(n.view, n.liar.directory(n.dir)) }

func (n *node) view(v uint64) (rooms.View, bool) { return view{n.w, v}, v <= n.dir }

func (n *node) learnDirectory(v uint64) {
	if !n.up {
		n.w.after(500, func() { n.learnDirectory(v) })
		return
	}
	n.dir = max(n.dir, v)
	if n.ctl != nil {
		n.tellDirectory()
		n.pump()
	}
}

func (n *node) payload(height uint64) (rooms.Hash, bool) {
	d := n.at(height)
	if d == nil {
		return rooms.Hash{}, false
	}
	return d.Header.Payload, true
}

// at returns the certified decision at a height.
func (n *node) at(height uint64) *rooms.Decision {
	switch i := int(height) - 1; {
	case i < 0 || i >= len(n.log)+len(n.staged):
		return nil
	case i < len(n.log):
		return &n.log[i]
	default:
		return &n.staged[i-len(n.log)]
	}
}

// pump does what the controller wants done: it stores one Ready at a time.
func (n *node) pump() {
	for n.ctl != nil && !n.storing && n.w.err == nil {
		rd, ok := n.ctl.Ready()
		if !ok {
			return
		}
		if errors.Is(rd.Broken, order.ErrDismissed) || (n.w.plan.amnesia || n.w.plan.misled || n.liar != nil) && rd.Broken != nil {
			n.w.tr.say(n.w.now, "node %d: %v", n.i, rd.Broken)
			if !errors.Is(rd.Broken, order.ErrDismissed) {
				n.w.st.broken++
			}
			n.ctl, n.disk, n.pulling = nil, n.disk.Drop(), false
			n.life++
			return
		}
		if rd.Broken != nil {
			n.w.fail(fmt.Errorf("node %d: %w", n.i, rd.Broken))
			return
		}
		n.sendAll(rd.Early)
		n.storing, n.flight = true, &rd
		if p := n.w.plan.cutWrites; p > 0 && !n.w.healed && len(rd.Records) > 0 && n.w.rng.IntN(p) == 0 {
			n.crash()
			n.bootLater()
			return
		}
		delay := 0
		if n.w.plan.slowDisk > 0 && len(rd.Records) > 0 {
			delay = n.w.rng.IntN(n.w.plan.slowDisk)
		}
		if delay == 0 {
			n.stored(&rd)
			continue
		}
		life := n.life
		n.w.after(int64(delay), func() {
			if n.life == life && n.up {
				n.stored(&rd)
				n.pump()
			}
		})
	}
}

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
			if old, ok := n.signed[s.Height]; ok && old != s.Header && n.liar == nil {
				n.w.fail(fmt.Errorf("node %d signs two headers at height %d", n.i, s.Height))
			}
			n.signed[s.Height] = s.Header
		}
	}
	for i := range rd.Decisions {
		d := &rd.Decisions[i]
		if d.Header.Height <= n.chain.Height {
			if n.at(d.Header.Height).Header.Hash() != d.Header.Hash() {
				n.w.fail(fmt.Errorf("node %d: two decisions at height %d", n.i, d.Header.Height))
			}
			continue
		}
		n.accept(d)
	}
	n.flush()
	n.disk.Certified(uint64(len(n.log)))
}

// stored is the disk's answer.
func (n *node) stored(rd *order.Ready) {
	n.storing, n.flight = false, nil
	n.write(rd)
	if n.w.err != nil {
		return
	}
	n.ctl.Stored()
	n.sendAll(rd.Messages)
	n.acknowledge()
	if rd.Behind > 0 {
		n.w.tr.say(n.w.now, "node %d is behind: at %d, wants %d", n.i, n.chain.Height, rd.Behind)
		if p := n.w.byID[rd.BehindFrom]; p != nil {
			n.pull(p)
		}
	}
}

// accept takes a certified decision into memory.
func (n *node) accept(d *rooms.Decision) bool {
	if d.Header.Dir > n.dir {
		return false // no replica applies what it cannot judge
	}
	if err := n.w.checkDecision(n.chain, d); err != nil {
		n.w.fail(fmt.Errorf("node %d: %w", n.i, err))
		return false
	}
	hash := d.Header.Hash()
	for _, s := range d.Cert {
		if signer := n.w.byID[s.Node]; signer.liar == nil && signer.signed[d.Header.Height] != hash && !(signer == n && n.promised(d.Header.Height, hash)) {
			n.w.fail(fmt.Errorf("node %d signed height %d without a durable promise", signer.i, d.Header.Height))
			return false
		}
	}
	if _, err := n.chain.Accept(d, view{n.w, d.Header.Dir}, n.w.verify); err != nil {
		n.w.fail(fmt.Errorf("node %d: %w", n.i, err))
		return false
	}
	n.staged = append(n.staged, *d)
	n.w.canonical(n, d, hash)
	return true
}

// promised reports whether the promise is in what is being stored together with the decision.
func (n *node) promised(height uint64, hash rooms.Hash) bool {
	return n.flight != nil && slices.ContainsFunc(n.flight.Records, func(r order.Record) bool {
		return r.Signed != nil && r.Signed.Height == height && r.Signed.Header == hash
	})
}

// canonical compares with what others hold at the height.
func (w *world) canonical(n *node, d *rooms.Decision, hash rooms.Hash) {
	i := int(d.Header.Height) - 1
	switch {
	case i == len(w.canon):
		w.canon = append(w.canon, hash)
		w.st.decisions++
		w.tr.add(w.now, 'd', n.i, i, hash[:])
		w.tr.say(w.now, "height %d certified, first at node %d: %d requests of term %d", i+1, n.i, len(d.Batch.Requests), d.Batch.Term)
		if d.Batch.Requests[0].Op == rooms.OpReconfigure && d.Verdicts[0] == 0 {
			w.st.reconfigurations++
		}
		if lead := w.byID[d.Batch.Leader].i; len(w.leads) == 0 || w.leads[d.Batch.Term] != lead+1 {
			w.st.takeovers++
			w.leads[d.Batch.Term] = lead + 1
		}
	case i > len(w.canon):
		w.fail(fmt.Errorf("node %d: height %d before the one below", n.i, i+1))
	case w.canon[i] != hash:
		w.fail(fmt.Errorf("FORK: node %d holds another header at height %d", n.i, i+1))
	}
}

// flush makes what was learned durable.
func (n *node) flush() {
	if len(n.staged) == 0 {
		return
	}
	n.log = append(n.log, n.staged...)
	n.staged = nil
	n.acknowledge()
}

// feed tells the controller what the replica knows and it does not.
func (n *node) feed() {
	for n.ctl != nil {
		s := n.ctl.Status()
		if s.Broken != nil || s.Certified >= n.chain.Height {
			return
		}
		if n.ctl.Certified(n.at(s.Certified+1)) != nil {
			return
		}
	}
}

// pull asks a node for the decisions above this node's head.
func (n *node) pull(from *node) {
	if from == n || n.pulling {
		return
	}
	n.pulling = true
	life := n.life
	n.w.after(400, func() {
		if n.life == life {
			n.pulling = false
		}
	})
	want := n.chain.Height + 1
	n.w.send(n, from, 8, func() {
		var ds []*rooms.Decision
		for h := want; h <= uint64(len(from.log)) && len(ds) < 16; h++ {
			ds = append(ds, &from.log[h-1])
		}
		if len(ds) == 0 {
			return
		}
		n.w.send(from, n, 1000, func() {
			n.pulling = false
			taken := 0
			for _, d := range ds {
				if d.Header.Height != n.chain.Height+1 {
					continue
				}
				if !n.accept(d) {
					break
				}
				taken++
			}
			if taken > 0 {
				n.w.st.catchUps++
			}
			n.feed()
			n.pump()
		})
	})
}

func (n *node) sendAll(ms []order.Message) {
	for _, m := range n.liar.out(ms) {
		to := n.w.byID[m.To]
		if to == nil {
			continue
		}
		n.w.send(n, to, len(m.Data), func() {
			n.w.tr.add(n.w.now, 'm', n.i, to.i, m.Data)
			if to.ctl == nil || to.liar.swallows(n, m.Data) {
				return
			}
			if err := to.ctl.Step(to.clock(), n.id, m.Data); err != nil {
				to.w.tr.say(to.w.now, "node %d refuses a message of node %d: %v", to.i, n.i, err)
			}
			to.feed()
			to.pump()
		})
	}
}

// crash loses all memory and whatever was not durable; a write under way is lost or done.
func (n *node) crash() {
	w := n.w
	w.st.crashes++
	done := false
	if n.storing {
		if done = w.rng.IntN(2) == 0; done {
			n.write(n.flight)
		} else {
			w.st.cuts++
		}
	}
	w.tr.add(w.now, 'c', n.i, 0, nil)
	w.tr.say(w.now, "node %d crashes; a write was under way: %v, done: %v", n.i, n.storing, done)
	n.up, n.ctl, n.storing, n.flight, n.pulling = false, nil, false, nil, false
	n.ledger = order.NewLedger()
	n.life++
	if len(n.staged) > 0 {
		n.staged = nil
		n.chain = w.genesis()
		for i := range n.log {
			if _, err := n.chain.Accept(&n.log[i], view{w, n.log[i].Header.Dir}, w.verify); err != nil {
				w.fail(err)
			}
		}
	}
	if w.plan.amnesia {
		n.loseSynced()
	}
	n.dir = min(n.dir, max(n.chain.Dir, n.dir-min(n.dir, uint64(w.rng.IntN(2)))))
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
		if !n.up {
			n.boot()
		}
	})
}

func (n *node) boot() {
	n.w.st.restarts++
	n.w.tr.add(n.w.now, 'b', n.i, 0, nil)
	n.w.tr.say(n.w.now, "node %d restarts", n.i)
	n.up = true
	n.w.after(int64(n.w.rng.IntN(300)), func() { n.learnDirectory(n.w.dirTop) })
	n.manage()
}
