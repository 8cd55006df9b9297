package replica

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
	"warren/rooms/order"
)

// Replica is one copy of a room, or of the directory. Exported methods are safe for concurrent use.
type Replica struct {
	h         *Host
	id        rooms.RoomID
	directory bool

	ctx     context.Context
	cancel  context.CancelFunc
	done    chan struct{}
	in      inbox
	ticks   chan struct{}
	dropped atomic.Uint64 // frames that found the inbox full
	quiet   atomic.Bool   // it needs few ticks

	mu     sync.RWMutex // guards what readers see; only the loop writes
	chain  *rooms.Chain
	cert   rooms.Certificate // of the head
	leader rooms.NodeID
	leads  bool
	log    logState
	broken error // the copy cannot go on
	frozen bool  // no quorum of controllers can be reached, or nothing is ordered for other reasons
	// charges is what this node's controller has against others.
	charges []order.Charge

	watch   listeners[func(*rooms.Event, any)]
	signals listeners[func(rooms.NodeID, []byte)]
	freezes listeners[func(bool)]
	talks   listeners[func(Provisional)]
	ticked  listeners[func(Tick)]

	// Owned by the loop.
	unpacked   bool         // ticks may lie above the last checkpoint
	publish    func([]byte) // to the room's topic; nil: it is not joined
	leave      func()
	ctl        *order.Controller
	ledger     *order.Ledger // of all lives of ctl
	ledgerSeen uint64        // its version in charges
	founding   bool          // this node is to lead a room that is just being founded
	foundWait  time.Duration // for the votes of its last try
	foundNext  time.Time     // when it tries again
	out        outbox
	cut        bool                   // fewer controllers are heard than a quorum
	met        bool                   // a quorum was heard once
	rumours    map[rooms.Hash]*rumour // provisional talk of other nodes
	as         reader                 // on whose behalf the room is read
	subs       map[rooms.NodeID]*subscriber
	sentAway   map[rooms.NodeID]sentAway // who came here since nobody leads
	held       map[uint64]heldBack       // decisions that cannot be applied yet, by height
	heldBytes  int
	following
	pull       pulling
	claimed    uint64                     // the greatest height that somebody has said the room to be at
	jumped     map[rooms.NodeID]time.Time // who was asked for a snapshot, and when
	filling    bool                       // the log's gap is being filled
	filledAt   time.Time                  // when that stopped last
	beyond     uint64                     // a node has said that it has let go what is below, which this copy lacks
	retain     retaining
	dirSeen    uint64    // the directory version that the controller was last told of
	campaignAt time.Time // when it is this backup's turn to campaign, if nobody leads then
	gently     bool      // it campaigns within the others' lease
	healed     time.Time // when a quorum of controllers was heard again
	led        time.Time // when a leader was last known
	lastLed    rooms.NodeID
	syncs      []*syncWait
	nonce      uint64
	askedHead  time.Time
	askAgain   bool         // somebody leads now: those who wait for the head need not wait for the next round
	recruit    *recruitment // this node is asked to control the room
	stew       steward
	ending     ending
	park       parking
	waking     *waking // it has just been loaded, and nobody leads it yet
	parked     bool    // it ends because it is parked
	beat       beat    // the room's ticks
	lastUse    time.Time
	saved      uint64 // height of the snapshot on disk
}

func (h *Host) newReplica(id rooms.RoomID, chain *rooms.Chain, log logState) *Replica {
	r := &Replica{
		h: h, id: id, chain: chain, log: log, done: make(chan struct{}),
		in: newInbox(), ticks: make(chan struct{}, 1),
		rumours: map[rooms.Hash]*rumour{}, ledger: h.ledgers.of(id), subs: map[rooms.NodeID]*subscriber{}, sentAway: map[rooms.NodeID]sentAway{}, held: map[uint64]heldBack{},
		jumped: map[rooms.NodeID]time.Time{}, lastUse: time.Now(), led: time.Now(), park: parking{active: time.Now()},
	}
	r.ending.stall.Patience = max(order.StallPatience, 3*h.cfg.Election) // a leader that is not heard is replaced first
	_, r.directory = chain.Machine.(*rooms.Directory)
	r.ctx, r.cancel = context.WithCancel(h.ctx)
	return r
}

// run starts the copy's goroutine. Called once.
func (h *Host) run(r *Replica) {
	h.wg.Go(func() {
		defer close(r.done)
		defer h.ended(r)
		r.start()
		r.loop()
		r.stop()
	})
}

func (r *Replica) start() {
	r.control(true)
	r.foundTogether(time.Now())
	r.tickWaking(time.Now())
	r.tickFollow(time.Now()) // who follows the room need not wait for a tick
	if r.h.cfg.Opened != nil && !r.directory {
		r.h.cfg.Opened(r.id)
	}
	r.tickCut(time.Now())
	r.restore()
	r.leaveStale()
}

func (r *Replica) loop() {
	defer r.beat.stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-r.beat.due():
			r.beats()
		case <-r.in.ready:
			// All that waits together, so that one write to disk and one batch serve it.
			r.turn()
		case <-r.ticks:
			r.tick(time.Now())
		}
		r.drive()
		r.setBeat()
	}
}

