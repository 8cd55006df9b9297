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
	w     *world
	i     int
	id    rooms.NodeID
	skew  int64 // ms its clock is off
	up    bool
	life  int // crashes so far
	ticks int
	dir   uint64

	learned uint64 // version of the directory that the chain was told of
	end     endings
	halted  bool // its controller waits for the new epoch
	fate    fate
	apart   bool // cut off from all who are not

	ctl      *order.Controller
	ledger   *order.Ledger // of its controllers since it was started
	liar     *liar         // the dishonest part; nil: honest
	newcomer bool          // asked to become a controller
	storing  bool
	flight   *order.Ready // being stored

	// On disk.
	disk   *order.Restored
	log    records
	signed map[place]rooms.Hash // every promise ever made durable
	ended  uint64               // the newest epoch in which it promised, durably, to sign nothing more
	stated uint64               // the newest epoch at whose end it gave a statement

	// In memory.
	chain    *rooms.Chain // certified; as high as held
	newer    []records    // the log after each write that is not durable yet: a crash leaves one of them, or the log
	unpacked bool         // ticks came since the last checkpoint
	beatAt   int64        // ms of its clock, for which the room's next tick is set; 0: it is not

	hint     rooms.NodeID // who seems to lead
	pulling  bool
	outbox   []*wish
	nextSend int64
	counted  uint64 // own requests that took their counter, in those
	ackedAt  uint64 // height up to which the log has been looked through
}

func newNode(w *world, i int) *node {
	n := &node{w: w, i: i, disk: &order.Restored{}, ledger: order.NewLedger(), signed: map[place]rooms.Hash{}, skew: int64(w.rng.IntN(400)) - 200}
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
	n.learnEpochs()
	n.manage()
	if n.ctl != nil {
		n.ctl.Tick(n.clock())
		n.feed()
		n.pump()
	}
	n.liar.tick()
	n.flush()
	if n.ticks++; n.ticks%endEvery == 0 {
		if n.tickEnding(); n.ctl != nil && n.ctl.Leader() == n.id {
			n.tellTown(n.scene())
		}
	}
	if n.w.now >= n.nextSend {
		n.sendWishes()
	}
	if n.w.rng.IntN(6) == 0 {
		n.pull(n.w.nodes[n.w.rng.IntN(len(n.w.nodes))])
	}
}

// manage starts and stops the controller, as the certified chain says.
func (n *node) manage() {
	if !n.up {
		return // it crashed while it learned of an epoch
	}
	wanted := slices.Contains(n.chain.Machine.Base().Controllers, n.id)
	switch {
	case n.ctl == nil && !n.halted && (wanted || n.newcomer || n.disk.Alive):
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
	dir := n.w.view(n.dir)
	cfg := order.Config{
		Self: n.id, Key: keys[n.i], Chain: chain, Verify: n.w.verify, CheckSignature: n.w.checkSig, PayloadHash: n.payload,
		Restored: n.disk.Clone(), Incarnation: uint64(n.w.now) + 1, Founding: slices.Contains(n.w.town.records[0].rec.Controllers, n.id), Voters: n.w.town.records[0].rec.Controllers,
		Keep: n.w.plan.keep, HeartbeatTicks: 1, ElectionTicks: 6, Rand: n.w.rng.IntN, Ledger: n.ledger, Tamper: n.liar.tamper(), Pace: n.liar.pace(),
	}
	if chain.Epoch > 1 {
		cfg.Start, _ = chain.Started(dir)
		cfg.Founding, cfg.Voters, cfg.Begin = order.Founds(chain, n.id), slices.Clone(chain.Machine.Base().Controllers), chain.Beginning(dir)
	}
	n.ctl, err = order.New(cfg)
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

func (n *node) view(v uint64) (rooms.View, bool) {
	if v > n.dir {
		return nil, false
	}
	return n.w.view(v), true
}

func (n *node) learnDirectory(v uint64) {
	if !n.up || n.apart {
		if !n.gone() {
			n.w.after(500, func() { n.learnDirectory(v) })
		}
		return
	}
	n.reaches(v)
}

// reaches takes a version of the directory.
func (n *node) reaches(v uint64) {
	n.dir = max(n.dir, v)
	n.learnEpochs()
	if n.ctl != nil {
		n.tellDirectory()
		n.pump()
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
	n.setBeat()
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
		n.accept(n, d)
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

// stored is the disk's answer.
func (n *node) stored(rd *order.Ready) {
	n.storing, n.flight = false, nil
	ctl := n.ctl
	n.write(rd)
	if n.w.err != nil || n.ctl == nil || n.ctl != ctl { // the decisions may have led to another epoch
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

// feed tells the controller what the replica knows and it does not.
func (n *node) feed() {
	for n.ctl != nil {
		s := n.ctl.Status()
		if s.Broken != nil || s.Certified >= n.chain.Height {
			return
		}
		if d := rooms.Covering(n.held(), s.Certified+1); d == nil || n.ctl.Certified(d) != nil {
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
		if from.apart { // who is cut off from the directory has its log from others
			dir := from.dir
			n.w.send(from, n, 8, func() { n.reaches(dir) })
		}
		ds := from.serves(want)
		if len(ds) == 0 {
			return
		}
		n.w.send(from, n, 1000, func() {
			n.pulling = false
			taken := 0
			for _, d := range ds {
				if d.Header.Height <= n.chain.Height || d.Low() > n.chain.Height+1 {
					continue
				}
				if !n.accept(from, d) {
					break
				}
				taken++
				if d.Ticks != nil {
					n.w.st.unpacked++
				}
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
	if start, headers := n.chain.Carried(); n.ctl != nil && len(n.chain.Ahead()) > 0 {
		n.ctl.Carry(start, headers)
		n.pump()
	}
}
