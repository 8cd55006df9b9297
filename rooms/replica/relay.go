package replica

import (
	"slices"
	"time"

	"warren/rooms"
)

// How decisions reach the copies that order nothing: each has one source, which pushes to it, and serves a few copies itself. Who asks a
// controller that serves as many as it should is referred to those it serves, and so on: a tree grows, whose roots are the controllers, and no
// node sends a decision more than maxServed times, however many follow the room. The tree carries hints, the log is the truth: a copy checks
// every decision itself, asks another controller now and then how far the room is, and leaves a source that falls behind.

// subscriber is a node that wants new decisions pushed.
type subscriber struct {
	until time.Time
	as    reader
}

// following is what a copy that controls nothing lives on. Owned by the copy's loop.
type following struct {
	source   rooms.NodeID // who pushes to this node
	asked    time.Time    // when the source was last asked to
	sought   time.Time    // when it was asked first since it answered
	heard    time.Time    // when the source last pushed something, or said that it will
	denied   time.Time    // when it last said that it will not
	hurried  time.Time
	called   time.Time // when controllers that are not connected were last asked for something
	opinions int       // questions to others than the source
	skip     int       // sources that were left because they did not serve
	hops     int       // from a controller to the source
	lag      lag
}

// lag is the word of a controller other than the source that the room is further than this copy.
type lag struct {
	height uint64 // 0: there is none
	from   rooms.NodeID
	since  time.Time
}

// push sends a new decision to all who asked for it; checkReaders has seen to it that they may read.
func (r *Replica) push(data []byte) {
	if len(r.subs) == 0 {
		return
	}
	f := encodeFrame(r.id, framePush, data)
	for n := range r.subs {
		r.h.cfg.Net.Send(n, f)
	}
}

// checkReaders stops pushing to those who may not read any more. What took the right from them they still get: it tells them why.
func (r *Replica) checkReaders() {
	for n, s := range r.subs {
		if !r.mayRead(n, s.as) {
			delete(r.subs, n)
			r.sendHead(n, 0, false)
		}
	}
}

// serves is how many nodes this one pushes to at most. The leader has the backups to serve too.
func (r *Replica) serves() int {
	if r.leads {
		return maxServedLead
	}
	return maxServed
}

// subscribed takes a node's wish that decisions be pushed to it. Controllers always find a place: what they miss, everybody misses.
func (r *Replica) subscribed(from rooms.NodeID, s subscribe, now time.Time) {
	if s.Stop {
		delete(r.subs, from)
		return
	}
	_, known := r.subs[from]
	switch ok := r.mayRead(from, s.For); {
	case !ok:
		delete(r.subs, from)
		r.sendHead(from, 0, false)
	case from == r.source:
		delete(r.subs, from)
		r.refer(from) // two that push to each other would push nothing
	case known || len(r.subs) < r.serves() || slices.Contains(r.controllers(), from):
		r.subs[from] = &subscriber{until: now.Add(subscriberLife), as: s.For}
		r.sendHead(from, 0, true) // it may lack decisions, and it may not know who leads
	default:
		r.refer(from)
	}
}

// refer sends a node to those that this one serves; to nobody when it serves none: then the node starts over.
func (r *Replica) refer(to rooms.NodeID) {
	ref := refer{Height: r.chain.Height}
	for n := range r.subs {
		if n != to && len(ref.Nodes) < maxServed {
			ref.Nodes = append(ref.Nodes, n)
		}
	}
	rooms.SortNodes(ref.Nodes)
	r.tell(to, frameRefer, rooms.Marshal(ref))
}

// dismissSubscribers tells those that are served here to look elsewhere: the copy ends.
func (r *Replica) dismissSubscribers() {
	for n := range r.subs {
		r.tell(n, frameRefer, rooms.Marshal(refer{Height: r.chain.Height}))
	}
	clear(r.subs)
}

// referred takes the source's word that others serve this node.
func (r *Replica) referred(from rooms.NodeID, ref refer, now time.Time) {
	if from != r.source || len(ref.Nodes) > maxServed {
		return
	}
	if ref.Height > r.chain.Height {
		r.catchUp(from) // a newcomer may not even know the others yet
	}
	list := slices.DeleteFunc(ref.Nodes, func(n rooms.NodeID) bool { return n == r.h.self || !r.h.inside(n) })
	hops := r.hops + 1
	if len(list) == 0 || hops > maxHops {
		r.skip++
		r.startOver()
		return
	}
	// Another byte of the id at each step: who took one branch together does not take the next together too.
	r.follow(list[(int(r.h.self[hops])+r.skip)%len(list)], now)
	r.hops = hops
}

// startOver lets the copy ask a controller for a source soon.
func (r *Replica) startOver() {
	r.source, r.hops, r.lag = rooms.NodeID{}, 0, lag{}
	r.wakeUp()
}

// leaveSource tells the source that it is not needed any more.
func (r *Replica) leaveSource() {
	r.tell(r.source, frameSubscribe, rooms.Marshal(subscribe{Stop: true}))
	r.startOver()
}

