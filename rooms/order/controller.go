package order

import (
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"warren/rooms"
)

// Errors of a controller that has stopped. They come wrapped in Ready.Broken.
var (
	// ErrDiverged: this node's own result differs from what a quorum signed, or its log from what is certified.
	ErrDiverged = errors.New("controller: diverged from what is certified")
	// ErrPanic: a part panicked. The state in memory is not to be trusted.
	ErrPanic = errors.New("controller: panicked")
	// ErrDismissed: not a failure. This node is no controller any more, and a majority of the others knows durably that raft goes on without
	// it. A node that is merely no controller any more, even by its own log, must keep its controller (and start it again after a restart)
	// until then: the others may need its vote to go on without it.
	ErrDismissed = errors.New("controller: dismissed")
	// ErrBroken is what a stopped controller answers.
	ErrBroken = errors.New("controller: stopped; drop its raft state and make it anew")
)

// Controller is one controller of one room. See the package comment.
type Controller struct {
	cfg         Config
	self        Member
	selfID      uint64
	isDirectory bool

	rn  *raft.RawNode
	log *storage
	now int64 // ms, the latest that a caller told

	// The chain. Heights up to certified are certified; those above, up to chain.Height, are open.
	chain       *rooms.Chain
	certified   uint64
	certHead    rooms.Hash
	controllers []rooms.NodeID // in force after the certified head
	open        []*step        // open[i] is at height certified+1+i
	signed      map[uint64]Signed
	early       map[uint64]map[rooms.NodeID]earlySign // by height above chain.Height
	recent      map[uint64]recentCert                 // the last recentCerts certificates

	// The log. base is where it starts, applied how far it has been run.
	base        Snapshot
	applied     uint64
	appliedTerm uint64
	height      uint64   // of the chain after the entry at applied
	heights     []uint64 // after each entry above base.Index
	certIndex   uint64   // newest entry up to which all is certified
	forgotten   uint64   // height up to which no entries are to be kept
	logBytes    int      // of entries above the base
	applying    []*pb.Message
	applyNext   int // in applying[0].Entries
	hard        Hard
	hardStored  Hard

	// Membership.
	conf       Conf
	confs      []confMark
	known      map[uint64]Member // by raft's number: who can be answered
	hellos     map[rooms.NodeID]uint64
	learners   []rooms.NodeID // wanted beside the controllers
	confSince  int            // tick of the last proposed change, 0: none under way
	snapTicks  map[uint64]int // how long members have been waiting for a snapshot
	sealed     uint64         // index of the newest change of configuration that a majority knows durably
	sealing    uint64         // the same, proposed by this leader
	touched    int64          // when raft spoke to this member last, ms
	heldSnap   *raftMessage
	acked      ack  // what the leader was last told that this node has stored
	committed  bool // an append without entries has told that more is committed, and is not answered yet
	heldFrom   rooms.NodeID
	behind     uint64
	behindFrom rooms.NodeID
	behindAt   int64
	stuckAt    uint64 // height of the chain when watchEarly last saw it move
	stuckSince int64

	// Time in ticks.
	ticks   int
	heard   int // tick at which a leader was heard last
	elapsed int // since a leader was heard, a vote was given or this node campaigned
	pledged int // until this tick Campaign leaves it to the candidate that has this node's vote
	splits  int // times that this node asked for votes at once because of what others did, since it began to want to lead, or heard a leader
	timeout int

	// The leader's queue.
	newest   uint64 // directory version
	view     func(uint64) (rooms.View, bool)
	queue    []*item
	qBytes   int
	queued   map[rooms.Hash]bool
	devices  map[rooms.NodeID]*deviceQueue
	proposed [][]*item
	rounds   rounds
	ledTerm  uint64 // term for which the queue was set up
	returned []*rooms.Request

	beat beat // the room's ticks

	// What others do, and what follows of it.
	watch     watch
	waits     map[rooms.NodeID]*waiting // requests submitted here that another node is to put in order, by device
	waitsFor  rooms.NodeID              // the leader that was to do so at the last tick
	full      int64                     // ms, when the last crowded batch was run
	accusers  map[rooms.NodeID]accusation
	accuseAt  int   // tick at which a complaint is told next
	forceAt   int   // tick of the next campaign against the leader, 0: none planned
	proofAt   int64 // ms, when proofs are shown next
	heldVote  *heldVote
	lost      rooms.NodeID // not heard at all, says the caller
	lostAt    int          // tick at which that was said
	yields    rooms.NodeID // whom the leader of yieldTerm hands over to
	yieldTerm uint64
	strayed   *misplaced
	lacked    int                // ticks for which its log has lacked what is certified, while it led
	vouched   map[uint64]vouched // by index
	ruled     int                // tick at which somebody was last known to lead

	// Defences that a test has switched off, to see what they are worth.
	blind                 [numMisdeeds]bool
	blindShun, blindForce bool

	// What the next Ready takes along.
	records   []Record
	outbox    []Message // to send after storing
	decisions []rooms.Decision
	acks      []*pb.Message // for raft itself, once stored
	busy      bool          // a Ready is out, Stored is due
	broken    error
	told      bool // that it is broken
	memory    memory

	// The end of the epoch.
	ended     bool // nothing more is signed
	endOut    bool // … which the Ready that is out makes durable
	endStored bool // … and is durable
	carried   carried
}

