package order

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/confchange"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"

	"warren/rooms"
)

// caughtUp is how many entries a learner may lack and still count as level with the leader.
const caughtUp = 2 * MaxUnderWay

func sortMembers(ms []Member) {
	slices.SortFunc(ms, func(a, b Member) int { return cmp.Compare(a.raftID(), b.raftID()) })
}

// checkConf reports whether raft can take the configuration without panicking.
func checkConf(conf *Conf) error {
	all := conf.members()
	if len(all) > 2*MaxMembers || len(conf.Voters) == 0 {
		return errors.New("a configuration of impossible size")
	}
	seen := map[uint64]rooms.NodeID{}
	for _, list := range [][]Member{conf.Voters, conf.Learners, conf.Outgoing, conf.LearnersNext} {
		for i, m := range list {
			if i > 0 && list[i-1].raftID() >= m.raftID() {
				return errors.New("an unsorted configuration")
			}
			if n, ok := seen[m.raftID()]; ok && n != m.Node {
				return errors.New("two members with one number")
			}
			seen[m.raftID()] = m.Node
		}
	}
	cs := pbConf(conf)
	cfg, prs, err := confchange.Restore(confchange.Changer{Tracker: tracker.MakeProgressTracker(1, 0)}, cs)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	t := tracker.MakeProgressTracker(1, 0)
	t.Config, t.Progress = cfg, prs
	if err := cs.Equivalent(t.ConfState()); err != nil {
		return errors.New("a configuration that contradicts itself")
	}
	return nil
}

// applyConf takes a committed change of configuration, if it makes sense: that depends on its bytes and the configuration before it alone.
func (c *Controller) applyConf(e *pb.Entry) {
	c.confSince = 0
	cc := &pb.ConfChangeV2{}
	if e.GetType() != pb.EntryConfChangeV2 || proto.Unmarshal(e.GetData(), cc) != nil {
		return
	}
	names, err := c.changeNames(cc)
	if err != nil {
		c.debug("change of configuration ignored", err)
		return
	}
	c.conf = fromConf(c.rn.ApplyConfChange(cc), names)
	c.confs = append(c.confs, confMark{e.GetIndex(), c.conf})
	if c.conf.joint() {
		c.confSince = max(c.ticks, 1) // raft leaves it by itself; steer does when that fails
	}
	c.learnMembers()
}

// changeNames checks a change against the present configuration and returns the members that it and the change speak of.
func (c *Controller) changeNames(cc *pb.ConfChangeV2) (map[uint64]Member, error) {
	names := map[uint64]Member{}
	for _, m := range c.conf.members() {
		names[m.raftID()] = m
	}
	var added []Member
	if len(cc.GetContext()) > 0 {
		if err := rooms.Unmarshal(cc.GetContext(), &added); err != nil {
			return nil, err
		}
	}
	if len(added) > MaxMembers || len(cc.GetChanges()) > 2*MaxMembers {
		return nil, errors.New("too many members")
	}
	for _, m := range added {
		if n, ok := names[m.raftID()]; ok && n != m {
			return nil, errors.New("two members with one number")
		}
		names[m.raftID()] = m
	}
	for _, s := range cc.GetChanges() {
		if _, ok := names[s.GetNodeId()]; !ok {
			return nil, errors.New("a member without a name")
		}
		if t := s.GetType(); t < pb.ConfChangeAddNode || t > pb.ConfChangeAddLearnerNode {
			return nil, errors.New("an unknown change")
		}
	}
	if t := cc.GetTransition(); t < pb.ConfChangeTransitionAuto || t > pb.ConfChangeTransitionJointExplicit {
		return nil, errors.New("an unknown transition")
	}
	ch := confchange.Changer{Tracker: tracker.MakeProgressTracker(1, 0)}
	cfg, prs, err := confchange.Restore(ch, pbConf(&c.conf))
	if err != nil {
		return nil, err
	}
	ch.Tracker.Config, ch.Tracker.Progress = cfg, prs
	if cc.LeaveJoint() {
		cfg, prs, err = ch.LeaveJoint()
	} else if auto, ok := cc.EnterJoint(); ok {
		cfg, prs, err = ch.EnterJoint(auto, cc.GetChanges()...)
	} else {
		cfg, prs, err = ch.Simple(cc.GetChanges()...)
	}
	if err == nil && (len(prs) > 2*MaxMembers || len(cfg.Voters.IDs()) == 0) {
		err = errors.New("a configuration of impossible size")
	}
	return names, err
}

