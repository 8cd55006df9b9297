package replica

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
	"warren/rooms/order"
)

// control starts this node's controller, as the room's state asks: for one of the controllers, for a newcomer that has caught up, and for one that
// was a controller and has not been dismissed yet: the others may need its vote until a majority knows durably that they do not.
func (r *Replica) control(boot bool) {
	if _, doubt := r.chain.Doubt(); doubt || r.ctl != nil || r.broken != nil {
		return
	}
	if slices.Contains(r.controllers(), r.h.self) || r.recruit != nil && r.recruit.caughtUp || boot && r.undismissed() {
		if err := r.startController(); err != nil {
			r.h.log.Error("this node cannot control the room", "room", r.id.Short(), "err", err)
		}
	}
}

// undismissed reports whether the disk holds a controller's life that was not ended.
func (r *Replica) undismissed() bool {
	stored, err := r.restored()
	return err == nil && stored.Alive && stored.Snapshot != nil
}

func (r *Replica) startController() error {
	stored, err := r.restored()
	if err != nil {
		return err
	}
	base := r.chain.Machine.Base()
	founding := r.chain.Height == 0 && base.Since == 0 && slices.Contains(base.Controllers, r.h.self) && !stored.Alive && stored.Incarnation == 0 && r.foundable()
	start, from := r.chain.Started(r.h.view(r.h.dirHeight()))
	if r.chain.Epoch > 1 {
		founding = order.Founds(r.chain, r.h.self) && from > r.h.cfg.Since
	}
	cfg := order.Config{
		Self: r.h.self, Key: r.h.cfg.Key, Verify: r.h.sigs.check, PayloadHash: r.payloadHash, Restored: stored,
		Incarnation: max(uint64(r.h.Now()), stored.Incarnation+1), Founding: founding, Voters: slices.Clone(base.Controllers),
		Start: start, Begin: r.chain.Beginning(r.h.view(r.h.dirHeight())),
		HeartbeatTicks: max(1, int(r.h.cfg.Heartbeat/r.h.cfg.Tick)), ElectionTicks: max(2, int(r.h.cfg.Election/r.h.cfg.Tick)),
		Rand: rand.IntN, Log: r.h.log.With("room", r.id.Short()), Ledger: r.ledger,
	}
	for range 2 {
		// The controller runs ahead on a copy of its own; what people see moves with certificates only.
		if cfg.Chain, err = rooms.RestoreChain(r.chain.Snapshot()); err != nil {
			return err
		}
		r.ctl, err = order.New(cfg)
		if err == nil {
			break
		}
		r.ctl = nil
		if !errors.Is(err, order.ErrBehind) && !errors.Is(err, order.ErrDamaged) {
			return err
		}
		r.h.log.Warn("the controller's stored state cannot be used; it comes back as a learner", "room", r.id.Short(), "err", err)
		cfg.Restored, cfg.Founding = stored.Drop(), false
	}
	if err != nil {
		return err
	}
	r.ctl.DirectoryAt(r.directoryAt, r.newestDir())
	if len(r.chain.Ahead()) > 0 {
		r.ctl.Carry(r.chain.Carried())
	}
	r.founding = founding && base.Controllers[int(r.id[0])%len(base.Controllers)] == r.h.self // spread over the nodes by the room
	return nil
}

// foundable reports whether the room is younger than this node's disk. A node that lost its disk and came back with its old key must not found
// a room anew: it may have voted in it and not know.
func (r *Replica) foundable() bool {
	if r.directory {
		return r.h.cfg.Since == 0
	}
	young := false
	r.h.Directory(func(d *rooms.Directory) { young = d.Rooms[r.id].From > r.h.cfg.Since })
	return young
}

// directoryAt gives the controller the directory's version v, if it is here.
func (r *Replica) directoryAt(v uint64) (rooms.View, bool) {
	if r.directory {
		return nil, true // it judges by its own state
	}
	return r.h.view(v), v <= r.h.dirHeight()
}

func (r *Replica) newestDir() uint64 {
	if r.directory {
		return 0
	}
	return r.h.dirHeight()
}

func (r *Replica) payloadHash(height uint64) (rooms.Hash, bool) {
	h, ok := r.h.headerAt(r.id, height)
	return h.Payload, ok
}

