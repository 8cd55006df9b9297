package replica

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
	"warren/rooms/placement"
	"warren/rooms/rate"
)

// Host holds all copies of rooms at this node. Make it with New, start it with Start, end it with Close.
type Host struct {
	cfg  Config
	self rooms.NodeID
	from time.Time // when it was made
	log  *slog.Logger
	sigs *verified
	load load // frames that wait

	moved atomic.Uint64 // how often nodes came and went
	dirAt atomic.Uint64 // the newest version of the directory here

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	copies  map[rooms.RoomID]*Replica
	parked  map[rooms.RoomID]*resting // a copy that is just ending may be among copies, too
	nextDue int64                     // ms: when the first of them has to be looked at, 0: never
	loading map[rooms.RoomID]*loading // rooms that are being read from the disk
	early   early
	fillers chan struct{} // a place for each copy that fills its log
	dir     *Replica
	readers chan struct{} // tokens of those who read rooms in the background
	wakes   rate.Nodes    // parked rooms read for other nodes; guarded by mu
	strays  rate.Nodes    // of these, for nodes that control them no more; guarded by mu
	serving chan struct{} // the place of who is given a proof, or a piece of a snapshot
	views   views         // states of parked rooms that were asked for lately

	ledgers ledgers
	keeping keepers
}

// New loads the directory's copy, founding it when the disk holds none. Nothing runs before Start. It reads the disk.
func New(cfg Config) (*Host, error) {
	cfg = cfg.withDefaults()
	h := &Host{
		cfg: cfg, from: time.Now(), self: rooms.NodeOf(cfg.Key.Public().(ed25519.PublicKey)), log: cfg.Logger, sigs: newVerified(verifiedEntries),
		load: load{by: map[rooms.NodeID]int{}}, copies: map[rooms.RoomID]*Replica{}, loading: map[rooms.RoomID]*loading{},
		parked: map[rooms.RoomID]*resting{}, readers: make(chan struct{}, maxReaders), fillers: make(chan struct{}, fillAtOnce), serving: make(chan struct{}, 1), views: newViews(),
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	id := cfg.Genesis.Directory()
	chain, err := h.openDirectory()
	if err != nil {
		return nil, fmt.Errorf("open the directory: %w", err)
	}
	h.dir = h.newReplica(id, chain, logState{missing: missing{Floor: 1}, moved: make(chan struct{})})
	h.dirAt.Store(chain.Height)
	h.copies[id] = h.dir
	return h, nil
}

// Start runs the directory and the rooms that were awake when this node stopped. All others that it keeps a copy of, or controls, are parked.
func (h *Host) Start() error {
	h.wg.Go(h.tick)
	h.wg.Go(h.tendParked)
	h.run(h.dir)
	held, err := h.cfg.Store.Range(Held, nil, nil, rooms.MaxRooms, false)
	if err != nil {
		return fmt.Errorf("list the rooms of this node: %w", err)
	}
	var want []rooms.RoomID
	h.mu.Lock()
	h.Directory(func(d *rooms.Directory) {
		for id, r := range d.Rooms {
			if slices.Contains(r.Now, h.self) {
				h.parked[id] = &resting{} // nothing is known of it, unless it is held
			}
		}
	})
	for _, e := range held {
		if len(e.Key) != len(rooms.RoomID{}) {
			continue
		}
		id, rest := rooms.RoomID(e.Key), &resting{}
		if rooms.Unmarshal(e.Value, rest) == nil && h.parked[id] != nil {
			h.parked[id] = rest
			h.dueAt(rest.Due)
		} else {
			delete(h.parked, id)
			want = append(want, id)
		}
	}
	h.mu.Unlock()
	for _, id := range want {
		// One room that cannot be read is no reason to keep all others down. Who wants to enter it is told why.
		if _, err := h.hold(id); err != nil && !errors.Is(err, errs.NotFound) {
			h.log.Error("a room stays closed at this node", "room", id.Short(), "err", err)
		}
	}
	h.wg.Go(h.showParked)
	return nil
}

// Close ends all copies and waits for them.
func (h *Host) Close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.cancel()
	h.wg.Wait()
}

// Self is this node.
func (h *Host) Self() rooms.NodeID { return h.self }

// Genesis is the network's.
func (h *Host) Genesis() rooms.Genesis { return h.cfg.Genesis }

// Now is the clock, ms since the Unix epoch.
func (h *Host) Now() int64 { return time.Now().UnixMilli() }

// Replicas returns all running copies, the directory's too.
func (h *Host) Replicas() []*Replica {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]*Replica, 0, len(h.copies))
	for _, r := range h.copies {
		out = append(out, r)
	}
	return out
}

