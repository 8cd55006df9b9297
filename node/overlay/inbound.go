package overlay

import (
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// inStream is the stream of frames from a peer. A newer one replaces it.
type inStream struct {
	s    network.Stream
	done chan struct{} // closed when its reader has ended
}

// serveFrames reads a peer's frames until the stream ends. Junk resets the stream, not the connection.
func (o *Overlay) serveFrames(s network.Stream) {
	id, _ := nodeID(s.Conn().RemotePeer())
	p := o.peer(id)
	if p == nil || !o.enter() {
		_ = s.Reset()
		return
	}
	defer o.leave()
	in := &inStream{s: s, done: make(chan struct{})}
	defer close(in.done)
	err := p.read(in)
	_ = s.Reset()
	p.mu.Lock()
	if p.in == in {
		p.in, p.inLost = nil, time.Now()
	}
	p.mu.Unlock()
	if errors.Is(err, errFrame) {
		o.stats.badFrames.Add(1)
		o.log.Warn("peer sent a bad frame; its stream was reset", "peer", short(id), "err", err)
	}
}

func (p *peerLink) read(in *inStream) error {
	fr := newFrameReader(in.s)
	_ = in.s.SetReadDeadline(time.Now().Add(helloTimeout)) // in-memory streams have none
	kind, payload, err := fr.next()
	if err != nil {
		return err
	}
	if kind != kindHello {
		return fmt.Errorf("%w: the first one is of kind %d, want hello", errFrame, kind)
	}
	h, err := decodeHello(payload)
	if err != nil {
		return err
	}
	_ = in.s.SetReadDeadline(time.Time{})
	if !p.adopt(in, h) {
		return nil
	}
	for {
		kind, payload, err := fr.next()
		if err != nil {
			return err
		}
		now := time.Now()
		p.lastHeard.Store(int64(p.o.ran.now()))
		switch kind {
		case kindApp:
			p.o.stats.receivedFrames.Add(1)
			p.o.stats.receivedBytes.Add(uint64(headerLen + len(payload)))
			p.heardUse(now.Sub(p.o.started))
			p.o.cfg.OnFrame(p.id, payload)
		case kindHeartbeat:
			b, err := decodeHeartbeat(payload)
			if err != nil {
				return err
			}
			p.heartbeat(b, now)
		case kindPeers:
			if err := p.o.learnPeers(payload); err != nil {
				return err
			}
		}
	}
}

// adopt makes in the stream from the peer, after the reader of the one before has ended, so that frames
// stay in order. False when a still newer one came meanwhile.
func (p *peerLink) adopt(in *inStream, h hello) bool {
	p.mu.Lock()
	old := p.in
	p.in = in
	p.mu.Unlock()
	if old != nil {
		_ = old.s.Reset()
		<-old.done
	}
	now := time.Now()
	p.mu.Lock()
	if p.in != in {
		p.mu.Unlock()
		return false
	}
	restarted := p.peerInc != 0 && p.peerInc != h.incarnation
	p.peerInc, p.peerHB, p.knows = h.incarnation, h.heartbeat, int(h.known)
	p.paces.Store(h.paces)
	p.clock, p.clockAt = h.wallClock(), now
	p.heardFast()
	p.echo, p.rtt, p.refused = 0, 0, false
	out := p.out
	if restarted {
		p.bounced = p.bounced || p.up
	}
	p.lastHeard.Store(int64(p.o.ran.now()))
	p.mu.Unlock()
	if restarted {
		p.retire(in.s.Conn(), out)
	}
	if !p.linked.Load() || restarted {
		p.poke(true)
	}
	p.o.reintroduce(p.pid) // it admits us, so its pubsub and DHT take our streams now
	p.evaluate(now)
	if restarted {
		p.o.events.add(p)
	}
	return true
}

// retire drops what was left of the peer's former process: connections that only a time-out would end, and
// our stream over one of them.
func (p *peerLink) retire(keep network.Conn, out network.Stream) {
	if out != nil && out.Conn() != keep {
		_ = out.Reset()
	}
	for _, c := range p.conns() {
		if c != keep && c.Stat().Opened.Before(keep.Stat().Opened) {
			p.o.spawn(func() { _ = c.Close() })
		}
	}
}
