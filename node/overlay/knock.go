package overlay

import (
	"context"
	"errors"
	"net"
	"slices"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// knockTries is how often a lost peer's port is knocked at, knockPause apart and longer each time: a process that is just dying may still accept.
const (
	knockTries = 4
	knockPause = 15 * time.Millisecond
)

// knock asks the machine of a peer whose TCP connection broke whether anybody listens there any more. A refusal means that the process is gone, so
// nobody need wait for the grace (Config.LostGrace) in which a connection that only broke would come back. It blocks for up to that. Connections over UDP
// that still seem to stand say nothing: they are not told.
func (p *peerLink) knock(lost network.Conn) {
	ctx, cancel := context.WithTimeout(p.ctx, p.o.cfg.LostGrace)
	defer cancel()
	addr, sure, ok := p.door(lost)
	if !ok {
		return
	}
	var d net.Dialer
	for i := range knockTries {
		c, err := d.DialContext(ctx, "tcp", addr)
		if errors.Is(err, syscall.ECONNREFUSED) {
			p.mu.Lock()
			p.refused = !slices.ContainsFunc(p.conns(), overTCP)
			p.ended = p.refused && sure
			p.mu.Unlock()
			p.evaluate(time.Now())
			return
		}
		if err != nil {
			return
		}
		_ = c.Close()
		select {
		case <-ctx.Done():
			return
		case <-time.After(knockPause << i):
		}
		if slices.ContainsFunc(p.conns(), overTCP) {
			return
		}
	}
}

// door returns where the peer at the other end of a direct TCP connection listened: its end of the connection when this node made it, else the port
// that the peer names, at the IP address from which it came. Another machine's refusal, behind another address, would mean nothing. sure: it is the
// peer's machine that answers there, since it has answered, or the address is one of a local network. Behind a public address at which nobody was
// reached there may be a router, which refuses what it does not pass on.
func (p *peerLink) door(c network.Conn) (addr string, sure, ok bool) {
	if !overTCP(c) {
		return "", false, false
	}
	at, err := manet.ToNetAddr(c.RemoteMultiaddr())
	tcp, isTCP := at.(*net.TCPAddr)
	if err != nil || !isTCP {
		return "", false, false
	}
	if c.Stat().Direction == network.DirOutbound {
		return tcp.String(), true, true
	}
	p.mu.Lock()
	named := append([]ma.Multiaddr(nil), p.addrs.own...)
	p.mu.Unlock()
	for _, m := range named {
		if relayed(m) || overUDP(m) {
			continue
		}
		if a, err := manet.ToNetAddr(m); err == nil {
			if t, isTCP := a.(*net.TCPAddr); isTCP && t.IP.Equal(tcp.IP) {
				return t.String(), !manet.IsPublicAddr(m), true
			}
		}
	}
	return "", false, false
}
