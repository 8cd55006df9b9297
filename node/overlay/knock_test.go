package overlay

import (
	"net"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// A peer whose machine refuses new connections is down at once: the time of grace is for connections that break and come back.
func TestARefusalEndsTheGrace(t *testing.T) {
	a, b := pair(t, onTCP)
	p := a.knownPeer(b.id)
	lose := func(refused bool) (up bool) {
		p.mu.Lock()
		in, lost := p.in, p.inLost
		now := time.Now()
		p.in, p.inLost, p.refused = nil, now, refused
		p.mu.Unlock()
		p.evaluate(now)
		p.mu.Lock()
		defer p.mu.Unlock()
		up = p.up
		p.in, p.inLost, p.refused, p.up = in, lost, false, true
		return up
	}
	if a.Ended(b.id) {
		t.Error("a peer that is up has ended")
	}
	if !lose(false) {
		t.Error("a peer is down in the moment in which its connection breaks")
	}
	if lose(true) {
		t.Error("a peer whose machine says that it is gone is still up")
	}
	p.mu.Lock()
	p.up, p.refused = false, true // by a machine that may be a router in front of the peer's
	p.mu.Unlock()
	if a.Ended(b.id) {
		t.Error("a peer has ended at the word of another machine")
	}
}

// Both sides of a connection find the door of a process that is gone, and hear its machine say so: nothing else would tell them within the test.
func TestAKnockAtAnEmptyHouseIsRefused(t *testing.T) {
	patient := func(c *Config) { c.LostGrace, c.DownAfter = 2*soon, int(2*soon/c.Heartbeat) }
	for _, dialler := range []string{"this node", "the peer"} {
		t.Run(dialler+" dialled", func(t *testing.T) {
			r := members(1, 2)
			a, b := newNode(t, 1, r, patient), newNode(t, 2, r, patient)
			if dialler == "this node" {
				a.dial(b)
			} else {
				b.dial(a)
			}
			a.waitPeer(b.id, true)
			if err := b.h.Close(); err != nil { // no goodbye of ours
				t.Fatal(err)
			}
			a.waitPeer(b.id, false)
			if !a.Ended(b.id) {
				t.Error("it is not known that its process ended")
			}
		})
	}
}

// brokenConn is a connection over TCP that this node had made, to a place where nobody listens any more.
type brokenConn struct {
	network.Conn
	peer peer.ID
	at   ma.Multiaddr
}

func (c *brokenConn) RemotePeer() peer.ID           { return c.peer }
func (c *brokenConn) RemoteMultiaddr() ma.Multiaddr { return c.at }
func (c *brokenConn) Stat() (s network.ConnStats) {
	s.Direction = network.DirOutbound
	return s
}

// One stream to a process that was killed was over TCP and the other one over QUIC, which seems to stand for half a minute yet.
func TestAConnectionOverUDPDoesNotHideADeath(t *testing.T) {
	r := members(1, 2)
	patient := func(c *Config) {
		c.Listen, c.LostGrace, c.DownAfter = onQUIC, 2*soon, int(2*soon/c.Heartbeat)
	}
	a, b := newNode(t, 1, r, patient), newNode(t, 2, r, patient)
	a.dial(b)
	a.waitPeer(b.id, true)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at, err := manet.FromNetAddr(l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	p := a.knownPeer(b.id)
	p.mu.Lock()
	p.in, p.inLost = nil, time.Now()
	p.mu.Unlock()
	a.onDisconnected(a.h.Network(), &brokenConn{peer: p.pid, at: at})
	a.waitPeer(b.id, false)
}