// Get returns the running copy of a room, or nil.
func (h *Host) Get(id rooms.RoomID) *Replica {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.copies[id]
}

func (h *Host) tick() {
	t := time.NewTicker(h.cfg.Tick)
	defer t.Stop()
	slow := uint(max(1, quietTick/h.cfg.Tick))
	for n := uint(0); ; n++ {
		select {
		case <-h.ctx.Done():
			return
		case <-t.C:
		}
		h.mu.Lock()
		for id, r := range h.copies {
			if r.quiet.Load() && (n+uint(id[0]))%slow != 0 {
				continue // spread over the ticks
			}
			select {
			case r.ticks <- struct{}{}:
			default:
			}
		}
		h.mu.Unlock()
	}
}

// Frame takes a frame from another node; it never blocks. It wakes a parked room. Frames of rooms that this node does not hold are dropped, those of
// rooms that it does not know yet after a moment (early.go); a recruitment by one of the room's controllers has the room opened, and is repeated.
// data must not change any more.
func (h *Host) Frame(from rooms.NodeID, data []byte) {
	f, ok := decodeFrame(data)
	if !ok {
		return
	}
	in := inFrame{from, f}
	if r := h.Get(f.Room); r != nil && r.put(in) {
		return
	}
	ok = false
	if f.Kind == frameRecruit {
		h.Directory(func(d *rooms.Directory) { ok = slices.Contains(d.Rooms[f.Room].Now, from) })
	}
	if ok {
		h.wake(f.Room)
	}
	h.rouse(in)
}

// Peer tells that a node came up or went down.
func (h *Host) Peer(id rooms.NodeID, up bool) {
	h.moved.Add(1)
	for _, r := range h.Replicas() {
		r.call(func() { r.peer(id, up) })
	}
	if up {
		h.returned(id)
	}
}

// Open returns the copy of a room for a reader, caught up. It blocks until then or until ctx ends. Errors: errs.NotFound, errs.Denied,
// errs.Frozen (no controller could be reached in time).
func (h *Host) Open(ctx context.Context, id rooms.RoomID, account, nick string) (*Replica, error) {
	for {
		r, err := h.hold(id)
		if err != nil {
			return nil, err
		}
		switch err := r.syncAs(ctx, &reader{Account: account, Nick: nick}); {
		case errors.Is(err, errs.Closed) && h.ctx.Err() == nil && ctx.Err() == nil:
			// It was just being closed because nobody needed it, or it is dropped: hold knows.
		case err != nil:
			return nil, err
		default:
			return r, nil
		}
	}
}

// Order orders a request of this node itself in the directory and waits until it is applied here. errs.Frozen: not within ctx, and the directory is
// known to have no quorum; b may take effect when it is back.
func (h *Host) Order(ctx context.Context, b rooms.Body) error {
	_, err := h.dir.Ask(ctx, "", "", b)
	if errors.Is(err, errs.Timeout) && h.dir.Status().Frozen {
		return errs.Frozen
	}
	return err
}

// OrderUnlessFrozen is Order for what somebody waits for: errs.Frozen as soon as the directory is known to be without a quorum. When it was not at
// first, b was sent all the same, and may take effect when the quorum is back.
func (h *Host) OrderUnlessFrozen(ctx context.Context, b rooms.Body) error {
	if h.dir.Status().Frozen {
		return errs.Frozen
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	end := h.dir.WatchFrozen(func(frozen bool) {
		if frozen {
			stop(errs.Frozen)
		}
	})
	defer end()
	err := h.Order(ctx, b)
	if errors.Is(err, errs.Timeout) && errors.Is(context.Cause(ctx), errs.Frozen) {
		return errs.Frozen // though it may have thawed just now
	}
	return err
}

// Create orders the founding of a room; see bridge.World.
func (h *Host) Create(ctx context.Context, account, nick string, b rooms.CreateRoom) (rooms.RoomID, error) {
	b.Maker = rooms.PrincipalOf(account, nick, h.self)
	b.Controllers = h.choose(b.Name)
	_, err := h.dir.Ask(ctx, account, nick, &b)
	rec, known := h.named(b.Name)
	if !known && err == nil {
		err = errs.Internal
	}
	return rec.ID, err
}

// choose returns the founding controllers of a room of that name: nodes that are alive now, by the directory's order.
func (h *Host) choose(name string) []rooms.NodeID {
	nodes := h.nodes()
	want := placement.Want(h.countAlive(nodes))
	order := placement.Order(rooms.PlacementSeed(name), nodes, nil)
	return placement.Choose(nil, order, want, nil, h.alive)
}
