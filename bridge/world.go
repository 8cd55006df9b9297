package bridge

import (
	"context"
	"fmt"
	"time"

	"warren/rooms"
)

// World is what the bridge needs of the node: rooms it can look up, open and make. All methods are safe for concurrent use.
type World interface {
	// Self is this node.
	Self() rooms.NodeID
	// Genesis is the network's.
	Genesis() rooms.Genesis
	// Now is the node's clock in ms since the Unix epoch.
	Now() int64
	// Directory calls f with the directory as this node has it, under a read lock: f must be quick, must not change or keep it, and must
	// not call World again.
	Directory(f func(*rooms.Directory))
	// WatchDirectory calls f with every directory event applied from now on, in order; f must not block.
	WatchDirectory(f func(*rooms.Event)) (stop func())
	// Open returns this node's copy of the room for someone who wants to sit in it, caught up with the room's controllers. It blocks until
	// then. who is the reader on whose behalf the copy is fetched. Errors: errs.NotFound, errs.Denied, errs.Frozen, errs.Timeout.
	Open(ctx context.Context, id rooms.RoomID, account, nick string) (Room, error)
	// Create orders the making of a room by the directory, and returns its id when this node has applied that. errs.Exists comes with the
	// id of the room that has the name. Controllers are chosen by the world; b.Controllers and b.Maker are ignored.
	Create(ctx context.Context, account, nick string, b rooms.CreateRoom) (rooms.RoomID, error)
	// Glance tells how this node's copy of a room stands, whether it is open for anybody here, or controlled or followed for others; false:
	// there is none. It is cheap, also for thousands of rooms, and does not block; the copy may be behind.
	Glance(id rooms.RoomID) (Glance, bool)
}

// Glance is what can be told of a room that is not open for anybody here: for lists. What of it people are told is the caller's to judge.
type Glance struct {
	Users       int
	Subject     string
	SubjectTime int64 // ms
	Open        bool  // everybody may read the room
	Hidden      bool  // secret, or closed
}

// Outcome is what came of a submitted wish.
type Outcome struct {
	ID  rooms.Hash // of the request
	Err error      // nil: applied at this node; else wraps an errs.Kind
	// Provisional: it is talk that cannot be ordered yet, because the room is frozen. It was shown, marked as that, and is confirmed or
	// withdrawn later by deliveries. Only Seat.Do tells this; Err is nil then.
	Provisional bool
}

// Provisional is talk that is shown before it is ordered, or is taken back. It is confirmed by the event of the same id.
type Provisional struct {
	Event  *rooms.Event // Seq and Height are 0
	Cookie any          // what Submit of this very node passed for it, else nil
	Err    error        // nil: it was said; else it will not be ordered, and why
}

// Room is this node's copy of one room. All methods are safe for concurrent use.
type Room interface {
	ID() rooms.RoomID
	// View calls f with the room's state under a read lock: f must be quick, must not change or keep it, and must not call Room again.
	View(f func(*rooms.State))
	// Submit signs a wish in the author's name and sends it to be ordered. It does not block. done (nil: nobody asks) is called once,
	// after the event (if any) went to all watchers of this node; it must not block. Wishes submitted one after the other are ordered in
	// that order. The cookie comes back with the event that the wish became. While the room is frozen talk becomes provisional, who leaves
	// waits, and everything else of people is refused at once with errs.Frozen.
	Submit(account, nick string, b rooms.Body, cookie any, done func(Outcome))
	// Watch calls f with every event applied from now on, in order; f must not block. The event is shared: nobody changes it. cookie is
	// what Submit of this very node passed for it, else nil. While f runs, View shows the room with (at least) this event applied.
	Watch(f func(ev *rooms.Event, cookie any)) (stop func())
	// Sync blocks until all that the room had ordered when Sync was called is applied here, or until ctx ends.
	Sync(ctx context.Context) error
	// History returns events in ascending order of Seq, as TalkEvents tells them.
	History(ctx context.Context, q HistoryQuery) ([]rooms.Event, error)
	// Find returns the event with this public id (rooms.Hash.MsgID) as TalkEvents tells it, however old it is, or errs.NotFound. It may read
	// the disk.
	Find(ctx context.Context, id string) (rooms.Event, error)
	// WatchTicks calls f with every tick of the room (none, unless it asks for them), in order with its events; f must not block.
	WatchTicks(f func(Tick)) (stop func())
	// WatchFrozen calls f when the room freezes (no quorum of its controllers can be reached: nothing is ordered) and when it thaws; at
	// once when it is frozen now. f must not block.
	WatchFrozen(f func(frozen bool)) (stop func())
	// WatchProvisional calls f with talk that is provisional, and with what is withdrawn of it; f must not block.
	WatchProvisional(f func(Provisional)) (stop func())
	// Status tells how the room is ordered.
	Status() RoomStatus
	// Signal sends bytes to all nodes with occupants, unordered and unreliable (typing notices). At most MaxSignal bytes.
	Signal(data []byte)
	// WatchSignals calls f with the signals of other nodes; f must not block.
	WatchSignals(f func(from rooms.NodeID, data []byte)) (stop func())
}