// turn takes what waits: calls of this node first, which are few and come from people.
func (r *Replica) turn() {
	if r.newestDir() != r.dirSeen {
		r.directoryAdvanced() // a room at rest is not told
	}
	frames, calls := r.unqueue(inboxTurn)
	for _, f := range calls {
		f()
	}
	for i := range frames {
		r.frame(frames[i])
	}
}

func (r *Replica) stop() {
	r.closeInbox()
	if r.h.ctx.Err() == nil { // the room is gone, not the node
		for _, w := range r.out.pending {
			if w.said {
				r.settled(w, errs.Closed)
			}
		}
	}
	r.dropAside()
	r.dismissSubscribers()
	r.out.fail(errs.Closed)
	r.failSyncs(errs.Closed)
	if r.leave != nil {
		r.leave()
	}
	gone := r.h.cfg.Closed
	if r.parked {
		gone = r.h.cfg.Parked
	}
	if gone != nil && !r.directory {
		gone(r.id)
	}
	r.snapshot()
}

// poke says that the directory has moved.
func (r *Replica) poke() { r.call(func() { r.directoryAdvanced() }) }

// ID returns the room's id.
func (r *Replica) ID() rooms.RoomID { return r.id }

// View calls f with the room's state under a read lock; it must be quick and not keep it. Not for the directory.
func (r *Replica) View(f func(*rooms.State)) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	f(r.chain.Machine.(*rooms.State))
}

// Head returns how far the copy is: height and hash of the last applied header.
func (r *Replica) Head() (uint64, rooms.Hash) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.chain.Height, r.chain.Head
}

// Status tells how the room is ordered.
type Status struct {
	Leader      rooms.NodeID
	Controllers []rooms.NodeID
	Epoch       uint64
	Height      uint64
	Head        rooms.Hash
	Signers     []rooms.NodeID // of the last certificate; empty when it is not known
	Controls    bool           // this node is one of the controllers
	Broken      error
	Frozen      bool           // no quorum of controllers can be reached: nothing is ordered
	Dropped     uint64         // frames dropped because the inbox was full
	Charges     []order.Charge // what this node has itself seen other controllers do, since it was started
}

// Status returns a copy of how the room stands at this node.
func (r *Replica) Status() Status {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s := Status{
		Leader: r.leader, Epoch: r.chain.Epoch, Height: r.chain.Height, Head: r.chain.Head, Broken: r.broken, Frozen: r.frozen, Dropped: r.dropped.Load(),
		Charges:     r.charges,
		Controllers: slices.Clone(r.controllers()),
	}
	s.Controls = slices.Contains(s.Controllers, r.h.self)
	for _, g := range r.cert {
		s.Signers = append(s.Signers, g.Node)
	}
	return s
}

// do runs f in the copy's goroutine and waits for it. Errors: errs.Busy when too much waits there, errs.Closed when the copy ends; f may have run then.
func (r *Replica) do(f func()) error {
	done := make(chan struct{})
	if !r.call(func() { f(); close(done) }) {
		return r.unheard()
	}
	select {
	case <-done:
		return nil
	case <-r.done:
		return errs.Closed
	}
}

// unheard says why a call was not taken.
func (r *Replica) unheard() error {
	if r.ctx.Err() != nil {
		return errs.Closed
	}
	return errs.Busy
}

func (r *Replica) controllers() []rooms.NodeID { return r.chain.Machine.Base().Controllers }

// replaced reports whether the controller here is none of the room's any more, and only waits to be dismissed: nobody tells it who leads.
func (r *Replica) replaced() bool {
	return r.ctl != nil && r.recruit == nil && !slices.Contains(r.controllers(), r.h.self)
}

func (r *Replica) setLeader(n rooms.NodeID) {
	leads := n == r.h.self && r.ctl != nil
	if r.leader == n && r.leads == leads {
		return
	}
	r.mu.Lock()
	r.leader, r.leads = n, leads
	r.mu.Unlock()
	if !n.IsZero() {
		r.lastLed = n
		r.out.resendSoon()
		r.askAgain = len(r.syncs) > 0
		r.callBack()
	}
}

// tick lets time pass.
func (r *Replica) tick(now time.Time) {
	r.tickWaking(now)
	if parked := r.tickPark(now); r.ctl != nil && !parked {
		// A loaded machine loses ticks. One missed tick is one less towards an election: late is better than needless.
		r.ctl.Tick(now.UnixMilli())
		r.foundTogether(now)
		r.tickCampaign(now)
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
	r.tickRetain(now)
	r.tickSteward(now)
	r.tickIdle(now)
	r.tickRest(now)
}

// tickIdle closes a copy that nobody here needs: no controller, nobody who watches, no wish under way.
func (r *Replica) tickIdle(now time.Time) {
	if r.directory || r.ctl != nil || r.recruit != nil || r.watchers() > 0 || len(r.out.pending) > 0 || len(r.syncs) > 0 || r.sweeps() {
		r.lastUse = now
		return
	}
	if now.Sub(r.lastUse) < idleClose {
		return
	}
	r.h.cfg.Store.WriteLater([]Change{{Table: Held, Key: r.id[:]}})
	r.cancel() // who wants it meanwhile waits until it has ended
}