// follow asks a node to push to this copy.
func (r *Replica) follow(n rooms.NodeID, now time.Time) {
	if n != r.source {
		r.hops, r.lag = 0, lag{}
	}
	if n != r.source || !r.unanswered() {
		r.sought = now
	}
	r.source, r.asked = n, now
	r.tell(n, frameSubscribe, rooms.Marshal(subscribe{For: r.as, Have: r.chain.Height}))
}

// tickFollow renews what a copy without a controller lives on: somebody who pushes.
func (r *Replica) tickFollow(now time.Time) {
	for n, s := range r.subs {
		if now.After(s.until) { // who goes down is taken out at once: see peer
			delete(r.subs, n)
		}
	}
	if len(r.syncs) > 0 && now.Sub(r.askedHead) > askEvery {
		r.settleSyncs(now, true)
	}
	if !r.leader.IsZero() {
		r.led = now
	}
	if r.controlsNow() && now.Sub(r.led) < 2*r.h.cfg.Election {
		if !r.source.IsZero() {
			r.leaveSource()
		}
		return // what it misses comes with raft; without a leader for long, the others may have gone on without this node
	}
	r.callControllers(now)
	r.tickLag(now)
	patience := subscribeEvery
	switch {
	case r.source.IsZero():
		patience = askEvery
	case !r.h.alive(r.source):
		patience = dialPatience // who was referred to may have to be dialled first
	case r.unanswered():
		patience = resendAfter // a room that was just made may be news to it, and then it has dropped the question
	}
	if now.Sub(r.asked) < patience {
		return
	}
	silent := r.heard.Before(r.asked) && now.Sub(r.sought) >= subscribeEvery
	if !r.source.IsZero() && !r.asked.IsZero() && (silent || !r.h.alive(r.source)) {
		r.skip++ // it does not serve
		r.leaveSource()
	}
	next := r.source
	if next.IsZero() {
		next = r.chooseSource()
	}
	if !next.IsZero() {
		r.follow(next, now)
		r.askAnother()
	}
}

// unanswered reports whether the source has not said since it was asked whether it will push.
func (r *Replica) unanswered() bool { return r.heard.Before(r.asked) && r.denied.Before(r.asked) }

// callControllers has this node connected with those who order the room. In a network that is too large for all to be connected with all nobody else
// does it once such a connection is lost: this node would take the room for frozen, and the controllers its people for gone.
func (r *Replica) callControllers(now time.Time) {
	if now.Sub(r.called) < subscribeEvery {
		return
	}
	r.called = now
	for _, n := range r.orderers() {
		if n != r.h.self && !r.h.alive(n) {
			r.tell(n, frameAskHead, rooms.Marshal(askHead{For: r.as})) // it is dialled for that, unless that was in vain lately
		}
	}
}

// heardFrom notes that the source serves this copy.
func (r *Replica) heardFrom(from rooms.NodeID, now time.Time) {
	if from == r.source {
		r.heard = now
	}
}

// ahead takes the word that the room is further than this copy. What this copy asked for it fetches at once; what it hears by the way may be
// on its way through the tree.
func (r *Replica) ahead(from rooms.NodeID, hd head, now time.Time) {
	switch {
	case hd.Nonce != 0, from == r.source, r.source.IsZero(), r.controlsNow(), now.Sub(r.hurried) < askEvery:
		r.catchUp(from)
	case r.lag.height == 0:
		r.lag = lag{hd.Height, from, now}
	}
}

// tickLag fetches what the source does not push, and leaves it.
func (r *Replica) tickLag(now time.Time) {
	switch l := r.lag; {
	case l.height == 0:
	case l.height <= r.chain.Height:
		r.lag = lag{}
	case now.Sub(l.since) >= lagPatience:
		r.catchUp(l.from)
		r.skip++
		r.leaveSource()
	}
}

// askAnother asks one of those who do not push to this copy for the head, another one each time: the source may be cut off from the others, or
// keep things to itself.
func (r *Replica) askAnother() {
	list := slices.DeleteFunc(r.orderers(), func(n rooms.NodeID) bool { return n == r.source || n == r.h.self || !r.h.alive(n) })
	if len(list) > 0 {
		r.opinions++
		r.tell(list[r.opinions%len(list)], frameAskHead, rooms.Marshal(askHead{For: r.as}))
	}
}

// hurry asks somebody for the head now, and the source at the next tick: something here waits for it.
func (r *Replica) hurry() {
	now := time.Now()
	if now.Sub(r.hurried) < askEvery {
		return
	}
	r.hurried, r.asked = now, time.Time{}
	r.wakeUp()
	r.askAnother()
}

// chooseSource picks the controller that this node asks first: spread over them by this node's id, and among the living.
func (r *Replica) chooseSource() rooms.NodeID {
	list := r.orderers()
	start := int(r.h.self[0]) + r.skip
	for i := range list {
		c := list[(start+i)%len(list)]
		if c != r.h.self && r.h.alive(c) {
			return c
		}
	}
	for _, n := range r.informed() {
		if r.h.alive(n) {
			return n
		}
	}
	return rooms.NodeID{}
}
