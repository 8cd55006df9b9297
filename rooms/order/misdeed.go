package order

import (
	"errors"
	"fmt"
)

// Misdeed is something that an honest controller does not do. The numbers are shown and logged by name, never stored or sent.
type Misdeed uint8

// The misdeeds. What honest nodes may seem to do, by loss, delay or a lost race, has a limit above one in the rules below.
const (
	Forged              Misdeed = iota + 1 // led a batch with a request that its device did not sign, or of another room
	Void                                   // led a batch with a request whose device may not speak for its author
	Replayed                               // led a batch with a request whose counter was used up, or that came before its turn
	WrongTime                              // led a batch whose time is too far from this node's clock
	StaleDirectory                         // led a batch by a directory version that all should have left behind, or older than an author saw
	Equivocated                            // signed two batches for one (epoch, term, height): the pair is the proof
	OtherHeader                            // signed another header than the one that is certified
	BadSignature                           // sent a signature that does not verify
	BadCertificate                         // sent a certificate that does not verify
	WithheldCertificate                    // leads, and leaves it to the others to gather certificates
	RaftLie                                // sent a raft message that no member has reason to send
	TermRaised                             // moved the others to a new term again and again without leading it
	Garbage                                // sent what is no message, or led an entry that means nothing
	Censored                               // leads, was given a request, and orders others but not this one
	Stalled                                // leads and is heard, and orders nothing of what waits
	NotBegun                               // led the first batch of an epoch, which does not say what began
	Overticked                             // led more empty batches than the room asks for
	Unticked                               // leads and is heard, and makes no ticks though the room asks for them
	numMisdeeds
)

// rule says how a misdeed is counted.
type rule struct {
	name   string
	limit  int   // so many within window are a strike
	window int64 // ms
	weak   bool  // a reason to vote for somebody else, not to replace the node: honest nodes on a bad line look like that
}

const minute = 60_000 // ms

// rules by misdeed. A limit of 1 means that neither loss nor delay nor a race makes an honest node look like that.
var rules = [numMisdeeds]rule{
	Forged: {name: "forged requests", limit: 1, window: minute},
	// Batches with one that the leader could see to be void (couldSee); an honest one makes none.
	Void:           {name: "void requests", limit: 8, window: minute},
	Replayed:       {name: "replayed or reordered requests", limit: 1, window: minute},
	WrongTime:      {name: "wrong time", limit: 3, window: minute}, // a clock that was just set right
	StaleDirectory: {name: "stale directory version", limit: 3, window: minute},
	Equivocated:    {name: "two batches for one place", limit: 1, window: minute},
	OtherHeader:    {name: "signatures over other headers", limit: 4, window: minute}, // who was lied to signs a few
	BadSignature:   {name: "wrong signatures", limit: 1, window: minute},
	BadCertificate: {name: "wrong certificates", limit: 1, window: minute},
	// Each one noted is withheldLimit in a row: to lose so many takes a very bad line.
	WithheldCertificate: {name: "withheld certificates", limit: 1, window: minute},
	RaftLie:             {name: "raft lies", limit: 3, window: minute},
	// A controller that comes back with a higher term does it once, for each time it was cut off.
	TermRaised: {name: "raised terms", limit: 6, window: minute, weak: true},
	Garbage:    {name: "garbage", limit: 8, window: minute},
	Censored:   {name: "censoring", limit: 1, window: minute},
	Stalled:    {name: "stalling", limit: 1, window: minute, weak: true},
	NotBegun:   {name: "an epoch that does not begin", limit: 1, window: minute},
	Overticked: {name: "ticks that nobody asked for", limit: 1, window: minute},
	Unticked:   {name: "missing ticks", limit: 1, window: minute, weak: true},
}

func (m Misdeed) String() string {
	if m == 0 || m >= numMisdeeds {
		return fmt.Sprintf("misdeed %d", uint8(m))
	}
	return rules[m].name
}

// misdeedError is an error that says something about who caused it.
type misdeedError struct {
	misdeed Misdeed
	err     error
}

func (e *misdeedError) Error() string { return e.err.Error() }
func (e *misdeedError) Unwrap() error { return e.err }

// blame marks an error as a misdeed of the message's sender.
func blame(m Misdeed, err error) error {
	if err == nil {
		return nil
	}
	return &misdeedError{m, err}
}

// blamed returns the misdeed that an error speaks of, 0 when none.
func blamed(err error) Misdeed {
	if e, ok := errors.AsType[*misdeedError](err); ok {
		return e.misdeed
	}
	return 0
}