func fromConf(cs *pb.ConfState, names map[uint64]Member) Conf {
	list := func(ids []uint64) []Member {
		var out []Member
		for _, id := range ids {
			out = append(out, names[id])
		}
		sortMembers(out)
		return out
	}
	return Conf{
		Voters: list(cs.Voters), Learners: list(cs.Learners), Outgoing: list(cs.VotersOutgoing), LearnersNext: list(cs.LearnersNext),
		AutoLeave: cs.GetAutoLeave(),
	}
}

// learnMembers makes the members of the configuration known, and forgets passing senders.
func (c *Controller) learnMembers() {
	if len(c.known) > 2*MaxMembers {
		clear(c.known)
	}
	for _, m := range c.conf.members() {
		c.known[m.raftID()] = m
	}
}

// remember makes a sender known, so that raft's answer finds it.
func (c *Controller) remember(id uint64, m Member) error {
	if old, ok := c.known[id]; ok {
		if old != m {
			return fmt.Errorf("step: %s has the number of another member", m.Node.Short())
		}
		return nil
	}
	if len(c.known) >= 4*MaxMembers {
		clear(c.known)
		c.learnMembers()
	}
	c.known[id] = m
	return nil
}

// leader returns the node that leads, zero when none is known.
func (c *Controller) leader() rooms.NodeID {
	lead := c.rn.BasicStatus().Lead
	if lead == c.selfID {
		return c.cfg.Self
	}
	return c.known[lead].Node
}

// SetLearners says which nodes, beside the room's controllers, shall follow raft's log: newcomers on their way to become controllers. It
// is a wish of this node's own, acted upon while it leads; a newcomer joins once its own controller has said hello.
func (c *Controller) SetLearners(nodes ...rooms.NodeID) {
	c.learners = slices.Clone(nodes[:min(len(nodes), MaxMembers-2*rooms.MaxControllers)])
}

// sayHello tells the controllers that this member is in no configuration it knows of, or hears no leader: it may have been left out.
func (c *Controller) sayHello(noLeader bool) {
	if in := slices.Contains(c.conf.members(), c.self); in && !noLeader {
		return
	}
	to := slices.Concat(c.controllers, c.chain.Machine.Base().Controllers)
	for _, m := range c.conf.members() {
		to = append(to, m.Node) // the old ones may lead still
	}
	rooms.SortNodes(to)
	c.sendAll(slices.Compact(to), &envelope{Hello: &helloMessage{Incarnation: c.self.Incarnation, At: c.now}})
}

func (c *Controller) onHello(from rooms.NodeID, m *helloMessage) error {
	if !slices.Contains(c.controllers, from) && !slices.Contains(c.learners, from) {
		if _, in := c.conf.of(from); !in && c.leads() && !c.conf.joint() && c.sealed == c.confIndex() {
			c.send(from, &envelope{Bye: &byeMessage{Incarnation: m.Incarnation, At: m.At}})
			return nil
		}
		return fmt.Errorf("step: hello of %s, who is not expected", from.Short())
	}
	if m.Incarnation > 1<<63 {
		return errors.New("step: impossible incarnation")
	}
	if len(c.hellos) > 4*MaxMembers {
		clear(c.hellos)
	}
	if old, ok := c.hellos[from]; !ok || m.Incarnation > old {
		c.hellos[from] = m.Incarnation
	}
	return nil
}

// onBye ends this life when the leader has answered a hello that raft goes on without it. A word that may be older than a new membership,
// because raft spoke to this member after it asked, is not heard; nor has a newcomer that was never in anything to lose.
func (c *Controller) onBye(from rooms.NodeID, m *byeMessage) {
	if m.Incarnation == c.self.Incarnation && m.At > c.touched && m.At <= c.now && c.base.Index > 0 && c.ledTerm == 0 &&
		slices.Contains(c.controllers, from) && !slices.Contains(c.controllers, c.cfg.Self) {
		c.fail(ErrDismissed)
	}
}

