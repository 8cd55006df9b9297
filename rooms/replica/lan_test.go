package replica

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// lan connects hosts in one process.
type lan struct {
	delay time.Duration // one way
	mu    sync.Mutex
	nodes map[rooms.NodeID]*port

	mute   func(from, to rooms.NodeID) bool // frames that get lost; nil: none
	ended  map[[2]rooms.NodeID]bool         // who knows of whom that its process has ended
	side   map[rooms.NodeID]int             // nodes on different sides do not reach each other
	idle   map[[2]rooms.NodeID]bool         // pairs that are not connected, as in a large network, until one sends to the other
	topics map[string]map[*port]func(rooms.NodeID, []byte)
	alter  func(from rooms.NodeID, f *frame) bool // changes what somebody sends; false: it gets lost
	orders atomic.Int64                           // messages between controllers
	pulls  atomic.Int64

	// onPull stands between who pulls and who serves; nil: nothing does.
	onPull func(ctx context.Context, from, to rooms.NodeID, req []byte, serve func(context.Context, rooms.NodeID, []byte) ([]byte, error)) ([]byte, error)
}

type port struct {
	l     *lan
	id    rooms.NodeID
	h     *Host
	up    bool
	since time.Time
	q     chan func()
	done  chan struct{}
}

func (p *port) peer(id rooms.NodeID) *port {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	o := p.l.nodes[id]
	if o == nil || !p.reaches(o) {
		return nil
	}
	return o
}

// reaches is called with the lan's lock held.
func (p *port) reaches(o *port) bool {
	return o.up && p.up && p.l.side[p.id] == p.l.side[o.id] && !p.l.idle[pair(p.id, o.id)]
}

func pair(a, b rooms.NodeID) [2]rooms.NodeID {
	list := []rooms.NodeID{a, b}
	rooms.SortNodes(list)
	return [2]rooms.NodeID(list)
}

// hangUp ends the connections of a node with all others, for no fault of theirs.
func (l *lan) hangUp(id rooms.NodeID) {
	l.mu.Lock()
	var others []*port
	l.idle = map[[2]rooms.NodeID]bool{}
	for _, o := range l.nodes {
		if o.id != id {
			others = append(others, o)
			l.idle[pair(id, o.id)] = true
		}
	}
	h := l.nodes[id].h
	l.mu.Unlock()
	for _, o := range others {
		o.h.Peer(id, false)
		h.Peer(o.id, false)
	}
}

// dial connects two nodes that were not; called with the lan's lock held.
func (p *port) dial(o *port) {
	delete(p.l.idle, pair(p.id, o.id))
	if p.reaches(o) {
		o.q <- func() { o.h.Peer(p.id, true) }
		p.q <- func() { p.h.Peer(o.id, true) }
	}
}

func (p *port) Send(to rooms.NodeID, f []byte) bool {
	p.l.mu.Lock() // a queue that is about to be closed takes nothing more
	defer p.l.mu.Unlock()
	o := p.l.nodes[to]
	if o != nil && p.l.idle[pair(p.id, to)] {
		p.dial(o)
	}
	if o == nil || !p.reaches(o) {
		return false
	}
	if p.l.alter != nil {
		var in frame
		if rooms.Unmarshal(f, &in) != nil || !p.l.alter(p.id, &in) {
			return true
		}
		f = rooms.Marshal(in)
	}
	arrive := func() { o.h.Frame(p.id, f) }
	if d := p.l.delay; d > 0 {
		at := time.Now().Add(d)
		arrive = func() { time.Sleep(time.Until(at)); o.h.Frame(p.id, f) }
	}
	if m := p.l.mute; m != nil && m(p.id, to) {
		return true
	}
	var in frame
	if rooms.Unmarshal(f, &in) == nil && in.Kind == frameOrder {
		p.l.orders.Add(1)
	}
	select {
	case o.q <- arrive:
		return true
	default:
		return false
	}
}

func (p *port) Pull(ctx context.Context, to rooms.NodeID, req []byte) ([]byte, error) {
	p.l.pulls.Add(1)
	o := p.peer(to)
	if o == nil {
		return nil, errs.Timeout
	}
	if f := p.l.onPull; f != nil {
		return f(ctx, p.id, to, req, o.h.ServePull)
	}
	return o.h.ServePull(ctx, p.id, req)
}

func (p *port) Alive(id rooms.NodeID) (bool, time.Time) {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	o := p.l.nodes[id]
	if o == nil {
		return false, time.Time{}
	}
	return p.reaches(o), o.since
}

func (p *port) Ended(id rooms.NodeID) bool {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	return p.l.ended[[2]rooms.NodeID{p.id, id}]
}

func (p *port) RTT(rooms.NodeID) time.Duration { return 2 * p.l.delay }

func (p *port) Join(topic string, f func(rooms.NodeID, []byte)) (func([]byte), func(), error) {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	if p.l.topics[topic] == nil {
		p.l.topics[topic] = map[*port]func(rooms.NodeID, []byte){}
	}
	p.l.topics[topic][p] = f
	publish := func(data []byte) {
		p.l.mu.Lock()
		defer p.l.mu.Unlock()
		for o, f := range p.l.topics[topic] {
			if o == p || !p.reaches(o) {
				continue
			}
			select {
			case o.q <- func() { f(p.id, data) }:
			default:
			}
		}
	}
	return publish, func() {
		p.l.mu.Lock()
		defer p.l.mu.Unlock()
		delete(p.l.topics[topic], p)
	}, nil
}

// slow has frames take so long from now on, one way.
func (l *lan) slow(delay time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = delay
}

// split puts nodes onto a side of their own, or with none, all onto one again.
func (l *lan) split(apart ...rooms.NodeID) {
	l.mu.Lock()
	was := l.side
	l.side = map[rooms.NodeID]int{}
	for _, id := range apart {
		l.side[id] = 1
	}
	type news struct {
		h  *Host
		id rooms.NodeID
		up bool
	}
	var list []news
	for _, a := range l.nodes {
		for _, b := range l.nodes {
			before, now := was[a.id] == was[b.id], l.side[a.id] == l.side[b.id]
			if a != b && a.up && b.up && before != now {
				list = append(list, news{a.h, b.id, now})
			}
		}
	}
	l.mu.Unlock()
	for _, n := range list {
		n.h.Peer(n.id, n.up)
	}
}

func (l *lan) set(id rooms.NodeID, up bool) {
	l.mu.Lock()
	l.nodes[id].up, l.nodes[id].since = up, time.Now()
	var others []*port
	for _, o := range l.nodes {
		if o.id != id {
			others = append(others, o)
		}
	}
	l.mu.Unlock()
	for _, o := range others {
		if o.up {
			o.h.Peer(id, up)
			if up {
				l.nodes[id].h.Peer(o.id, true)
			}
		}
	}
}
