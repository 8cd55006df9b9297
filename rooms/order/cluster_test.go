package order_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
	"warren/rooms/order"
)

// tickMS is how much time a tick of the test cluster takes.
const tickMS = 100

// key returns the i-th node's key.
func key(i int) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0], seed[1] = byte(i), 7
	return ed25519.NewKeyFromSeed(seed)
}

func nodeID(i int) rooms.NodeID { return rooms.NodeOf(key(i).Public().(ed25519.PublicKey)) }

// everybody is a directory that admits all but node 9.
type everybody struct {
	version uint64
	epochs  []rooms.EpochRecord
}

func (v everybody) Member(string, string) bool      { return false }
func (v everybody) Version() uint64                 { return v.version }
func (v everybody) Signs(string, rooms.NodeID) bool { return true }
func (v everybody) HasAccount(string) bool          { return false }
func (v everybody) Epochs(rooms.RoomID) []rooms.EpochRecord {
	return v.epochs
}
func (v everybody) Node(id rooms.NodeID) (rooms.NodeRecord, bool) {
	return rooms.NodeRecord{ID: id}, id != nodeID(9)
}
func (c *cluster) noViewAbove(n uint64) func(uint64) (rooms.View, bool) {
	return func(v uint64) (rooms.View, bool) { return everybody{v, c.epochs}, v <= n }
}

var _ rooms.View = everybody{}
var _ perms.Groups = everybody{}

// host is one node of the cluster: a controller, a disk, the certified decisions.
type host struct {
	t         testing.TB
	c         *cluster
	i         int
	id        rooms.NodeID
	ctl       *order.Controller
	disk      *order.Restored
	log       []rooms.Decision // certified, from height 1
	chain     *rooms.Chain     // certified
	dirNewest uint64
	lives     uint64
	broken    error
	returned  int
	readies   int                      // handled so far
	cutAt     int                      // crash at this Ready, 0: never
	cutAfter  bool                     // … after it was stored
	signs     map[[2]uint64]rooms.Hash // every header ever signed here, by epoch and height
	ended     uint64                   // newest epoch in which it promised to sign nothing more
	ledger    *order.Ledger
	tamper    func(*rooms.Batch)                // the dishonest part of a saboteur
	pace      func(int64) int64                 // the same, of its ticks
	alter     func(to *host, e *order.Envelope) // the same, for what it sends
	off       order.Switches                    // of its defences
}

type packet struct {
	from, to rooms.NodeID
	data     []byte
}

// cluster runs hosts in lock step over a queue of messages.
type cluster struct {
	t       testing.TB
	room    rooms.RoomID
	now     int64
	hosts   []*host
	byID    map[rooms.NodeID]*host
	net     []packet
	drop    func(p packet) bool
	rng     *rand.Rand
	founded []rooms.NodeID
	keep    int
	count   map[rooms.NodeID]uint64
	epochs  []rooms.EpochRecord // after the first
	genesis *rooms.Genesis      // of the network whose directory it is; nil: it is a room
}

func newCluster(t testing.TB, nodes, voters int) *cluster {
	t.Helper()
	return newClusterOf(t, nodes, voters, nil)
}

// newDirectory makes a cluster of four that controls a network's directory.
func newDirectory(t testing.TB) *cluster {
	t.Helper()
	c := newClusterOf(t, 4, 1, &rooms.Genesis{Name: "test", Founder: nodeID(0)})
	for i := 1; i < 4; i++ {
		c.order(c.request(0, "", &rooms.AdmitNode{Node: nodeID(i), Name: fmt.Sprint("n", i)}))
	}
	c.grow([]int{1, 2, 3}, 0, 1, 2, 3)
	return c
}

