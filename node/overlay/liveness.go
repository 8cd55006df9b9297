package overlay

import (
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// dirtyPeers is a set of peers that wait for one goroutine to look at them. Bounded by the number of peers:
// what happened to one in between is in its fields.
type dirtyPeers struct {
	wake chan struct{} // cap 1

	mu  sync.Mutex
	in  map[*peerLink]bool
	seq []*peerLink
}

func newDirtyPeers() *dirtyPeers {
	return &dirtyPeers{wake: make(chan struct{}, 1), in: make(map[*peerLink]bool)}
}

func (d *dirtyPeers) add(p *peerLink) {
	d.mu.Lock()
	if !d.in[p] {
		d.in[p] = true
		d.seq = append(d.seq, p)
	}
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *dirtyPeers) take() []*peerLink {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := d.seq
	d.seq = nil
	clear(d.in)
	return out
}

// linkedTo notes that the stream to the peer is open.
func (p *peerLink) linkedTo(s network.Stream) {
	p.mu.Lock()
	p.out = s
	p.refused, p.untimely = false, false
	p.linked.Store(true)
	p.mu.Unlock()
	p.evaluate(time.Now())
}

func (p *peerLink) unlinked() {
	p.mu.Lock()
	if p.linked.Swap(false) {
		p.outLost = time.Now()
	}
	p.out = nil
	p.mu.Unlock()
	p.waking.Store(0) // what it was sent may be lost
}

// evaluate decides whether the peer is up: streams both ways, or lost only just now, and heard lately.
func (p *peerLink) evaluate(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return
	}
	grace := p.o.cfg.LostGrace
	if p.refused {
		grace = 0
	}
	up := p.peerInc != 0 && !p.overdue(1) &&
		(p.linked.Load() || p.up && now.Sub(p.outLost) < grace) &&
		(p.in != nil || p.up && now.Sub(p.inLost) < grace)
	if up {
		p.seen = now
	}
	p.setUp(up, now)
}

// setUp is called with p.mu held.
func (p *peerLink) setUp(up bool, now time.Time) {
	if up != p.up {
		p.up, p.since = up, now
		p.o.events.add(p)
	}
}

// heartbeat takes the peer's clock and pace and, from our own clock that it echoes, the round trip.
func (p *peerLink) heartbeat(b heartbeat, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b.pace <= p.peerHB {
		p.heardFast()
	} else {
		p.peerPace.Store(int64(b.pace))
	}
	p.echo, p.echoAt = b.stamp, now
	sent := time.Duration(b.echo)
	elapsed := now.Sub(p.o.started)
	if b.echo == 0 || sent > elapsed || b.held < 0 {
		return
	}
	if rtt := elapsed - sent - b.held; rtt > 0 {
		if p.rtt == 0 {
			p.rtt = rtt
		} else {
			p.rtt += (rtt - p.rtt) / 8 // smoothed as TCP does
		}
	}
}

// beat queues a heartbeat, which promises the next one within pace.
func (p *peerLink) beat(now time.Time, pace time.Duration) {
	p.mu.Lock()
	b := heartbeat{stamp: uint64(now.Sub(p.o.started)) + 1, echo: p.echo}
	if pace > p.o.cfg.Heartbeat {
		b.pace = pace
	}
	if p.echo != 0 {
		b.held = now.Sub(p.echoAt)
	}
	p.mu.Unlock()
	p.promised.Store(int64(pace))
	p.q.push(outFrame{kindHeartbeat, b.encode()})
}

// tickLoop sends heartbeats where nothing else was sent, notices silence, and closes idle strangers.
func (o *Overlay) tickLoop() {
	period := min(max(o.cfg.Heartbeat/5, 5*time.Millisecond), 50*time.Millisecond)
	t := time.NewTicker(period)
	defer t.Stop()
	swept, links := time.Now(), 0
	var warned time.Time
	for {
		var now time.Time
		select {
		case <-o.ctx.Done():
			return
		case <-t.C:
			now = time.Now()
		}
		links = o.tickLinks(now, period, links)
		if now.Sub(swept) > strangerIdle/12 {
			swept, warned = now, o.watchClock(now, warned)
			for _, c := range o.strangers.sweep(now) {
				o.spawn(func() { _ = c.Close() })
			}
		}
	}
}

// tickLinks looks after all links; there were so many a period ago. It returns how many there are now.
func (o *Overlay) tickLinks(now time.Time, period time.Duration, before int) (links int) {
	o.ran.advance(now, period)
	for _, p := range o.allPeers() {
		if p.tick(now, period, before) {
			links++
		}
	}
	return links
}

// tick looks after one of so many links; it reports whether it is one.
func (p *peerLink) tick(now time.Time, period time.Duration, links int) (linked bool) {
	linked = p.linked.Load()
	if at := now.Sub(p.o.started); linked {
		pace := p.pace(at, links)
		if at-time.Duration(p.lastSent.Load()) > min(pace, time.Duration(p.promised.Load()))-period && p.q.empty() {
			p.beat(now, pace)
		}
	}
	p.evaluate(now)
	p.mu.Lock()
	stuck := p.in != nil && p.overdue(stuckAfter)
	if stuck { // once per such time
		p.heardFast()
		p.lastHeard.Store(int64(p.o.ran.now() - time.Duration(p.o.cfg.DownAfter)*p.beats()))
	}
	p.mu.Unlock()
	if stuck { // a dead process or a partition: libp2p itself would wait for 30 s
		p.o.spawn(func() { _ = p.o.h.Network().ClosePeer(p.pid) })
	}
	return linked
}

// eventLoop tells the consumer what changed.
func (o *Overlay) eventLoop() {
	for {
		select {
		case <-o.ctx.Done():
			return
		case <-o.events.wake:
		}
		for _, p := range o.events.take() {
			p.mu.Lock()
			up, bounced := p.up, p.bounced
			p.bounced = false
			p.mu.Unlock()
			if p.told && (!up || bounced) {
				p.told = false
				o.cfg.OnPeer(p.id, false)
			}
			if up && !p.told {
				p.told = true
				o.cfg.OnPeer(p.id, true)
				o.chores.add(p)
			}
		}
	}
}

// Alive says whether a node is up, and since when that answer holds: zero when it was never heard.
func (o *Overlay) Alive(id NodeID) (up bool, since time.Time) {
	if id == o.id {
		return true, o.started
	}
	p := o.knownPeer(id)
	if p == nil {
		return false, time.Time{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.up, p.since
}

// Ended says whether a node is down and its machine has said, since the connection broke, that nobody listens there any more: its process is gone,
// and with it its clients' connections. false says nothing.
func (o *Overlay) Ended(id NodeID) bool {
	p := o.knownPeer(id)
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.up && p.refused && p.ended
}

// RTT says how long a frame takes to a node and back, smoothed; 0 when that has not been measured, and for this node.
func (o *Overlay) RTT(id NodeID) time.Duration {
	p := o.knownPeer(id)
	if p == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rtt
}
