package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"warren/rooms"
	"warren/rooms/errs"
	"warren/rooms/order"
)

// What people do: when most of the controllers are gone, or when the controllers' statements leave it open where the room goes on, the manager has it begin
// anew at one node.

// Times of a recovery, in ms.
const (
	goneMS     = 10_000 // controllers that are not heard for so long may be taken for gone
	fetchMS    = 3_000  // for what others hold
	gatherMS   = 5_000  // for the statements of controllers that are heard
	needlessMS = 20_000 // the room did not need it
	pollMS     = 200
)

// fate is what becomes of a node on the worst day.
type fate int

// The fates.
const (
	spared fate = iota
	dead        // its disk is gone for ever
	asleep      // it is off, and comes back after the recovery
	apart       // it runs on, cut off from the rest and from the directory, until after the recovery
)

// planWorst draws whether most of the controllers are lost, and how. It draws from a source of its own.
func (w *world) planWorst() {
	p := &w.plan
	rng := rand.New(rand.NewPCG(w.seed, 0xdead))
	if p.lies != "" || p.amnesia || p.nodes < 3 || w.seed%6 != 2 {
		return
	}
	p.worstAt = 1500 + rng.IntN(chaosMS-2000)
	p.fates = make([]fate, p.nodes)
	together := rng.IntN(3) == 0
	for i := range p.fates {
		switch {
		case together:
			p.fates[i] = apart
		default:
			p.fates[i] = dead + fate(rng.IntN(2))
		}
	}
	p.luck = rng.Perm(p.nodes)
	p.onChange = rng.IntN(2) == 0
}

// worst makes a majority of the controllers go, and perhaps others.
func (w *world) worst() {
	if w.recoverAt > 0 {
		return
	}
	first := w.nodes[0]
	for _, n := range w.nodes {
		if n.chain.Epoch > first.chain.Epoch || n.chain.Epoch == first.chain.Epoch && n.chain.Height > first.chain.Height {
			first = n
		}
	}
	set := first.chain.Machine.Base().Controllers
	here, left := len(set), len(w.nodes)
	for _, i := range w.plan.luck {
		n := w.nodes[i]
		switch controls := slices.Contains(set, n.id); {
		case left == 1, controls && here < rooms.Quorum(len(set)), !controls && i%2 == 0:
			continue
		case controls:
			here--
		case left-1 <= here-rooms.Quorum(len(set))+1:
			continue // somebody must be left when enough controllers are gone
		}
		left--
		n.fate = w.plan.fates[i]
		w.tr.say(w.now, "the worst day: node %d, %d", i, n.fate)
		if n.fate == apart {
			n.apart = true
		} else if n.up {
			n.crash()
		}
	}
	w.recoverAt = w.now + goneMS
}

// gone reports whether a node will never be seen again.
func (n *node) gone() bool { return n.fate == dead }

// away reports whether it is not here at present, by the worst day's doing.
func (n *node) away() bool { return n.fate == dead || n.fate == asleep }

// recovery is one try of the manager to have the room begin anew.
type recovery struct {
	w      *world
	n      *node
	began  int64
	floor  uint64 // the highest that an honest node held which could be reached when it began
	holder int
	body   *rooms.NewEpoch
}

// recovers looks, once a second after all has healed, whether the manager must decide, and begins.
func (w *world) recovers() {
	w.after(1000, w.recovers)

	if w.recoverAt > 0 && !w.recovered && w.now > max(w.recoverAt, chaosMS)+needlessMS {
		w.recovered = true // enough are left: those who are off just come back
		w.plan.stages = append(w.plan.stages[:w.stage+1:w.stage+1], slices.DeleteFunc(slices.Clone(w.plan.stages[w.stage+1:]), w.lacks)...)
		w.comeBack()
	}
	if w.recovering || w.recoveries > 20 {
		return
	}
	n := w.recoverer()
	if n == nil {
		return
	}
	w.recovering = true
	w.recoveries++
	r := &recovery{w: w, n: n, began: w.now}
	for _, p := range w.honest() {
		if p.up && p.apart == n.apart && p.chain.Epoch == w.town.now().Epoch() && p.chain.Height > r.floor {
			r.floor, r.holder = p.chain.Height, p.i
		}
	}
	w.tr.say(w.now, "the manager recovers the room at node %d; node %d holds height %d", n.i, r.holder, r.floor)
	r.fetch()
}

