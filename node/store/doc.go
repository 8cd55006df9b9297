// Package store is the one durable place of a node: an ordered key-value store
// made of an append-only write-ahead log (WAL) in front of bbolt.
//
// It is for records that a node has promised to keep: decisions, raft entries,
// signatures given, accounts, peers. It knows bytes, not what they mean: no
// CBOR, no rooms, no clock comes in here. Large immutable content belongs to
// node/blob, which keeps files and only an index here. bbolt is imported in
// this package alone.
//
// Read in this order: [Bucket] and schema.go (what lies where), [Batch],
// [Store], then wal.go, memtable.go and checkpoint.go.
//
//	Commit ──► memtable (active) ──► queue ──► writer: ONE frame, ONE fdatasync ──► done
//	                │ at 8 MiB                   │
//	                ▼                            ▼
//	         memtable (frozen) ─────────► checkpointer: one bbolt transaction,
//	                                      then the covered WAL segments go
//
//	Get, Range:  active ► frozen ► bbolt      (the first that knows the key wins)
//
// # What is promised
//
//   - A batch is applied as a whole or not at all.
//   - After a crash the store holds a prefix of the sequence of committed
//     batches, and that prefix contains every batch whose Commit returned nil.
//   - Reads see every batch whose Commit, CommitAsync or CommitLater was called before.
//     They may thus see what is not yet durable; whoever tells others about
//     it waits for Commit.
//   - Once a write or a sync has failed nothing is acknowledged any more: all
//     later commits return that first error, until the store is opened anew.
//
// # On disk
//
//	DIR/LOCK                    flock while a process has the store open
//	DIR/base.db                 bbolt; its bucket "store" holds the key "applied":
//	                            the last sequence number it contains, uint64 BE
//	DIR/wal-<first seq>.log     16 hex digits; see frame.go for the bytes
//
// Files are 0600, directories 0700. Directory entries are fsynced after each
// creation and removal.
package store
