package node

import (
	"errors"
	"fmt"
	"time"

	"warren/node/overlay"
	"warren/node/store"
	"warren/rooms"
	"warren/rooms/replica"
)

// disk gives rooms/replica the store under its own names.
type disk struct {
	s      *store.Store
	failed func(error) // told of a write that failed; nil: nobody asks
}

func bucketOf(t replica.Table) store.Bucket {
	switch t {
	case replica.Decisions:
		return store.Decisions
	case replica.Snapshots:
		return store.Snapshots
	case replica.Raft:
		return store.Raft
	case replica.Ids:
		return store.Index
	case replica.Outbox:
		return store.Outbox
	}
	return store.Meta
}

// Prefixes that set the keys of replica.Held and replica.Gaps apart from the other facts in store.Meta.
const (
	heldPrefix = "held/"
	gapPrefix  = "gap/"
)

func keyOf(t replica.Table, key []byte) []byte {
	switch t {
	case replica.Held:
		return append([]byte(heldPrefix), key...)
	case replica.Gaps:
		return append([]byte(gapPrefix), key...)
	}
	return key
}

// changeFrame is about what a change takes beside its keys and value, in bytes: the bucket's name and the lengths.
const changeFrame = 32

func batchOf(changes []replica.Change) *store.Batch {
	b := &store.Batch{}
	size := 0
	for _, c := range changes {
		size += changeFrame + len(c.Key) + len(c.To) + len(c.Value)
	}
	b.Grow(size)
	for _, c := range changes {
		bucket, key := bucketOf(c.Table), keyOf(c.Table, c.Key)
		switch {
		case c.To != nil:
			b.DeleteRange(bucket, key, keyOf(c.Table, c.To))
		case c.Value == nil:
			b.Delete(bucket, key)
		default:
			b.Put(bucket, key, c.Value)
		}
	}
	return b
}

// Write implements replica.Store.
func (d disk) Write(changes []replica.Change) error { return d.tell(d.s.Commit(batchOf(changes))) }

func (d disk) tell(err error) error {
	if err != nil && d.failed != nil && !errors.Is(err, store.ErrClosed) {
		d.failed(err)
	}
	return err
}

// WriteLater implements replica.Store. A failure is sticky in the store, so the next Write tells it.
func (d disk) WriteLater(changes []replica.Change) {
	d.s.CommitLater(batchOf(changes), func(err error) { _ = d.tell(err) })
}

// Get implements replica.Store.
func (d disk) Get(t replica.Table, key []byte) ([]byte, error) {
	return d.s.Get(bucketOf(t), keyOf(t, key))
}

// Range implements replica.Store.
func (d disk) Range(t replica.Table, from, to []byte, limit int, reverse bool) ([]replica.Entry, error) {
	if t == replica.Held {
		if to == nil {
			to = []byte(heldPrefix[:len(heldPrefix)-1] + "0")
		} else {
			to = keyOf(t, to)
		}
		from = keyOf(t, from)
	}
	read := d.s.Range
	if reverse {
		read = d.s.RangeReverse
	}
	list, err := read(bucketOf(t), from, to, limit)
	if err != nil {
		return nil, err
	}
	out := make([]replica.Entry, len(list))
	for i, kv := range list {
		key := kv.Key
		if t == replica.Held {
			key = key[len(heldPrefix):]
		}
		out[i] = replica.Entry{Key: key, Value: kv.Value}
	}
	return out, nil
}

// peers remembers addresses of other nodes in the store.
type peers struct{ s *store.Store }

type peerRecord struct {
	_        struct{} `cbor:",toarray"`
	Addrs    []string
	LastSeen int64 // unix seconds
}

// Load implements overlay.PeerStore.
func (p peers) Load() ([]overlay.PeerAddrs, error) {
	list, err := p.s.Range(store.Peers, nil, nil, rooms.MaxNodes)
	if err != nil {
		return nil, fmt.Errorf("read peers: %w", err)
	}
	var out []overlay.PeerAddrs
	for _, kv := range list {
		var r peerRecord
		if len(kv.Key) != len(rooms.NodeID{}) || rooms.Unmarshal(kv.Value, &r) != nil {
			continue
		}
		out = append(out, overlay.PeerAddrs{ID: rooms.NodeID(kv.Key), Addrs: r.Addrs, LastSeen: time.Unix(r.LastSeen, 0)})
	}
	return out, nil
}

// Save implements overlay.PeerStore.
func (p peers) Save(a overlay.PeerAddrs) error {
	b := &store.Batch{}
	b.Put(store.Peers, a.ID[:], rooms.Marshal(peerRecord{Addrs: a.Addrs, LastSeen: a.LastSeen.Unix()}))
	p.s.CommitLater(b, func(error) {}) // what the disk cannot do the next commit that somebody waits for tells
	return nil
}