// MaxSignal bounds an unordered signal, in bytes.
const MaxSignal = 8 << 10

// HistoryQuery selects events of a room. Bounds are exclusive; zero: no bound. Only events with one of Ops are returned (all when empty).
type HistoryQuery struct {
	AfterSeq, BeforeSeq   uint64
	AfterTime, BeforeTime int64 // ms
	Limit                 int   // at most this many, at most MaxHistory
	Newest                bool  // when there are more than Limit, the newest of the range (else the oldest)
	Ops                   []rooms.Op
}

// Cap returns the query's limit within 1 to MaxHistory.
func (q HistoryQuery) Cap() int {
	if q.Limit <= 0 || q.Limit > MaxHistory {
		return MaxHistory
	}
	return q.Limit
}

// MaxHistory bounds one answer of History.
const MaxHistory = 1000

// RoomStatus tells how a room is ordered, for people and for `warren status`.
type RoomStatus struct {
	Name        string         `json:"name"`
	ID          string         `json:"id"`
	Leader      string         `json:"leader"`
	Controllers []string       `json:"controllers"`
	Epoch       uint64         `json:"epoch"`
	Height      uint64         `json:"height"`
	Occupants   int            `json:"occupants"`
	Parked      bool           `json:"parked"`
	Frozen      bool           `json:"frozen"`
	Charges     []Charge       `json:"charges,omitempty"`
	LastCert    []rooms.NodeID `json:"-"` // nodes whose signatures the last certificate holds
	LastHeader  string         `json:"-"`
	LeaderID    rooms.NodeID   `json:"-"`
	ControlIDs  []rooms.NodeID `json:"-"`
}

// Charge is what this node has itself seen a controller of a room do that no honest one does. It is one node's word, but for what is proven.
type Charge struct {
	Node     string       `json:"node"`
	NodeID   rooms.NodeID `json:"-"`
	Misdeed  string       `json:"misdeed"`
	Count    uint64       `json:"count"`
	Last     int64        `json:"last"`     // ms since the Unix epoch, by this node's clock
	Evidence string       `json:"evidence"` // of the last one
	Proven   bool         `json:"proven"`   // two signed batches for one place are held, which prove it to anybody
}

// Line is one line for people: who misbehaves, and where (empty: in the room at hand).
func (c Charge) Line(who, where string) string {
	if where != "" {
		where = " in " + where
	}
	proven := ""
	if c.Proven {
		proven = ", proven by its own signatures"
	}
	return fmt.Sprintf("%s misbehaves%s: %s, %d times, last on %s (%s)%s", who, where, c.Misdeed, c.Count,
		time.UnixMilli(c.Last).UTC().Format("2 Jan 15:04:05 UTC"), c.Evidence, proven)
}

// Wire carries what is not ordered between the bridges of the nodes: who is online where. Implementations deliver each node's messages in
// the order they were sent, but may lose some.
type Wire interface {
	// Broadcast sends to every node of the network; it does not block.
	Broadcast(data []byte)
	// Send sends to one node; it does not block.
	Send(to rooms.NodeID, data []byte)
	// Receive calls f with what others sent; f must not block.
	Receive(f func(from rooms.NodeID, data []byte)) (stop func())
	// Peers calls f whenever a node comes up or goes down; f must not block.
	Peers(f func(id rooms.NodeID, up bool)) (stop func())
}

// Finder asks the whole network for tagged things.
type Finder interface {
	// Find asks for all things that match the expression and that the asker may read. It blocks until enough nodes have answered or the
	// time (a second or two) is over.
	Find(ctx context.Context, expr, account, nick string) ([]Found, error)
	// Tags lists the tags this node knows with their counts.
	Tags() map[string]int
}

// Found is one answer of a search.
type Found struct {
	Room  string // with '#'
	Kind  string
	Name  string
	Owner string
	Tags  []string
}
