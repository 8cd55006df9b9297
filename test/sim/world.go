package main

import (
	"container/heap"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"warren/rooms"
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
	goodReq   map[reqKey]bool
	goodSig   map[sigKey]bool
	goodCert  map[rooms.Hash]bool
	wishes    []*wish
	leads     map[place]int // who led which term of which epoch

	ticks    map[rooms.Hash]bool // of certified, those that were ordered without a request
	ticksRng *rand.Rand
	wish     *wish // the last one that the room ask for ticks, or for none
	wishedAt int64

	growing    bool  // the next set of controllers is being worked at
	wanted     int   // crashes until the replacement of the saboteur was planned
	recoverAt  int64 // when the manager may take the lost ones for gone; 0: none are lost
	recovering bool
	recovered  bool
	recoveries int // tried so far
}

// place is a place in the room's history.
type place struct{ epoch, height uint64 }

type reqKey struct {
	id    rooms.Hash
	epoch uint64
	sig   [64]byte
}

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
		byID: map[rooms.NodeID]*node{}, cut: map[[2]int]bool{}, goodReq: map[reqKey]bool{}, goodSig: map[sigKey]bool{},
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

// genesis is the room at height 0.
func (w *world) genesis() *rooms.Chain {
	return rooms.NewChain(w.room, rooms.NewState(w.town.records[0].rec))
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
	if w.stage < len(w.plan.stages)-1 && !w.forgotten() || w.recovering || w.recoverAt > 0 && !w.recovered {
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

// verify is the request check of all nodes: each signature is computed once in a schedule.
func (w *world) verify(r *rooms.Request, id rooms.Hash) bool {
	if len(r.Sig) != 64 {
		return false
	}
	k := reqKey{id, r.Epoch, [64]byte(r.Sig)}
	ok, seen := w.goodReq[k]
	if !seen {
		ok = r.SignedAs(id)
		w.goodReq[k] = ok
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
