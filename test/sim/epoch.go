package main

import (
	"errors"
	"slices"
	"time"

	"warren/rooms"
	"warren/rooms/order"
)

// How an honest node comes to a new epoch, and follows one: what rooms/replica does with the same rules.

// endings is what goes on at a node at the end of an epoch. In memory only.
type endings struct {
	stall   order.Stall
	own     *order.Gathering // without people
	people  *order.Gathering // for the manager
	askedAt int64            // when the directory was asked last
}

func (n *node) time() time.Time { return time.UnixMilli(n.clock()) }

// hears reports whether messages pass between two nodes.
func (n *node) hears(p *node) bool {
	return p != nil && p.up && p.apart == n.apart && !n.w.cut[[2]int{n.i, p.i}] && !n.w.cut[[2]int{p.i, n.i}]
}

func (n *node) scene() *order.Scene {
	return &order.Scene{
		Self: n.id, Key: keys[n.i], Chain: n.chain, Ctl: n.ctl, Record: n.w.town.record(n.dir), At: n.at, HeaderAt: n.headerAt,
		Alive: func(id rooms.NodeID) bool { return n.hears(n.w.byID[id]) },
	}
}

func (n *node) controls() bool { return slices.Contains(n.chain.Machine.Base().Controllers, n.id) }

// endEvery is how many ticks pass between looks at the end of the epoch.
const endEvery = 5

// tickEnding has the room begin anew when a height cannot be certified.
func (n *node) tickEnding() {
	if n.w.plan.amnesia || !n.controls() {
		return
	}
	sc := n.scene()
	if sc.Behind() {
		return
	}
	turn, over := n.end.stall.Watch(sc, n.time())
	if over {
		n.end.own = nil
	}
	if !turn {
		return
	}
	if n.end.own == nil {
		n.w.tr.say(n.w.now, "node %d begins to gather statements at height %d of epoch %d", n.i, n.chain.Height, n.chain.Epoch)
		n.end.own = order.Gather(n.chain.Epoch, "")
	}
	n.askStatements(sc, n.end.own)
	n.proposeEpoch(sc)
	n.pump()
}

func (n *node) askStatements(sc *order.Scene, g *order.Gathering) {
	epoch, account := n.chain.Epoch, g.Account()
	for _, id := range g.Ask(sc) {
		if p := n.w.byID[id]; p != nil {
			n.w.send(n, p, 16, func() { p.askedToState(n, epoch, account) })
		}
	}
}

// askedToState judges whether the epoch should end, as far as this node sees, and states what it knows.
func (n *node) askedToState(from *node, epoch uint64, account string) {
	sc := n.scene()
	if epoch != n.chain.Epoch || !sc.Controls() || n.w.plan.amnesia {
		return
	}
	if n.liar.states(sc, from, account) {
		return
	}
	if account == "" && (sc.Behind() || !n.end.stall.Agrees(sc, from.id, n.time())) || account != "" && !n.mayRecover(sc, from, account) {
		return
	}
	if account != "" {
		n.mute(sc)
	}
	s, ok := order.State(sc, account)
	if ok {
		n.tellStatement(from, s)
	}
	if n.w.plan.patience > 0 && !n.w.healed && n.w.rng.IntN(6) == 0 { // between the promise and the statement, or right after it
		n.crash()
		n.bootLater()
		return
	}
	n.pump()
}

// mute makes sure that a controller runs here which can promise to sign nothing more, also at a node that does not know yet that it controls the room.
func (n *node) mute(sc *order.Scene) {
	if n.ctl == nil && sc.Behind() && sc.Controls() {
		n.start()
		sc.Ctl = n.ctl
	}
}

// tellStatement sends a statement, and keeps for the checks that it was given.
func (n *node) tellStatement(to *node, s rooms.Statement) {
	n.w.st.statements++
	n.w.tr.add(n.w.now, 's', n.i, to.i, rooms.Marshal(s))
	n.w.tr.say(n.w.now, "node %d states to node %d: certified %d, %d promises, for %q", n.i, to.i, s.Height, len(s.Promises), s.For)
	n.stated = max(n.stated, s.Epoch)
	n.w.send(n, to, 500, func() { to.takeStatement(n, s) })
}

// mayRecover reports whether the account manages the room and speaks through that node, and whether the room cannot go on by itself.
func (n *node) mayRecover(sc *order.Scene, from *node, account string) bool {
	return n.w.view(n.dir).Signs(account, from.id) && n.chain.Machine.(*rooms.State).Manages(account, n.clock()) &&
		(!sc.Quorate() || n.end.stall.Undecided(sc, n.time()))
}

func (n *node) takeStatement(from *node, s rooms.Statement) {
	g := n.end.own
	if s.For != "" {
		g = n.end.people
	}
	if g == nil {
		return
	}
	if sc := n.scene(); g.Take(sc, from.id, s) && s.For == "" {
		n.proposeEpoch(sc)
	}
}

