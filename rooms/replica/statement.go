package replica

import (
	"slices"
	"sync/atomic"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// ending is the gathering of statements at the end of the room's present epoch. Owned by the copy's loop.
type ending struct {
	stuckAt uint64    // height since which nothing is certified
	since   time.Time // when that was first seen, or something was last certified
	epoch   uint64
	account string // by whose will; empty: without people
	got     map[rooms.NodeID]rooms.Statement
	asking  bool
	ordered atomic.Bool // the directory is being asked
}

// askState asks a controller to end the epoch and state what it knows.
type askState struct {
	_     struct{} `cbor:",toarray"`
	Epoch uint64
	For   string // the account that recovers the room; empty: nobody
}

// tickEnding has the room begin anew, in the same hands, when a height cannot be certified although enough controllers are there.
func (r *Replica) tickEnding(now time.Time) {
	e := &r.ending
	if r.directory || !slices.Contains(r.controllers(), r.h.self) || r.broken != nil {
		return
	}
	heard := slices.DeleteFunc(slices.Clone(r.controllers()), func(c rooms.NodeID) bool { return !r.h.alive(c) })
	if e.since.IsZero() || r.chain.Height != e.stuckAt || len(heard) < rooms.Quorum(len(r.controllers())) || !r.wanting() {
		e.stuckAt, e.since = r.chain.Height, now
		if e.account == "" {
			e.asking = false
		}
		return
	}
	// One after the other tries: not each of them holds what must be carried over.
	turn := int((now.Sub(e.since) - stuckAfter) / statementTime)
	if now.Sub(e.since) < stuckAfter || heard[turn%len(heard)] != r.h.self {
		return
	}
	if !e.asking || e.account != "" {
		r.h.log.Warn("a height cannot be certified: the controllers begin anew", "room", r.id.Short(), "height", r.chain.Height+1)
		r.gather("")
	}
	r.askStatements()
}

// wanting reports whether something should be certified: a step is open, or nobody leads.
func (r *Replica) wanting() bool {
	if r.ctl == nil {
		return true
	}
	s := r.ctl.Status()
	return s.Tentative > s.Certified || s.Leader.IsZero() || r.ctl.Ended()
}

// gather begins to gather statements, on behalf of an account or of nobody.
func (r *Replica) gather(account string) {
	e := &r.ending
	e.epoch, e.account, e.asking, e.got = r.chain.Epoch, account, true, map[rooms.NodeID]rooms.Statement{}
}

// askStatements asks those who have not stated yet, and the directory when that is enough.
func (r *Replica) askStatements() {
	data := rooms.Marshal(askState{Epoch: r.chain.Epoch, For: r.ending.account})
	for _, c := range r.controllers() {
		if c == r.h.self {
			if s, ok := r.statement(r.ending.account); ok {
				r.ending.got[c] = s
			}
		} else if _, ok := r.ending.got[c]; !ok {
			r.tell(c, frameAskState, data)
		}
	}
	if r.ending.account == "" {
		r.proposeEpoch()
	}
}

// askedToState judges whether the epoch should end, as far as this node sees, and states what it knows.
func (r *Replica) askedToState(from rooms.NodeID, a askState) {
	if r.directory || a.Epoch != r.chain.Epoch || r.broken != nil || !slices.Contains(r.controllers(), r.h.self) {
		return
	}
	r.wakeUp()
	if a.For == "" {
		if !slices.Contains(r.controllers(), from) || !r.wanting() || r.ending.since.IsZero() || r.chain.Height != r.ending.stuckAt || time.Since(r.ending.since) < stuckAfter/2 {
			return
		}
	} else if !r.mayRecover(from, a.For) {
		return
	}
	if s, ok := r.statement(a.For); ok {
		r.tell(from, frameStatement, rooms.Marshal(s))
	}
}

// mayRecover reports whether the account manages the room, as it stands here, and speaks through that node; and whether this node too sees that the room
// cannot go on.
func (r *Replica) mayRecover(from rooms.NodeID, account string) bool {
	signs := false
	r.h.Directory(func(d *rooms.Directory) { signs = d.Now().Signs(account, from) })
	return signs && r.chain.Machine.(*rooms.State).Manages(account, r.h.Now()) && !r.heardQuorum(r.controllers())
}

// statement ends the epoch at this controller and returns its statement, for an account or for nobody. false: that is not durable yet, or the copy lags behind; it is asked again.
func (r *Replica) statement(account string) (s rooms.Statement, ok bool) {
	if r.ctl == nil {
		return s, false
	}
	r.ctl.End()
	rec, err := r.h.record(r.id)
	if err != nil || !r.ctl.Ended() || r.ctl.Status().Certified != r.chain.Height {
		return s, false
	}
	s = rooms.Statement{
		Epoch: r.chain.Epoch, For: account, Since: r.chain.Machine.Base().Since, Height: r.chain.Height, Head: r.chain.Head, Promises: r.ctl.Promises(),
	}
	if s.Height > rec.Floor {
		if s.Header, s.Cert, ok = r.proof(); !ok {
			return s, false
		}
	}
	s.Sign(r.id, r.h.cfg.Key)
	return s, true
}

// proof returns the head's header with its certificate.
func (r *Replica) proof() (*rooms.Header, rooms.Certificate, bool) {
	list, err := r.decisions(r.chain.Height, r.chain.Height)
	if err != nil || len(list) != 1 || list[0].Header.Hash() != r.chain.Head {
		return nil, nil, false
	}
	return &list[0].Header, list[0].Cert, true
}

// stated takes a controller's statement.
func (r *Replica) stated(from rooms.NodeID, s rooms.Statement) {
	rec, err := r.h.record(r.id)
	if !r.ending.asking || err != nil || s.Node != from || s.For != r.ending.account || rec.CheckStatement(&s) != nil {
		return
	}
	r.ending.got[from] = s
	if r.ending.account == "" {
		r.proposeEpoch()
	}
}

// proposeEpoch asks the directory for the new epoch when the statements leave no doubt.
func (r *Replica) proposeEpoch() {
	rec, err := r.h.record(r.id)
	if err != nil || r.ending.ordered.Load() {
		return
	}
	if imports := r.imports(rec); len(imports) > 0 {
		r.tellDirectory(imports) // it must know the present controllers first
		return
	}
	body, tally, err := r.epochBody(rec)
	if err != nil || !tally.Enough() {
		return
	}
	r.orderLater(&r.ending.ordered, "the directory did not make a new epoch", body)
}

// epochBody makes the request for a new epoch of what has been gathered. With rooms.ErrUnclear it is one that people may ask for.
func (r *Replica) epochBody(rec rooms.RoomRecord) (*rooms.NewEpoch, rooms.Tally, error) {
	b := &rooms.NewEpoch{Room: r.id, Epoch: r.chain.Epoch + 1}
	for _, n := range rec.Now {
		if s, ok := r.ending.got[n]; ok && rec.CheckStatement(&s) == nil {
			b.Statements = append(b.Statements, s)
		}
	}
	tally, err := rec.Tally(b.Statements)
	if err != nil {
		return b, tally, err
	}
	if r.chain.Height > tally.Height {
		header, cert, ok := r.proof()
		if !ok {
			return b, tally, errs.Internal
		}
		b.Header, b.Cert = header, cert
		if err := tally.Known(header.Height, r.chain.Head); err != nil {
			return b, tally, err
		}
	}
	b.Carried, err = tally.Carry(func(height uint64, head rooms.Hash) (rooms.Header, bool) {
		if r.ctl == nil {
			return rooms.Header{}, false
		}
		return r.ctl.Header(height, head)
	})
	return b, tally, err
}
