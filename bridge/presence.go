package bridge

import (
	"context"
	"maps"
	"slices"
	"sync"

	"warren/perms"
	"warren/rooms"
)

// Limits of what other nodes may tell about their users.
const (
	maxRemoteUsers = 20_000 // of one node
	maxNews        = 512    // users in one message
)

// news is what one node tells the others about its users. It is signed by nobody: the channel authenticates the node, and a node can only
// speak of its own users.
type news struct {
	_    struct{} `cbor:",toarray"`
	Ask  bool     // send me everything
	Full bool     // these are all; else only what changed
	Seq  uint64
	List []User
	Call *call // somebody of the node invites somebody
	Seen *seenNews
	Hint *hint
}

// call tells an invitation to nodes that have no copy of the room.
type call struct {
	_    struct{} `cbor:",toarray"`
	Room string   // without '#'
	By   string   // nick
	Who  perms.Principal
}

type remoteNode struct {
	seq   uint64
	users map[string]User // by folded nick
}

// presence knows who is online, here and elsewhere. It has one goroutine, which gathers local changes and tells them.
type presence struct {
	hub   *Hub
	wire  Wire
	dirty chan struct{}
	done  chan struct{}
	stops []func()

	mu       sync.Mutex
	seq      uint64
	changed  map[string]bool // folded nicks
	telling  bool            // some were taken off changed and are being told
	settled  []chan struct{} // closed when all that changed is told
	calls    []call          // invitations to tell, after the changes
	told     map[string]User // what was last told of local users
	nodes    map[rooms.NodeID]*remoteNode
	up       map[rooms.NodeID]bool      // nodes that can be asked
	seen     map[seenKey]uint64         // marks to tell
	asking   map[*seenQuestion]struct{} // questions for marks that are not answered yet
	watchers map[int]func(was, now User)
	nextID   int
}

func newPresence(h *Hub, w Wire) *presence {
	p := &presence{
		hub: h, wire: w, dirty: make(chan struct{}, 1), done: make(chan struct{}), changed: map[string]bool{}, told: map[string]User{},
		nodes: map[rooms.NodeID]*remoteNode{}, up: map[rooms.NodeID]bool{}, seen: map[seenKey]uint64{}, asking: map[*seenQuestion]struct{}{},
		watchers: map[int]func(was, now User){},
	}
	if w != nil {
		p.stops = append(p.stops, w.Receive(p.receive), w.Peers(p.peer))
	}
	go p.run()
	return p
}

func (p *presence) stop() {
	for _, s := range p.stops {
		s()
	}
	<-p.done
}

// localChanged says that something about the local users of this nick may have changed. It does not block.
func (p *presence) localChanged(fold string) {
	p.mu.Lock()
	p.changed[fold] = true
	p.mu.Unlock()
	select {
	case p.dirty <- struct{}{}:
	default:
	}
}

// callOut tells the other nodes that somebody of this one invites somebody: they may have no copy of the room. It does not block.
func (p *presence) callOut(c call) {
	p.mu.Lock()
	full := p.wire == nil || len(p.calls) >= maxNews
	if !full {
		p.calls = append(p.calls, c)
	}
	p.mu.Unlock()
	if full {
		return
	}
	select {
	case p.dirty <- struct{}{}:
	default:
	}
}

func (p *presence) run() {
	defer close(p.done)
	for {
		select {
		case <-p.hub.ctx.Done():
			return
		case <-p.dirty:
			p.tell()
			p.sendSeen()
			p.mu.Lock()
			p.telling = false
			if len(p.changed) == 0 && len(p.calls) == 0 {
				for _, c := range p.settled {
					close(c)
				}
				p.settled = nil
			}
			p.mu.Unlock()
		}
	}
}

// settle blocks until all changes so far are told to watchers and sessions here, or until ctx ends.
func (p *presence) settle(ctx context.Context) {
	p.mu.Lock()
	if len(p.changed) == 0 && len(p.calls) == 0 && !p.telling {
		p.mu.Unlock()
		return
	}
	done := make(chan struct{})
	p.settled = append(p.settled, done)
	p.mu.Unlock()
	select {
	case <-done:
	case <-ctx.Done():
	case <-p.done:
	}
}

// tell compares the changed nicks with what was told before, and tells watchers and nodes the difference.
func (p *presence) tell() {
	p.mu.Lock()
	folds := slices.Sorted(maps.Keys(p.changed))
	p.changed, p.telling = map[string]bool{}, true
	p.mu.Unlock()
	type change struct{ was, now User }
	var changes []change
	for _, f := range folds {
		now, online := p.hub.localUser(f)
		p.mu.Lock()
		was, before := p.told[f]
		if online {
			p.told[f] = now
		} else {
			delete(p.told, f)
		}
		p.mu.Unlock()
		if !online {
			now = was
			now.Online = false
		}
		if (online || before) && was != now {
			changes = append(changes, change{was, now})
		}
	}
	for len(changes) > 0 {
		n := min(len(changes), maxNews)
		msg := news{}
		for _, c := range changes[:n] {
			msg.List = append(msg.List, c.now)
		}
		p.mu.Lock()
		p.seq++
		msg.Seq = p.seq
		p.mu.Unlock()
		if p.wire != nil {
			p.wire.Broadcast(rooms.Marshal(msg))
		}
		for _, c := range changes[:n] {
			p.notify(c.was, c.now)
		}
		changes = changes[n:]
	}
	p.mu.Lock()
	calls := p.calls
	p.calls = nil
	p.mu.Unlock()
	for i := range calls {
		p.wire.Broadcast(rooms.Marshal(news{Call: &calls[i]}))
	}
}

