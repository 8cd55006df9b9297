package order

import (
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"warren/rooms"
)

// version of the envelope.
const version = 1

// envelope is what travels between controllers of a room; exactly one part is set. Who sent it is known from the channel, which room it is
// about from the frame around it.
type envelope struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	Raft    *raftMessage
	Sign    *signMessage
	Cert    *certMessage
	Ask     *askMessage
	Head    *headMessage
	Hello   *helloMessage
	Bye     *byeMessage
	Commit  *commitMessage
	Ended   uint64         // epochs of the room that ended before the sender's: what is of another epoch is refused
	Submit  *rooms.Request // passed on by a backup whose leader has not ordered it
	Accuse  *accuseMessage
	Mark    *markMessage
	Proof   *proofMessage
	Yield   *yieldMessage
}

// raftMessage is the part of raftpb.Message that controllers use.
type raftMessage struct {
	_          struct{} `cbor:",toarray"`
	Type       uint8    // raftpb.MessageType
	From       uint64   // incarnation of the sender
	To         uint64   // incarnation of the receiver
	Term       uint64
	LogTerm    uint64
	Index      uint64
	Commit     uint64
	Entries    []Entry
	Reject     bool
	RejectHint uint64
	Force      bool // a vote that ignores the belief in a living leader
	Snapshot   *Snapshot
}

// signMessage is the sender's signature over a header.
type signMessage struct {
	_      struct{} `cbor:",toarray"`
	Height uint64
	Header rooms.Hash
	Sig    []byte
	Again  bool // the sender misses the certificate: answer
}

// certMessage is a certificate.
type certMessage struct {
	_      struct{} `cbor:",toarray"`
	Height uint64
	Header rooms.Hash
	Cert   rooms.Certificate
}

// askMessage asks for a certificate.
type askMessage struct {
	_      struct{} `cbor:",toarray"`
	Height uint64
}

// headMessage says how far the sender is certified.
type headMessage struct {
	_      struct{} `cbor:",toarray"`
	Height uint64
}

// helloMessage says that the sender's raft state lives its incarnation-th life and is in no configuration it knows of.
type helloMessage struct {
	_           struct{} `cbor:",toarray"`
	Incarnation uint64
	At          int64 // ms by the sender's clock: comes back in the answer
}

// byeMessage answers a hello: the configuration goes on without that incarnation of its sender, and will not ask for it.
type byeMessage struct {
	_           struct{} `cbor:",toarray"`
	Incarnation uint64
	At          int64
}

// commitMessage says that the entry at Index, of this term, is committed.
type commitMessage struct {
	_     struct{} `cbor:",toarray"`
	Index uint64
	Term  uint64
}

// forced is raft's own mark of a vote that ignores the lease.
const forced = "CampaignTransfer"

// send queues a message for after the next storing.
func (c *Controller) send(to rooms.NodeID, e *envelope) {
	e.Version, e.Ended = version, c.chain.Epoch-1
	c.outbox = append(c.outbox, Message{To: to, Data: e.encode()})
}

func (c *Controller) sendAll(to []rooms.NodeID, e *envelope) {
	e.Version, e.Ended = version, c.chain.Epoch-1
	var data []byte
	for _, n := range to {
		if n == c.cfg.Self {
			continue
		}
		if data == nil {
			data = e.encode()
		}
		c.outbox = append(c.outbox, Message{To: n, Data: data})
	}
}

// outgoing encodes one of raft's messages; false: its receiver is unknown.
func (c *Controller) outgoing(m *pb.Message) (Message, bool) {
	to, ok := c.known[m.GetTo()]
	if !ok {
		return Message{}, false
	}
	r := &raftMessage{
		Type: uint8(m.GetType()), From: c.self.Incarnation, To: to.Incarnation, Term: m.GetTerm(), LogTerm: m.GetLogTerm(), Index: m.GetIndex(),
		Commit: m.GetCommit(), Reject: m.GetReject(), RejectHint: m.GetRejectHint(), Force: string(m.GetContext()) == forced,
	}
	for _, e := range m.GetEntries() {
		r.Entries = append(r.Entries, fromEntry(e))
	}
	if s := m.GetSnapshot(); !raft.IsEmptySnap(s) {
		snap, err := fromSnapshot(s)
		if err != nil {
			return Message{}, false
		}
		r.Snapshot = &snap
	}
	e := envelope{Version: version, Raft: r, Ended: c.chain.Epoch - 1}
	return Message{To: to.Node, Data: e.encode()}, true
}

