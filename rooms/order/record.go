package order

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"warren/rooms"
)

// Member is one life of a node in the raft group of a room.
type Member struct {
	_           struct{} `cbor:",toarray"`
	Node        rooms.NodeID
	Incarnation uint64 // 0: founded with the room. Each later life of the node's raft state in this room has a greater one
}

// raftID is the member's number inside raft: never 0, never one that raft keeps for itself.
func (m Member) raftID() uint64 {
	sum := sha256.Sum256(m.Node[:])
	if m.Incarnation != 0 {
		sum = sha256.Sum256(binary.BigEndian.AppendUint64(slices.Clone(m.Node[:]), m.Incarnation))
	}
	// The highest bit is cleared: raft's own local targets are at the top of the range.
	return max(binary.BigEndian.Uint64(sum[:8])&^(1<<63), 1)
}

// Conf is a configuration of the raft group. All lists are sorted by raft's numbers, without doubles.
type Conf struct {
	_            struct{} `cbor:",toarray"`
	Voters       []Member
	Learners     []Member
	Outgoing     []Member // voters of the configuration that is being left
	LearnersNext []Member // learners once it is left
	AutoLeave    bool
}

// members returns everybody in the configuration, in a fixed order, with doubles.
func (c *Conf) members() []Member {
	return slices.Concat(c.Voters, c.Learners, c.Outgoing, c.LearnersNext)
}

// joint reports whether the configuration is between two.
func (c *Conf) joint() bool { return len(c.Outgoing) > 0 }

// of returns the member that node is in the configuration.
func (c *Conf) of(node rooms.NodeID) (Member, bool) {
	for _, list := range [][]Member{c.Voters, c.Learners, c.Outgoing, c.LearnersNext} {
		for i := range list {
			if list[i].Node == node {
				return list[i], true
			}
		}
	}
	return Member{}, false
}

// Born starts a life: all raft state stored so far (hard state, snapshot, entries) is deleted, signed records stay.
type Born struct {
	_           struct{} `cbor:",toarray"`
	Incarnation uint64
}

// Snapshot says where the log starts: no state, only a place in it.
type Snapshot struct {
	_      struct{} `cbor:",toarray"`
	Index  uint64
	Term   uint64
	Height uint64     // of the chain after the entry at Index
	Head   rooms.Hash // hash of the header at Height, or zero when it was not known
	Conf   Conf       // after the entry at Index
	Reset  bool       // all stored entries are void, not only those up to Index
}

// Entry is one entry of the raft log. Storing it deletes all stored entries above its index.
type Entry struct {
	_     struct{} `cbor:",toarray"`
	Index uint64
	Term  uint64
	Type  uint8 // raftpb.EntryType
	Data  []byte
}

// Hard is raft's hard state.
type Hard struct {
	_      struct{} `cbor:",toarray"`
	Term   uint64
	Vote   uint64 // raft's number of the member voted for in Term, 0: none
	Commit uint64
}

// Signed says that this node signs this header at (epoch, height), and no other there, ever.
type Signed struct {
	_      struct{} `cbor:",toarray"`
	Epoch  uint64
	Height uint64
	Header rooms.Hash
	Change bool // it changes who controls the room: what a statement must tell, also in a life that has not run the batch
}

// Record is one thing to store durably; exactly one field is set.
type Record struct {
	_        struct{} `cbor:",toarray"`
	Born     *Born
	Snapshot *Snapshot
	Entry    *Entry
	Hard     *Hard
	Signed   *Signed
}

// Restored is what the records stored so far add up to. The zero value is a node that has never controlled the room.
type Restored struct {
	Alive       bool   // a Born record was stored, and the life it began goes on
	Lived       bool   // a life before this one has ended: the node does not found the room again, whatever Config says
	Incarnation uint64 // of this life, or of the last
	Snapshot    *Snapshot
	Hard        *Hard
	Entries     []Entry // the first one follows Snapshot.Index
	Signed      []Signed
}

// Apply adds one record, in the order in which Ready handed them out.
func (r *Restored) Apply(rec *Record) {
	switch {
	case rec.Born != nil:
		*r = Restored{Alive: true, Lived: r.Alive || r.Lived, Incarnation: rec.Born.Incarnation, Signed: r.Signed}
	case rec.Snapshot != nil:
		r.Snapshot = rec.Snapshot
		if rec.Snapshot.Reset {
			r.Entries = nil
		}
		i := 0
		for i < len(r.Entries) && r.Entries[i].Index <= rec.Snapshot.Index {
			i++
		}
		r.Entries = slices.Clone(r.Entries[i:])
	case rec.Entry != nil:
		i := len(r.Entries)
		for i > 0 && r.Entries[i-1].Index >= rec.Entry.Index {
			i--
		}
		r.Entries = append(r.Entries[:i:i], *rec.Entry)
	case rec.Hard != nil:
		r.Hard = rec.Hard
	case rec.Signed != nil:
		// One at a height, also of different epochs: what is signed at a height in a later epoch is signed by who has ended the earlier one.
		r.Signed = append(slices.DeleteFunc(slices.Clone(r.Signed), func(s Signed) bool { return s.Height == rec.Signed.Height }), *rec.Signed)
	}
}

// Certified deletes the signed records up to height: a decision there is durable, so nothing will be signed there again.
func (r *Restored) Certified(height uint64) {
	r.Signed = slices.DeleteFunc(r.Signed, func(s Signed) bool { return s.Height <= height })
}

// Clone returns a copy that shares only what nobody changes.
func (r *Restored) Clone() *Restored {
	c := *r
	c.Entries, c.Signed = slices.Clone(r.Entries), slices.Clone(r.Signed)
	return &c
}
