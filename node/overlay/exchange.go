package overlay

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"warren/rooms"
)

const (
	maxTold     = 64 // peers named in one frame, and told of one newcomer
	toldAddrs   = 8  // addresses named per peer
	saveAtLeast = 10 * time.Minute
)

// peersMsg is the payload of a peers frame, as CBOR.
type peersMsg []toldPeer

// toldPeer is a member and its addresses (binary multiaddrs without peer id).
type toldPeer struct {
	_     struct{} `cbor:",toarray"`
	ID    []byte
	Addrs [][]byte
}

// decodePeers returns the members and addresses in a peers frame, within the limits; the rest is cut off.
func decodePeers(b []byte) (map[NodeID][]ma.Multiaddr, error) {
	var list peersMsg
	if err := rooms.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("%w: peers: %v", errFrame, err)
	}
	out := make(map[NodeID][]ma.Multiaddr)
	for _, t := range list[:min(len(list), maxTold)] {
		if len(t.ID) != len(NodeID{}) {
			return nil, fmt.Errorf("%w: peers: id of %d bytes", errFrame, len(t.ID))
		}
		for _, raw := range t.Addrs[:min(len(t.Addrs), toldAddrs)] {
			if len(raw) > maxAddrLen {
				continue
			}
			if m, err := ma.NewMultiaddrBytes(raw); err == nil && len(m) > 0 {
				out[NodeID(t.ID)] = append(out[NodeID(t.ID)], m)
			}
		}
	}
	return out, nil
}

// learnPeers takes the addresses another member named. They are rumours: tried, never passed on.
func (o *Overlay) learnPeers(b []byte) error {
	told, err := decodePeers(b)
	if err != nil {
		return err
	}
	for id, addrs := range told {
		if p := o.peer(id); p != nil {
			p.addAddrs(rumourAddrs, addrs)
		}
	}
	return nil
}

// choreLoop does what may take a while when a peer has come up: save its addresses, introduce it.
func (o *Overlay) choreLoop() {
	saved := make(map[NodeID]PeerAddrs)
	for {
		select {
		case <-o.ctx.Done():
			return
		case <-o.chores.wake:
		}
		for _, p := range o.chores.take() {
			p.learnOwn()
			o.save(p, saved)
			o.introduce(p)
		}
	}
}

// learnOwn takes over the addresses that the peer named when it was identified.
func (p *peerLink) learnOwn() {
	addrs := p.o.h.Peerstore().Addrs(p.pid)
	own := make([]ma.Multiaddr, 0, len(addrs))
	for _, a := range addrs {
		if len(own) < maxAddrs && len(a.String()) <= maxAddrLen {
			own = append(own, a)
		}
	}
	slices.SortFunc(own, func(x, y ma.Multiaddr) int { return x.Compare(y) })
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(own) > 0 {
		p.addrs.own = own
	}
}

// save remembers a peer when its addresses changed, or now and then.
func (o *Overlay) save(p *peerLink, saved map[NodeID]PeerAddrs) {
	if o.cfg.Peers == nil {
		return
	}
	p.mu.Lock()
	rec := PeerAddrs{ID: p.id, Addrs: withPeerID(p.id, p.addrs.best()), LastSeen: time.Now()}
	p.mu.Unlock()
	last, ok := saved[p.id]
	if len(rec.Addrs) == 0 || ok && slices.Equal(last.Addrs, rec.Addrs) && rec.LastSeen.Sub(last.LastSeen) < saveAtLeast {
		return
	}
	saved[p.id] = rec
	if err := o.cfg.Peers.Save(rec); err != nil {
		o.log.Warn("could not remember a peer's addresses", "peer", short(p.id), "err", err)
	}
}

// introduce tells a peer that came up of the others, and some of them of it, if it is new or the network small. A newcomer dials the others, so they need
// no word of it, but where only they can reach it: what reaches some now reaches all by retell, and so does what it has not been told of. Were all told
// by all, each newcomer would cost N² frames.
func (o *Overlay) introduce(p *peerLink) {
	others := o.upBut(p)
	p.mu.Lock()
	fresh := p.knows <= maxNews || p.knows < len(others)/2
	fewer := fresh && p.knows < len(others)
	p.knows = max(p.knows, len(others)) // it is told: should it come and go on this connection, it knows
	p.mu.Unlock()
	if fewer {
		p.tellOf(others[:min(len(others), maxTold)])
	}
	if news := []*peerLink{p}; fresh {
		for _, q := range others[:min(len(others), maxNews)] {
			q.tellOf(news)
		}
	}
}

