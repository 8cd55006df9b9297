package world

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"warren/node"
	"warren/node/config"
	"warren/node/store"
	"warren/node/store/storetest"
	"warren/rooms"
	"warren/rooms/replica"
)

// Node is one node of the world, running or not.
type Node struct {
	Name string
	ID   rooms.NodeID

	w      *World
	number int
	key    ed25519.PrivateKey
	disk   *storetest.Disk

	mu    sync.Mutex
	n     *node.Node // nil: it does not run
	life  int        // counts starts: who was connected to an earlier life is no more
	seats map[*Seat]bool
}

// keyOf makes keys from names, the same in every run.
func keyOf(name string) ed25519.PrivateKey {
	s := sha256.Sum256([]byte("world " + name))
	return ed25519.NewKeyFromSeed(s[:])
}

func idOf(k ed25519.PrivateKey) rooms.NodeID { return rooms.NodeOf(k.Public().(ed25519.PublicKey)) }

func (w *World) newNode(number int) *Node {
	name := fmt.Sprint("n", number)
	k := keyOf(fmt.Sprint(w.o.seed, " ", name))
	return &Node{Name: name, ID: idOf(k), w: w, number: number, key: k, disk: storetest.NewDisk(), seats: map[*Seat]bool{}}
}

func (n *Node) config() config.Config {
	c := config.Default(n.Name)
	c.Node.Name = n.Name
	c.Network.Listen, c.Network.MDNS = []string{}, false
	if n.w.o.calm {
		c.Network.Heartbeat.Duration = 5 * time.Second
		c.Order.Heartbeat.Duration, c.Order.ElectionTimeout.Duration = 2*time.Second, 20*time.Second
	}
	return c
}

// parts mounts the disk and finds the plug.
func (n *Node) parts() (node.Parts, error) {
	opts := n.disk.Options()
	opts.CheckpointBytes, opts.SegmentBytes = 256<<10, 128<<10 // small, so that restarts find all parts of a store
	s, err := store.Open(n.Name, opts)
	if err != nil {
		return node.Parts{}, err
	}
	p := node.Parts{Key: n.key, Store: s, Host: n.w.cables.plug(n.number), Lease: n.w.o.lease, Away: n.w.o.away}
	if n.w.o.calm {
		p.Tick = time.Second
	}
	return p, nil
}

// join asks the network by invitation, as "warren join" does.
func (n *Node) join(link string) error {
	p, err := n.parts()
	if err != nil {
		return err
	}
	ctx, cancel := n.w.patience()
	defer cancel()
	return errors.Join(node.JoinWith(ctx, n.config(), p, link, nil, func(string) {}, n.w.logger(n.Name)), p.Store.Close())
}

// start brings the node up; found: it may found a network.
func (n *Node) start(found bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.n != nil {
		return errors.New("it runs already")
	}
	p, err := n.parts()
	if err != nil {
		return err
	}
	up, err := node.OpenWith(n.config(), p, found, n.w.logger(n.Name))
	if err != nil {
		return err
	}
	n.w.cables.pull(n.number, false)
	if err := up.Start(); err != nil {
		return errors.Join(err, up.Close())
	}
	n.n = up
	n.life++
	return nil
}

// crash cuts the cable, then the power, then clears the ruins away.
func (n *Node) crash() {
	n.w.cables.pull(n.number, true)
	n.w.draw(func(r *rand.Rand) { n.disk.Crash(r) })
	n.stop()
}

// stop ends what runs and waits for it. On a crashed disk nothing gets written any more.
func (n *Node) stop() {
	n.mu.Lock()
	up := n.n
	n.n = nil
	n.seats = map[*Seat]bool{}
	n.mu.Unlock()
	if up != nil {
		_ = up.Close() // after a crash the store says that it crashed
	}
}

func (n *Node) running() *node.Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.n
}

// Up reports whether the node runs.
func (n *Node) Up() bool { return n.running() != nil }

// Host returns the rooms of the node, nil when it does not run.
func (n *Node) Host() *replica.Host {
	if up := n.running(); up != nil {
		return up.Host()
	}
	return nil
}

// Room returns the node's copy of a room, nil when there is none.
func (n *Node) Room(name string) *replica.Replica {
	h := n.Host()
	if h == nil {
		return nil
	}
	var rec rooms.RoomRecord
	known := false
	h.Directory(func(d *rooms.Directory) { rec, known = d.RoomByName(name) })
	if !known {
		return nil
	}
	return h.Get(rec.ID)
}

func (n *Node) peersUp() (up int) {
	if r := n.running(); r != nil {
		for _, p := range r.Peers() {
			if p.Up {
				up++
			}
		}
	}
	return up
}
