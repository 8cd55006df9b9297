package order

import (
	"errors"
	"fmt"

	pb "go.etcd.io/raft/v3/raftpb"

	"warren/rooms"
)

// vouched is a batch on its way through the log: decoded and its signature checked when it came, so that running it does neither again.
type vouched struct {
	term  uint64
	batch *rooms.Batch
}

// maxVouched bounds the batches that are kept decoded; what is above is decoded once more.
const maxVouched = 2 * MaxUncertified

var errMeansNothing = errors.New("an entry that is neither a batch signed by who leads nor a seal")

// vouch checks an entry of the log before raft takes it: whatever a leader sends, a log holds signed batches only, so that two logs with
// different batches in one place are the proof against who signed them. sender is who sends it, and led this entry's term if own. It returns the
// entry's batch, nil when it holds none.
func (c *Controller) vouch(sender rooms.NodeID, e *Entry, own bool) (*rooms.Batch, error) {
	if len(e.Data) == 0 || e.Type != uint8(pb.EntryNormal) || isSeal(e.Data) {
		return nil, nil
	}
	b := &rooms.Batch{}
	if len(e.Data) > maxEntry || rooms.Unmarshal(e.Data, b) != nil || b.Term != e.Term || own && b.Leader != sender || !b.SignatureOK(c.chain.Room) {
		return nil, blame(Garbage, fmt.Errorf("step: entry %d: %w", e.Index, errMeansNothing))
	}
	if c.vouched == nil {
		c.vouched = map[uint64]vouched{}
	}
	if _, ok := c.vouched[e.Index]; ok || len(c.vouched) < maxVouched {
		c.vouched[e.Index] = vouched{e.Term, b}
	}
	return b, nil
}

// isSeal reports whether the data is a seal's.
func isSeal(data []byte) bool {
	var s sealData
	return len(data) < 32 && rooms.Unmarshal(data, &s) == nil
}

// batchOf returns the batch of an entry, and whether its signature is known to be good. nil: it holds none.
func (c *Controller) batchOf(e *pb.Entry) (b *rooms.Batch, good bool) {
	if v, ok := c.vouched[e.GetIndex()]; ok {
		if v.term == e.GetTerm() {
			return v.batch, true
		}
	}
	b = &rooms.Batch{}
	if data := e.GetData(); len(data) == 0 || len(data) > maxEntry || rooms.Unmarshal(data, b) != nil {
		return nil, false
	}
	return b, false
}