// retell tells one of the members now and then of some others, so that in the end all know of all, whoever could reach whom when they came.
func (o *Overlay) retell() {
	for o.pause() {
		if up := o.upBut(nil); len(up) > 1 {
			up[0].tellOf(up[1:min(len(up), 1+maxRetold)])
		}
	}
}

// upBut returns the peers that are up but for p, in random order.
func (o *Overlay) upBut(p *peerLink) []*peerLink {
	list := slices.DeleteFunc(o.allPeers(), func(q *peerLink) bool { return q == p || !q.isUp() })
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// tellOf names members and their addresses to p.
func (p *peerLink) tellOf(list []*peerLink) {
	var m peersMsg
	local := p.local()
	for _, q := range list {
		m = append(m, q.entry(local)...)
	}
	if len(m) > 0 && p.q.push(outFrame{kindPeers, rooms.Marshal(m)}) {
		p.o.stats.introductions.Add(1)
	}
}

func (p *peerLink) isUp() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.up
}

// entry is what is told of a peer, nothing when there is nothing to tell. Loopback addresses go only to peers on this machine.
func (p *peerLink) entry(local bool) peersMsg {
	p.mu.Lock()
	addrs := slices.Clone(p.addrs.best())
	p.mu.Unlock()
	t := toldPeer{ID: p.id[:]}
	for _, a := range addrs {
		if len(t.Addrs) < toldAddrs && (local || !manet.IsIPLoopback(a)) {
			t.Addrs = append(t.Addrs, a.Bytes())
		}
	}
	if len(t.Addrs) == 0 {
		return nil
	}
	return peersMsg{t}
}

// local says whether the peer is on this machine.
func (p *peerLink) local() bool {
	return slices.ContainsFunc(p.o.h.Network().ConnsToPeer(p.pid), func(c network.Conn) bool { return manet.IsIPLoopback(c.RemoteMultiaddr()) })
}

// loadPeers takes over what was remembered.
func (o *Overlay) loadPeers() {
	if o.cfg.Peers == nil {
		return
	}
	list, err := o.cfg.Peers.Load()
	if err != nil {
		o.log.Warn("could not load the remembered peers; going on with bootstrap addresses", "err", err)
		return
	}
	for _, rec := range list {
		o.addKnown(rec.Addrs)
	}
}

// addKnown notes addresses of members and returns those of nodes that are none.
func (o *Overlay) addKnown(addrs []string) (strangers []peer.AddrInfo) {
	ids, by, err := groupAddrs(addrs)
	if err != nil {
		o.log.Warn("ignoring a peer address", "err", err)
	}
	for _, id := range ids {
		if p := o.peer(id); p != nil {
			p.addAddrs(storedAddrs, by[id])
		} else if id != o.id {
			strangers = append(strangers, peer.AddrInfo{ID: peerID(id), Addrs: by[id]})
		}
	}
	return strangers
}

// bootstrapLoop tries the configured addresses as long as this node is alone.
func (o *Overlay) bootstrapLoop() {
	if len(o.cfg.Bootstrap) == 0 {
		return
	}
	for {
		strangers := o.addKnown(o.cfg.Bootstrap)
		if !slices.ContainsFunc(o.allPeers(), func(p *peerLink) bool { return p.linked.Load() }) {
			for _, pi := range strangers { // we may be members there and not know it yet
				ctx, cancel := context.WithTimeout(o.ctx, dialTimeout)
				if err := o.h.Connect(ctx, pi); err != nil {
					o.log.Debug("bootstrap address not reached", "peer", pi.ID, "err", err)
				}
				cancel()
			}
		}
		if !o.pause() {
			return
		}
	}
}

// pause waits until it is time for what is done now and then; false: the overlay ends.
func (o *Overlay) pause() bool {
	t := time.NewTimer(minRedial + rand.N(maxRedial-minRedial))
	defer t.Stop()
	select {
	case <-o.ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// Connect dials nodes now. Members among them are kept connected from then on; it returns nil when at least
// one node was reached.
func (o *Overlay) Connect(ctx context.Context, addrs ...string) error {
	ids, by, err := groupAddrs(addrs)
	if len(ids) == 0 {
		return fmt.Errorf("connect: no usable address: %w", err)
	}
	reached := false
	for _, id := range ids {
		if id == o.id {
			continue
		}
		if p := o.peer(id); p != nil {
			p.addAddrs(storedAddrs, by[id])
		}
		o.forgetBackoff(peerID(id))
		if e := o.h.Connect(ctx, peer.AddrInfo{ID: peerID(id), Addrs: by[id]}); e != nil {
			err = fmt.Errorf("connect to %s: %w", short(id), e)
			continue
		}
		reached = true
	}
	if reached {
		return nil
	}
	return err
}