// Step takes a message from an authenticated sender. It returns an error for everything that is not a well-formed message of somebody
// who may send it; the controller is unharmed then.
func (c *Controller) Step(nowMS int64, from rooms.NodeID, msg []byte) (err error) {
	if c.broken != nil {
		return ErrBroken
	}
	defer c.guard(&err)
	c.clock(nowMS)
	if from == c.cfg.Self {
		return errors.New("step: a message from this node itself")
	}
	if err = c.decode(from, msg); err != nil {
		if m := blamed(err); m != 0 {
			c.note(from, m, err.Error())
		}
	}
	return err
}

func (c *Controller) decode(from rooms.NodeID, msg []byte) error {
	if len(msg) > MaxMessage {
		return blame(Garbage, fmt.Errorf("step: a message of %d bytes is too large", len(msg)))
	}
	var e envelope
	if err := e.decode(msg); err != nil {
		return blame(Garbage, fmt.Errorf("step: %w", err))
	}
	return c.receive(from, &e)
}

// Tick lets one tick of time pass; nowMS is the wall clock, for the times in batches and for patience.
func (c *Controller) Tick(nowMS int64) {
	if c.broken != nil {
		return
	}
	defer c.guard(nil)
	c.clock(nowMS)
	c.ticks++
	st := c.rn.BasicStatus()
	if st.RaftState == raft.StateLeader {
		c.rn.Tick()
		c.watchSnapshots()
	} else {
		// Raft's own timer draws from crypto/rand. Its clock goes on, the decision to campaign is made here.
		c.rn.TickQuiesced()
		if c.elapsed++; c.elapsed >= c.timeout {
			c.splits = 0
			c.canvass()
		}
	}
	if c.ticks%c.cfg.ElectionTicks == 0 {
		c.sayHello(st.RaftState != raft.StateLeader && c.ticks-c.heard > 2*c.cfg.ElectionTicks)
	}
	c.resend()
	c.watchEarly()
	c.expire()
	c.comeback()
	c.tickForced()
	c.tickWaits()
	c.tickBeat()
	c.tickAccuse()
}

// Campaign asks for votes at once, past the others' belief that the leader lives. For when this node knows that the leader's node is down. It
// returns false when it does not: for half an election time-out after this node has voted for somebody else. Who has the vote may be about to lead,
// and a second candidate would only take it from the first: over long links they could go on like that for seconds.
func (c *Controller) Campaign(nowMS int64) bool { return c.stand(nowMS, c.campaign) }

// Elect asks for votes at once where nobody is known to lead, but not past the belief of others that somebody does: for when this node hears others
// again. It returns false when it does not, as Campaign does.
func (c *Controller) Elect(nowMS int64) bool {
	return c.stand(nowMS, func() {
		if c.leader().IsZero() {
			c.canvass()
		}
	})
}

