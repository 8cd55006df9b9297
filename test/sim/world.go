package main

import (
	"container/heap"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"warren/rooms"
	"warren/rooms/order"
)

// Times of a schedule, in ms.
const (
	tickMS     = 100
	chaosMS    = 8_000  // how long faults go on
	healMS     = 60_000 // within which all must be done and at rest
	peopleMS   = 90_000 // more where people may have to decide
	aheadMS    = 31_000 // that a leader can take the room's time ahead: what its clock may be off, and the others' are
	epochStart = 1_700_000_000_000
)

// event is something that happens at a time.
type event struct {
	at  int64
	seq int
	do  func()
}

type events []*event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(*event)) }
func (e *events) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

// plan is what a seed decides at the start.
type plan struct {
	nodes      int
	stages     [][]int // sets of controllers, one after the other
	wishes     int
	loss       int    // per mille
	double     int    // per mille
	delay      int    // ms, most of one message
	crashEvery int    // ms between crashes, 0: none
	cutEvery   int    // ms between partitions, 0: none
	slowDisk   int    // ms, most of one store
	cutWrites  int    // one write in so many ends in a crash, before or after it is done; 0: none
	keep       int    // entries kept for slow followers
	lies       string // what node liar does, "": nothing
	liar       int
	misled     bool // it can make honest controllers run different batches in one place
	amnesia    bool // disks lose synced votes and entries too, which raft cannot bear; only what is signed and certified holds
	forget     bool // now and then a node loses its raft state
	patience   int  // ms without a certificate after which the controllers begin anew, as long as there are faults
	worstAt    int  // ms, when most of the controllers are lost; 0: never
	onChange   bool // or as soon as one node has seen a change of them certified: the directory is told of it, the others may not have it yet
	fates      []fate
	luck       []int // in which order they are
	ticks      ticking
}

// world is one schedule.
type world struct {
	seed   uint64
	force  forced
	rng    *rand.Rand
	plan   plan
	tr     *trace
	st     stats
	now    int64 // ms since the schedule began
	queue  events
	seq    int
	room   rooms.RoomID
	nodes  []*node
	byID   map[rooms.NodeID]*node
	cut    map[[2]int]bool // from, to
	healed bool
	stage  int
	town   *town
	err    error

	certified map[place]rooms.Hash // every header that anybody ever took for certified
	known     map[rooms.Hash]bool  // the same
	goodReq   map[rooms.Hash]bool
	goodSig   map[sigKey]bool
	goodCert  map[rooms.Hash]bool
	wishes    []*wish
	leads     map[place]int // who led which term of which epoch

	ticks    map[rooms.Hash]bool // of certified, those that were ordered without a request
	ticksRng *rand.Rand
	wish     *wish // the last one that the room ask for ticks, or for none
	wishedAt int64

	growing    bool  // the next set of controllers is being worked at
	recoverAt  int64 // when the manager may take the lost ones for gone; 0: none are lost
	recovering bool
	recovered  bool
	recoveries int // tried so far
}

// place is a place in the room's history.
type place struct{ epoch, height uint64 }

type sigKey struct {
	node rooms.NodeID
	hash rooms.Hash
	sig  [64]byte
}

// result is what a schedule came to.
type result struct {
	stats stats
	trace [32]byte
	err   error
}

// forced is what the seed does not decide.
type forced struct {
	lies  string // class of the saboteur; any: one of them; none: nobody lies; empty: the seed decides
	ticks string // always, never: whether the room asks for ticks; empty: the seed decides
}

// run plays the schedule of a seed.
func run(seed uint64, force forced, verbose bool) result {
	w := &world{
		seed: seed, rng: rand.New(rand.NewPCG(seed, 0x5eed)), tr: newTrace(verbose), certified: map[place]rooms.Hash{}, known: map[rooms.Hash]bool{},
		byID: map[rooms.NodeID]*node{}, cut: map[[2]int]bool{}, goodReq: map[rooms.Hash]bool{}, goodSig: map[sigKey]bool{},
		goodCert: map[rooms.Hash]bool{}, force: force, leads: map[place]int{}, ticks: map[rooms.Hash]bool{},
	}
	w.makePlan()
	w.found()
	w.play()
	if w.plan.lies != "" {
		w.st.saboteurs++
		if w.noticed() {
			w.st.noticed++
		}
	}
	if w.err == nil {
		w.err = w.check()
	}
	return result{w.st, w.tr.sum(), w.err}
}