func newClusterOf(t testing.TB, nodes, voters int, g *rooms.Genesis) *cluster {
	t.Helper()
	c := &cluster{
		t: t, room: rooms.Hash{1, 2, 3}, now: 1_000_000, byID: map[rooms.NodeID]*host{}, rng: rand.New(rand.NewPCG(1, 2)),
		count: map[rooms.NodeID]uint64{}, genesis: g,
	}
	if g != nil {
		c.room = g.Directory()
	}
	for i := range voters {
		c.founded = append(c.founded, nodeID(i))
	}
	rooms.SortNodes(c.founded)
	for i := range nodes {
		h := &host{t: t, c: c, i: i, id: nodeID(i), disk: &order.Restored{}, ledger: order.NewLedger(), chain: c.newChain(), signs: map[[2]uint64]rooms.Hash{}}
		c.hosts = append(c.hosts, h)
		c.byID[h.id] = h
		if i < voters {
			h.start()
		}
	}
	return c
}

func (c *cluster) newChain() *rooms.Chain {
	if c.genesis != nil {
		return rooms.NewChain(c.room, rooms.NewDirectory(*c.genesis))
	}
	return rooms.NewChain(c.room, rooms.NewState(rooms.RoomRecord{ID: c.room, Name: "test", Time: 1, Controllers: c.founded}))
}

// start makes the controller from what is on disk.
func (h *host) start() {
	h.t.Helper()
	if err := h.tryStart(); err != nil {
		h.t.Fatalf("start node %d: %v", h.i, err)
	}
}

func (h *host) tryStart() error {
	chain, err := rooms.RestoreChain(h.chain.Snapshot())
	if err != nil {
		return err
	}
	h.lives++
	cfg := order.Config{
		Self: h.id, Key: key(h.i), Chain: chain, Restored: h.disk.Clone(), Incarnation: uint64(h.c.now) + h.lives, Rand: h.c.rng.IntN,
		Founding: slices.Contains(h.c.founded, h.id), Voters: h.c.founded,
		ElectionTicks: 10, HeartbeatTicks: 1, PayloadHash: h.payload, Keep: h.c.keep, Ledger: h.ledger, Tamper: h.tamper, Pace: h.pace,
	}
	if n := len(h.c.epochs); n > 0 && chain.Epoch == h.c.epochs[n-1].Epoch {
		e := h.c.epochs[n-1]
		cfg.Start, cfg.Voters, cfg.Founding = e.Start, e.Controllers, slices.Contains(e.Controllers, h.id)
		cfg.Begin = chain.Beginning(everybody{e.From, h.c.epochs})
	}
	ctl, err := order.New(cfg)
	if err != nil {
		return err
	}
	h.ctl, h.broken = ctl, nil
	h.ctl.Off(h.off)
	h.ctl.DirectoryAt(h.c.noViewAbove(h.dirNewest), h.dirNewest)
	return nil
}

func (h *host) payload(height uint64) (rooms.Hash, bool) {
	if height == 0 || height > uint64(len(h.log)) {
		return rooms.Hash{}, false
	}
	return h.log[height-1].Header.Payload, true
}

// accept checks and keeps a certified decision.
func (h *host) accept(d rooms.Decision) {
	h.t.Helper()
	if err := h.chain.Check(&d); err != nil {
		h.t.Fatalf("node %d: decision %d: %v", h.i, d.Header.Height, err)
	}
	if _, err := h.chain.Accept(&d, everybody{d.Header.Dir, h.c.epochs}, rooms.VerifySignature); err != nil {
		h.t.Fatalf("node %d: %v", h.i, err)
	}
	h.log = append(h.log, d)
}

// keep stores records and watches the promise to sign once.
func (h *host) keep(recs []order.Record) {
	h.t.Helper()
	for i := range recs {
		h.disk.Apply(&recs[i])
		if s := recs[i].Signed; s != nil {
			at := [2]uint64{s.Epoch, s.Height}
			if old, ok := h.signs[at]; ok && old != s.Header {
				h.t.Fatalf("node %d signs two headers at height %d", h.i, s.Height)
			}
			h.signs[at] = s.Header
			if s.Height == order.EndOfEpoch {
				h.ended = max(h.ended, s.Epoch)
			} else if s.Epoch <= h.ended {
				h.t.Fatalf("node %d signs at height %d in epoch %d, which it has ended", h.i, s.Height, s.Epoch)
			}
		}
	}
}