// stand asks for votes in the given way, unless this node has just given its own.
func (c *Controller) stand(nowMS int64, ask func()) bool {
	if c.broken != nil {
		return false
	}
	defer c.guard(nil)
	c.clock(nowMS)
	if c.ticks < c.pledged {
		return false
	}
	c.splits = 0
	ask()
	return true
}

// canvass asks for votes within the others' belief that a leader lives (raft's PreVote).
func (c *Controller) canvass() {
	c.resetTimer()
	if err := c.rn.Campaign(); err != nil {
		c.debug("campaign refused", err)
	}
}

func (c *Controller) campaign() {
	c.resetTimer()
	st := c.rn.BasicStatus()
	var err error
	switch st.RaftState {
	case raft.StateLeader:
	case raft.StateFollower:
		err = c.rn.Step(&pb.Message{Type: pb.MsgTimeoutNow.Enum(), From: new(c.selfID), To: new(c.selfID)})
	default:
		err = c.rn.Campaign()
	}
	if err != nil {
		c.debug("campaign refused", err)
	}
}

// Unreachable says that sending to a node failed: raft goes back to probing it.
func (c *Controller) Unreachable(node rooms.NodeID) {
	if c.broken != nil {
		return
	}
	defer c.guard(nil)
	if m, ok := c.conf.of(node); ok && c.leads() {
		c.rn.ReportUnreachable(m.raftID())
	}
}

// HandOver asks another controller to lead, if this one does and one of those that can is alive and close to its log: for an orderly stop. It
// reports whether somebody was asked. Whether that one took over, Leader tells; when it did not within an election time-out, this one goes on
// leading, and may be asked again. What is proposed meanwhile is given back (Ready.Returned).
func (c *Controller) HandOver(alive func(rooms.NodeID) bool) bool {
	if c.broken != nil {
		return false
	}
	defer c.guard(nil)
	if !c.leads() {
		return false
	}
	level := c.level()
	for _, m := range c.conf.Voters {
		if m.Node != c.cfg.Self && slices.Contains(c.controllers, m.Node) && level[m.raftID()] && alive(m.Node) {
			c.yield(m.Node)
			c.rn.TransferLeader(m.raftID())
			return true
		}
	}
	return false
}

// DirectoryAt tells how far this node knows the directory: view returns a version, newest is the greatest there is.
func (c *Controller) DirectoryAt(view func(version uint64) (rooms.View, bool), newest uint64) {
	c.view, c.newest = view, max(newest, c.newest)
	c.sawDirectory(c.newest)
}

// viewAt returns the directory as a batch of that version must see it; false: this node does not have it yet.
func (c *Controller) viewAt(version uint64) (rooms.View, bool) {
	switch {
	case c.isDirectory:
		return nil, true // the directory judges by itself
	case c.view == nil || version > c.newest:
		return nil, false
	}
	return c.view(version)
}

func (c *Controller) leads() bool { return c.rn.BasicStatus().RaftState == raft.StateLeader }

// clock remembers the time. It never goes back.
func (c *Controller) clock(nowMS int64) {
	gap := nowMS - c.now
	c.now = max(c.now, nowMS)
	if gap > stallGap {
		c.stalled()
	}
}

func (c *Controller) resetTimer() {
	c.elapsed, c.timeout = 0, c.cfg.ElectionTicks+c.cfg.Rand(c.cfg.ElectionTicks)
}

// fail stops the controller.
func (c *Controller) fail(err error) {
	if c.broken == nil {
		c.broken = err
	}
}

// guard turns a panic into a stopped controller: the last belt, since raft panics on what it holds for impossible.
func (c *Controller) guard(err *error) {
	if p := recover(); p != nil {
		c.fail(fmt.Errorf("%w: %v", ErrPanic, p))
		if err != nil {
			*err = c.broken
		}
	}
}

func (c *Controller) debug(what string, err error) {
	if c.cfg.Log != nil {
		c.cfg.Log.Debug("controller: "+what, "room", c.chain.Room.Short(), "error", err)
	}
}
