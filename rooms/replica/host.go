package replica

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
	"warren/rooms/placement"
)

// Host holds all copies of rooms at this node. Make it with New, start it with Start, end it with Close.
type Host struct {
	cfg  Config
	self rooms.NodeID
	from time.Time // when it was made
	log  *slog.Logger
	sigs *verified
	load load // frames that wait

	moved   atomic.Uint64 // how often nodes came and went
	silence silence
	dirAt   atomic.Uint64 // the newest version of the directory here

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	copies  map[rooms.RoomID]*Replica
	parked  map[rooms.RoomID]*resting // a copy that is just ending may be among copies, too
	nextDue int64                     // ms: when the first of them has to be looked at, 0: never
	loading map[rooms.RoomID]*loading // rooms that are being read from the disk
	fillers chan struct{}             // a place for each copy that fills its log
	dir     *Replica
	readers chan struct{} // tokens of those who read rooms in the background

	ledgers ledgers
}

// New loads the directory's copy, founding it when the disk holds none. Nothing runs before Start. It reads the disk.
func New(cfg Config) (*Host, error) {
	cfg = cfg.withDefaults()
	h := &Host{
		cfg: cfg, from: time.Now(), self: rooms.NodeOf(cfg.Key.Public().(ed25519.PublicKey)), log: cfg.Logger, sigs: newVerified(verifiedEntries),
		load: load{by: map[rooms.NodeID]int{}}, copies: map[rooms.RoomID]*Replica{}, loading: map[rooms.RoomID]*loading{},
		parked: map[rooms.RoomID]*resting{}, readers: make(chan struct{}, maxReaders), fillers: make(chan struct{}, fillAtOnce),
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	id := cfg.Genesis.Directory()
	chain, err := h.openDirectory()
	if err != nil {
		return nil, fmt.Errorf("open the directory: %w", err)
	}
	h.dir = h.newReplica(id, chain, logState{moved: make(chan struct{})})
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

// showParked tells of the parked rooms that hold something to be found.
func (h *Host) showParked() {
	if h.cfg.Opened == nil {
		return
	}
	var ids []rooms.RoomID
	h.mu.Lock()
	for id, e := range h.parked {
		if e.Tagged {
			ids = append(ids, id)
		}
	}
	h.mu.Unlock()
	for _, id := range ids {
		if h.ctx.Err() != nil {
			return
		}
		h.show(id)
	}
}

// show tells of one parked room; it cannot be woken meanwhile, so that what is told of it comes in order.
func (h *Host) show(id rooms.RoomID) {
	h.mu.Lock()
	if h.closed || h.parked[id] == nil || h.loading[id] != nil {
		h.mu.Unlock()
		return // it tells of itself
	}
	l := &loading{done: make(chan struct{})}
	h.loading[id] = l
	h.mu.Unlock()
	h.cfg.Opened(id)
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.loading, id)
	close(l.done)
	if len(l.frames) > 0 && !h.closed {
		h.begin(id, nil)
		h.loading[id].frames = l.frames
	}
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

// Dir returns the directory's copy.
func (h *Host) Dir() *Replica { return h.dir }

// Directory calls f with the directory under a read lock: f must be quick and not keep it.
func (h *Host) Directory(f func(*rooms.Directory)) {
	h.dir.mu.RLock()
	defer h.dir.mu.RUnlock()
	f(h.dir.chain.Machine.(*rooms.Directory))
}

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

// hold returns the running copy of a room, loaded or founded when it does not run yet. It may block on the disk, and on a copy that is just
// ending. errs.NotFound: the directory does not know it; errs.Closed: the host ends.
func (h *Host) hold(id rooms.RoomID) (*Replica, error) {
	for {
		h.mu.Lock()
		r, l := h.copies[id], h.loading[id]
		switch {
		case r != nil && r.ctx.Err() == nil:
			h.mu.Unlock()
			return r, nil
		case h.closed:
			h.mu.Unlock()
			return nil, errs.Closed
		case l != nil:
			h.mu.Unlock()
			<-l.done
			continue
		}
		l = &loading{done: make(chan struct{})}
		h.loading[id] = l
		h.mu.Unlock()
		return h.read(id, r, l)
	}
}

// wake holds a room in the background. It never blocks.
func (h *Host) wake(id rooms.RoomID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.copies[id]; !h.closed && h.loading[id] == nil && (r == nil || r.ctx.Err() != nil) {
		h.begin(id, r) // once the copy that is ending has ended
	}
}

func (h *Host) record(id rooms.RoomID) (rec rooms.RoomRecord, err error) {
	known := false
	h.Directory(func(d *rooms.Directory) { rec, known = d.Rooms[id] })
	if !known {
		return rec, errs.NotFound
	}
	return rec, nil
}

func (h *Host) open(id rooms.RoomID) (*rooms.Chain, error) {
	rec, err := h.record(id)
	if err != nil {
		return nil, err
	}
	chain, err := h.toEpoch(id, func() (*rooms.Chain, error) { return h.asStored(rec) })
	if err != nil {
		return nil, fmt.Errorf("open #%s: %w", rec.Name, err)
	}
	return chain, nil
}

// asStored reads a room from the disk as it lies there. It may hold what an epoch has put aside: see toEpoch.
func (h *Host) asStored(rec rooms.RoomRecord) (*rooms.Chain, error) {
	chain, err := h.loadChain(rec.ID, func() rooms.Machine { return rooms.NewState(rec) })
	if err == nil {
		chain.Learn(h.view(h.dirHeight()))
	}
	return chain, err
}

// ended takes a copy off the list.
func (h *Host) ended(r *Replica) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.copies[r.id] == r {
		delete(h.copies, r.id)
	}
}

// loadChain restores a chain from the newest snapshot on disk and the decisions after it. They were verified before they were written.
func (h *Host) loadChain(id rooms.RoomID, found func() rooms.Machine) (*rooms.Chain, error) {
	return h.loadUpTo(id, math.MaxUint64-1, found)
}

// loadUpTo restores a chain as it was at a height, or at the highest on disk below. ErrGap: the log does not reach down that far.
func (h *Host) loadUpTo(id rooms.RoomID, height uint64, found func() rooms.Machine) (*rooms.Chain, error) {
	chain := rooms.NewChain(id, found())
	end := roomKey(id, height+1)
	snaps, err := h.cfg.Store.Range(Snapshots, id[:], end, 1, true)
	if err != nil {
		return nil, err
	}
	if len(snaps) > 0 {
		if chain, err = rooms.RestoreChain(snaps[0].Value); err != nil {
			return nil, err
		}
	}
	for {
		list, err := h.cfg.Store.Range(Decisions, roomKey(id, chain.Height+1), end, pullCount, false)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			var d rooms.Decision
			if err := rooms.Unmarshal(e.Value, &d); err != nil {
				return nil, fmt.Errorf("decision %d on disk: %w", chain.Height+1, err)
			}
			if _, err := chain.Accept(&d, h.view(d.Header.Dir), trusting); err != nil {
				return nil, fmt.Errorf("decision %d on disk: %w", chain.Height+1, err)
			}
		}
		if len(list) < pullCount {
			return chain, nil
		}
	}
}