// receive takes a decoded envelope.
func (c *Controller) receive(from rooms.NodeID, e *envelope) error {
	parts := 0
	for _, set := range []bool{e.Raft != nil, e.Sign != nil, e.Cert != nil, e.Ask != nil, e.Head != nil, e.Hello != nil, e.Bye != nil, e.Commit != nil,
		e.Submit != nil, e.Accuse != nil, e.Mark != nil, e.Proof != nil, e.Yield != nil} {
		if set {
			parts++
		}
	}
	switch {
	case e.Version != version:
		return fmt.Errorf("step: envelope version %d is not known here", e.Version)
	case e.Ended != c.chain.Epoch-1:
		return ErrEpoch
	case parts != 1:
		return blame(Garbage, errors.New("step: an envelope holds one part"))
	case e.Hello != nil:
		return c.onHello(from, e.Hello)
	case !c.insider(from):
		return fmt.Errorf("step: %s is no member here", from.Short())
	case e.Raft != nil:
		return c.onRaft(from, e.Raft)
	case e.Sign != nil:
		return c.onSign(from, e.Sign)
	case e.Cert != nil:
		return c.onCert(from, e.Cert)
	case e.Ask != nil:
		c.onAsk(from, e.Ask)
	case e.Head != nil && e.Head.Height < maxIndex:
		c.wantCatchUp(e.Head.Height, from)
	case e.Commit != nil:
		return c.onCommit(from, e.Commit)
	case e.Bye != nil:
		c.onBye(from, e.Bye)
	case e.Submit != nil:
		return c.onSubmit(from, e.Submit)
	case e.Accuse != nil:
		return c.onAccuse(from, e.Accuse)
	case e.Mark != nil:
		return c.onMark(from, e.Mark)
	case e.Proof != nil:
		return c.onProof(from, e.Proof)
	case e.Yield != nil:
		c.onYield(from, e.Yield)
	}
	return nil
}

// insider reports whether the node is in raft's configuration, or a controller by the certified or the tentative chain.
func (c *Controller) insider(n rooms.NodeID) bool {
	if _, ok := c.conf.of(n); ok {
		return true
	}
	if slices.Contains(c.controllers, n) || slices.Contains(c.chain.Machine.Base().Controllers, n) {
		return true
	}
	return slices.ContainsFunc(c.open, func(s *step) bool { return slices.Contains(s.controllers, n) })
}

func (c *Controller) onAsk(from rooms.NodeID, m *askMessage) {
	switch {
	case m.Height <= c.certified:
		c.answer(from, m.Height)
	case m.Height <= c.chain.Height:
		c.answerWith(from, c.step(m.Height))
	}
}

// onRaft checks a raft message and steps it.
func (c *Controller) onRaft(from rooms.NodeID, r *raftMessage) error {
	if r.To != c.self.Incarnation {
		return errors.New("step: a raft message for another life of this node")
	}
	if err := c.checkRaft(from, r); err != nil {
		return err
	}
	if err := c.inspect(from, r); err != nil {
		return err
	}
	if ok, err := c.admit(from, r); !ok {
		return err
	}
	sender := Member{Node: from, Incarnation: r.From}
	id := sender.raftID()
	if err := c.remember(id, sender); err != nil {
		return err
	}
	if r.Snapshot != nil {
		for _, m := range r.Snapshot.Conf.members() {
			if err := c.remember(m.raftID(), m); err != nil {
				return err
			}
		}
		if r.Snapshot.Height > c.certified {
			c.heldSnap, c.heldFrom = r, from
			c.wantCatchUp(r.Snapshot.Height, from)
			return nil
		}
		if r.Snapshot.Height == c.certified && !r.Snapshot.Head.IsZero() && r.Snapshot.Head != c.certHead {
			return fmt.Errorf("step: %s has another header at height %d", from.Short(), c.certified)
		}
	}
	last, err := c.log.LastIndex()
	if err != nil {
		return err
	}
	commit := r.Commit
	if pb.MessageType(r.Type) == pb.MsgHeartbeat && commit > last {
		commit = 0 // it may be late, and another leader's log shorter; raft would panic
	}
	m := &pb.Message{
		Type: pb.MessageType(r.Type).Enum(), From: new(id), To: new(c.selfID), Term: new(r.Term), LogTerm: new(r.LogTerm), Index: new(r.Index),
		Commit: new(commit), Reject: new(r.Reject), RejectHint: new(r.RejectHint), Entries: pbEntries(r.Entries),
	}
	if r.Force {
		m.Context = []byte(forced)
	}
	if r.Snapshot != nil {
		m.Snapshot = pbSnapshot(r.Snapshot)
	}
	c.touched = c.now
	before := c.rn.BasicStatus()
	if err := c.rn.Step(m); err != nil {
		return fmt.Errorf("step: %w", err)
	}
	c.committed = c.committed || m.GetType() == pb.MsgApp && len(m.GetEntries()) == 0 && m.GetCommit() > before.GetCommit()
	c.afterStep(from, m.GetType(), before)
	st := c.rn.BasicStatus()
	switch m.GetType() {
	case pb.MsgApp, pb.MsgHeartbeat, pb.MsgSnap:
		if st.Lead == id && st.GetTerm() == r.Term {
			c.elapsed, c.heard, c.pledged, c.splits = 0, c.ticks, 0, 0
			if m.GetType() == pb.MsgHeartbeat {
				c.doubt(from, r, last)
			}
			if c.lost == from && c.ticks-c.lostAt >= c.deaf() { // what was on its way when it was lost is no sign of life
				c.lost = rooms.NodeID{}
			}
			if before.Lead != id || before.GetTerm() != r.Term {
				c.signFor(from)
			}
		}
	case pb.MsgVote, pb.MsgPreVote:
		if st.GetVote() == id && (before.GetVote() != id || st.GetTerm() > before.GetTerm()) {
			c.elapsed, c.pledged = 0, c.ticks+c.cfg.ElectionTicks/2
		}
		if m.GetType() == pb.MsgVote {
			c.splitVote(id, r)
		}
		c.tellCommit(from)
	case pb.MsgPreVoteResp:
		c.outdated(before)
	}
	return nil
}