// steer makes raft's configuration follow the certified chain: every controller a voter, wanted newcomers learners, nobody else. One change
// at a time, and a controller becomes a voter only when it is level.
func (c *Controller) steer() {
	if c.ledTerm == 0 || c.appliedTerm != c.ledTerm || c.confSince != 0 && c.ticks-c.confSince < c.cfg.ElectionTicks {
		return
	}
	if c.conf.joint() {
		// Raft proposes to leave a joint configuration by itself, once, and only as the leader that entered it or one that applies an entry.
		c.confSince = max(c.ticks, 1)
		if err := c.rn.ProposeConfChange(&pb.ConfChangeV2{}); err != nil {
			c.debug("leave joint configuration", err)
		}
		return
	}
	c.seal()
	if c.steady() {
		return
	}
	changes, added := c.wanted()
	if len(changes) == 0 {
		return
	}
	cc := &pb.ConfChangeV2{Changes: changes}
	if len(added) > 0 {
		cc.Context = rooms.Marshal(added)
	}
	if _, err := c.changeNames(cc); err != nil {
		c.debug("wanted change of configuration", err)
		return
	}
	c.confSince = max(c.ticks, 1)
	if err := c.rn.ProposeConfChange(cc); err != nil {
		c.debug("change of configuration", err)
	}
}

// confIndex returns the index of the newest change of configuration that has been applied.
func (c *Controller) confIndex() uint64 { return c.confs[len(c.confs)-1].index }

// seal proposes an entry that gives no height, to make a change of configuration known. Raft acts on a change when it knows that it is
// committed, and whoever does not know yet still asks the old voters. Such knowledge is stored with the next entry; so once an entry that
// was proposed after the change was applied is itself committed, a majority of the new voters knows, and the old ones may go.
func (c *Controller) seal() {
	if index := c.confIndex(); c.sealed != index && c.sealing != index {
		c.sealing = index
		if err := c.rn.Propose(rooms.Marshal(sealData{Index: index, Term: c.ledTerm})); err != nil {
			c.debug("seal a configuration", err)
			c.sealing = 0
		}
	}
}

// sealData is what a sealing entry holds: no batch.
type sealData struct {
	_     struct{} `cbor:",toarray"`
	Index uint64   // of the change
	Term  uint64
}

// onSeal notes a committed sealing entry; false: it is none.
func (c *Controller) onSeal(data []byte) bool {
	var s sealData
	if len(data) >= 32 || rooms.Unmarshal(data, &s) != nil {
		return false
	}
	if s.Index == c.confIndex() {
		c.sealed = s.Index
	}
	return true
}

// tellCommit helps a candidate that asks a member of the past. Such a member may have the longer log and no right to campaign, while the
// candidate, not knowing that the change is committed, needs its vote: together they would be stuck. Knowing frees the candidate.
func (c *Controller) tellCommit(to rooms.NodeID) {
	if slices.Contains(c.conf.members(), c.self) {
		return
	}
	index := c.rn.BasicStatus().GetCommit()
	if term, err := c.log.Term(index); err == nil && index > 0 {
		c.send(to, &envelope{Commit: &commitMessage{Index: index, Term: term}})
	}
}

// onCommit takes a member's word that an entry is committed, if this node holds that entry. What is committed stays so, whoever tells; a liar
// can only spoil the log of this node, which the certificates then show.
func (c *Controller) onCommit(from rooms.NodeID, m *commitMessage) error {
	if m.Index >= maxIndex {
		return errors.New("step: impossible place")
	}
	st := c.rn.BasicStatus()
	term, err := c.log.Term(m.Index)
	if err != nil || term != m.Term || m.Index <= st.GetCommit() || st.RaftState == raft.StateLeader || st.GetTerm() == 0 {
		return fmt.Errorf("step: %s commits what is not here", from.Short())
	}
	// Raft has no message for this, but a snapshot mark of a place that the log has already moves the commit index there and does nothing
	// else, beside naming its sender the leader.
	mark := Snapshot{Index: m.Index, Term: m.Term, Conf: c.conf}
	err = c.rn.Step(&pb.Message{
		Type: pb.MsgSnap.Enum(), From: new(c.selfID), To: new(c.selfID), Term: new(st.GetTerm()), Snapshot: pbSnapshot(&mark),
	})
	return errors.Join(err, c.rn.ForgetLeader())
}

