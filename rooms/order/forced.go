package order

import (
	"fmt"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"warren/rooms"
)

// A forced vote ignores raft's lease: it may depose a leader that lives. So it is granted only by who would depose the leader too.

// heldVote is a forced vote for which there is no reason yet: there may be one in a moment.
type heldVote struct {
	from rooms.NodeID
	r    *raftMessage
	at   int // tick
}

// yieldMessage says that the sender, who leads the term, wants To to lead after it.
type yieldMessage struct {
	_    struct{} `cbor:",toarray"`
	Term uint64
	To   rooms.NodeID
}

// deaf is how many ticks without a word of the leader are enough to vote for somebody who says that it is down: three heartbeats.
func (c *Controller) deaf() int { return 3 * c.cfg.HeartbeatTicks }

// Lost says that a node is not heard at all, whatever this room's own messages say: this controller votes for who campaigns in its place.
// Until it is heard again, later than what may have been on its way.
func (c *Controller) Lost(node rooms.NodeID) { c.lost, c.lostAt = node, c.ticks }

// grounds reports whether this node has a reason of its own to vote against the leader, in favour of a candidate that campaigns past the lease.
func (c *Controller) grounds(candidate rooms.NodeID) bool {
	switch lead := c.leader(); {
	case lead.IsZero(), lead == candidate, c.lost == lead:
		return true
	case c.yields == candidate && c.yieldTerm == c.rn.BasicStatus().GetTerm():
		return true
	case lead == c.cfg.Self:
		return false
	default:
		return c.ticks-c.heard >= c.deaf() || c.cfg.Ledger.complaint(lead, c.now) != nil
	}
}

// shuns reports whether the node is neither voted for nor followed into a new term: there is a complaint against it, and somebody else can
// lead. When nobody has led for four election time-outs, it may.
func (c *Controller) shuns(node rooms.NodeID) bool {
	return !c.blindShun && c.ticks-c.ruled <= 4*c.cfg.ElectionTicks && c.cfg.Ledger.complaint(node, c.now) != nil
}

// admit decides whether raft sees a message now. false without an error: it is kept back.
func (c *Controller) admit(from rooms.NodeID, r *raftMessage) (bool, error) {
	t := pb.MessageType(r.Type)
	st := c.rn.BasicStatus()
	if (r.Term > st.GetTerm() || t == pb.MsgVote || t == pb.MsgPreVote) && c.shuns(from) {
		why := c.cfg.Ledger.complaint(from, c.now)
		return false, fmt.Errorf("step: %s from %s, against whom there is a complaint: %s: %s", t, from.Short(), why.Misdeed, why.Evidence)
	}
	if t == pb.MsgVote && r.Force && r.Term > st.GetTerm() && !c.blindForce && !c.grounds(from) {
		c.heldVote = &heldVote{from, r, c.ticks}
		return false, nil
	}
	switch t {
	case pb.MsgApp, pb.MsgHeartbeat, pb.MsgSnap:
		if st.GetTerm() == r.Term && st.Lead != raft.None && st.Lead != (Member{Node: from, Incarnation: r.From}).raftID() && !c.blind[RaftLie] {
			return false, fmt.Errorf("step: %s leads term %d, and so does %s", from.Short(), r.Term, c.leader().Short())
		}
	}
	return true, nil
}

// tickForced looks again at a forced vote that was held back.
func (c *Controller) tickForced() {
	if lead := c.leader(); lead == c.cfg.Self || !lead.IsZero() && c.ticks-c.heard <= c.cfg.ElectionTicks {
		c.ruled = c.ticks
	}
	h := c.heldVote
	switch {
	case h == nil:
	case c.ticks-h.at > c.cfg.ElectionTicks:
		c.heldVote = nil
	case c.grounds(h.from):
		c.heldVote = nil
		if err := c.onRaft(h.from, h.r); err != nil {
			c.debug("held vote", err)
		}
	}
}

// afterStep follows what a message did to the term: before is the status that it met.
func (c *Controller) afterStep(from rooms.NodeID, t pb.MessageType, before raft.BasicStatus) {
	switch t {
	case pb.MsgAppResp, pb.MsgHeartbeatResp, pb.MsgVoteResp, pb.MsgPreVoteResp, pb.MsgTimeoutNow:
	default:
		return
	}
	st := c.rn.BasicStatus()
	if st.GetTerm() <= before.GetTerm() {
		return
	}
	c.note(from, TermRaised, fmt.Sprintf("from %d to %d", before.GetTerm(), st.GetTerm()))
	if before.RaftState == raft.StateLeader && st.RaftState == raft.StateFollower && c.agree(c.cfg.Self) == 1 {
		c.campaign() // nobody else wants to lead, and nobody complains of this node: do not let the room wait for a time-out
	}
}

// yield tells all whom this node, which leads, hands over to: they would not vote for it else.
func (c *Controller) yield(to rooms.NodeID) {
	term := c.rn.BasicStatus().GetTerm()
	c.yields, c.yieldTerm = to, term
	nodes := make([]rooms.NodeID, 0, len(c.conf.Voters))
	for _, m := range c.conf.Voters {
		nodes = append(nodes, m.Node)
	}
	c.sendAll(nodes, &envelope{Yield: &yieldMessage{Term: term, To: to}})
}

func (c *Controller) onYield(from rooms.NodeID, m *yieldMessage) {
	if c.leaderOf(m.Term) == from {
		c.yields, c.yieldTerm = m.To, m.Term
	}
}
