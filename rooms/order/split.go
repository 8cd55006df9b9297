package order

import (
	"cmp"
	"slices"

	"go.etcd.io/raft/v3"
)

// splitTries is how often one wish to lead is repeated because another one asked for the same votes. The first try lets those who are behind it know that they are, so
// two are enough among honest ones; a dishonest one could go on for ever.
const splitTries = 4

// splitVote settles at once what happens when two ask for votes in the same term: each has its own, and where one is dead all others are needed. The one that comes first
// asks again in the next term, the others vote. Raft alone would have both wait for a time-out.
func (c *Controller) splitVote(id uint64, r *raftMessage, before raft.BasicStatus) {
	if r.Term != before.GetTerm() || before.GetVote() != c.selfID || before.RaftState == raft.StateLeader || before.Lead != raft.None || c.splits >= splitTries ||
		!c.before(id, r) {
		return
	}
	c.splits++
	c.campaign()
}

// before reports whether this node rather than the other candidate should lead: whose log ends later, and of equals the first by rank.
func (c *Controller) before(id uint64, r *raftMessage) bool {
	index, err := c.log.LastIndex()
	if err != nil {
		return false
	}
	term, err := c.log.Term(index)
	if err != nil {
		return false
	}
	rank := func(id uint64) int { return slices.Index(c.controllers, c.known[id].Node) }
	return cmp.Or(cmp.Compare(term, r.LogTerm), cmp.Compare(index, r.Index), cmp.Compare(rank(id), rank(c.selfID)), cmp.Compare(id, c.selfID)) > 0
}