// recoverer returns the node at which the manager has the room begin anew: nil, there is no need.
func (w *world) recoverer() *node {
	var here []*node
	for _, n := range w.honest() {
		sc := n.scene()
		switch {
		case !n.up || n.apart || n.storing || n.chain.Epoch != w.town.now().Epoch():
		case w.recoverAt > 0 && w.now >= w.recoverAt && !w.recovered && !sc.Quorate(), n.end.stall.Undecided(sc, n.time()):
			here = append(here, n)
		}
	}
	if len(here) == 0 {
		return nil
	}
	return here[w.rng.IntN(len(here))]
}

// fetch asks every node for what it has above.
func (r *recovery) fetch() {
	switch n := r.n; {
	case !n.up:
		r.end(false)
	case r.w.now < r.began+fetchMS && (n.chain.Height < r.floor || r.w.now < r.began+5*pollMS):
		n.pulling = false
		n.pull(r.w.nodes[int(r.w.now/pollMS)%len(r.w.nodes)])
		r.w.after(pollMS, r.fetch)
	default:
		n.flush()
		n.end.people = order.Gather(n.chain.Epoch, manager)
		r.began = r.w.now
		r.gather()
	}
}

// gather asks the controllers that are heard for their statements.
func (r *recovery) gather() {
	n := r.n
	if !n.up || n.end.people == nil {
		r.end(false)
		return
	}
	sc := n.scene()
	if n.tellTown(sc) {
		r.w.after(pollMS, r.gather)
		return
	}
	n.mute(sc)
	n.askStatements(sc, n.end.people)
	body, tally, err := n.end.people.Body(sc)
	n.pump()
	if err != nil && !errors.Is(err, rooms.ErrUnclear) {
		r.w.tr.say(r.w.now, "the recovery fails: %v", err)
		r.end(false)
		return
	}
	heard := slices.ContainsFunc(tally.Silent, func(id rooms.NodeID) bool { return n.hears(r.w.byID[id]) })
	if heard && r.w.now < r.began+gatherMS {
		r.w.after(pollMS, r.gather)
		return
	}
	if len(tally.Silent) > 0 {
		if slices.ContainsFunc(tally.Silent, func(id rooms.NodeID) bool { p := r.w.byID[id]; return p.up && !p.apart }) {
			r.w.tr.say(r.w.now, "the directory hears who is said to be silent")
			r.end(false)
			return
		}
		thing := rooms.SilentThing(r.w.room, n.chain.Epoch, manager, tally.Silent, body.Below != nil)
		body.Silent = append(body.Silent, rooms.Endorse(r.w.town.chain.Room, rooms.KindSilent, thing, epochStart+r.w.now, townKey))
	}
	r.body = body
	if errors.Is(err, rooms.ErrUnclear) {
		r.w.st.unclear++
	}
	if body.Below != nil {
		r.w.st.below++
	}
	k := r.w.town.change(keys[n.i], manager, body)
	if k != errs.OK {
		r.end(false)
		return
	}
	if e := r.w.town.epochs()[len(r.w.town.epochs())-1]; e.Start < r.floor {
		r.w.fail(fmt.Errorf("LOST: node %d held height %d when the room was recovered, which goes on from height %d", r.holder, r.floor, e.Start))
	}
	r.w.st.recovered++
	r.end(true)
}

// end ends the try. When it came about, who was away comes back, and the room grows again.
func (r *recovery) end(ok bool) {
	w := r.w
	w.recovering = false
	if !ok {
		return
	}
	w.recovered = true
	w.comeBack()
	var all []int
	for _, n := range w.nodes {
		if !n.gone() && n != r.n && n.liar == nil {
			all = append(all, n.i)
		}
	}
	w.plan.stages = append(w.plan.stages[:w.stage+1:w.stage+1], []int{r.n.i})
	w.stage = len(w.plan.stages) - 1
	if len(all) > 0 {
		w.plan.stages = append(w.plan.stages, append([]int{r.n.i}, all[:min(len(all), 3)]...))
	}
	if !w.growing {
		w.grow()
	}
}

// lacks reports whether one of these nodes is gone for ever.
func (w *world) lacks(set []int) bool {
	return slices.ContainsFunc(set, func(i int) bool { return w.nodes[i].gone() })
}

// comeBack lets who was away return, each in its time.
func (w *world) comeBack() {
	for _, n := range w.nodes {
		if n.fate == spared || n.gone() {
			continue
		}
		w.after(int64(w.rng.IntN(8000)), func() {
			w.tr.say(w.now, "node %d comes back", n.i)
			n.fate, n.apart = spared, false
			if !n.up {
				n.boot()
			}
		})
	}
}