func change(t pb.ConfChangeType, m Member) *pb.ConfChangeSingle {
	return &pb.ConfChangeSingle{Type: t.Enum(), NodeId: new(m.raftID())}
}

// steady reports whether raft's voters are the controllers, in the lives that are known, and nobody else is a member or to become one: what wanted
// finds nothing to do for, asked with each message.
func (c *Controller) steady() bool {
	if len(c.learners)+len(c.conf.Learners)+len(c.conf.Outgoing)+len(c.conf.LearnersNext) > 0 || len(c.conf.Voters) != len(c.controllers) {
		return false
	}
	for _, m := range c.conf.Voters {
		if !slices.Contains(c.controllers, m.Node) || c.hellos[m.Node] > m.Incarnation {
			return false
		}
	}
	return slices.Contains(c.controllers, c.cfg.Self)
}

// wanted returns the next change of configuration.
func (c *Controller) wanted() (changes []*pb.ConfChangeSingle, added []Member) {
	want := slices.Clone(c.controllers)
	both := slices.Concat(want, c.learners)
	// A node whose raft state has begun a new life: out with the old one, in with the new one as a learner.
	for _, n := range both {
		inc, ok := c.hellos[n]
		m, in := c.conf.of(n)
		switch {
		case !ok || n == c.cfg.Self:
		case in && inc > m.Incarnation:
			if len(c.conf.Voters) == 1 && slices.Contains(c.conf.Voters, m) {
				continue
			}
			return []*pb.ConfChangeSingle{change(pb.ConfChangeRemoveNode, m)}, nil
		case !in && len(c.conf.members()) < MaxMembers:
			m = Member{Node: n, Incarnation: inc}
			return []*pb.ConfChangeSingle{change(pb.ConfChangeAddLearnerNode, m)}, []Member{m}
		}
	}
	level := c.level()
	ready := true
	for _, n := range want {
		m, in := c.conf.of(n)
		switch {
		case in && slices.Contains(c.conf.Voters, m):
		case in && level[m.raftID()]:
			changes = append(changes, change(pb.ConfChangeAddNode, m))
		default:
			ready = false
		}
	}
	alive := 0
	for _, n := range want {
		if m, in := c.conf.of(n); in && level[m.raftID()] {
			alive++
		}
	}
	ready = ready && alive > len(want)/2 // the new ones must be able to go on alone
	for _, m := range c.conf.Voters {
		if ready && m != c.self && !slices.Contains(want, m.Node) {
			changes = append(changes, change(pb.ConfChangeRemoveNode, m))
		}
	}
	if len(changes) == 0 && !slices.Contains(want, c.cfg.Self) {
		c.handOver(level)
	}
	for _, m := range c.conf.Learners {
		if !slices.Contains(both, m.Node) {
			changes = append(changes, change(pb.ConfChangeRemoveNode, m))
		}
	}
	return changes, nil
}

// handOver gives the lead to a controller. A leader that is none does not remove itself, so that who leads through the change also leads after
// it; and it does not wait until all controllers vote: one whose raft state has begun a new life listens to controllers only.
func (c *Controller) handOver(level map[uint64]bool) {
	for _, m := range c.conf.Voters {
		if slices.Contains(c.controllers, m.Node) && level[m.raftID()] {
			c.confSince = max(c.ticks, 1)
			c.yield(m.Node)
			c.rn.TransferLeader(m.raftID())
			return
		}
	}
}

// level returns the members whose log is close to the leader's.
func (c *Controller) level() map[uint64]bool {
	out := map[uint64]bool{}
	commit := c.rn.BasicStatus().GetCommit()
	c.rn.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) {
		if pr.State == tracker.StateReplicate && pr.RecentActive && pr.Match+caughtUp >= commit {
			out[id] = true
		}
	})
	return out
}

// watchSnapshots makes the leader try again when a snapshot mark, or the answer to it, seems lost.
func (c *Controller) watchSnapshots() {
	var lost []uint64
	c.rn.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) {
		if pr.State != tracker.StateSnapshot {
			delete(c.snapTicks, id)
		} else if c.snapTicks[id]++; c.snapTicks[id] >= 2*c.cfg.ElectionTicks {
			delete(c.snapTicks, id)
			lost = append(lost, id)
		}
	})
	for _, id := range lost {
		c.rn.ReportSnapshot(id, raft.SnapshotFailure)
	}
}