// proposeEpoch asks the directory for the new epoch when the statements leave no doubt.
func (n *node) proposeEpoch(sc *order.Scene) {
	if n.w.now < n.end.askedAt+1000 {
		return
	}
	if n.tellTown(sc) {
		return // it must know the present controllers first
	}
	if body, ok := n.end.own.Proposal(sc); ok {
		n.end.askedAt = n.w.now
		n.w.st.proposals++
		n.w.town.ask(n, body)
	}
}

// tellTown tells the directory of changes of controllers that it does not know, and reports whether there were any.
func (n *node) tellTown(sc *order.Scene) bool {
	changes := sc.Record.Unwitnessed(n.chain.Machine.Base().Since, n.at)
	for _, d := range changes {
		n.w.town.ask(n, &rooms.Witness{Room: n.w.room, Decision: rooms.Marshal(d)})
	}
	return len(changes) > 0
}

// learnEpochs tells the chain what the directory shows of the room's epochs, and follows.
func (n *node) learnEpochs() {
	if n.learned >= n.dir || !n.up {
		return
	}
	n.learned = n.dir
	if len(n.w.view(n.dir).Epochs(n.w.room)) > 0 {
		n.follow(n.chain.Learn(n.w.view(n.dir)))
	}
}

// follow goes the way to the newest epoch that the chain knows of: back, when the copy holds what was not carried over; on, when it lacks something.
func (n *node) follow(turned bool) {
	n.settleDoubts()
	if _, over := n.chain.Overrun(); over {
		turned = n.goBack() || turned
	}
	if turned {
		n.turned()
	}
	if n.ctl != nil && len(n.chain.Ahead()) > 0 {
		n.ctl.Carry(n.chain.Carried())
		n.pump()
	}
}

// settleDoubts has it judged whether the epochs that would take the chain back were made rightfully.
func (n *node) settleDoubts() {
	for {
		height, doubt := n.chain.Doubt()
		if !doubt {
			return
		}
		n.chain.Judge(n.replay(height))
	}
}

// drop forgets the controller; what it has under way is stored first, since a product's write cannot be overtaken.
func (n *node) drop() {
	if rd := n.flight; rd != nil {
		n.storing, n.flight = false, nil
		n.write(rd)
	}
	n.ctl, n.pulling = nil, false
	n.life++
}

// load reads the chain from the disk, in the newest epoch that is known here, and cuts off what is not in it.
func (n *node) load() {
	for {
		n.chain = n.replay(n.log.top())
		n.chain.Learn(n.w.view(n.dir))
		n.settleDoubts()
		start, over := n.chain.Overrun()
		if !over {
			return
		}
		to := min(start, n.chain.Height-1)
		n.w.tr.say(n.w.now, "node %d goes back from height %d to %d", n.i, n.chain.Height, to)
		n.log = n.log.cut(to)
		n.w.st.back++
	}
}

// goBack takes the copy back to the start of an epoch that others have begun below its head: what was decided above it is lost.
func (n *node) goBack() (turned bool) {
	n.drop()
	n.flush()
	before := n.chain.Epoch
	n.load()
	n.recount()
	n.halted = true // until it is in the new epoch, or restarts
	return n.chain.Epoch > before
}

// recount makes the client's memory fit a log that got shorter.
func (n *node) recount() {
	n.counted = n.chain.Machine.Base().Counters[n.id]
	n.ackedAt = n.log.top()
	next := n.counted + 1
	lowest := next
	for i, s := range n.outbox {
		if s.req != nil && (i == 0 || s.req.Counter < lowest) {
			lowest = s.req.Counter
		}
	}
	if lowest <= next {
		return // what is used up is numbered anew when it is sent
	}
	for _, s := range n.outbox {
		if s.req != nil {
			s.sign(next)
			next++
		}
	}
}

// turned follows a chain that has come to a new epoch: its controllers begin with raft state of their own.
func (n *node) turned() {
	n.w.tr.say(n.w.now, "node %d is in epoch %d, at height %d", n.i, n.chain.Epoch, n.chain.Height)
	n.drop()
	n.disk = n.disk.Drop()
	n.halted = false
	n.end.own, n.end.people = nil, nil
	n.end.stall.Reset(n.chain.Height, n.time())
	n.manage()
}

// excused reports whether a decision was rightly refused by a node that others give what it cannot take yet: in an epoch that it, or the other one, has not
// come to.
func (n *node) excused(d *rooms.Decision, err error) bool {
	for _, e := range n.w.town.epochs() {
		switch {
		case errors.Is(err, rooms.ErrEpoch), errors.Is(err, rooms.ErrFork) && e.Start <= max(n.chain.Height, d.Header.Height):
			return true
		case errors.Is(err, rooms.ErrNoQuorum) && d.Header.Height <= e.Start && slices.Contains(e.Carried, d.Header.Hash()):
			return true
		}
	}
	return false
}
