package store

import (
	"encoding/binary"
	"slices"
)

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
	//	key    a name in ASCII, e.g. "version"
	//	value  bytes; for "version" see [VersionKey]
	//	by     this package ("version"); node for what is its own (network id, genesis)
	Meta Bucket = "meta"

	// Decisions holds the certified log of each room.
	//	key    room 32 B ‖ height uint64 BE   (see HeightKey)
	//	value  CBOR decision with its certificate
	//	by     rooms/replica, ascending heights; a range is deleted once a snapshot covers it
	Decisions Bucket = "decisions"

	// Snapshots holds room states at checkpoint heights.
	//	key    room 32 B ‖ height uint64 BE   (see HeightKey)
	//	value  CBOR state snapshot with the header and certificate it belongs to
	//	by     rooms/replica; the newest two are kept
	Snapshots Bucket = "snapshots"

	// Raft holds what a controller must not forget.
	//	key    room 32 B ‖ kind 1 B ‖ index uint64 BE   (see RaftKey)
	//	       kind 1 entry:     index = raft index
	//	       kind 2 hardstate: index = 0
	//	       kind 3 snapshot metadata: index = 0
	//	       kind 4 signed record:     index = height
	//	value  entry, hard state, snapshot metadata: raft's protobuf; signed record: CBOR
	//	       (epoch, header hash), written before the signature leaves this node
	//	by     rooms/replica for rooms/order
	Raft Bucket = "raft"

	// Outbox holds requests of this node's people that have no verdict yet.
	//	key    room 32 B ‖ counter uint64 BE   (see HeightKey; counter of this node's outbox)
	//	value  CBOR request
	//	by     rooms/replica; deleted when the request's event was applied
	Outbox Bucket = "outbox"

	// Accounts holds accounts that this node is a device of.
	//	key    account name, folded, UTF-8
	//	value  CBOR sealed account record
	//	by     node/account
	Accounts Bucket = "accounts"

	// Devices holds device keys that this node signs with for its accounts.
	//	key    account name, folded, UTF-8 ‖ 0x00 ‖ device public key 32 B
	//	value  CBOR device record
	//	by     node/account
	Devices Bucket = "devices"

	// Blobs is the index of blobs on this node's disk; their bytes are files.
	//	key    SHA-256 of the blob, 32 B
	//	value  CBOR: size, why it is kept, when it was last checked
	//	by     node/blob
	Blobs Bucket = "blobs"

	// Peers holds peers worth dialling after a restart.
	//	key    peer id, binary multihash
	//	value  CBOR: addresses, last seen (Unix seconds)
	//	by     node/bootstrap; bounded there
	Peers Bucket = "peers"

	// Index holds the local inverted index.
	//	key    room 32 B ‖ tag, folded, UTF-8 ‖ 0x00 ‖ object id
	//	value  CBOR posting
	//	by     search/index through node; can be rebuilt from Decisions
	Index Bucket = "index"

	// Roster holds contact lists.
	//	key    account name, folded, UTF-8 ‖ 0x00 ‖ bare JID of the contact
	//	value  CBOR roster item
	//	by     bridge/xmpp through node
	Roster Bucket = "roster"

	// Archive holds per-account markers: how far each account has read, and
	// since when it may read.
	//	key    account name, folded, UTF-8 ‖ 0x00 ‖ room 32 B
	//	value  CBOR marker
	//	by     bridge through node
	Archive Bucket = "archive"
)

// Buckets lists all buckets, in the order of their declaration.
func Buckets() []Bucket {
	return []Bucket{Meta, Decisions, Snapshots, Raft, Outbox, Accounts, Devices, Blobs, Peers, Index, Roster, Archive}
}

// known reports whether b is declared above.
func (b Bucket) known() bool {
	switch b {
	case Meta, Decisions, Snapshots, Raft, Outbox, Accounts, Devices, Blobs, Peers, Index, Roster, Archive:
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

// RaftKind is the second part of a key in Raft.
type RaftKind byte

// The kinds of records in Raft; numbers are on disk.
const (
	RaftEntry     RaftKind = 1
	RaftHardState RaftKind = 2
	RaftSnapshot  RaftKind = 3
	RaftSigned    RaftKind = 4
)

// HeightKey returns room ‖ n, the key layout of Decisions, Snapshots and Outbox.
func HeightKey(room [32]byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 40), room[:]...), n)
}

// RaftKey returns room ‖ kind ‖ index, the key layout of Raft.
func RaftKey(room [32]byte, kind RaftKind, index uint64) []byte {
	k := append(make([]byte, 0, 41), room[:]...)
	return binary.BigEndian.AppendUint64(append(k, byte(kind)), index)
}

// KeyNumber returns the uint64 BE at the end of a key made by HeightKey or
// RaftKey, and false for a key shorter than 8 bytes.
func KeyNumber(key []byte) (uint64, bool) {
	if len(key) < 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(key[len(key)-8:]), true
}

// PrefixEnd returns the smallest key above all keys that begin with prefix, for
// the "to" of a range; nil (no upper end) for an empty prefix or one of 0xff only.
func PrefixEnd(prefix []byte) []byte {
	end := slices.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}
