package store

import "iter"

// A Base is what lies under the log: bbolt, or storetest's one in memory, for
// crash tests that need its side to lose power too. It is safe for concurrent use.
type Base interface {
	// Applied returns the sequence number of the last batch it contains.
	Applied() (uint64, error)
	// Apply makes all changes and sets Applied to seq, durably and at once:
	// after a crash either all of it is there or nothing.
	Apply(seq uint64, changes []Changes) error
	// Snapshot gives a view that later Applies do not change.
	Snapshot() (Snapshot, error)
	// Close waits until all snapshots are closed.
	Close() error
}

// Changes is what happens to one bucket: first the holes are emptied, then
// the entries, in ascending order of their keys, are set or, with a nil value,
// deleted.
type Changes struct {
	Bucket  Bucket
	Holes   []KeyRange
	Entries iter.Seq2[[]byte, []byte]
}

// KeyRange is [From, To); a nil To is the end of the bucket.
type KeyRange struct{ From, To []byte }

// A Snapshot reads one state of a Base. It must be closed. One goroutine uses
// it at a time.
type Snapshot interface {
	// Get returns nil when there is no such key, and otherwise memory that
	// is valid until Close.
	Get(bucket Bucket, key []byte) []byte
	// Scan calls fn for the keys in [from, to), a nil to being the end, in
	// ascending or descending order until fn returns false. Memory is valid
	// until Close.
	Scan(bucket Bucket, from, to []byte, descending bool, fn func(key, value []byte) bool)
	Close() error
}
