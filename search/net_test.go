package search_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
	"warren/search"
)

// network is a directory, rooms, and nodes with a search each, in memory. Rooms are real chains that all their holders share.
type network struct {
	t       *testing.T
	genesis rooms.Genesis

	mu     sync.RWMutex // guards the chains
	dir    *rooms.Chain
	chains map[rooms.RoomID]*rooms.Chain
	counts map[seat]uint64
	first  *node

	tmu      sync.Mutex // guards what follows
	nodes    map[rooms.NodeID]*node
	topics   map[string]map[*node]func(rooms.NodeID, []byte)
	log      []published
	refuse   bool // subscriptions fail
	passedOn *node
}

type seat struct {
	room rooms.RoomID
	node rooms.NodeID
}

type published struct {
	topic string
	data  []byte
}

type node struct {
	*search.Service
	net    *network
	key    ed25519.PrivateKey
	id     rooms.NodeID
	name   string
	holds  map[rooms.RoomID]bool
	answer func(rooms.NodeID, []byte)
	sent   [][]byte
}

func keyOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func nodeOf(key ed25519.PrivateKey) rooms.NodeID {
	return rooms.NodeOf(key.Public().(ed25519.PublicKey))
}

// newNetwork makes nodes with these names, the first of which founds it. It ends with the test.
func newNetwork(t *testing.T, names ...string) *network {
	n := &network{
		t: t, chains: map[rooms.RoomID]*rooms.Chain{}, counts: map[seat]uint64{}, nodes: map[rooms.NodeID]*node{},
		topics: map[string]map[*node]func(rooms.NodeID, []byte){},
	}
	for _, name := range names {
		w := n.stranger(name)
		if n.dir == nil {
			n.first = w
			n.genesis = rooms.Genesis{Name: "test", Domain: "localhost", Founder: w.id, FounderName: name}
			n.dir = rooms.NewChain(n.genesis.Directory(), rooms.NewDirectory(n.genesis))
		} else {
			n.order(n.dir, n.first, "", "", &rooms.AdmitNode{Node: w.id, Name: name, Sponsor: names[0]})
		}
		n.tmu.Lock()
		n.nodes[w.id] = w
		n.tmu.Unlock()
		w.Service = search.New(search.Config{
			Self: w.id, Sign: func(d []byte) []byte { return ed25519.Sign(w.key, d) }, Topics: w, Sender: (*sender)(w), Directory: n.directory, Now: now,
		})
		t.Cleanup(w.Close)
	}
	return n
}

func now() int64 { return time.Now().UnixMilli() }

// stranger is a node that nobody admitted.
func (n *network) stranger(name string) *node {
	w := &node{net: n, key: keyOf(name), name: name, holds: map[rooms.RoomID]bool{}}
	w.id = nodeOf(w.key)
	return w
}

func (n *network) node(name string) *node { return n.nodes[nodeOf(keyOf(name))] }

func (n *network) directory(f func(*rooms.Directory)) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	f(n.dir.Machine.(*rooms.Directory))
}

// order applies a request and tells the holders of the room.
func (n *network) order(c *rooms.Chain, by *node, account, nick string, b rooms.Body) {
	n.t.Helper()
	r := rooms.NewRequest(c.Room, account, nick, b)
	n.mu.Lock()
	n.counts[seat{c.Room, by.id}]++
	r.Counter = n.counts[seat{c.Room, by.id}]
	r.Sign(by.key)
	_, verdicts, events := c.Run(&rooms.Batch{Epoch: 1, Time: now(), Requests: []rooms.Request{r}}, n.dir.Machine.(*rooms.Directory).Now(), rooms.VerifySignature)
	n.mu.Unlock()
	if k := verdicts.At(0); k != errs.OK {
		n.t.Fatalf("%T by %s%s: %v", b, account, nick, k)
	}
	for i := range events {
		for _, w := range n.nodes {
			if w.holds[c.Room] {
				w.Event(&events[i])
			}
		}
	}
}