// trusting verifies nothing anew but still tells void requests apart: signatures of what lies on this node's disk were checked before it was
// written, and a wrong one has been ordered as void.
func trusting(r *rooms.Request, id rooms.Hash) bool { return r.SignedAs(id) }

// view returns the directory's version v, behind its lock. The caller makes sure that the directory is there.
func (h *Host) view(v uint64) rooms.View {
	if h.dir == nil {
		return nil // the directory itself is being loaded: it judges by its own state
	}
	return lockedView{h.dir, v}
}

type lockedView struct {
	dir *Replica
	v   uint64
}

func (w lockedView) at(f func(rooms.View)) {
	w.dir.mu.RLock()
	defer w.dir.mu.RUnlock()
	f(w.dir.chain.Machine.(*rooms.Directory).At(w.v))
}

func (w lockedView) Version() uint64 { return w.v }
func (w lockedView) Signs(account string, device rooms.NodeID) (ok bool) {
	w.at(func(v rooms.View) { ok = v.Signs(account, device) })
	return ok
}
func (w lockedView) HasAccount(name string) (ok bool) {
	w.at(func(v rooms.View) { ok = v.HasAccount(name) })
	return ok
}
func (w lockedView) Node(id rooms.NodeID) (n rooms.NodeRecord, ok bool) {
	w.at(func(v rooms.View) { n, ok = v.Node(id) })
	return n, ok
}
func (w lockedView) Epochs(room rooms.RoomID) (list []rooms.EpochRecord) {
	w.at(func(v rooms.View) { list = v.Epochs(room) })
	return list
}
func (w lockedView) Member(account, group string) (ok bool) {
	w.at(func(v rooms.View) { ok = v.Member(account, group) })
	return ok
}

