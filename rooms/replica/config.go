package replica

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"time"

	"warren/rooms"
)

// Table names an ordered set of keys in the node's store.
type Table uint8

// The tables of this package.
const (
	Decisions Table = iota // room ‖ height BE → encoded decision
	Snapshots              // room ‖ height BE → encoded chain snapshot
	Raft                   // room ‖ kind ‖ index BE → record of rooms/order
	Held                   // room → 1: this node keeps a copy, awake; or the record of a parked one (rest.go)
	Gaps                   // room → encoded missing: what is missing of the log here; absent: nothing
	Ids                    // room ‖ segment BE → index of public ids, see ids.go
	Outbox                 // room ‖ counter BE → what was said at this node while the room was frozen, and has no verdict
)

// Change is one step of an atomic write: a put, the deletion of Key (Value nil), or of all keys in [Key, To).
type Change struct {
	Table Table
	Key   []byte
	Value []byte
	To    []byte
}

// Entry is a key with its value.
type Entry struct{ Key, Value []byte }

// Store is the disk. Writes become durable in the order of the calls; reads see all writes called before.
type Store interface {
	// Write blocks until the changes are durable.
	Write(changes []Change) error
	// WriteLater does not block; the changes are durable at the latest when a later Write returned.
	WriteLater(changes []Change)
	// Get returns nil for an absent key.
	Get(t Table, key []byte) ([]byte, error)
	// Range returns up to limit entries of [from, to) in ascending order; reverse: the last ones, descending. to nil: to the end.
	Range(t Table, from, to []byte, limit int, reverse bool) ([]Entry, error)
}

// Net is the network.
type Net interface {
	// Send never blocks; false: the frame is lost.
	Send(to rooms.NodeID, frame []byte) bool
	// Pull asks another node's Host.ServePull.
	Pull(ctx context.Context, to rooms.NodeID, req []byte) ([]byte, error)
	// Alive reports whether the node was heard lately, and since when that is so.
	Alive(rooms.NodeID) (up bool, since time.Time)
	// Ended reports whether the node is down and its process is known to be gone, not just out of reach.
	Ended(rooms.NodeID) bool
	// RTT is how long a frame takes to the node and back, 0 when it is not known.
	RTT(rooms.NodeID) time.Duration
	// Join joins a topic of the network: publish sends to all who joined.
	Join(topic string, f func(from rooms.NodeID, data []byte)) (publish func([]byte), leave func(), err error)
}

// Config is what a Host needs. All but the durations' defaults is required.
type Config struct {
	Key     ed25519.PrivateKey
	Genesis rooms.Genesis
	Since   uint64 // directory height at which this node's disk begins; older rooms are never founded here (0: the network's founder)
	Store   Store
	Net     Net
	Logger  *slog.Logger

	Tick      time.Duration // of rooms/order; default 50 ms
	Heartbeat time.Duration // of a leading controller; default 100 ms
	Election  time.Duration // at least so long without a leader before a vote; default 1.5 s
	Lease     time.Duration // occupants of a node that is not heard for so long are gone; default 30 s
	Rest      time.Duration // a room that is at rest and empty for so long leaves memory; default 20 s
	Away      time.Duration // a controller that is not heard for so long is replaced; default 10 min

	// Jump is how many decisions a copy may lack before it takes another node's state over instead of running them; default 1024: running them
	// takes seconds when they are full.
	Jump uint64

	// Opened, Applied, Parked and Closed tell about every copy at this node, for indexes; nil: nobody asks. They are called one after the other
	// for one room and must not block. Opened comes when a copy has been loaded or has taken a state over, and after Start for parked rooms that hold
	// tagged things;
	// Parked when it leaves memory: Host.View shows it all the same.
	Opened  func(id rooms.RoomID)
	Applied func(ev *rooms.Event)
	Parked  func(id rooms.RoomID)
	Closed  func(id rooms.RoomID)
}

