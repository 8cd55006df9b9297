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
	if len(n.chain.Ahead()) > 0 {
		n.ctl.Carry(n.chain.Carried())
	}
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