// Frame takes a frame from another node; it never blocks. It wakes a parked room. Frames of rooms that this node does not hold are dropped; a
// recruitment by one of the room's controllers has the room opened, and is repeated.
func (h *Host) Frame(from rooms.NodeID, data []byte) {
	var f frame
	if rooms.Unmarshal(data, &f) != nil {
		return
	}
	in := inFrame{from, f}
	if r := h.Get(f.Room); r != nil && r.put(in) {
		return
	}
	ok := false
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

// Order orders a request of this node itself in the directory and waits until it is applied here.
func (h *Host) Order(ctx context.Context, b rooms.Body) error {
	_, err := h.dir.Ask(ctx, "", "", b)
	return err
}

// Create orders the founding of a room; see bridge.World.
func (h *Host) Create(ctx context.Context, account, nick string, b rooms.CreateRoom) (rooms.RoomID, error) {
	b.Maker = rooms.PrincipalOf(account, nick, h.self)
	b.Controllers = h.choose(b.Name)
	_, err := h.dir.Ask(ctx, account, nick, &b)
	var rec rooms.RoomRecord
	known := false
	h.Directory(func(d *rooms.Directory) { rec, known = d.RoomByName(b.Name) })
	if !known {
		if err == nil {
			err = errs.Internal
		}
		return rec.ID, err
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

func (h *Host) nodes() []rooms.NodeRecord {
	var out []rooms.NodeRecord
	h.Directory(func(d *rooms.Directory) {
		for _, id := range d.NodeIDs() {
			out = append(out, d.Nodes[id])
		}
	})
	return out
}

func (h *Host) countAlive(nodes []rooms.NodeRecord) (n int) {
	for _, r := range nodes {
		if h.alive(r.ID) {
			n++
		}
	}
	return n
}

// Alive reports whether a node is up, as this node sees it.
func (h *Host) Alive(id rooms.NodeID) bool { return h.alive(id) }

func (h *Host) alive(id rooms.NodeID) bool {
	if id == h.self {
		return true
	}
	up, _ := h.cfg.Net.Alive(id)
	return up
}

// directoryApplied follows what the directory decided: rooms to found or to control, rooms to drop.
func (h *Host) directoryApplied(ev *rooms.Event) {
	switch b := ev.Body.(type) {
	case *rooms.CreateRoom:
		if !slices.Contains(b.Controllers, h.self) {
			return
		}
		var rec rooms.RoomRecord
		known := false
		h.Directory(func(d *rooms.Directory) { rec, known = d.RoomByName(b.Name) })
		if known {
			h.wake(rec.ID)
		}
	case *rooms.Witness:
		// This node may have closed its copy between its consent and the change.
		if rec, err := h.record(b.Room); err == nil && (slices.Contains(rec.Now, h.self) || h.isParked(b.Room)) {
			h.wake(b.Room)
		}
	case *rooms.NewEpoch:
		if rec, err := h.record(b.Room); err == nil && slices.Contains(rec.Now, h.self) {
			h.wake(b.Room)
		}
	case *rooms.AdmitNode, *rooms.DropNode:
		h.moved.Add(1)
	case *rooms.DropRoom:
		h.drop(b.Room)
	}
}

// drop ends a copy and deletes what the disk holds of it.
func (h *Host) drop(id rooms.RoomID) {
	h.mu.Lock()
	r := h.copies[id]
	delete(h.copies, id)
	delete(h.parked, id)
	h.mu.Unlock()
	if r != nil {
		r.cancel()
		h.wg.Go(func() { <-r.done; h.forget(id) })
		return
	}
	h.forget(id)
}

func (h *Host) forget(id rooms.RoomID) {
	var changes []Change
	for _, t := range []Table{Decisions, Snapshots, Raft, Ids, Outbox} {
		changes = append(changes, Change{Table: t, Key: id[:], To: after(id)})
	}
	h.cfg.Store.WriteLater(append(changes, Change{Table: Held, Key: id[:]}, Change{Table: Gaps, Key: id[:]}))
}

// directoryMoved tells all rooms that the directory has a new version. Those at rest look for themselves before they do anything.
func (h *Host) directoryMoved() {
	for _, r := range h.Replicas() {
		if r != h.dir && !r.quiet.Load() {
			r.poke()
		}
	}
}

// dirHeight is the newest version of the directory here.
func (h *Host) dirHeight() uint64 { return h.dirAt.Load() }

// nodesVersion changes with every change of the nodes that there are and are up.
func (h *Host) nodesVersion() uint64 { return h.moved.Load() }

// inside reports whether the node belongs to the network now.
func (h *Host) inside(n rooms.NodeID) (ok bool) {
	h.Directory(func(d *rooms.Directory) { _, ok = d.Now().Node(n) })
	return ok
}
