package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
	"warren/rooms/order"
)

// Kinds of records in the Raft table: room ‖ kind ‖ index BE.
const (
	kindBorn     = 0
	kindEntry    = 1
	kindHard     = 2
	kindSnapshot = 3
	kindSigned   = 4
	kindEnd      = 5
)

func raftKey(room rooms.RoomID, kind byte, index uint64) []byte {
	return binary.BigEndian.AppendUint64(append(append(make([]byte, 0, 41), room[:]...), kind), index)
}

// recordChanges turns a controller's record into steps of a write that add up to what order.Restored.Apply does.
func recordChanges(room rooms.RoomID, rec *order.Record) []Change {
	value := rooms.Marshal(rec)
	put := func(kind byte, index uint64) Change {
		return Change{Table: Raft, Key: raftKey(room, kind, index), Value: value}
	}
	switch {
	case rec.Born != nil:
		return []Change{{Table: Raft, Key: raftKey(room, kindEntry, 0), To: raftKey(room, kindSigned, 0)}, put(kindBorn, 0)}
	case rec.Snapshot != nil:
		to := raftKey(room, kindEntry, rec.Snapshot.Index+1)
		if rec.Snapshot.Reset {
			to = raftKey(room, kindHard, 0)
		}
		return []Change{{Table: Raft, Key: raftKey(room, kindEntry, 0), To: to}, put(kindSnapshot, 0)}
	case rec.Entry != nil:
		return []Change{
			{Table: Raft, Key: raftKey(room, kindEntry, rec.Entry.Index+1), To: raftKey(room, kindHard, 0)}, put(kindEntry, rec.Entry.Index),
		}
	case rec.Hard != nil:
		return []Change{put(kindHard, 0)}
	case rec.Signed != nil:
		return []Change{put(kindSigned, rec.Signed.Height)}
	}
	return nil
}

// dropSigned deletes the promises up to a height that is certified: nothing will be signed there again.
func dropSigned(room rooms.RoomID, height uint64) []Change {
	return []Change{{Table: Raft, Key: raftKey(room, kindSigned, 0), To: raftKey(room, kindSigned, height+1)}}
}

// restored reads what this node stored as a controller of the room.
func (r *Replica) restored() (*order.Restored, error) {
	out := &order.Restored{}
	for _, kind := range []byte{kindSigned, kindBorn, kindSnapshot, kindHard, kindEntry} {
		from := raftKey(r.id, kind, 0)
		for {
			list, err := r.h.cfg.Store.Range(Raft, from, raftKey(r.id, kind+1, 0), pullCount, false)
			if err != nil {
				return nil, err
			}
			for _, e := range list {
				var rec order.Record
				if err := rooms.Unmarshal(e.Value, &rec); err != nil {
					return nil, fmt.Errorf("controller's record on disk: %w", err)
				}
				out.Apply(&rec)
			}
			if len(list) < pullCount {
				break
			}
			from = append(list[len(list)-1].Key, 0)
		}
	}
	return out, nil
}