func (w *world) makePlan() {
	p := &w.plan
	pick := func(vs ...int) int { return vs[w.rng.IntN(len(vs))] }
	switch w.rng.IntN(10) {
	case 0:
		p.nodes, p.stages = 1+w.rng.IntN(2), [][]int{{0}}
	case 1:
		p.nodes, p.stages = 3, [][]int{{0, 1, 2}}
	case 2, 3, 4:
		p.nodes, p.stages = 4+w.rng.IntN(2), [][]int{{0, 1, 2, 3}}
	case 5, 6:
		p.nodes, p.stages = 4, [][]int{{0}, {0, 1, 2}, {0, 1, 2, 3}}
	case 7:
		p.nodes, p.stages = 5, [][]int{{0}, {0, 1, 2, 3}, {0, 1, 3, 4}}
	case 8:
		p.nodes, p.stages = 5, [][]int{{0, 1, 2, 3}, {1, 2, 3, 4}, {0, 1, 2, 4}}
	case 9:
		p.nodes, p.stages = 4, [][]int{{0, 1, 2}, {0, 1, 2, 3}, {3}}
	}
	p.wishes = 20 + w.rng.IntN(60)
	p.loss, p.double = pick(0, 0, 20, 100, 300), pick(0, 0, 50)
	p.delay = pick(2, 10, 60, 250)
	p.crashEvery = pick(0, 3000, 1200, 500)
	p.cutEvery = pick(0, 0, 2500, 1000)
	p.slowDisk = pick(0, 3, 40)
	p.cutWrites = pick(0, 0, 100, 30)
	p.keep = pick(0, 2, 8)
	p.forget = pick(0, 0, 1) == 1
	if p.amnesia = w.rng.IntN(8) == 0; p.amnesia {
		p.crashEvery, p.slowDisk, p.forget = 150, 3, false
	}
	w.planTicks()
	w.planLies()
	w.planWorst()
	w.planPatience()
	w.tr.say(0, "plan: %+v", *p)
}

// keys are made once for all schedules: making one costs more than a schedule's step.
var keys = func() (out [5]ed25519.PrivateKey) {
	for i := range out {
		out[i] = keyOf(byte(i + 1))
	}
	return out
}()

// The keys of those who are no nodes: of the directory, and of the account that made the room.
var townKey, accountKey = keyOf(100), keyOf(101)

func keyOf(first byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = first
	return ed25519.NewKeyFromSeed(seed)
}

func nodeOf(k ed25519.PrivateKey) rooms.NodeID { return rooms.NodeOf(k.Public().(ed25519.PublicKey)) }

func (w *world) ids(is []int) []rooms.NodeID {
	var out []rooms.NodeID
	for _, i := range is {
		out = append(out, w.nodes[i].id)
	}
	rooms.SortNodes(out)
	return out
}

func (w *world) found() {
	for i := range w.plan.nodes {
		n := newNode(w, i)
		w.nodes = append(w.nodes, n)
		w.byID[n.id] = n
	}
	w.town = foundTown(w)
	if w.plan.lies != "" {
		w.nodes[w.plan.liar].liar = newLiar(w.nodes[w.plan.liar], w.plan.lies)
	}
	for _, n := range w.nodes {
		n.chain = w.genesis()
		n.up, n.dir, n.learned = true, w.town.base, w.town.base
		n.end.stall.Patience = time.Duration(w.plan.patience) * time.Millisecond
		n.tick()
	}
	w.makeWishes()
	w.after(int64(w.rng.IntN(300)), w.directoryGrows)
	if w.plan.crashEvery > 0 {
		w.after(int64(w.rng.IntN(w.plan.crashEvery)), w.crashes)
	}
	if w.plan.cutEvery > 0 {
		w.after(int64(w.rng.IntN(w.plan.cutEvery)), w.partitions)
	}
	if w.plan.forget {
		w.after(int64(w.rng.IntN(2000)), w.forgets)
	}
	if w.plan.ticks.asked() {
		w.after(w.plan.ticks.from, w.tendTicks)
	}
	w.growing = true
	w.after(200, w.grow)
	w.after(chaosMS, w.heal)
	if w.plan.worstAt > 0 {
		w.after(int64(w.plan.worstAt), w.worst)
	}
}

// planPatience draws how soon controllers take a height for one that cannot be certified: in half of the worlds so soon that many epochs begin while
// everything fails. It draws from a source of its own.
func (w *world) planPatience() {
	rng := rand.New(rand.NewPCG(w.seed, 0xe90c))
	p := &w.plan
	p.patience = []int{0, 0, 2500, 700}[rng.IntN(4)]
	if p.lies != "" && p.class().impatient {
		p.patience = 700
	}
}