func (p *presence) receive(from rooms.NodeID, data []byte) {
	var m news
	if rooms.Unmarshal(data, &m) != nil || from == p.hub.world.Self() {
		return
	}
	if m.Ask {
		p.sendAll(from)
		return
	}
	if m.Call != nil {
		p.called(from, m.Call)
		return
	}
	if m.Hint != nil {
		p.hinted(from, m.Hint)
		return
	}
	if m.Seen != nil {
		p.seenElsewhere(from, m.Seen)
		return
	}
	p.mu.Lock()
	n := p.nodes[from]
	if n == nil {
		n = &remoteNode{users: map[string]User{}}
		p.nodes[from] = n
	}
	gap := !m.Full && m.Seq != n.seq+1
	old := map[string]User{}
	if m.Full && m.Seq >= n.seq {
		old = maps.Clone(n.users)
		n.users = map[string]User{}
	}
	type change struct{ was, now User }
	var changes []change
	for _, u := range m.List {
		u.Node = from
		fold := rooms.Fold(u.Nick)
		was, known := n.users[fold]
		if !known {
			was = old[fold]
		}
		delete(old, fold)
		if u.Online && len(n.users) < maxRemoteUsers {
			n.users[fold] = u
		} else {
			delete(n.users, fold)
		}
		if was != u {
			changes = append(changes, change{was, u})
		}
	}
	for _, k := range slices.Sorted(maps.Keys(old)) {
		gone := old[k]
		gone.Online = false
		changes = append(changes, change{old[k], gone})
	}
	n.seq = max(n.seq, m.Seq)
	p.mu.Unlock()
	if gap {
		p.wire.Send(from, rooms.Marshal(news{Ask: true}))
	}
	for _, c := range changes {
		p.notify(c.was, c.now)
	}
}

// called hands on an invitation by a user of another node. Where the room is open it was told by the room already.
func (p *presence) called(from rooms.NodeID, c *call) {
	p.mu.Lock()
	n := p.nodes[from]
	known := n != nil && n.users[rooms.Fold(c.By)].Online
	p.mu.Unlock()
	if !known || !rooms.ValidRoomName(c.Room) {
		return
	}
	var rec rooms.RoomRecord
	p.hub.world.Directory(func(d *rooms.Directory) { rec, _ = d.RoomByName(c.Room) })
	if !p.hub.isOpen(rec.ID) {
		p.hub.invited(c.Room, c.By, c.Who)
	}
}

func (p *presence) sendAll(to rooms.NodeID) {
	p.mu.Lock()
	m := news{Full: true, Seq: p.seq, List: make([]User, 0, len(p.told))}
	for _, k := range slices.Sorted(maps.Keys(p.told)) {
		m.List = append(m.List, p.told[k])
	}
	p.mu.Unlock()
	p.wire.Send(to, rooms.Marshal(m))
}

// peer forgets the users of a node that went, and exchanges lists with one that came.
func (p *presence) peer(id rooms.NodeID, up bool) {
	p.mu.Lock()
	p.up[id] = up
	if !up {
		delete(p.up, id)
	}
	p.mu.Unlock()
	if up {
		p.wire.Send(id, rooms.Marshal(news{Ask: true}))
		p.sendAll(id)
		return
	}
	p.mu.Lock()
	n := p.nodes[id]
	delete(p.nodes, id)
	p.mu.Unlock()
	if n == nil {
		return
	}
	for _, k := range slices.Sorted(maps.Keys(n.users)) {
		gone := n.users[k]
		gone.Online = false
		p.notify(n.users[k], gone)
	}
}

func (p *presence) notify(was, now User) {
	p.mu.Lock()
	fs := make([]func(was, now User), 0, len(p.watchers))
	for _, id := range slices.Sorted(maps.Keys(p.watchers)) {
		fs = append(fs, p.watchers[id])
	}
	p.mu.Unlock()
	for _, f := range fs {
		f(was, now)
	}
	p.hub.tellSeats(was, now)
}

// tellSeats delivers a UserChange to the sessions that share a room with the user.
func (h *Hub) tellSeats(was, now User) {
	if was.Online != now.Online { // rooms tell who comes and goes, but not how: that may be known later only
		if !now.Online || now.Away == "" && now.Show == "" {
			return
		}
		was = now
		was.Away, was.Show = "", ""
	}
	h.mu.Lock()
	chans := slices.Collect(maps.Values(h.channels))
	h.mu.Unlock()
	seen := map[*Session]bool{}
	for _, c := range chans {
		here := false
		c.room.View(func(st *rooms.State) { _, here = st.Occupant(now.Nick) })
		if !here {
			continue
		}
		c.mu.Lock()
		seats := slices.Clone(c.seats)
		c.mu.Unlock()
		for _, t := range seats {
			if !seen[t.s] {
				seen[t.s] = true
				t.s.deliver(Delivery{Kind: UserChange, User: now, Was: was, Self: t.s.User().Principal() == now.Principal()})
			}
		}
	}
}