// turn handles everything the controller wants done. It reports whether there was anything.
func (h *host) turn() bool {
	h.t.Helper()
	if h.ctl == nil {
		return false
	}
	did := false
	for {
		rd, ok := h.ctl.Ready()
		if !ok {
			return did
		}
		did = true
		if rd.Broken != nil {
			h.broken, h.ctl = rd.Broken, nil
			return true
		}
		h.send(rd.Early)
		if h.readies++; h.readies == h.cutAt {
			if h.cutAfter {
				h.keep(rd.Records)
			}
			h.ctl = nil
			return true
		}
		h.keep(rd.Records)
		for _, d := range rd.Decisions {
			h.accept(d)
		}
		h.send(rd.Messages)
		h.ctl.Stored()
		h.returned += len(rd.Returned)
		if rd.Behind > 0 {
			h.catchUp(rd.Behind)
		}
	}
}

func (h *host) send(ms []order.Message) {
	for _, m := range ms {
		if to := h.c.byID[m.To]; h.alter != nil && to != nil {
			m.Data = order.Alter(m.Data, func(e *order.Envelope) { h.alter(to, e) })
		}
		h.c.net = append(h.c.net, packet{h.id, m.To, m.Data})
	}
}

// catchUp takes decisions from the node that has the most.
func (h *host) catchUp(upTo uint64) {
	h.t.Helper()
	for _, o := range h.c.hosts {
		for uint64(len(h.log)) < min(upTo, uint64(len(o.log))) {
			d := o.log[len(h.log)]
			h.accept(d)
			if h.ctl != nil {
				if err := h.ctl.Certified(&d); err != nil {
					return
				}
			}
		}
	}
}

// deliver lets everything flow until nobody has anything to say.
func (c *cluster) deliver() {
	c.t.Helper()
	for range 10_000 {
		busy := false
		for _, h := range c.hosts {
			busy = h.turn() || busy
		}
		net := c.net
		c.net = nil
		for _, p := range net {
			to := c.byID[p.to]
			if to == nil || to.ctl == nil || c.drop != nil && c.drop(p) {
				continue
			}
			busy = true
			_ = to.ctl.Step(c.now, p.from, p.data)
		}
		if !busy {
			return
		}
	}
	c.t.Fatal("the cluster does not come to rest")
}

// tick lets n ticks pass.
func (c *cluster) tick(n int) {
	c.t.Helper()
	for range n {
		c.now += tickMS
		for _, h := range c.hosts {
			if h.ctl != nil {
				h.ctl.Tick(c.now)
			}
		}
		c.deliver()
	}
}

// rejoins waits until the node's life has ended, for that reason, begins the next one and waits until that votes.
func (c *cluster) rejoins(h *host, why error) {
	c.t.Helper()
	c.until("the life ends", func() bool { return h.broken != nil })
	if !errors.Is(h.broken, why) {
		c.t.Fatalf("broken: %v, want %v", h.broken, why)
	}
	h.disk = h.disk.Drop()
	h.start()
	c.until("it votes again", func() bool {
		s := h.ctl.Status()
		return s.Role == order.Follower && s.Self.Incarnation > 0 && c.leader().ctl.Status().Settled
	})
	c.say(2)
	c.tick(5)
	c.same()
}

// leader waits until one of the running nodes leads and is settled.
func (c *cluster) leader() *host {
	c.t.Helper()
	for range 300 {
		c.deliver()
		var best *host
		for _, h := range c.hosts {
			if h.ctl == nil {
				continue
			}
			if s := h.ctl.Status(); s.Role == order.Leader && s.Leader == h.id && (best == nil || s.Term > best.ctl.Status().Term) {
				best = h
			}
		}
		if best != nil {
			if s := best.ctl.Status(); s.Applied == s.Commit {
				return best
			}
		}
		c.tick(1)
	}
	c.t.Fatal("no leader")
	return nil
}

// request makes a signed request by device i with the next counter.
func (c *cluster) request(i int, nick string, body rooms.Body) *rooms.Request {
	r := rooms.NewRequest(c.room, "", nick, body)
	c.count[nodeID(i)]++
	r.Counter, r.Epoch = c.count[nodeID(i)], uint64(len(c.epochs))+1
	r.Sign(key(i))
	return &r
}

