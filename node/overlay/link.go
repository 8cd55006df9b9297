package overlay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
)

// writeBufferSize gathers small frames: one write, one packet, one wake-up of the peer.
const writeBufferSize = 32 << 10

// Send queues a frame for a member and returns at once. It owns frame from then on: do not change it. False
// means that the frame was dropped, and counted: it is too long, the node is no member, its queue is full,
// or it could not be reached lately. True is no promise either: when the link breaks, what waits is lost.
func (o *Overlay) Send(to NodeID, frame []byte) bool {
	if len(frame) > MaxFrame {
		o.stats.droppedFull.Add(1)
		return false
	}
	p := o.peer(to)
	if p == nil || p.ctx.Err() != nil {
		o.stats.droppedDown.Add(1)
		return false
	}
	linked := p.linked.Load()
	if !linked && p.fails.Load() > 0 {
		o.stats.droppedDown.Add(1)
		return false
	}
	if !p.q.push(outFrame{kindApp, frame}) {
		o.stats.droppedFull.Add(1)
		return false
	}
	if !linked {
		p.poke(false)
	}
	return true
}

// run keeps the link: waits for its turn, dials, opens the stream, writes until it breaks.
func (p *peerLink) run() {
	select {
	case <-p.o.running:
	case <-p.ctx.Done():
		return
	}
	for p.await() {
		if err := p.attempt(); err != nil && p.ctx.Err() == nil && !errors.Is(err, errUnwanted) {
			n := p.fails.Add(1)
			p.mu.Lock()
			p.untimely = untimely(err)
			p.mu.Unlock()
			dropped := p.q.drop()
			p.o.stats.droppedDown.Add(uint64(dropped))
			p.o.log.Debug("link to peer failed", "peer", short(p.id), "attempt", n, "dropped", dropped, "err", err)
		}
	}
	p.q.drop()
}

// await blocks until an attempt is due; false when the link has ended.
func (p *peerLink) await() bool {
	for {
		wait, due := p.delay()
		if wait <= 0 {
			return p.ctx.Err() == nil
		}
		t := time.NewTimer(wait)
		select {
		case <-p.ctx.Done():
			t.Stop()
			return false
		case <-p.kick:
			t.Stop()
		case <-t.C:
			if due {
				return p.ctx.Err() == nil
			}
			p.fails.Store(0) // so that Send may try again
		}
	}
}

// delay is how long to wait, and whether an attempt is due then: nobody may want this peer now.
func (p *peerLink) delay() (wait time.Duration, due bool) {
	steady := minRedial + rand.N(maxRedial-minRedial)
	switch {
	case p.connected():
	case !p.wanted():
		return steady, false
	case p.q.empty() && !p.placed():
		// A newcomer is known here before it is up, and is told itself where the others are: it comes. Were all to look for it meanwhile, each
		// admission would cost the network N searches. Who has not come after a while is looked for.
		return steady, true
	}
	switch fails := p.fails.Load(); {
	case fails == 0:
		return 0, true
	case fails > 7: // 200 ms doubled 7 times is beyond the steady state
		return steady, true
	default:
		d := firstRedial << (fails - 1)
		return d - d/4 + rand.N(d/2), true
	}
}

// wantsMore says whether to dial members that nobody asked for: all of them in a small network, some in a
// large one.
func (o *Overlay) wantsMore() bool {
	all := o.allPeers()
	if len(all) < fullMesh {
		return true
	}
	n := 0
	for _, p := range all {
		if p.linked.Load() {
			n++
		}
	}
	return n < minConnected
}

