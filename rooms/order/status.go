package order

import (
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"

	"warren/rooms"
)

// Role is what a controller is in raft's eyes.
type Role uint8

// The roles.
const (
	Outside   Role = iota // in no configuration it knows of
	Learner               // follows, has no vote
	Follower              // votes, follows a leader or waits for one
	Candidate             // asks for votes
	Leader
)

func (r Role) String() string {
	return [...]string{"outside", "learner", "follower", "candidate", "leader"}[r]
}

// MemberStatus is one member of raft's configuration.
type MemberStatus struct {
	Node        rooms.NodeID
	Incarnation uint64
	Voter       bool
	Match       uint64 // index up to which its log is known to be the leader's; on the leader only
	Level       bool   // its log is close to the leader's; on the leader only
}

// Status is how a controller stands.
type Status struct {
	Self      Member
	Leader    rooms.NodeID // zero: none known
	Term      uint64
	Role      Role
	Last      uint64 // raft index of the last stored entry
	Commit    uint64
	Applied   uint64
	First     uint64 // raft index where the log starts
	Certified uint64 // height
	Tentative uint64 // height
	Members   []MemberStatus
	Joint     bool     // between two configurations
	Settled   bool     // raft's voters are the certified controllers
	Sealed    bool     // a majority of raft's voters is known to know durably that they are it: until then the voters before them are needed too
	Pending   int      // requests that wait or are under way here
	Waiting   int      // devices whose next request was submitted here, is for another node to put in order, and is not ordered yet
	Idle      bool     // nothing is under way: the controller can be parked, if Members have what they should
	Charges   []Charge // what was seen of other controllers
	Broken    error
}

// Leader returns the node that leads, zero when none is known or the controller has stopped. It is what Status says, without the lists.
func (c *Controller) Leader() rooms.NodeID {
	if c.broken != nil {
		return rooms.NodeID{}
	}
	return c.leader()
}

// Status returns how the controller stands.
func (c *Controller) Status() Status {
	if c.broken != nil {
		return Status{Self: c.self, Certified: c.certified, Tentative: c.chain.Height, Broken: c.broken}
	}
	st := c.rn.BasicStatus()
	s := Status{
		Self: c.self, Leader: c.leader(), Term: st.GetTerm(), Commit: st.GetCommit(), Applied: c.applied, First: c.base.Index + 1,
		Certified: c.certified, Tentative: c.chain.Height, Joint: c.conf.joint(), Pending: len(c.queue), Waiting: len(c.waits), Charges: c.cfg.Ledger.Charges(),
	}
	s.Last, _ = c.log.LastIndex()
	for _, p := range c.proposed {
		s.Pending += len(p)
	}
	switch {
	case st.RaftState == raft.StateLeader:
		s.Role = Leader
	case st.RaftState != raft.StateFollower:
		s.Role = Candidate
	case slices.Contains(c.conf.Voters, c.self) || slices.Contains(c.conf.Outgoing, c.self):
		s.Role = Follower
	case slices.Contains(c.conf.Learners, c.self):
		s.Role = Learner
	}
	match, level := map[uint64]uint64{}, map[uint64]bool{}
	if s.Role == Leader {
		level = c.level()
		c.rn.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) {
			match[id] = pr.Match
		})
	}
	var voters []rooms.NodeID
	for _, m := range c.conf.Voters {
		voters = append(voters, m.Node)
		s.Members = append(s.Members, MemberStatus{m.Node, m.Incarnation, true, match[m.raftID()], level[m.raftID()]})
	}
	for _, m := range c.conf.Learners {
		s.Members = append(s.Members, MemberStatus{m.Node, m.Incarnation, false, match[m.raftID()], level[m.raftID()]})
	}
	rooms.SortNodes(voters)
	s.Sealed = !s.Joint && c.sealed == c.confIndex()
	s.Settled = !s.Joint && slices.Equal(voters, c.controllers)
	s.Idle = s.Settled && s.Pending == 0 && len(c.waits) == 0 && c.heldVote == nil && len(c.open) == 0 && !c.rn.HasReady() && !c.busy && s.Applied == s.Commit && s.Commit == s.Last &&
		!s.Leader.IsZero()
	return s
}