// Limits.
const (
	inboxFrames     = 4096            // frames waiting for one room; more are dropped, and repaired by later ones
	inboxCalls      = 4096            // wishes and calls of this node waiting for one room
	inboxTurn       = 512             // frames, and calls, taken from it at once
	senderFrames    = inboxFrames / 4 // of these, of one sender
	senderBytes     = 32 << 20        // of frames of one sender waiting in all rooms of this node: some of the largest for each of many rooms
	frameCost       = 256             // bytes that a waiting frame takes beside its data
	maxPending      = 1024            // wishes of this node in one room without a verdict; more are refused as busy
	window          = 128             // of these, sent and not yet answered
	maxSentAway     = 64              // nodes with wishes and questions that are told when somebody leads; more ask again
	pullCount       = 256             // decisions in one answer to a pull
	pullBytes       = 2 << 20         // bytes of them: what a slow line carries in pullTime
	pullStep        = 16              // decisions read from the disk at once for it
	maxServed       = 4               // nodes that one pushes to: 4 controllers reach 128 nodes in 3 steps, and nobody has much more to send than others
	maxServedLead   = 2               // the leader, which sends every batch to the backups
	maxHops         = 16              // from a controller to who serves: some times the depth of a tree of all nodes
	snapshotEvery   = 256             // heights between snapshots on this node's disk
	heldBackBytes   = 4 << 20         // bytes of decisions waiting
	maxHeldBack     = 64              // decisions waiting for a directory version or a gap
	resendAfter     = 250 * time.Millisecond
	resendPause     = 20 * time.Millisecond  // between two resends: controllers that name different leaders would have all sent as fast as they answer
	giveUpAfter     = 10 * time.Minute       // a wish without verdict is given up: who waits for it has gone away by then
	importTime      = 10 * time.Second       // for ordering an import in the directory
	frozenAfter     = 3 * time.Second        // a wish without verdict for so long means that the room is frozen, whatever liveness says
	provisionalLife = 24 * time.Hour         // what was said while frozen and could not be ordered for so long is withdrawn: the talk has moved on
	maxSaid         = 256                    // provisional messages of this node in one room; more are refused as busy
	maxSaidBy       = 64                     // of these, of one author
	maxRumours      = 1024                   // provisional messages of other nodes in one room that are remembered; more are not shown before they are ordered
	maxRumoursOf    = maxSaid                // of these, of one node
	counterAhead    = 2 * maxPending         // a provisional message's counter is at most so far above its node's last: what may wait there, twice
	askEvery        = 200 * time.Millisecond // a question for the room's head is repeated after this
	subscribeEvery  = 4 * time.Second
	subscriberLife  = 12 * time.Second
	lagPatience     = 500 * time.Millisecond // for what a controller has and the source does not push: some steps of a tree over slow lines
	dialPatience    = 2 * time.Second        // for a source that is not connected yet
	pullTime        = 20 * time.Second       // for one answer
	pullPatience    = 3 * time.Second        // a pull that takes longer makes way for one from somebody else
	weighEvery      = 10 * time.Second       // between looks at who should control a room while nobody comes or goes
	parkAfter       = 5 * time.Second        // a room in which nothing happens for so long is parked by its backups, after twice that by its leader
	parkGrace       = 2 * time.Second        // answers to the last heartbeats of a leader that has parked
	wakeTime        = time.Second            // within which a room that wakes has a leader, or the usual elections settle it
	readAgain       = 10 * time.Second       // a parked room that the disk did not give is not read again before, whoever asks
	careEvery       = time.Minute            // between looks at who should control the parked rooms while nobody comes or goes
	careBatch       = 256                    // of them are woken at a time for it
	maxReaders      = 16                     // rooms read from the disk at once in the background
	loadingFrames   = 64                     // frames kept for a room that is being read, or waits for its leader: the first wishes and questions
	loadingShare    = loadingFrames / 4      // of these, of one sender
	earlyFrames     = 1024                   // frames kept for rooms that this node does not know yet
	earlyShare      = 32                     // of these, of one sender: the first questions, wishes and votes of some rooms that it makes at once
	earlyBytes      = 4 << 10                // of one: entering is some hundred bytes; who says more before everybody knows the room says it again
	earlyLife       = time.Second            // of one: by then the directory's word is here, and its sender has sent it again
	maxQuestion     = 1 << 10                // bytes of a question for the head, or of a wish to be told: two names and some numbers
	maxViews        = 8                      // states of parked rooms kept for who only looks: those that a search finds are asked for again at once
	viewBytes       = 1 << 20                // of the documents in one of them: a larger one is read each time
	viewersAtOnce   = 2                      // that read such states from the disk
	quietTick       = time.Second            // between ticks of a copy with nothing under way
	jumpTime        = 5 * time.Minute        // for a snapshot: 64 MiB on a slow line
	jumpAgain       = 30 * time.Second       // before the same node is asked again for one that could not be shown to be right
	leapTime        = 4 * time.Second        // for one from each node, before those that are slow have jumpTime: a LAN carries it in less
	leapSources     = 6                      // nodes that are asked for one
	servePatience   = 2 * time.Second        // who wants a proof or a piece of a snapshot waits so long while others are served
	snapshotBytes   = 64 << 20               // of a snapshot from others: more than the limits of a room allow
	snapshotPiece   = 1 << 20                // of these in one answer
	fetchSpan       = 256                    // decisions asked for at once by those who fetch much
	fetchWindow     = 4                      // such questions under way: of one room some 8 MiB at most
	fetchTime       = 8 * time.Second        // for one of its answers
	maxOthers       = 64                     // nodes with people in a room that are asked for its log
	fetchTries      = 8                      // answers that were no good before it is left for later
	fillAgain       = 10 * time.Second       // before a copy goes on filling its log, when nobody could help
	fillAtOnce      = 2                      // copies of this node that fill their logs
	historyTime     = 10 * time.Second       // who asks for history that is not here yet waits so long at most
	retainEvery     = time.Minute            // between looks at what a room's log has to let go
	sweepPiece      = 256                    // decisions of it that are deleted at once: some MiB to look through, and no write that others wait for
	clockSlack      = time.Hour              // by which the clocks may differ of nodes that let a log go
	stewardEvery    = 500 * time.Millisecond
	importEvery     = 3 * time.Second
	endedLease      = 2 * time.Second  // instead of Config.Lease for a node whose process has ended: nobody sits there any more; it may be just starting again, and say so itself
	goneAfter       = 10 * time.Second // controllers that are not heard for so long may be taken for gone, when somebody says so
	changeGiveUp    = 15 * time.Second // a reconfiguration under way that does not come about is dropped
	idleClose       = 90 * time.Second // a copy that nobody here needs is closed after this
	verifiedEntries = 16_384           // signatures remembered as checked
)

// Rates. The burst of wakes is what a node with many people asks for when it comes up; the rate keeps what it can have in memory here to some 2,000
// rooms, however it tries.
const (
	wakeRate, wakeBurst   = 32, 256 // parked rooms read for one other node, a second and at once
	strayRate, strayBurst = 1, 32   // of these, for messages of a node that controls the room no more
)

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&c.Tick, 50*time.Millisecond)
	def(&c.Heartbeat, 100*time.Millisecond)
	def(&c.Election, 1500*time.Millisecond)
	def(&c.Lease, 30*time.Second)
	def(&c.Rest, 20*time.Second)
	def(&c.Away, 10*time.Minute)
	if c.Jump == 0 {
		c.Jump = 1024
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}
