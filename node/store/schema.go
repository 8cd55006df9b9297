package store

import "encoding/binary"

// Bucket names an ordered set of keys. All buckets are declared in this file;
// a batch that names another one is refused. A bucket comes into being on disk
// with its first key.
//
// In the layouts, ‖ joins bytes without separator, BE is big-endian (so that
// byte order is numeric order), and a room is its 32-byte id. Values are opaque
// here; "CBOR" is the deterministic CBOR of package rooms.
type Bucket string

const (
	// Meta holds facts about the store and the node as a whole.
	//	key    a name in ASCII, e.g. "version"; for what is one fact a room, a name ‖ room
	//	value  bytes; for "version" see [VersionKey]
	//	by     this package ("version"); node for what is its own
	Meta Bucket = "meta"

	// Decisions holds the certified log of each room.
	//	key    room 32 B ‖ height uint64 BE   (see HeightKey)
	//	value  CBOR decision with its certificate
	//	by     rooms/replica, ascending heights; kept while the room lives
	Decisions Bucket = "decisions"

	// Snapshots holds the chain of each room as it stood at a height.
	//	key    room 32 B ‖ height uint64 BE   (see HeightKey)
	//	value  CBOR rooms.ChainSnapshot
	//	by     rooms/replica; the newest one is kept
	Snapshots Bucket = "snapshots"

	// Raft holds what a controller must not forget.
	//	key    room 32 B ‖ kind 1 B ‖ index uint64 BE; the kinds are those of rooms/replica
	//	value  CBOR of rooms/order: an entry, a hard state, a promise …, written before any message that relies on it leaves this node
	//	by     rooms/replica for rooms/order
	Raft Bucket = "raft"

	// Outbox holds what this node's people said while a room was frozen, and has no verdict yet.
	//	key    room 32 B ‖ counter uint64 BE   (see HeightKey; counter of this node's outbox)
	//	value  CBOR [request, since, place, view, real name]: docs/spec/replica.md
	//	by     rooms/replica; deleted when the request got its verdict, or was withdrawn
	Outbox Bucket = "outbox"

	// Accounts holds accounts that this node is a device of.
	//	key    account name, folded, UTF-8
	//	value  CBOR sealed account record
	//	by     node/account
	Accounts Bucket = "accounts"

	// Peers holds peers worth dialling after a restart.
	//	key    node id, 32 B
	//	value  CBOR: addresses, last seen (Unix seconds)
	//	by     node; bounded by the nodes that there are
	Peers Bucket = "peers"

	// Index finds messages by their public ids.
	//	key    room 32 B ‖ segment uint64 BE   (see HeightKey)
	//	value  5 B an event, see rooms/replica
	//	by     rooms/replica; can be made again of Decisions
	Index Bucket = "index"

	// Roster holds what XMPP clients keep at the server.
	//	key    account name, folded, UTF-8
	//	value  JSON: contacts, private data, card
	//	by     bridge/xmpp through cmd/warren
	Roster Bucket = "roster"

	// Archive holds how far each account has been shown its conversations.
	//	key    room 32 B ‖ account name, folded, UTF-8
	//	value  sequence number uint64 BE
	//	by     bridge through cmd/warren
	Archive Bucket = "archive"
)

// Buckets lists all buckets, in the order of their declaration.
func Buckets() []Bucket {
	return []Bucket{Meta, Decisions, Snapshots, Raft, Outbox, Accounts, Peers, Index, Roster, Archive}
}

// known reports whether b is declared above.
func (b Bucket) known() bool {
	switch b {
	case Meta, Decisions, Snapshots, Raft, Outbox, Accounts, Peers, Index, Roster, Archive:
		return true
	}
	return false
}

// Version is the version of the layouts in this file. Whoever changes one
// raises it and adds a step to migrate.go.
const Version uint64 = 1

// VersionKey is the key in Meta of the version, uint64 BE. It is written when
// the store is made and by migrations, and cannot be changed by a batch.
const VersionKey = "version"

// HeightKey returns room ‖ n, the key layout of Decisions, Snapshots, Outbox and Index.
func HeightKey(room [32]byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 40), room[:]...), n)
}

// KeyNumber returns the uint64 BE at the end of a key made by HeightKey, and
// false for a key shorter than 8 bytes.
func KeyNumber(key []byte) (uint64, bool) {
	if len(key) < 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(key[len(key)-8:]), true
}
