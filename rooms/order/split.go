package order

import (
	"cmp"
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"warren/rooms"
)

// splitTries is how often one wish to lead is repeated because another one asked for the same votes. The first try lets those who are behind it know that they are, so
// two are enough among honest ones; a dishonest one could go on for ever.
const splitTries = 4

// splitVote settles at once what raft alone would leave to time-outs, when somebody asks for votes whom this node has not voted for. Two may have asked in the same
// term: each has its own vote, and where one is dead all others are needed. Or the candidate lacks what is in this node's log, and cannot do without its vote. Whoever
// comes first asks in the next term, the others vote.
func (c *Controller) splitVote(id uint64, r *raftMessage) {
	st := c.rn.BasicStatus()
	if r.Term != st.GetTerm() || st.Lead != raft.None || st.RaftState == raft.StateLeader || c.splits >= splitTries ||
		st.GetVote() != c.selfID && st.GetVote() != raft.None || !c.before(id, r) {
		return
	}
	c.splits++
	c.campaign()
}

// outdated asks for votes again when others have refused because they are in a later term, which this node has learned by that.
func (c *Controller) outdated(before raft.BasicStatus) {
	st := c.rn.BasicStatus()
	if before.RaftState == raft.StatePreCandidate && st.RaftState == raft.StateFollower && st.GetTerm() > before.GetTerm() && st.Lead == raft.None && c.splits < splitTries {
		c.splits++
		c.canvass()
	}
}

// before reports whether this node rather than the other candidate should lead: whose log ends later, and of equals the first by rank.
func (c *Controller) before(id uint64, r *raftMessage) bool {
	term, index, ok := c.lastEntry()
	rank := func(id uint64) int { return slices.Index(c.controllers, c.known[id].Node) }
	return ok && cmp.Or(cmp.Compare(term, r.LogTerm), cmp.Compare(index, r.Index), cmp.Compare(rank(id), rank(c.selfID)), cmp.Compare(id, c.selfID)) > 0
}

// lastEntry returns where the log ends; false: it cannot be read.
func (c *Controller) lastEntry() (term, index uint64, ok bool) {
	index, err := c.log.LastIndex()
	if err != nil {
		return 0, 0, false
	}
	term, err = c.log.Term(index)
	return term, index, err == nil
}

// Reached says that a node can be reached that could not be, or is another process now: if this one asks for votes, it asks that one again. What it was asked before
// it may not have heard, and where two are dead nobody can do without the first that comes back.
func (c *Controller) Reached(nowMS int64, node rooms.NodeID) {
	if c.broken != nil {
		return
	}
	defer c.guard(nil)
	c.clock(nowMS)
	st := c.rn.BasicStatus()
	m := &pb.Message{From: new(c.selfID)}
	switch st.RaftState {
	case raft.StateCandidate:
		m.Type, m.Term, m.Context = pb.MsgVote.Enum(), new(st.GetTerm()), []byte(forced)
	case raft.StatePreCandidate:
		m.Type, m.Term = pb.MsgPreVote.Enum(), new(st.GetTerm()+1)
	default:
		return
	}
	to, member := c.conf.of(node)
	term, index, ok := c.lastEntry()
	if !ok || !member {
		return
	}
	m.To, m.Index, m.LogTerm = new(to.raftID()), new(index), new(term)
	if msg, ok := c.outgoing(m); ok {
		c.outbox = append(c.outbox, msg)
	}
}
