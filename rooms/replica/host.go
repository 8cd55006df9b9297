package replica

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
	"warren/rooms/placement"
)

// Host holds all copies of rooms at this node. Make it with New, start it with Start, end it with Close.
type Host struct {
	cfg  Config
	self rooms.NodeID
	log  *slog.Logger
	sigs *verified

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	closed bool
	copies map[rooms.RoomID]*Replica
	dir    *Replica
}

// New loads the directory's copy, founding it when the disk holds none. Nothing runs before Start. It reads the disk.
func New(cfg Config) (*Host, error) {
	cfg = cfg.withDefaults()
	h := &Host{
		cfg: cfg, self: rooms.NodeOf(cfg.Key.Public().(ed25519.PublicKey)), log: cfg.Logger, sigs: newVerified(verifiedEntries),
		copies: map[rooms.RoomID]*Replica{},
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	id := cfg.Genesis.Directory()
	chain, err := h.loadChain(id, func() rooms.Machine { return rooms.NewDirectory(cfg.Genesis) })
	if err != nil {
		return nil, fmt.Errorf("open the directory: %w", err)
	}
	h.dir = h.newReplica(id, chain)
	h.copies[id] = h.dir
	return h, nil
}

// Start runs the directory and all rooms that this node held before, or controls.
func (h *Host) Start() error {
	h.wg.Go(h.tick)
	h.run(h.dir)
	held, err := h.cfg.Store.Range(Held, nil, nil, rooms.MaxRooms, false)
	if err != nil {
		return fmt.Errorf("list the rooms of this node: %w", err)
	}
	want := map[rooms.RoomID]bool{}
	for _, e := range held {
		if len(e.Key) == len(rooms.RoomID{}) {
			want[rooms.RoomID(e.Key)] = true
		}
	}
	h.Directory(func(d *rooms.Directory) {
		for id, r := range d.Rooms {
			if slices.Contains(r.Now, h.self) {
				want[id] = true
			}
		}
	})
	for id := range want {
		if _, err := h.hold(id); err != nil && !errors.Is(err, errs.NotFound) {
			return err
		}
	}
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
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-t.C:
			for _, r := range h.Replicas() {
				select {
				case r.ticks <- struct{}{}:
				default:
				}
			}
		}
	}
}

// hold returns the running copy of a room, loaded or founded when it does not run yet. errs.NotFound: the directory does not know it.
func (h *Host) hold(id rooms.RoomID) (*Replica, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r, ok := h.copies[id]; ok {
		return r, nil
	}
	if h.closed {
		return nil, errs.Closed
	}
	var rec rooms.RoomRecord
	known := false
	h.Directory(func(d *rooms.Directory) { rec, known = d.Rooms[id] })
	if !known {
		return nil, errs.NotFound
	}
	chain, err := h.loadChain(id, func() rooms.Machine { return rooms.NewState(rec) })
	if err != nil {
		return nil, fmt.Errorf("open #%s: %w", rec.Name, err)
	}
	r := h.newReplica(id, chain)
	h.copies[id] = r
	h.cfg.Store.WriteLater([]Change{{Table: Held, Key: id[:], Value: []byte{1}}})
	h.run(r)
	return r, nil
}

// loadChain restores a chain from the newest snapshot on disk and the decisions after it. They were verified before they were written.
func (h *Host) loadChain(id rooms.RoomID, found func() rooms.Machine) (*rooms.Chain, error) {
	chain := rooms.NewChain(id, found())
	snaps, err := h.cfg.Store.Range(Snapshots, id[:], after(id), 1, true)
	if err != nil {
		return nil, err
	}
	if len(snaps) > 0 {
		if chain, err = rooms.RestoreChain(snaps[0].Value); err != nil {
			return nil, err
		}
	}
	for {
		list, err := h.cfg.Store.Range(Decisions, roomKey(id, chain.Height+1), after(id), pullCount, false)
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
func trusting(r *rooms.Request) bool { return r.SignatureOK() }

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
func (w lockedView) Member(account, group string) (ok bool) {
	w.at(func(v rooms.View) { ok = v.Member(account, group) })
	return ok
}

// Frame takes a frame from another node; it never blocks. Frames of rooms that this node does not hold are dropped, but for a recruitment.
func (h *Host) Frame(from rooms.NodeID, data []byte) {
	var f frame
	if rooms.Unmarshal(data, &f) != nil {
		return
	}
	r := h.Get(f.Room)
	if r == nil {
		if f.Kind != frameRecruit {
			return
		}
		ok := false
		h.Directory(func(d *rooms.Directory) { ok = slices.Contains(d.Rooms[f.Room].Now, from) })
		if !ok {
			return
		}
		var err error
		if r, err = h.hold(f.Room); err != nil {
			return
		}
	}
	select {
	case r.frames <- inFrame{from, f}:
	default:
		r.dropped.Add(1)
	}
}

// Peer tells that a node came up or went down.
func (h *Host) Peer(id rooms.NodeID, up bool) {
	for _, r := range h.Replicas() {
		r.call(func() { r.peer(id, up) })
	}
}

// Open returns the copy of a room for a reader, caught up. It blocks until then or until ctx ends. Errors: errs.NotFound, errs.Denied,
// errs.Frozen (no controller could be reached in time).
func (h *Host) Open(ctx context.Context, id rooms.RoomID, account, nick string) (*Replica, error) {
	r, err := h.hold(id)
	if err != nil {
		return nil, err
	}
	if err := r.syncAs(ctx, &reader{Account: account, Nick: nick}); err != nil {
		return nil, err
	}
	return r, nil
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
	order := placement.Order(rooms.PlacementSeed(name), nodes, want)
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

func (h *Host) alive(id rooms.NodeID) bool {
	if id == h.self {
		return true
	}
	up, _ := h.cfg.Net.Alive(id)
	return up
}

// directoryApplied follows what the directory decided: rooms to found, rooms to drop.
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
			if _, err := h.hold(rec.ID); err != nil {
				h.log.Error("a room cannot be founded", "room", rec.ID.Short(), "err", err)
			}
		}
	case *rooms.DropRoom:
		h.drop(b.Room)
	}
}

// drop ends a copy and deletes what the disk holds of it.
func (h *Host) drop(id rooms.RoomID) {
	h.mu.Lock()
	r := h.copies[id]
	delete(h.copies, id)
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
	for _, t := range []Table{Decisions, Snapshots, Raft} {
		changes = append(changes, Change{Table: t, Key: id[:], To: after(id)})
	}
	h.cfg.Store.WriteLater(append(changes, Change{Table: Held, Key: id[:]}))
}

// directoryMoved tells all rooms that the directory has a new version.
func (h *Host) directoryMoved() {
	for _, r := range h.Replicas() {
		if r != h.dir {
			r.poke()
		}
	}
}

// dirHeight is the newest version of the directory here.
func (h *Host) dirHeight() uint64 {
	h.dir.mu.RLock()
	defer h.dir.mu.RUnlock()
	return h.dir.chain.Height
}