// dropController forgets the raft state but for what must never be forgotten: that there was a life, and what was promised.
func (r *Replica) dropController() {
	r.ctl = nil
	r.setLeader(rooms.NodeID{})
	r.h.cfg.Store.WriteLater([]Change{
		{Table: Raft, Key: raftKey(r.id, kindEntry, 0), To: raftKey(r.id, kindSigned, 0)},
	})
}

// directoryAdvanced lets decisions and batches go on that waited for the directory. The word that it has moved may get lost: ticks look too.
func (r *Replica) directoryAdvanced() {
	r.dirSeen = r.newestDir()
	r.learn()
	if r.ctl != nil {
		r.ctl.DirectoryAt(r.directoryAt, r.newestDir())
	}
	before := r.chain.Height
	if r.applyHeld(); r.chain.Height > before {
		r.hurry() // there may be more where that came from
	}
	r.checkReaders()
	r.disown()
}

// drive does what the controller wants done: store, send, show.
func (r *Replica) drive() {
	for r.ctl != nil && r.broken == nil {
		if r.out.resendDue() {
			r.resend()
		}
		rd, ok := r.ctl.Ready()
		if !ok {
			break
		}
		for _, m := range rd.Early {
			r.sendOrder(m)
		}
		if len(rd.Records)+len(rd.Decisions)+len(rd.Returned) > 0 || rd.Behind > 0 {
			r.wakeUp()
		}
		var changes []Change
		for i := range rd.Records {
			changes = append(changes, recordChanges(r.id, &rd.Records[i])...)
		}
		if len(changes) > 0 {
			if err := r.h.cfg.Store.Write(changes); err != nil {
				r.fail(fmt.Errorf("write to the disk: %w", err))
				return
			}
		}
		for _, m := range rd.Messages {
			r.sendOrder(m)
		}
		for i := range rd.Decisions {
			if d := &rd.Decisions[i]; d.Header.Height == r.chain.Height+1 && d.Header.Epoch == r.chain.Epoch { // one of them may lead to another epoch
				r.apply(d, true)
			}
		}
		for _, q := range rd.Returned {
			r.answerTo(q.Device, answer{ID: q.ID(), Kind: errs.Busy, Leader: r.leader})
		}
		if rd.Behind > r.chain.Height {
			r.catchUp(rd.BehindFrom)
		}
		if r.ctl == nil {
			break
		}
		r.ctl.Stored()
		if rd.Broken != nil {
			r.brokenController(rd.Broken)
			break
		}
		r.setLeader(r.ledBy())
		if r.waking != nil && !r.ctl.Leader().IsZero() {
			r.awoken()
		}
	}
	if r.out.resendDue() {
		r.resend()
	}
	if r.askAgain {
		r.settleSyncs(time.Now(), false)
	}
}

func (r *Replica) sendOrder(m order.Message) {
	if !r.tell(m.To, frameOrder, m.Data) && r.ctl != nil {
		r.ctl.Unreachable(m.To)
	}
}

// brokenController drops the raft state and, where the room still wants this node, comes back with a new life: signatures carry the truth, raft
// only the order.
func (r *Replica) brokenController(why error) {
	if errors.Is(why, order.ErrDismissed) {
		r.h.log.Info("this node controls the room no more", "room", r.id.Short())
	} else {
		r.h.log.Error("the controller stopped and starts anew", "room", r.id.Short(), "err", why)
	}
	r.dropController()
	r.control(false)
}

// fail stops the copy, and says so to all who wait or watch: its disk, or its state, cannot be trusted with anything more. Other rooms go on.
func (r *Replica) fail(err error) {
	r.h.log.Error("the room stops at this node", "room", r.id.Short(), "err", err)
	r.ctl, r.recruit, r.stew.change, r.stew.gone = nil, nil, nil, nil
	r.dropAside()
	r.setLeader(rooms.NodeID{})
	r.mu.Lock()
	r.broken = err
	r.mu.Unlock()
	r.dismissSubscribers()
	clear(r.held)
	r.heldBytes = 0
	r.out.fail(errs.Internal)
	r.failSyncs(errs.Internal)
	r.tickFrozen(time.Now())
}