// register makes an account whose only device is the node.
func (n *network) register(by *node, name string) {
	n.t.Helper()
	key := keyOf("account " + name)
	pub := nodeOf(key)
	b := &rooms.Register{Name: name, Key: pub, Device: by.id}
	b.Sig = ed25519.Sign(key, rooms.AccountDigest(n.dir.Room, "register", name, pub, by.id, 0))
	n.order(n.dir, by, "", "", b)
}

// room makes a room of an account, held by some nodes.
func (n *network) room(by *node, account, name string, members []perms.Principal, holders ...*node) *rooms.Chain {
	n.t.Helper()
	n.order(n.dir, by, account, account, &rooms.CreateRoom{
		Name: name, Maker: perms.Account(account), Members: members, Controllers: []rooms.NodeID{n.first.id},
	})
	var rec rooms.RoomRecord
	n.directory(func(d *rooms.Directory) { rec, _ = d.RoomByName(name) })
	c := rooms.NewChain(rec.ID, rooms.NewState(rec))
	n.mu.Lock()
	n.chains[rec.ID] = c
	n.mu.Unlock()
	for _, w := range holders {
		w.holds[rec.ID] = true
		w.RoomOpened(rec.ID, n.view(c))
	}
	return c
}

func (n *network) view(c *rooms.Chain) func(func(*rooms.State)) {
	return func(f func(*rooms.State)) {
		n.mu.RLock()
		defer n.mu.RUnlock()
		f(c.Machine.(*rooms.State))
	}
}

// document puts a tagged document into a room.
func (n *network) document(c *rooms.Chain, by *node, account, name string, tags ...string) string {
	n.t.Helper()
	n.order(c, by, account, account, &rooms.Put{Kind: rooms.Document, Name: name, Text: []byte(name)})
	var o rooms.Object
	n.view(c)(func(st *rooms.State) { o, _ = st.ObjectNamed(rooms.Document, name) })
	if len(tags) > 0 {
		n.order(c, by, account, account, &rooms.Tag{ID: o.ID, Add: tags})
	}
	return o.ID
}

// Subscribe implements search.Topics.
func (w *node) Subscribe(topic string, f func(rooms.NodeID, []byte)) (func(), error) {
	w.net.tmu.Lock()
	defer w.net.tmu.Unlock()
	if w.net.refuse {
		return nil, errors.New("no more topics")
	}
	if w.net.topics[topic] == nil {
		w.net.topics[topic] = map[*node]func(rooms.NodeID, []byte){}
	}
	w.net.topics[topic][w] = f
	return func() {
		w.net.tmu.Lock()
		defer w.net.tmu.Unlock()
		delete(w.net.topics[topic], w)
	}, nil
}

// Publish implements search.Topics. What arrives seems to come from whoever passes it on.
func (w *node) Publish(topic string, data []byte) error {
	w.net.tmu.Lock()
	defer w.net.tmu.Unlock()
	w.net.log = append(w.net.log, published{topic, slices.Clone(data)})
	from := w.id
	if w.net.passedOn != nil {
		from = w.net.passedOn.id
	}
	for o, f := range w.net.topics[topic] {
		if o != w {
			f(from, slices.Clone(data))
		}
	}
	return nil
}

// topicsOf returns what a node listens to, sorted.
func (n *network) topicsOf(w *node) []string {
	n.tmu.Lock()
	defer n.tmu.Unlock()
	var out []string
	for _, t := range slices.Sorted(maps.Keys(n.topics)) {
		if n.topics[t][w] != nil {
			out = append(out, t)
		}
	}
	return out
}

// sender is a node's direct channel.
type sender node

func (s *sender) Send(to rooms.NodeID, data []byte) {
	s.net.tmu.Lock()
	s.sent = append(s.sent, data)
	w := s.net.nodes[to]
	var f func(rooms.NodeID, []byte)
	if w != nil {
		f = w.answer
	}
	s.net.tmu.Unlock()
	if f != nil {
		f(s.id, data)
	}
}

func (s *sender) Receive(f func(rooms.NodeID, []byte)) func() {
	s.net.tmu.Lock()
	defer s.net.tmu.Unlock()
	s.answer = f
	return func() {
		s.net.tmu.Lock()
		defer s.net.tmu.Unlock()
		s.answer = nil
	}
}
