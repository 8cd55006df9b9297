package node

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"warren/node/overlay"
	"warren/rooms"
)

// What bridges, and the door, tell all nodes goes over links. In a network that is too large for all to be linked with all, the others get it by a
// topic on which every node listens. Such a message is signed: a topic tells who passed it on, not who wrote it.

const (
	farTopic  = "far"
	farDomain = "warren/far/1\x00"
	farEvery  = time.Minute      // about so often a node tells all that it has, so that who came later, or missed something, knows it
	farGone   = 7 * farEvery / 2 // who is silent for so long is gone
)

// farMessage is a frame for nodes to which its author has no link.
type farMessage struct {
	_     struct{} `cbor:",toarray"`
	Node  rooms.NodeID
	Life  uint64 // ms since 1970, when the author was started
	Stamp uint64 // rises with each message of a life
	Frame []byte // as it goes over links
	Sig   []byte // Ed25519 by Node over farDomain ‖ network id ‖ life ‖ stamp, 8 bytes each, big endian ‖ frame
}

func (m *farMessage) signed(network [32]byte) []byte {
	b := slices.Concat([]byte(farDomain), network[:])
	b = binary.BigEndian.AppendUint64(b, m.Life)
	b = binary.BigEndian.AppendUint64(b, m.Stamp)
	return append(b, m.Frame...)
}

// far tells and hears what goes beyond the links of this node. Its functions are set before anything is told or heard.
type far struct {
	network [32]byte
	key     ed25519.PrivateKey
	life    uint64

	members func() int                                                 // of the network, with this node
	inside  func(rooms.NodeID) bool                                    // who is one
	linked  func(rooms.NodeID) bool                                    // who is told over a link, and tells over it
	join    func(func(from rooms.NodeID, data []byte)) (farPub, error) // the topic
	heard   func(from rooms.NodeID, frame []byte)
	gone    func(rooms.NodeID)
	log     *slog.Logger

	mu    sync.Mutex
	pub   farPub // nil: not joined
	stamp uint64
	nodes map[rooms.NodeID]farNode // members that were heard; at most all
}

// farPub publishes on the topic.
type farPub func([]byte) error

// farNode is what was last heard of a node.
type farNode struct {
	life, stamp uint64
	at          time.Time
}

// large reports whether the network is one in which not all are linked with all.
func (f *far) large() bool { return f.members() > overlay.FullMesh }

// open joins the topic in a large network, and returns how to publish there; nil: there is no need, or no way.
func (f *far) open() farPub {
	if !f.large() {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pub == nil {
		pub, err := f.join(f.hear)
		if err != nil {
			f.log.Debug("nodes beyond the links cannot be told anything", "err", err)
			return nil
		}
		f.pub = pub
	}
	return f.pub
}

// tell sends a frame to those that this node has no link to; linked is to how many it has one. It does not block.
func (f *far) tell(frame []byte, linked int) {
	pub := f.open()
	if pub == nil || linked >= f.members()-1 {
		return
	}
	f.mu.Lock()
	f.stamp++
	m := farMessage{Node: rooms.NodeOf(f.key.Public().(ed25519.PublicKey)), Life: f.life, Stamp: f.stamp, Frame: frame}
	f.mu.Unlock()
	m.Sig = ed25519.Sign(f.key, m.signed(f.network))
	if err := pub(rooms.Marshal(m)); err != nil {
		f.log.Debug("nodes beyond the links were not told", "err", err)
	}
}

// hear takes what came over the topic. What is no member's word, or came before, is dropped; so is what came over a link too.
func (f *far) hear(_ rooms.NodeID, data []byte) {
	var m farMessage
	if rooms.Unmarshal(data, &m) != nil || len(m.Frame) == 0 || !f.inside(m.Node) || !f.news(&m) || !ed25519.Verify(m.Node.Public(), m.signed(f.network), m.Sig) {
		return
	}
	f.mu.Lock()
	was, known := f.nodes[m.Node]
	f.nodes[m.Node] = farNode{m.Life, m.Stamp, time.Now()}
	f.mu.Unlock()
	if f.linked(m.Node) {
		return
	}
	if known && was.life != m.Life { // it has forgotten what it told before
		f.gone(m.Node)
	}
	f.heard(m.Node, m.Frame)
}

// news reports whether the message is later than all that was heard of its author.
func (f *far) news(m *farMessage) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.nodes[m.Node]
	return m.Life > was.life || m.Life == was.life && m.Stamp > was.stamp
}

// sweep forgets who has been silent for long.
func (f *far) sweep(now time.Time) {
	var silent []rooms.NodeID
	f.mu.Lock()
	for id, n := range f.nodes {
		if now.Sub(n.at) >= farGone {
			silent = append(silent, id)
			delete(f.nodes, id)
		}
	}
	f.mu.Unlock()
	for _, id := range silent {
		if !f.linked(id) {
			f.gone(id)
		}
	}
}

// run has all told again now and then, as long as there are nodes beyond the links.
func (f *far) run(ctx context.Context, again func()) {
	for {
		t := time.NewTimer(farEvery - farEvery/8 + rand.N(farEvery/4))
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case now := <-t.C:
			if f.sweep(now); f.open() != nil {
				again()
			}
		}
	}
}

// newFar makes the node's; the overlay is there.
func (n *Node) newFar() *far {
	return &far{
		network: n.genesis.ID(), key: n.key, life: uint64(time.Now().UnixMilli()), nodes: map[rooms.NodeID]farNode{}, log: n.log,
		members: func() (count int) {
			n.host.Directory(func(d *rooms.Directory) { count = len(d.NodeIDs()) })
			return count
		},
		inside: n.Inside,
		linked: func(id rooms.NodeID) bool {
			up, _ := n.over.Alive(id)
			return up
		},
		join: func(f func(rooms.NodeID, []byte)) (farPub, error) {
			t, err := n.over.Join(farTopic, f)
			if err != nil {
				return nil, fmt.Errorf("far: %w", err)
			}
			return t.Publish, nil
		},
		heard: func(from rooms.NodeID, frame []byte) {
			if frame[0] == chanBridge || frame[0] == chanDoor {
				n.frame(from, frame)
			}
		},
		gone: func(id rooms.NodeID) { n.bridge.tellPeer(id, false) },
	}
}
