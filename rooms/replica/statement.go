package replica

import (
	"slices"
	"sync/atomic"
	"time"

	"warren/rooms"
	"warren/rooms/order"
)

// ending is what goes on at the end of the room's present epoch. Owned by the copy's loop.
type ending struct {
	stall   order.Stall
	own     *order.Gathering // of the controllers themselves; nil: there is no need
	people  *order.Gathering // for somebody who recovers the room; nil: nobody does
	ordered atomic.Bool      // the directory is being asked
}

// of returns the gathering for an account, or for nobody.
func (e *ending) of(account string) *order.Gathering {
	g := e.own
	if account != "" {
		g = e.people
	}
	if g == nil || g.Account() != account {
		return nil
	}
	return g
}

// askState asks a controller to end the epoch and state what it knows.
type askState struct {
	_     struct{} `cbor:",toarray"`
	Epoch uint64
	For   string // the account that recovers the room; empty: nobody
}

// scene is what this node sees of the room. false: the directory here does not know it.
func (r *Replica) scene() (*order.Scene, bool) {
	rec, err := r.h.record(r.id)
	return &order.Scene{Self: r.h.self, Key: r.h.cfg.Key, Chain: r.chain, Ctl: r.ctl, Record: rec, Alive: r.h.alive, At: r.at, HeaderAt: func(height uint64) (rooms.Header, bool) { return r.h.headerAt(r.id, height) }}, err == nil
}

// ends reports whether this node may speak at the end of the room's epoch: as one of its controllers.
func (r *Replica) ends(sc *order.Scene) bool { return !r.directory && r.broken == nil && sc.Controls() }

// mute makes sure that a controller runs here which can promise to sign nothing more: at a node that does not know yet that it controls the room, none may.
func (r *Replica) mute(sc *order.Scene) {
	if r.ctl == nil && sc.Behind() && r.ends(sc) {
		if err := r.startController(); err != nil {
			r.h.log.Error("this node cannot state what it knows of the room", "room", r.id.Short(), "err", err)
		}
		sc.Ctl = r.ctl
	}
}

// tickEnding has the room begin anew, in the same hands, when a height cannot be certified although enough controllers are there.
func (r *Replica) tickEnding(now time.Time) {
	if !slices.Contains(r.controllers(), r.h.self) {
		return
	}
	sc, ok := r.scene()
	if !ok || !r.ends(sc) || sc.Behind() {
		return
	}
	turn, over := r.ending.stall.Watch(sc, now)
	if over {
		r.ending.own = nil
	}
	if !turn {
		return
	}
	if r.ending.own == nil {
		r.h.log.Warn("a height cannot be certified: the controllers begin anew", "room", r.id.Short(), "height", r.chain.Height+1)
		r.ending.own = order.Gather(r.chain.Epoch, "")
	}
	r.askStatements(sc, r.ending.own)
	r.proposeEpoch(sc)
}

// askStatements asks those who have not stated yet.
func (r *Replica) askStatements(sc *order.Scene, g *order.Gathering) {
	data := rooms.Marshal(askState{Epoch: r.chain.Epoch, For: g.Account()})
	for _, c := range g.Ask(sc) {
		r.tell(c, frameAskState, data)
	}
}

// askedToState judges whether the epoch should end, as far as this node sees, and states what it knows.
func (r *Replica) askedToState(from rooms.NodeID, a askState) {
	sc, ok := r.scene()
	if !ok || !r.ends(sc) || a.Epoch != r.chain.Epoch {
		return
	}
	r.wakeUp()
	if a.For == "" && (sc.Behind() || !r.ending.stall.Agrees(sc, from, time.Now())) || a.For != "" && !r.mayRecover(sc, from, a.For) {
		return
	}
	if a.For != "" {
		r.mute(sc)
	}
	if s, ok := order.State(sc, a.For); ok {
		r.tell(from, frameStatement, rooms.Marshal(s))
	}
}

// mayRecover reports whether the account manages the room, as it stands here, and speaks through that node; and whether this node too sees that the room
// cannot go on: too few controllers are up, or what they state leaves it open what was certified.
func (r *Replica) mayRecover(sc *order.Scene, from rooms.NodeID, account string) bool {
	signs := false
	r.h.Directory(func(d *rooms.Directory) { signs = d.Now().Signs(account, from) })
	return signs && r.chain.Machine.(*rooms.State).Manages(account, r.h.Now()) && (!sc.Quorate() || r.ending.stall.Undecided(sc, time.Now()))
}

// at returns the certified decision at a height; nil: it is not at hand.
func (r *Replica) at(height uint64) *rooms.Decision {
	list, err := r.decisions(height, height)
	if err != nil || len(list) != 1 {
		return nil
	}
	return &list[0]
}

// stated takes a controller's statement.
func (r *Replica) stated(from rooms.NodeID, s rooms.Statement) {
	g := r.ending.of(s.For)
	if g == nil {
		return
	}
	if sc, ok := r.scene(); ok && g.Take(sc, from, s) && s.For == "" {
		r.proposeEpoch(sc)
	}
}

// proposeEpoch asks the directory for the new epoch when the statements leave no doubt.
func (r *Replica) proposeEpoch(sc *order.Scene) {
	if r.ending.ordered.Load() || !sc.Record.MayBegin("") {
		return // what is left of the epochs is for people
	}
	if imports := r.imports(sc.Record); len(imports) > 0 {
		r.tellDirectory(imports) // it must know the present controllers first
		return
	}
	body, ok := r.ending.own.Proposal(sc)
	if !ok {
		return
	}
	r.orderLater(&r.ending.ordered, "the directory did not make a new epoch", body)
}