// control starts this node's controller, as the room's state asks: for one of the controllers, for a newcomer that has caught up, and for one that
// was a controller and has not been dismissed yet: the others may need its vote until a majority knows durably that they do not.
func (r *Replica) control(boot bool) {
	if r.ctl != nil || r.broken != nil {
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
	start, from := r.epochStart()
	if r.chain.Epoch > 1 {
		founding = r.chain.Unbegun() && from > r.h.cfg.Since && slices.Contains(base.Controllers, r.h.self)
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

// foundTogether makes one of the founding controllers lead as soon as enough others are there, instead of after a time-out. Each try
// gets twice the time of the one before: votes take a round trip, and a new try makes those under way worthless.
func (r *Replica) foundTogether(now time.Time) {
	if !r.founding || r.ctl == nil || now.Before(r.foundNext) {
		return
	}
	if !r.leader.IsZero() || r.chain.Height > 0 || r.foundWait > r.h.cfg.Election {
		r.founding = false // or the usual elections settle it
		return
	}
	r.foundWait = max(2*r.foundWait, r.h.cfg.Tick)
	r.foundNext = now.Add(r.foundWait)
	r.ctl.Campaign(r.h.Now())
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
	data, err := r.h.cfg.Store.Get(Decisions, roomKey(r.id, height))
	var d rooms.Decision
	if err != nil || data == nil || rooms.Unmarshal(data, &d) != nil {
		return rooms.Hash{}, false
	}
	return d.Header.Payload, true
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
				r.fail(fmt.Errorf("store: %w", err))
				return
			}
		}
		for _, m := range rd.Messages {
			r.sendOrder(m)
		}
		for i := range rd.Decisions {
			if d := &rd.Decisions[i]; d.Header.Height == r.chain.Height+1 {
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

// give is the controller's Submit; while the room wakes and another node is about to lead it, the answer names that one.
func (r *Replica) give(req *rooms.Request) order.Answer {
	a := r.ctl.Submit(r.h.Now(), req)
	if first := r.ledBy(); a.Kind == errs.Frozen && !first.IsZero() {
		return order.Answer{Leader: first}
	}
	return a
}

// submitHere gives a request to this node's own controller, which may pass it to the leader. false: it cannot be taken now.
func (r *Replica) submitHere(req *rooms.Request, from rooms.NodeID) bool {
	a := r.give(req)
	if a.Queued {
		return true
	}
	if a.Kind == errs.OK && !a.Leader.IsZero() && a.Leader != r.h.self {
		// Not the leader: it is passed on. The leader answers to the request's device.
		return r.tell(a.Leader, frameSubmit, rooms.Marshal(req))
	}
	if from != r.h.self {
		r.answerTo(from, answer{ID: req.ID(), Kind: a.Kind, Leader: a.Leader, Next: a.Expected})
	}
	return false
}

// submitFrom takes a request from another node.
func (r *Replica) submitFrom(from rooms.NodeID, req *rooms.Request, data []byte) {
	r.wakeUp()
	if r.ctl == nil {
		r.answerTo(from, answer{ID: req.ID(), Kind: errs.NotFound, Leader: r.leader})
		return
	}
	a := r.give(req)
	switch {
	case a.Queued:
		if req.Device != from && slices.Contains(r.controllers(), from) {
			from = req.Device // passed on by a backup
		}
		r.answerTo(from, answer{ID: req.ID(), Leader: r.h.self})
	case a.Kind == errs.OK && !a.Leader.IsZero() && a.Leader != r.h.self:
		if req.Device == from { // passed on once, not in circles
			r.tell(a.Leader, frameSubmit, data)
			r.answerTo(from, answer{ID: req.ID(), Leader: a.Leader})
		}
	default:
		r.answerTo(from, answer{ID: req.ID(), Kind: a.Kind, Leader: a.Leader, Next: a.Expected})
	}
}

func (r *Replica) answerTo(to rooms.NodeID, a answer) {
	if to == r.h.self {
		r.answered(to, a)
		return
	}
	r.tell(to, frameAnswer, rooms.Marshal(a))
}

// answered takes a controller's word on a request of this node. It decides nothing, verdicts do: it only tells where to turn to.
func (r *Replica) answered(from rooms.NodeID, a answer) {
	if !slices.Contains(r.orderers(), from) && from != r.h.self {
		return
	}
	if r.ctl == nil && !a.Leader.IsZero() && r.h.alive(a.Leader) { // a backup may not have noticed yet that its leader is down
		r.setLeader(a.Leader)
	}
}

// lostController lets a backup campaign at once when the leader's node went down, one after the other by rank.
func (r *Replica) lostController(id rooms.NodeID) {
	if id != r.leader && (id != r.lastLed || !r.leader.IsZero()) { // who has campaigned already has made the others forget who led
		return
	}
	if r.ctl == nil {
		r.setLeader(rooms.NodeID{})
		r.out.resendSoon()
		return
	}
	r.ctl.Lost(id) // so that it votes for whoever is first
	rank := 0
	for _, c := range r.controllers() {
		if c == r.h.self {
			break
		}
		if c != id && r.h.alive(c) {
			rank++
		}
	}
	if rank == 0 {
		r.ctl.Campaign(r.h.Now())
		return
	}
	r.campaignAt = time.Now().Add(time.Duration(rank) * 3 * r.h.cfg.Tick)
}

// tickCampaign lets a backup of a lower rank campaign when its turn has come and nobody leads yet.
func (r *Replica) tickCampaign(now time.Time) {
	if r.campaignAt.IsZero() || now.Before(r.campaignAt) {
		return
	}
	r.campaignAt = time.Time{}
	if r.leader.IsZero() || !r.h.alive(r.leader) { // zero: one before this had its turn, and did not win
		r.ctl.Campaign(r.h.Now())
	}
}

// tick lets time pass.
func (r *Replica) tick(now time.Time) {
	if parked := r.tickPark(now); r.ctl != nil && !parked {
		// A loaded machine loses ticks. One missed tick is one less towards an election: late is better than needless.
		r.ctl.Tick(now.UnixMilli())
		r.foundTogether(now)
		r.tickCampaign(now)
		r.tickWaking(now)
		r.setLeader(r.ledBy())
		r.tickLedger()
	}
	if r.newestDir() != r.dirSeen {
		r.directoryAdvanced()
	}
	r.tickOutbox(now)
	r.tickFrozen(now)
	r.tickFollow(now)
	r.tickFill(now)
	r.tickSteward(now)
	r.tickIdle(now)
	r.tickRest(now)
}

// tickIdle closes a copy that nobody here needs: no controller, nobody who watches, no wish under way.
func (r *Replica) tickIdle(now time.Time) {
	if r.directory || r.ctl != nil || r.recruit != nil || r.watchers() > 0 || len(r.out.pending) > 0 || len(r.syncs) > 0 {
		r.lastUse = now
		return
	}
	if now.Sub(r.lastUse) < idleClose {
		return
	}
	r.h.cfg.Store.WriteLater([]Change{{Table: Held, Key: r.id[:]}})
	r.cancel() // who wants it meanwhile waits until it has ended
}