// genesis is the room at height 0.
func (w *world) genesis() *rooms.Chain {
	return rooms.NewChain(w.room, rooms.NewState(w.town.records[0].rec))
}

// after lets something happen ms later.
func (w *world) after(ms int64, do func()) {
	w.seq++
	heap.Push(&w.queue, &event{w.now + max(ms, 0), w.seq, do})
}

// maxEvents bounds a schedule: far above what the largest needs.
const maxEvents = 400_000

func (w *world) play() {
	for n := 0; w.err == nil && len(w.queue) > 0; n++ {
		e := heap.Pop(&w.queue).(*event)
		w.now = e.at
		if w.plan.amnesia && (w.now > chaosMS+5_000 || n > maxEvents/8) {
			return // nothing can be promised but that what is certified is one story; a leader and who forgot entries may answer each other for ever
		}
		if w.healed && (w.now > w.until() || n > maxEvents) {
			w.fail(w.why())
			return
		}
		e.do()
		if w.healed && n%64 == 0 && w.quiet() {
			return
		}
	}
}

// until is when all must be done and at rest.
func (w *world) until() int64 {
	if w.plan.lies != "" || w.plan.worstAt > 0 {
		return chaosMS + healMS + peopleMS
	}
	return chaosMS + healMS
}

func (w *world) fail(err error) {
	if w.err == nil {
		w.err = fmt.Errorf("at %d ms: %w", w.now, err)
		w.tr.say(w.now, "VIOLATION: %v", err)
	}
}

// quiet reports whether all is done: every wish acknowledged, every node at the same head in the newest epoch, the last set of controllers in place, and
// everybody back who ever comes back.
func (w *world) quiet() bool {
	for _, s := range w.wishes {
		if !s.done && !s.dropped && !s.n.gone() {
			return false
		}
	}
	if w.now < w.plan.ticks.to || w.plan.ticks.asked() && !w.settledTicks(0) {
		return false
	}
	if w.stage < len(w.plan.stages)-1 || w.recovering || w.recoverAt > 0 && !w.recovered {
		return false
	}
	settled := false
	nodes := w.honest()
	for _, n := range nodes {
		if !n.up || n.apart || n.storing || n.chain.Head != nodes[0].chain.Head || n.chain.Epoch != w.town.now().Epoch() || n.chain.Unbegun() || len(n.newer) > 0 {
			return false
		}
		if n.ctl != nil {
			s := n.ctl.Status()
			if s.Certified != s.Tentative || s.Commit != s.Applied && s.Role != 0 {
				return false
			}
			lead := w.byID[s.Leader]
			settled = settled || s.Settled && lead != nil && (lead == n || lead.liar != nil)
		}
	}
	return settled
}

// why says what is missing when a schedule does not come to rest.
func (w *world) why() error {
	missing := 0
	for _, s := range w.wishes {
		if !s.done && !s.dropped && !s.n.gone() {
			missing++
		}
	}
	msg := fmt.Sprintf("no rest after healing: %d wishes unanswered, stage %d of %d, epoch %d, heights", missing, w.stage+1, len(w.plan.stages), w.town.now().Epoch())
	for _, n := range w.nodes {
		msg += fmt.Sprintf(" %d:%d/%d", n.i, n.chain.Epoch, n.chain.Height)
	}
	for _, n := range w.nodes {
		if n.ctl != nil {
			s := n.ctl.Status()
			msg += fmt.Sprintf("\n  node %d: %s term %d leader %s last %d commit %d applied %d certified %d tentative %d members %d settled %v pending %d",
				n.i, s.Role, s.Term, s.Leader.Short(), s.Last, s.Commit, s.Applied, s.Certified, s.Tentative, len(s.Members), s.Settled, s.Pending)
		}
	}
	return errors.New(msg)
}

// heal ends all faults for good.
func (w *world) heal() {
	w.tr.say(w.now, "heal")
	w.healed = true
	clear(w.cut)
	for _, n := range w.nodes {
		n.end.stall.Patience = 0
		if !n.up && !n.away() {
			n.boot()
		}
	}
	if !w.plan.amnesia {
		w.after(1000, w.recovers)
	}
}

func (w *world) crashes() {
	if w.healed {
		return
	}
	if n := w.nodes[w.rng.IntN(len(w.nodes))]; n.up {
		n.crash()
		n.bootLater()
	}
	w.after(int64(w.rng.IntN(2*w.plan.crashEvery)), w.crashes)
}