// attempt makes a connection if there is none, opens the stream and serves it. An error means that the peer
// could not be reached or does not take our frames.
func (p *peerLink) attempt() error {
	if !p.connected() {
		if err := p.dial(p.ctx, p.wanted); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(p.ctx, openTimeout)
	s, err := p.o.gated.NewStream(network.WithNoDial(ctx, "frames"), p.pid, p.o.framesProtocol())
	cancel()
	if err != nil {
		return fmt.Errorf("open frames stream: %w", err)
	}
	began, heard := time.Now(), p.o.ran.now()
	err = p.pump(s)
	_ = s.Reset()
	p.unlinked()
	if p.lastHeard.Load() > int64(heard) && time.Since(began) > time.Second {
		p.fails.Store(0) // it worked for a while: try again at once
		return nil
	}
	return err
}

// errUnwanted says that nobody needs the peer any more for whom it was to be dialled.
var errUnwanted = errors.New("the peer is not needed now")

// wanted says whether to connect with the peer: something waits for it, or this node has too few links.
func (p *peerLink) wanted() bool { return !p.q.empty() || p.o.wantsMore() }

// placed says whether an address of the peer is known.
func (p *peerLink) placed() bool {
	p.mu.Lock()
	known := len(p.addrs.own)+len(p.addrs.stored)+len(p.addrs.rumour) > 0
	p.mu.Unlock()
	return known || len(p.o.h.Peerstore().Addrs(p.pid)) > 0
}

// known is the number of members of which an address is known.
func (o *Overlay) known() uint16 {
	n := 0
	for _, p := range o.allPeers() {
		if p.placed() {
			n++
		}
	}
	return uint16(n) // at most maxPeers
}

// dial connects to the peer under any of its addresses, if it is still wanted when its turn has come.
func (p *peerLink) dial(ctx context.Context, wanted func() bool) error {
	select {
	case p.o.dials <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-p.o.dials }()
	switch {
	case p.connected(): // it has come meanwhile
		return nil
	case !wanted():
		return errUnwanted
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	p.mu.Lock()
	addrs := p.addrs.all()
	p.mu.Unlock()
	p.o.stats.dials.Add(1)
	if len(addrs) == 0 && len(p.o.h.Peerstore().Addrs(p.pid)) == 0 {
		found, err := p.o.findAddrs(ctx, p.pid)
		if err != nil {
			return fmt.Errorf("dial: no address known: %w", err)
		}
		addrs = found
	}
	p.o.forgetBackoff(p.pid)
	return p.o.gated.Connect(ctx, peer.AddrInfo{ID: p.pid, Addrs: addrs})
}

// forgetBackoff lifts libp2p's own pause after a failed dial; ours is shorter.
func (o *Overlay) forgetBackoff(p peer.ID) {
	if s, ok := o.h.Network().(interface{ Backoff() *swarm.DialBackoff }); ok {
		s.Backoff().Clear(p)
	}
}

// pump says hello and writes what waits, until the stream breaks.
func (p *peerLink) pump(s network.Stream) error {
	w := bufio.NewWriterSize(s, writeBufferSize)
	h := hello{incarnation: p.o.incarnation, heartbeat: p.o.cfg.Heartbeat, known: p.o.known(), paces: true, clock: p.o.cfg.Now().UnixMilli()}
	var until time.Time // s takes writes until then
	if err := p.write(s, w, &until, []outFrame{{kindHello, h.encode()}}); err != nil {
		return fmt.Errorf("say hello: %w", err)
	}
	p.linkedTo(s)
	var spare []outFrame
	for {
		select {
		case <-p.ctx.Done():
			return p.ctx.Err()
		case <-p.kick:
			if s.Conn().IsClosed() {
				return errors.New("connection lost")
			}
		case <-p.q.wake:
			batch := p.q.take(spare)
			err := p.write(s, w, &until, batch)
			n := 0
			for _, f := range batch {
				n += len(f.data)
			}
			p.q.done(len(batch), n)
			if err != nil {
				p.o.stats.droppedDown.Add(uint64(len(batch)))
				return fmt.Errorf("write frames: %w", err)
			}
			clear(batch)
			if spare = batch; cap(spare) > 1024 {
				spare = nil
			}
		}
	}
}

// write sends frames, gathered, and flushes. A stream's deadline is a timer that is made anew each time it is set, so it is not set with each write: a
// write has at least three quarters of writeTimeout.
func (p *peerLink) write(s network.Stream, w *bufio.Writer, until *time.Time, batch []outFrame) error {
	if len(batch) == 0 {
		return nil
	}
	if now := time.Now(); until.Sub(now) < writeTimeout*3/4 {
		*until = now.Add(writeTimeout)
		_ = s.SetWriteDeadline(*until) // in-memory streams have none
	}
	var apps, size, own, ownSize uint64
	for _, f := range batch {
		if _, err := w.Write(appendHeader(w.AvailableBuffer(), f.kind, len(f.data))); err != nil {
			return err
		}
		if _, err := w.Write(f.data); err != nil {
			return err
		}
		if f.kind == kindApp {
			apps++
			size += uint64(headerLen + len(f.data))
		} else {
			own++
			ownSize += uint64(headerLen + len(f.data))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	now := time.Since(p.o.started)
	p.lastSent.Store(int64(now))
	if apps > 0 {
		p.wrote(now)
	}
	p.o.stats.sentFrames.Add(apps)
	p.o.stats.sentBytes.Add(size)
	p.o.stats.ownFrames.Add(own)
	p.o.stats.ownBytes.Add(ownSize)
	return nil
}
