package order

import (
	"fmt"
	"slices"

	"warren/rooms"
)

// A controller with a complaint against the leader says so to the others, and hears what they have to say. When as many complain as it takes
// to elect somebody, one of them campaigns past the lease. So a single liar cannot depose an honest leader, and a single honest controller that
// was treated badly does not disturb the others in vain.

// accusation is another controller's word that it would vote against the leader now.
type accusation struct {
	leader rooms.NodeID
	at     int // tick
}

// accuseMessage says that the sender has a complaint against the leader.
type accuseMessage struct {
	_       struct{} `cbor:",toarray"`
	Leader  rooms.NodeID
	Misdeed uint8
}

// markMessage shows the leader's signature under the batch that the sender ran at a height where somebody signed another header.
type markMessage struct {
	_    struct{} `cbor:",toarray"`
	Mark rooms.Mark
}

// proofMessage convicts a controller.
type proofMessage struct {
	_    struct{} `cbor:",toarray"`
	A, B rooms.Mark
}

// proofEvery is the time between reminders of a proof, in ms: who restarted has forgotten it.
const proofEvery = 10_000

// tickAccuse says what this node has against the leader, and campaigns when enough others agree.
func (c *Controller) tickAccuse() {
	c.tickProofs()
	lead := c.leader()
	if lead.IsZero() || lead == c.cfg.Self {
		c.forceAt = 0
		return
	}
	why := c.cfg.Ledger.complaint(lead, c.now)
	if why == nil || c.blind[why.Misdeed] {
		c.forceAt = 0
		return
	}
	if c.ticks >= c.accuseAt {
		c.accuseAt = c.ticks + c.cfg.ElectionTicks
		c.sendAll(c.controllers, &envelope{Accuse: &accuseMessage{Leader: lead, Misdeed: uint8(why.Misdeed)}})
	}
	if !slices.Contains(c.conf.Voters, c.self) || c.agree(lead) <= len(c.conf.Voters)/2 {
		return
	}
	switch {
	case c.forceAt == 0:
		c.forceAt = c.ticks + 1 + c.cfg.Rand(c.cfg.ElectionTicks) // not all at once
	case c.ticks >= c.forceAt:
		c.forceAt = c.ticks + 2*c.cfg.ElectionTicks + c.cfg.Rand(c.cfg.ElectionTicks)
		if c.cfg.Log != nil {
			c.cfg.Log.Warn("this controller campaigns against the leader", "room", c.chain.Room.Short(), "leader", lead.Short(), "misdeed", why.Misdeed.String())
		}
		c.campaign()
	}
}

// agree counts the voters that complain of the leader now, and this one.
func (c *Controller) agree(lead rooms.NodeID) int {
	n := 1
	for _, m := range c.conf.Voters {
		if a, ok := c.accusers[m.Node]; ok && m != c.self && a.leader == lead && c.ticks-a.at <= 2*c.cfg.ElectionTicks {
			n++
		}
	}
	return n
}

func (c *Controller) onAccuse(from rooms.NodeID, m *accuseMessage) error {
	if !slices.Contains(c.controllers, from) {
		return fmt.Errorf("step: %s complains and is no controller", from.Short())
	}
	if c.accusers == nil || len(c.accusers) > MaxMembers {
		c.accusers = map[rooms.NodeID]accusation{}
	}
	c.accusers[from] = accusation{m.Leader, c.ticks}
	return nil
}

// showMark answers a signature over another header with the batch that this node was given at that height: if the leader signed two, the
// other one knows now.
func (c *Controller) showMark(to rooms.NodeID, s *step) {
	c.send(to, &envelope{Mark: &markMessage{Mark: s.batch.Mark(c.chain.Room)}})
}

// onMark compares another controller's batch with this node's own.
func (c *Controller) onMark(from rooms.NodeID, m *markMessage) error {
	if !slices.Contains(c.controllers, from) {
		return fmt.Errorf("step: %s shows a batch and is no controller", from.Short())
	}
	if s := c.step(m.Mark.Height); s != nil {
		c.convict(s.batch.Mark(c.chain.Room), m.Mark)
	}
	return nil
}

// onProof takes a proof that another controller found.
func (c *Controller) onProof(from rooms.NodeID, m *proofMessage) error {
	if c.cfg.Ledger.proof(m.A.Leader) != nil {
		return nil
	}
	if !slices.Contains(c.controllers, m.A.Leader) || m.A.Room != c.chain.Room || !m.A.Convicts(m.B) {
		return blame(Garbage, fmt.Errorf("step: %s shows what proves nothing", from.Short()))
	}
	c.convict(m.A, m.B)
	return nil
}

// convict keeps the proof that two marks are, if they are one, and tells all controllers.
func (c *Controller) convict(a, b rooms.Mark) {
	if c.blind[Equivocated] || c.cfg.Ledger.proof(a.Leader) != nil || a.Leader == c.cfg.Self || !a.Convicts(b) {
		return
	}
	c.cfg.Ledger.convict(a, b, c.now)
	c.proofAt, c.accuseAt = 0, 0
	if c.cfg.Log != nil {
		c.cfg.Log.Warn("a controller signed two batches for one place", "room", c.chain.Room.Short(), "node", a.Leader.Short(),
			"term", a.Term, "height", a.Height, "one", fmt.Sprintf("%x", rooms.Marshal(a)), "other", fmt.Sprintf("%x", rooms.Marshal(b)))
	}
}

// tickProofs shows all proofs to all controllers, again and again as long as the convicted are among them.
func (c *Controller) tickProofs() {
	if c.now < c.proofAt {
		return
	}
	c.proofAt = c.now + proofEvery
	for _, n := range c.controllers {
		if p := c.cfg.Ledger.proof(n); p != nil {
			c.sendAll(c.controllers, &envelope{Proof: &proofMessage{A: p[0], B: p[1]}})
		}
	}
}

// lostBatch keeps the mark of a batch that this node took for ordered, when another one is certified in its place, until it has seen that.
func (c *Controller) lostBatch(s *step) {
	if !c.blind[Equivocated] && s.batch.Leader != c.cfg.Self {
		c.cfg.Ledger.suspect(s.batch.Mark(c.chain.Room))
	}
}

// compareSuspicions looks whether a certified batch convicts its leader together with one that this node was given before.
func (c *Controller) compareSuspicions(b *rooms.Batch) {
	for _, m := range c.cfg.Ledger.suspicions {
		if m.Height == b.Height && m.Leader == b.Leader {
			c.convict(m, b.Mark(c.chain.Room))
		}
	}
}
