package order

import (
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"warren/rooms"
)

// storage is the raft log in memory. A snapshot of it is made when one is asked for: it holds no state, only the newest place in the log
// up to which all is certified.
type storage struct {
	*raft.MemoryStorage
	c *Controller
}

// Snapshot implements raft.Storage.
func (s *storage) Snapshot() (*pb.Snapshot, error) {
	c := s.c
	if c.base.Index == 0 {
		return nil, raft.ErrSnapshotTemporarilyUnavailable
	}
	// A newcomer may not be in the configuration at that place; it adds itself (see check in wire.go). A later mark is none to wait for: what is
	// above may need this very member's signature to be certified.
	snap, err := c.markAt(c.certIndex)
	if err != nil {
		return nil, raft.ErrSnapshotTemporarilyUnavailable
	}
	return pbSnapshot(&snap), nil
}

// confMark says which configuration holds from an index on.
type confMark struct {
	index uint64
	conf  Conf
}

// markAt returns the snapshot mark at an index between the base and what has been applied.
func (c *Controller) markAt(index uint64) (Snapshot, error) {
	term, err := c.log.Term(index)
	if err != nil {
		return Snapshot{}, err
	}
	s := Snapshot{Index: index, Term: term, Height: c.heightAt(index)}
	for _, m := range c.confs {
		if m.index <= index {
			s.Conf = m.conf
		}
	}
	if s.Height == c.certified {
		s.Head = c.certHead
	}
	return s, nil
}

// heightAt returns the chain's height after the entry at index.
func (c *Controller) heightAt(index uint64) uint64 {
	if index <= c.base.Index {
		return c.base.Height
	}
	return c.heights[index-c.base.Index-1]
}

// Forget lets the log go up to a height that is certified: the room does not keep what is below. Who is that far behind gets a snapshot mark.
func (c *Controller) Forget(height uint64) { c.forgotten = max(c.forgotten, height) }

// compact drops certified entries that no follower is likely to need, and those that are not to be kept.
func (c *Controller) compact() {
	for c.certIndex < c.applied && c.heightAt(c.certIndex+1) <= c.certified {
		c.certIndex++
	}
	// Raft looks through what it holds for not applied yet: a whole message of entries until the last of them is run.
	top := min(c.certIndex, c.rn.BasicStatus().Applied)
	if top <= c.base.Index {
		return
	}
	full := top-c.base.Index >= 2*uint64(c.cfg.Keep) || c.logBytes >= 2*KeepBytes
	if !full && (c.forgotten == 0 || c.heightAt(c.base.Index+1) > c.forgotten) {
		return
	}
	ents, err := c.log.Entries(c.base.Index+1, top+1, maxIndex)
	if err != nil {
		return
	}
	drop := 0
	if full {
		keep, size := 0, 0
		for keep < len(ents) && keep < c.cfg.Keep && size+len(ents[len(ents)-1-keep].GetData()) <= KeepBytes {
			size += len(ents[len(ents)-1-keep].GetData())
			keep++
		}
		drop = len(ents) - keep
	}
	for c.forgotten > 0 && drop < len(ents) && c.heights[drop] <= c.forgotten {
		drop++
	}
	next, err := c.markAt(c.base.Index + uint64(drop))
	if err != nil || next.Index <= c.base.Index {
		return
	}
	for _, e := range ents[:drop] {
		c.logBytes -= len(e.GetData())
	}
	if _, err := c.log.CreateSnapshot(next.Index, pbConf(&next.Conf), nil); err != nil {
		return
	}
	if err := c.log.Compact(next.Index); err != nil {
		return
	}
	c.heights = slices.Clone(c.heights[next.Index-c.base.Index:])
	c.base = next
	for len(c.confs) > 1 && c.confs[1].index <= c.base.Index {
		c.confs = slices.Clone(c.confs[1:])
	}
	c.records = append(c.records, Record{Snapshot: &next})
}

// install makes a snapshot mark from the leader the new start of the log. The chain has reached its height before raft was shown it.
func (c *Controller) install(s Snapshot) error {
	if err := c.log.ApplySnapshot(pbSnapshot(&s)); err != nil {
		return err
	}
	s.Reset = true
	c.records = append(c.records, Record{Snapshot: &s})
	c.base = s
	c.base.Reset = false
	c.heights, c.logBytes = nil, 0
	c.conf, c.confs = s.Conf, []confMark{{s.Index, s.Conf}}
	c.applied, c.appliedTerm, c.height, c.certIndex = s.Index, s.Term, s.Height, s.Index
	for _, m := range c.applying {
		c.stepSelf(m.GetResponses()) // what they would have done is in the snapshot's place
	}
	c.applying, c.applyNext = nil, 0
	clear(c.vouched)
	c.learnMembers()
	return nil
}

func pbHard(h Hard) *pb.HardState {
	return &pb.HardState{Term: new(h.Term), Vote: new(h.Vote), Commit: new(h.Commit)}
}

func pbEntries(es []Entry) []*pb.Entry {
	out := make([]*pb.Entry, len(es))
	for i := range es {
		e := &es[i]
		out[i] = &pb.Entry{Index: new(e.Index), Term: new(e.Term), Type: pb.EntryType(e.Type).Enum(), Data: e.Data}
	}
	return out
}

func fromEntry(e *pb.Entry) Entry {
	return Entry{Index: e.GetIndex(), Term: e.GetTerm(), Type: uint8(e.GetType()), Data: e.GetData()}
}

func ids(ms []Member) []uint64 {
	var out []uint64
	for _, m := range ms {
		out = append(out, m.raftID())
	}
	return out
}

func pbConf(c *Conf) *pb.ConfState {
	return &pb.ConfState{
		Voters: ids(c.Voters), Learners: ids(c.Learners), VotersOutgoing: ids(c.Outgoing), LearnersNext: ids(c.LearnersNext),
		AutoLeave: new(c.AutoLeave),
	}
}

func pbSnapshot(s *Snapshot) *pb.Snapshot {
	return &pb.Snapshot{
		Data:     rooms.Marshal(s),
		Metadata: &pb.SnapshotMetadata{Index: new(s.Index), Term: new(s.Term), ConfState: pbConf(&s.Conf)},
	}
}

func fromSnapshot(p *pb.Snapshot) (Snapshot, error) {
	var s Snapshot
	err := rooms.Unmarshal(p.GetData(), &s)
	return s, err
}
