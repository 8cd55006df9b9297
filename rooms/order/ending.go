package order

import (
	"errors"
	"slices"

	"warren/rooms"
)

// errUnheld is what Body ends with when a controller has shown that more is certified than this node has: it must fetch that first, and starts nothing above
// what nobody may be able to give.
var errUnheld = errors.New("new epoch: more is certified than this node holds; try again, or without the controller that does not give it")

// errUnproven is what Body ends with when all who are left hold less than the directory has witnessed, and this node cannot show that what it holds is certified.
var errUnproven = errors.New("new epoch: what this node holds of the room cannot be shown to the directory; bring back a node that holds more")

// errNoProof is what Body ends with while the certificate of the chain's head is not at hand.
var errNoProof = errors.New("new epoch: the certificate of the room's head is not at hand")

// State ends the epoch at this node's controller and returns its statement, for the account that recovers the room, or for nobody. false: that is not
// durable yet, or the chain and the controller are not level; ask again.
func State(sc *Scene, account string) (s rooms.Statement, ok bool) {
	if sc.Ctl == nil {
		return s, false
	}
	sc.Ctl.End()
	if !sc.Ctl.Ended() || sc.Ctl.Status().Certified != sc.Chain.Height {
		return s, false
	}
	s = rooms.Statement{
		Epoch: sc.Chain.Epoch, For: account, Since: sc.Chain.Machine.Base().Since, Height: sc.Chain.Height, Head: sc.Chain.Head, Promises: sc.Ctl.Promises(),
	}
	if s.Height > sc.Record.Floor {
		if s.Header, s.Cert, ok = sc.proof(); !ok {
			return s, false
		}
	}
	s.Sign(sc.Chain.Room, sc.Key)
	return s, true
}

// Gathering collects the statements of a room's controllers.
type Gathering struct {
	account string
	epoch   uint64
	got     map[rooms.NodeID]rooms.Statement
}

// Gather begins to collect the statements that end an epoch, on behalf of an account or, empty, of the controllers themselves.
func Gather(epoch uint64, account string) *Gathering {
	return &Gathering{account: account, epoch: epoch, got: map[rooms.NodeID]rooms.Statement{}}
}

// Account returns for whom it gathers.
func (g *Gathering) Account() string { return g.account }

// Ask takes this node's own statement and returns the controllers that have given none yet. Without people its own comes last: whoever states ends the epoch
// at home, and one that is mistaken about the room, because it has just come back, say, would sign nothing more in an epoch that goes on for all the others.
func (g *Gathering) Ask(sc *Scene) (missing []rooms.NodeID) {
	controls := false
	for _, n := range sc.Controllers() {
		if _, have := g.got[n]; n == sc.Self {
			controls = true
		} else if !have {
			missing = append(missing, n)
		}
	}
	n := len(sc.Controllers())
	if controls && (g.account != "" || len(missing) <= rooms.Faults(n) || sc.Ctl != nil && sc.Ctl.Ended()) {
		if s, ok := State(sc, g.account); ok {
			g.got[sc.Self] = s // anew each time: it may know more by now
		}
	}
	return missing
}

// Take takes a statement that a controller sent, and reports whether it counts.
func (g *Gathering) Take(sc *Scene, from rooms.NodeID, s rooms.Statement) bool {
	if g.epoch != sc.Chain.Epoch || s.Node != from || s.For != g.account || sc.Record.CheckStatement(&s) != nil {
		return false
	}
	g.got[from] = s
	return true
}

// Body makes the request for a new epoch of what has been gathered. With rooms.ErrUnclear it is one that people may ask for.
func (g *Gathering) Body(sc *Scene) (*rooms.NewEpoch, rooms.Tally, error) {
	rec := &sc.Record
	b := &rooms.NewEpoch{Room: rec.ID, Epoch: g.epoch + 1}
	for _, n := range rec.Now {
		if s, ok := g.got[n]; ok && rec.CheckStatement(&s) == nil {
			b.Statements = append(b.Statements, s)
		}
	}
	tally, err := rec.Tally(b.Statements)
	if err != nil {
		return b, tally, err
	}
	if sc.Chain.Height > tally.Height {
		header, cert, ok := sc.proof()
		if !ok {
			return b, tally, errNoProof
		}
		b.Header, b.Cert = header, cert
		if err := tally.Known(header.Height, sc.Chain.Head); err != nil {
			return b, tally, err
		}
	}
	low := tally.Held()
	if g.account != "" {
		low = min(tally.Height, sc.Chain.Height)
	}
	below, ok := tally.Down(low, sc.header)
	switch {
	case !ok && g.account != "" && tally.Lowest():
		return b, tally, g.lower(sc, b, &tally)
	case !ok:
		return b, tally, errUnheld
	}
	above, err := tally.Carry(sc.header)
	b.Carried = append(below, above...)
	return b, tally, err
}

// lower has an epoch by an account begin where the log here ends, below what the directory has witnessed: those who held more are gone.
func (g *Gathering) lower(sc *Scene, b *rooms.NewEpoch, tally *rooms.Tally) error {
	header, cert, ok := sc.proof()
	if !ok {
		return errUnproven // with nothing decided there is nothing to begin from
	}
	if b.Below = sc.Record.ProveBelow(header, cert, sc.Chain.Machine.Base().Since, sc.At); b.Below == nil {
		return errUnproven
	}
	tally.Height, tally.Head = sc.Chain.Height, sc.Chain.Head
	return nil
}

// Start returns the height from which a room goes on by a request for a new epoch.
func Start(b *rooms.NewEpoch, tally *rooms.Tally) uint64 {
	if n := len(b.Carried); n > 0 {
		return b.Carried[n-1].Height
	}
	return tally.Height
}

// Proposal is Body when the statements suffice for a new epoch without people.
func (g *Gathering) Proposal(sc *Scene) (*rooms.NewEpoch, bool) {
	b, tally, err := g.Body(sc)
	return b, err == nil && g.account == "" && tally.Enough()
}

// Founds reports whether the node founds the raft group of the epoch that a chain has just come to: as one of its controllers, while nothing is decided
// in it. What it stored of a life in that epoch decides in New whether it does so for the first time.
func Founds(chain *rooms.Chain, self rooms.NodeID) bool {
	return chain.Epoch > 1 && chain.Unbegun() && slices.Contains(chain.Machine.Base().Controllers, self)
}
