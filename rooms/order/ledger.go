package order

import (
	"cmp"
	"slices"

	"warren/rooms"
)

// Times of the ledger, in ms.
const (
	strikeEvery   = 5_000   // between two strikes of one misdeed: a burst is one
	complaintLife = 60_000  // after a strike a node is not voted for, and not believed to lead, for so long, unless nobody else can
	strikeLife    = 600_000 // a strike is forgotten after this: as long as a controller may be away before it is replaced
)

// Numbers of the ledger.
const (
	replaceAfter  = 3                // strikes within strikeLife after which a leader asks for a controller's replacement
	endorseAfter  = replaceAfter - 1 // … after which another controller agrees: it may have seen one less
	maxAccused    = 2 * MaxMembers   // nodes that a ledger speaks of
	maxEvidence   = 200              // bytes of a charge's evidence
	maxSuspicions = 4                // batches kept that lost to another one at their height
)

// Charge is what a controller has itself seen of another one.
type Charge struct {
	Node     rooms.NodeID
	Misdeed  Misdeed
	Count    uint64       // in all
	First    int64        // ms, by this node's clock
	Last     int64        // ms
	Strikes  int          // times that it was more than the misdeed's limit allows, within the last ten minutes
	Evidence string       // of the last one, for people
	Proof    []rooms.Mark // two, that convict the node before anybody; of Equivocated only
}

// charge is a Charge with what is needed to count on.
type charge struct {
	Charge
	recent   int   // since since
	since    int64 // ms
	struckAt int64 // ms, of the last strike
}

// Ledger is what one controller has seen of the others of its room. It outlives the controller: whoever comes back with a new life gives it
// the ledger of the old one. It is kept in memory only. Not safe for concurrent use.
type Ledger struct {
	charges    map[rooms.NodeID]map[Misdeed]*charge
	suspicions []rooms.Mark // of batches that this node signed and that were not certified
	version    uint64
}

// NewLedger returns an empty ledger.
func NewLedger() *Ledger { return &Ledger{charges: map[rooms.NodeID]map[Misdeed]*charge{}} }

// Version grows with every strike and every proof: what a ledger says to people has changed.
func (l *Ledger) Version() uint64 { return l.version }

// note counts a misdeed; it reports whether that makes a strike.
func (l *Ledger) note(node rooms.NodeID, m Misdeed, now int64, evidence string) bool {
	of := l.charges[node]
	if of == nil {
		if len(l.charges) >= maxAccused {
			l.forgetOldest()
		}
		of = map[Misdeed]*charge{}
		l.charges[node] = of
	}
	c := of[m]
	if c == nil {
		c = &charge{Charge: Charge{Node: node, Misdeed: m, First: now}}
		of[m] = c
	}
	if c.Strikes > 0 && now-c.struckAt > strikeLife {
		c.Strikes = 0
	}
	r := rules[m]
	if now-c.since > r.window {
		c.recent, c.since = 0, now
	}
	c.Count, c.Last, c.Evidence = c.Count+1, now, evidence[:min(len(evidence), maxEvidence)]
	if c.recent++; c.recent < r.limit || c.Strikes > 0 && now-c.struckAt < strikeEvery {
		return false
	}
	c.recent, c.since = 0, now
	c.struckAt = now
	c.Strikes++
	l.version++
	return true
}

// forgetOldest makes room: of all nodes without a proof, the one of which nothing was noted for the longest time.
func (l *Ledger) forgetOldest() {
	var oldest rooms.NodeID
	at := int64(0)
	for _, n := range sortedNodes(l.charges) {
		last := int64(0)
		proof := false
		for _, c := range l.charges[n] {
			last = max(last, c.Last)
			proof = proof || len(c.Proof) > 0
		}
		if !proof && (oldest.IsZero() || last < at) {
			oldest, at = n, last
		}
	}
	delete(l.charges, oldest)
}

// convict keeps a proof; false: it was known.
func (l *Ledger) convict(a, b rooms.Mark, now int64) bool {
	if l.proof(a.Leader) != nil {
		return false
	}
	l.note(a.Leader, Equivocated, now, "")
	if c := l.charges[a.Leader][Equivocated]; c != nil {
		c.Proof = []rooms.Mark{a, b}
		h, g := a.Requests, b.Requests
		c.Evidence = "two signed batches: requests " + h.Short() + " and " + g.Short()
		l.version++
	}
	return true
}

// proof returns the two marks that convict a node, nil when there are none.
func (l *Ledger) proof(node rooms.NodeID) []rooms.Mark {
	if c := l.charges[node][Equivocated]; c != nil {
		return c.Proof
	}
	return nil
}

// suspect keeps the mark of a batch that this node took for ordered and others did not.
func (l *Ledger) suspect(m rooms.Mark) {
	if len(l.suspicions) >= maxSuspicions {
		l.suspicions = slices.Delete(l.suspicions, 0, 1)
	}
	l.suspicions = append(l.suspicions, m)
}

// complaint returns why this node does not want the other one to lead, nil when there is no reason now.
func (l *Ledger) complaint(node rooms.NodeID, now int64) *charge {
	var worst *charge
	for m := Misdeed(1); m < numMisdeeds; m++ {
		c := l.charges[node][m]
		if c != nil && c.Strikes > 0 && now-c.struckAt < complaintLife && (worst == nil || c.struckAt > worst.struckAt) {
			worst = c
		}
	}
	return worst
}

// Unfit reports whether a controller has done so much, by what this node itself has seen, that it should not control the room any more: the
// steward asks for another one in its place, and the others agree when they have seen nearly as much (asked = true).
func (l *Ledger) Unfit(node rooms.NodeID, nowMS int64, asked bool) bool {
	if l.proof(node) != nil {
		return true
	}
	strikes, enough := 0, replaceAfter
	if asked {
		enough = endorseAfter
	}
	for m, c := range l.charges[node] {
		if !rules[m].weak && nowMS-c.struckAt < strikeLife {
			strikes += c.Strikes
		}
	}
	return strikes >= enough
}

// Charges returns what was noted, by node and misdeed.
func (l *Ledger) Charges() []Charge {
	var out []Charge
	for _, of := range l.charges {
		for _, c := range of {
			out = append(out, c.Charge)
		}
	}
	slices.SortFunc(out, func(a, b Charge) int {
		return cmp.Or(slices.Compare(a.Node[:], b.Node[:]), cmp.Compare(a.Misdeed, b.Misdeed))
	})
	return out
}