// stepHeldSnapshot gives raft the snapshot mark that had to wait for the chain.
func (c *Controller) stepHeldSnapshot() {
	if r := c.heldSnap; r != nil && r.Snapshot.Height <= c.certified {
		c.heldSnap = nil
		if err := c.onRaft(c.heldFrom, r); err != nil {
			c.debug("held snapshot", err)
		}
	}
}

// checkRaft refuses what raft would panic on, and what no member has reason to send.
func (c *Controller) checkRaft(from rooms.NodeID, r *raftMessage) error {
	st := c.rn.BasicStatus()
	t := pb.MessageType(r.Type)
	last, err := c.log.LastIndex()
	if err != nil {
		return err
	}
	odd := func(what string) error { return fmt.Errorf("step: %s from %s: %s", t, from.Short(), what) }
	bad := func(what string) error { return blame(RaftLie, odd(what)) }
	switch t {
	case pb.MsgApp, pb.MsgAppResp, pb.MsgVote, pb.MsgVoteResp, pb.MsgPreVote, pb.MsgPreVoteResp, pb.MsgHeartbeat, pb.MsgHeartbeatResp, pb.MsgSnap:
	case pb.MsgTimeoutNow:
		if st.Lead != (Member{Node: from, Incarnation: r.From}).raftID() {
			return odd("not the leader") // any more
		}
	default:
		return bad("not for others to send")
	}
	switch {
	case r.Term == 0 || r.Term > st.GetTerm()+maxTermJump:
		return bad("impossible term")
	case r.Index >= maxIndex || r.Commit >= maxIndex || r.RejectHint >= maxIndex || r.LogTerm > r.Term && t != pb.MsgAppResp:
		return bad("impossible place")
	case len(r.Entries) > 0 && t != pb.MsgApp:
		return bad("entries")
	case (r.Snapshot != nil) != (t == pb.MsgSnap):
		return bad("snapshot")
	case r.Force && t != pb.MsgVote:
		return bad("force")
	case t == pb.MsgAppResp && !r.Reject && st.RaftState == raft.StateLeader && r.Term == st.GetTerm() && r.Index > last:
		return bad("has what is not here")
	}
	index, term := r.Index, r.LogTerm
	for i := range r.Entries {
		e := &r.Entries[i]
		if e.Index != index+1 || e.Term < term || e.Term > r.Term || len(e.Data) > maxEntry ||
			e.Type != uint8(pb.EntryNormal) && e.Type != uint8(pb.EntryConfChangeV2) {
			return bad("entries that make no log")
		}
		index, term = e.Index, e.Term
	}
	if s := r.Snapshot; s != nil {
		if s.Index == 0 || s.Index >= maxIndex || s.Term == 0 || s.Term > r.Term || s.Height < c.cfg.Start || s.Height-c.cfg.Start >= s.Index || s.Reset {
			return bad("impossible snapshot")
		}
		if err := checkConf(&s.Conf); err != nil {
			return bad(err.Error())
		}
		if !slices.Contains(s.Conf.members(), c.self) {
			// The mark is from before this member was let in, and there may be no later one before this member signs: it may be the one that is
			// missing. As a learner it counts in no vote, so it can take its own admission, an entry above the mark, for granted.
			s.Conf.Learners = append(slices.Clone(s.Conf.Learners), c.self)
			sortMembers(s.Conf.Learners)
		}
	}
	return nil
}