// forgets makes a node lose its raft state, but not what it signed, nor what is certified: as when it gives them up after a divergence. It
// does so only when the last one that did is back, since a majority that forgets is more than raft can bear.
func (w *world) forgets() {
	if w.healed {
		return
	}
	w.after(int64(300+w.rng.IntN(2500)), w.forgets)
	lead := w.settled()
	if next := min(w.stage+1, len(w.plan.stages)-1); lead == nil || len(w.plan.stages[next]) < 3 {
		return
	}
	members := lead.ctl.Status().Members
	n := w.nodes[w.rng.IntN(len(w.nodes))]
	if n.up && n.ctl != nil && len(members) >= 3 && slices.Contains(lead.chain.Machine.Base().Controllers, n.id) {
		w.tr.say(w.now, "node %d forgets its raft state", n.i)
		w.st.forgotten++
		n.crash()
		n.disk = n.disk.Drop()
		n.bootLater()
	}
}

// settled returns a leader whose members all live the life that their disks know, nil when there is none.
func (w *world) settled() *node {
	for _, n := range w.nodes {
		if !n.up || n.ctl == nil {
			continue
		}
		s := n.ctl.Status()
		if s.Role != order.Leader || !s.Settled || !s.Sealed {
			continue
		}
		ok := true
		for _, m := range s.Members {
			p := w.byID[m.Node]
			ok = ok && m.Voter && p.disk.Alive && p.disk.Incarnation == m.Incarnation
		}
		for _, p := range w.nodes { // an older leader may not know
			ok = ok && (p.ctl == nil || p.ctl.Status().Term <= s.Term)
		}
		if ok {
			return n
		}
	}
	return nil
}

// partitions cuts some nodes off, both ways or one way, for a while.
func (w *world) partitions() {
	if w.healed {
		return
	}
	w.st.partitions++
	side := w.rng.IntN(1 << len(w.nodes))
	oneWay := w.rng.IntN(3) == 0
	var cuts [][2]int
	for a := range w.nodes {
		for b := range w.nodes {
			if side>>a&1 == 1 && side>>b&1 == 0 {
				cuts = append(cuts, [2]int{a, b})
				if !oneWay {
					cuts = append(cuts, [2]int{b, a})
				}
			}
		}
	}
	for _, c := range cuts {
		w.cut[c] = true
	}
	w.tr.say(w.now, "partition %05b one way %v", side, oneWay)
	w.after(int64(100+w.rng.IntN(3000)), func() {
		for _, c := range cuts {
			delete(w.cut, c)
		}
		w.tr.say(w.now, "partition %05b ends", side)
	})
	w.after(int64(w.rng.IntN(2*w.plan.cutEvery)), w.partitions)
}

// directoryGrows makes a new version, which nodes learn of at different times.
func (w *world) directoryGrows() {
	if w.healed || w.town.grown >= 6 {
		return
	}
	w.town.grow()
	w.town.spread()
	w.after(int64(w.rng.IntN(2500)), w.directoryGrows)
}

// send puts a message on the network.
func (w *world) send(from, to *node, size int, arrive func()) {
	if from == to {
		w.after(0, arrive)
		return
	}
	if from.apart != to.apart || w.cut[[2]int{from.i, to.i}] || !w.healed && w.rng.IntN(1000) < w.plan.loss {
		w.st.lost++
		return
	}
	times := 1
	if !w.healed && w.rng.IntN(1000) < w.plan.double {
		times = 2
		w.st.doubled++
	}
	delay := w.plan.delay
	if w.healed {
		delay = min(delay, 20)
	}
	for range times {
		life := to.life
		w.after(int64(1+w.rng.IntN(delay)), func() {
			if to.up && to.life == life && from.apart == to.apart && !w.cut[[2]int{from.i, to.i}] {
				arrive()
			}
		})
	}
}

// verify is the request check of all nodes: each signature is computed once in a schedule.
func (w *world) verify(r *rooms.Request, id rooms.Hash) bool {
	ok, seen := w.goodReq[id]
	if !seen {
		ok = r.SignedAs(id)
		w.goodReq[id] = ok
	}
	return ok
}

func (w *world) checkSig(s rooms.Signature, h rooms.Hash) bool {
	if len(s.Sig) != 64 {
		return false
	}
	k := sigKey{s.Node, h, [64]byte(s.Sig)}
	ok, seen := w.goodSig[k]
	if !seen {
		ok = s.OK(h)
		w.goodSig[k] = ok
	}
	return ok
}