// say orders n messages through the leader and waits until all running nodes have them.
func (c *cluster) say(n int) {
	c.t.Helper()
	for range n {
		body := rooms.Body(&rooms.Say{Text: fmt.Sprint("message ", c.now)})
		if c.count[nodeID(0)] == 0 {
			body = &rooms.Enter{View: "test"}
		}
		c.order(c.request(0, "zero", body))
	}
}

// order submits one request at whoever leads until it is certified there.
func (c *cluster) order(r *rooms.Request) {
	c.t.Helper()
	for range 200 {
		l := c.leader()
		before := len(l.log)
		a := l.ctl.Submit(c.now, r)
		if a.Kind == errs.Stale && a.Expected == r.Counter+1 {
			return
		}
		c.deliver()
		if a.Queued && len(l.log) > before {
			return
		}
		c.tick(1)
	}
	c.t.Fatalf("a request is not ordered: %+v", c.leader().ctl.Status())
}

// same checks that all running nodes hold the same chain, and returns its height.
func (c *cluster) same() uint64 {
	c.t.Helper()
	var first *host
	for _, h := range c.hosts {
		if h.ctl == nil {
			continue
		}
		if first == nil {
			first = h
			continue
		}
		if h.chain.Height != first.chain.Height || h.chain.Head != first.chain.Head ||
			rooms.StateDigest(h.chain.Machine) != rooms.StateDigest(first.chain.Machine) {
			c.t.Fatalf("node %d is at %d, node %d at %d", h.i, h.chain.Height, first.i, first.chain.Height)
		}
	}
	return first.chain.Height
}

// controllers returns the ids of these nodes, sorted.
func controllers(is ...int) []rooms.NodeID {
	var out []rooms.NodeID
	for _, i := range is {
		out = append(out, nodeID(i))
	}
	rooms.SortNodes(out)
	return out
}

// reconfigure orders a new set of controllers, endorsed by all present ones and consented by the newcomers.
func (c *cluster) reconfigure(is ...int) {
	c.t.Helper()
	l := c.leader()
	base := l.chain.Machine.Base()
	body := &rooms.Reconfigure{Since: base.Since, Controllers: controllers(is...)}
	for _, h := range c.hosts {
		if slices.Contains(base.Controllers, h.id) {
			body.Endorsed = append(body.Endorsed, rooms.Endorse(c.room, rooms.KindReconfigure, body.Thing(), c.now, key(h.i)))
		} else if slices.Contains(body.Controllers, h.id) {
			body.Consents = append(body.Consents, rooms.MakeConsent(c.room, base.Since, l.chain.Height, key(h.i)))
		}
	}
	c.order(c.request(l.i, "", body))
	if got := l.chain.Machine.Base().Controllers; !slices.Equal(got, body.Controllers) {
		c.t.Fatalf("the reconfiguration did not take effect: verdict %v", l.log[len(l.log)-1].Verdicts)
	}
}

// grow makes nodes controllers the way the replica does: learners first, then a reconfiguration.
func (c *cluster) grow(newcomers []int, all ...int) {
	c.t.Helper()
	for _, i := range newcomers {
		c.hosts[i].start()
	}
	ids := controllers(newcomers...)
	for range 300 {
		level := 0
		l := c.leader()
		l.ctl.SetLearners(ids...)
		for _, m := range l.ctl.Status().Members {
			if slices.Contains(ids, m.Node) && m.Level {
				level++
			}
		}
		if level == len(ids) {
			c.reconfigure(all...)
			c.settle()
			return
		}
		c.tick(1)
	}
	c.t.Fatalf("the newcomers do not catch up: %+v", c.leader().ctl.Status())
}

// settle waits until raft's voters are the controllers.
func (c *cluster) settle() {
	c.t.Helper()
	for range 300 {
		if l := c.leader(); l.ctl.Status().Settled {
			c.tick(2)
			return
		}
		c.tick(1)
	}
	c.t.Fatalf("raft's voters do not follow the chain: %+v", c.leader().ctl.Status())
}
