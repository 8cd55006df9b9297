package order

import (
	"crypto/ed25519"
	"slices"
	"time"

	"warren/rooms"
)

// How controllers that cannot certify a height come to a new epoch, as rules: a Stall sees that it is time, a Gathering (ending.go) collects what the
// controllers state. Who drives them sends, stores and asks the directory.

// Times of the end of an epoch.
const (
	StallPatience = 15 * time.Second // nothing is certified for so long, though a quorum of controllers is there and something waits for it: they begin anew
	StatementTime = 5 * time.Second  // for the statements of controllers that are heard; then it is the next one's turn to ask
)

// Scene is what a node sees of a room at one moment.
type Scene struct {
	Self   rooms.NodeID
	Key    ed25519.PrivateKey // of Self
	Chain  *rooms.Chain       // certified
	Ctl    *Controller        // nil: none runs here
	Record rooms.RoomRecord   // as the newest version of the directory here has it
	Alive  func(rooms.NodeID) bool
	// At returns the certified decision at a height, up to the chain's; nil: it is not at hand.
	At func(height uint64) *rooms.Decision
	// HeaderAt returns the certified header of a height, also of a tick of which no more is left; false: it is not at hand.
	HeaderAt func(height uint64) (rooms.Header, bool)
}

// proof returns the header at the chain's head with its certificate; false: it is not at hand.
func (s *Scene) proof() (*rooms.Header, rooms.Certificate, bool) {
	d := s.At(s.Chain.Height)
	if d == nil || d.Header.Hash() != s.Chain.Head {
		return nil, nil, false
	}
	return &d.Header, d.Cert, true
}

// header returns a header that this node holds, as certified or as one that its controller has computed.
func (s *Scene) header(height uint64, hash rooms.Hash) (rooms.Header, bool) {
	if height <= s.Chain.Height {
		h, ok := s.HeaderAt(height)
		return h, ok && h.Hash() == hash
	}
	if s.Ctl == nil {
		return rooms.Header{}, false
	}
	return s.Ctl.Header(height, hash)
}

// Behind reports whether the directory has witnessed a change of the controllers, in the chain's epoch, that the log here does not reach up to.
func (s *Scene) Behind() bool {
	return s.Record.Epoch() == s.Chain.Epoch && s.Record.Since > s.Chain.Machine.Base().Since
}

// Controllers returns the newest controllers that are known here. The caller must not change them.
func (s *Scene) Controllers() []rooms.NodeID {
	if s.Behind() {
		return s.Record.Now
	}
	return s.Chain.Machine.Base().Controllers
}

// Controls reports whether this node is one of the newest controllers that are known here.
func (s *Scene) Controls() bool { return slices.Contains(s.Controllers(), s.Self) }

// Silent returns the controllers that are not up, in their order.
func (s *Scene) Silent() []rooms.NodeID {
	return slices.DeleteFunc(slices.Clone(s.Controllers()), func(n rooms.NodeID) bool { return n == s.Self || s.Alive(n) })
}

// heard returns the controllers that are up, in their order.
func (s *Scene) heard() []rooms.NodeID {
	return slices.DeleteFunc(slices.Clone(s.Controllers()), func(n rooms.NodeID) bool { return n != s.Self && !s.Alive(n) })
}

// Quorate reports whether as many controllers are up as a certificate takes.
func (s *Scene) Quorate() bool { return len(s.heard()) >= rooms.Quorum(len(s.Controllers())) }

// wanting reports whether something should be certified: a step is open, a request waits, nobody leads, or the epoch has ended here.
func (s *Scene) wanting() bool {
	if s.Ctl == nil {
		return true
	}
	st := s.Ctl.Status()
	return st.Tentative > st.Certified || st.Pending+st.Waiting > 0 || st.Leader.IsZero() || s.Ctl.Ended()
}

// Stall watches for how long nothing has been certified that should be. The zero value is ready.
type Stall struct {
	Patience time.Duration // 0: StallPatience

	height uint64    // since which nothing is certified
	since  time.Time // when that was first seen; zero: not yet
}

func (s *Stall) patience() time.Duration {
	if s.Patience > 0 {
		return s.Patience
	}
	return StallPatience
}

// Reset begins to wait anew: a new epoch has its own time to begin.
func (s *Stall) Reset(height uint64, now time.Time) { s.height, s.since = height, now }

// Watch looks at the room; call it at least some times a second, at a controller. over: all is well, and what was begun is to be forgotten. turn: nothing
// has been certified for too long, and it is this node's turn to gather statements: one after the other tries, since not each of them holds
// what must be carried over.
func (s *Stall) Watch(sc *Scene, now time.Time) (turn, over bool) {
	heard := sc.heard()
	if s.since.IsZero() || sc.Chain.Height != s.height || !sc.Quorate() || !sc.wanting() {
		s.Reset(sc.Chain.Height, now)
		return false, true
	}
	late := now.Sub(s.since) - s.patience()
	if late < 0 {
		return false, false
	}
	return heard[int(late/StatementTime)%len(heard)] == sc.Self, false
}

// lasts reports whether it has been standing still for so long.
func (s *Stall) lasts(sc *Scene, now time.Time, d time.Duration) bool {
	return !s.since.IsZero() && sc.Chain.Height == s.height && sc.wanting() && now.Sub(s.since) >= d
}

// Agrees reports whether this node too sees that the room stands still, so that it may end its epoch when another controller asks.
func (s *Stall) Agrees(sc *Scene, from rooms.NodeID, now time.Time) bool {
	return slices.Contains(sc.Controllers(), from) && s.lasts(sc, now, s.patience()/2)
}

// Undecided reports whether each of the controllers has had its turn to end the epoch without people, and none could: then it is for people to decide.
func (s *Stall) Undecided(sc *Scene, now time.Time) bool {
	return slices.Contains(sc.Controllers(), sc.Self) && s.lasts(sc, now, s.patience()+time.Duration(len(sc.Controllers()))*StatementTime)
}
