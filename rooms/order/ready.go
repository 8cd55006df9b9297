package order

import (
	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"warren/rooms"
)

// Message is bytes for a node.
type Message struct {
	To   rooms.NodeID
	Data []byte
}

// Ready is what a controller wants done. Handle it in this order: send Early at any time; store Records (and, if you like, Decisions) in one
// commit; when that is durable, send Messages, show Decisions to whom you like, and call Stored.
type Ready struct {
	Records []Record
	Early   []Message // need not wait for the disk
	// Messages may leave only when Records are durable.
	Messages []Message
	// Decisions are certified, in height order and without gaps, also across Readys and with those given to Certified. They count as
	// acknowledged only when Records are durable.
	Decisions []rooms.Decision
	// Returned requests were queued here but will not be put in order by this node. Whether they are ordered is not known.
	Returned []*rooms.Request
	// Behind is a certified height above this node's own that BehindFrom claims, 0: none. Fetch the decisions up to it and give them to
	// Certified. It is repeated every second while it holds.
	Behind     uint64
	BehindFrom rooms.NodeID
	// Broken says why the controller has stopped: ErrDismissed, ErrDiverged, ErrForgot or ErrPanic, wrapped. It does nothing any more. After
	// ErrDismissed drop the raft state; after the others do so too, and make a new one from a fresh
	// copy of the certified chain, with Restored{Incarnation: …, Signed: …} (Restored.Drop) and a greater incarnation.
	Broken error
}

// Drop returns what is left of r when the raft state is given up: the promises never to sign anything else, and which life it was. This
// must stay on disk.
func (r *Restored) Drop() *Restored {
	return &Restored{Lived: r.Alive || r.Lived, Incarnation: r.Incarnation, Signed: r.Signed}
}

// Ready returns what is to be done, and false when there is nothing. Until Stored is called it returns false. Step, Tick and Submit may be
// called in between.
func (c *Controller) Ready() (rd Ready, ok bool) {
	switch {
	case c.busy:
		return Ready{}, false
	case c.broken == nil:
		c.work(&rd)
	}
	if c.broken != nil {
		// Nothing of what was prepared may leave: the controller is not to be trusted.
		if c.told {
			return Ready{}, false
		}
		c.told = true
		return Ready{Broken: c.broken}, true
	}
	if c.behind > c.certified && c.now-c.behindAt >= behindPatience {
		rd.Behind, rd.BehindFrom, c.behindAt = c.behind, c.behindFrom, c.now
	}
	rd.Records, c.records = c.records, nil
	rd.Messages, c.outbox = c.outbox, nil
	rd.Decisions, c.decisions = c.decisions, nil
	rd.Returned, c.returned = c.returned, nil
	ok = len(rd.Records)+len(rd.Early)+len(rd.Messages)+len(rd.Decisions)+len(rd.Returned)+len(c.acks) > 0 || rd.Behind > 0
	c.busy, c.endOut = ok, c.ended
	return rd, ok
}

// Stored says that the records of the last Ready are durable.
func (c *Controller) Stored() {
	if !c.busy {
		return
	}
	c.busy, c.endStored = false, c.endOut
	if c.broken != nil {
		return
	}
	defer c.guard(nil)
	acks := c.acks
	c.acks = nil
	c.stepSelf(acks)
}

// stepSelf gives raft the answers of its own storage.
func (c *Controller) stepSelf(ms []*pb.Message) {
	for _, m := range ms {
		if err := c.rn.Step(m); err != nil {
			c.debug("own answer refused", err)
		}
	}
}

// work lets raft, the chain and the queue go as far as they can.
func (c *Controller) work(rd *Ready) {
	defer c.guard(nil)
	// A voter that is alone stores its log before anything leaves, so its own acknowledgement need not wait for a round trip through the
	// caller: the entries, the signature and the decision then cost one commit.
	alone := false
	if c.singleton() && !c.leads() {
		if err := c.rn.Campaign(); err != nil {
			c.debug("campaign refused", err)
		}
	}
	for c.broken == nil {
		c.lead()
		c.steer()
		c.propose()
		// What raft has to say comes first: it may have taken a snapshot mark already, in whose place the entries that wait here must not be run.
		if !c.rn.HasReady() {
			if !c.apply() && !c.rn.HasReady() {
				break
			}
			continue
		}
		alone = alone || c.singleton()
		r := c.rn.Ready()
		for _, m := range r.Messages {
			switch m.GetTo() {
			case raft.LocalAppendThread:
				c.store(m, alone)
			case raft.LocalApplyThread:
				c.applying = append(c.applying, m)
			default:
				if msg, ok := c.outgoing(m); ok {
					if alone {
						c.outbox = append(c.outbox, msg)
					} else {
						rd.Early = append(rd.Early, msg)
					}
				}
			}
		}
	}
	c.compact()
}

// singleton reports whether this node alone is raft's electorate.
func (c *Controller) singleton() bool {
	return len(c.conf.Voters) == 1 && !c.conf.joint() && c.conf.Voters[0] == c.self
}

// store takes over what raft wants stored, and what it may say once that is durable.
func (c *Controller) store(m *pb.Message, alone bool) {
	if s := m.GetSnapshot(); !raft.IsEmptySnap(s) {
		snap, err := fromSnapshot(s)
		if err == nil {
			err = c.install(snap)
		}
		if err != nil {
			c.fail(err)
			return
		}
	}
	if m.Term != nil {
		c.hard = Hard{Term: m.GetTerm(), Vote: m.GetVote(), Commit: m.GetCommit()}
	}
	for _, e := range m.GetEntries() {
		ent := fromEntry(e)
		c.records = append(c.records, Record{Entry: &ent})
	}
	if err := c.log.Append(m.GetEntries()); err != nil {
		c.fail(err)
		return
	}
	// A commit index alone is not worth a write, but what is stored with entries or an answer must include what was known: a configuration
	// change that was known to be committed when a later entry was appended must be known after a restart too.
	if (len(m.GetEntries()) > 0 || len(m.GetResponses()) > 0 || m.GetSnapshot() != nil) && c.hard != c.hardStored {
		h := c.hard
		c.records = append(c.records, Record{Hard: &h})
		c.hardStored = h
	}
	for _, r := range m.GetResponses() {
		switch {
		case r.GetTo() != c.selfID && c.repeats(r):
		case r.GetTo() != c.selfID:
			if msg, ok := c.outgoing(r); ok {
				c.outbox = append(c.outbox, msg)
			}
		case alone:
			c.stepSelf([]*pb.Message{r})
		default:
			c.acks = append(c.acks, r)
		}
	}
	c.committed = false
}

// ack is an acknowledgement of a log up to an index.
type ack struct{ to, term, index uint64 }

// repeats reports whether the acknowledgement says only what the leader was told before, in answer to the word that this is committed now: with
// each batch raft would send one, which wakes the leader for nothing. Any other question is answered, also with the same words: a leader that
// probes waits for it. Should the leader have lost the first answer, or be probing, a heartbeat makes it ask again, without news.
func (c *Controller) repeats(m *pb.Message) bool {
	if m.GetType() != pb.MsgAppResp || m.GetReject() {
		return false
	}
	a := ack{m.GetTo(), m.GetTerm(), m.GetIndex()}
	same := a == c.acked
	c.acked = a
	return same && c.committed
}
