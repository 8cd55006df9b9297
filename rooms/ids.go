package rooms

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
)

// Hash is a SHA-256 digest.
type Hash [32]byte

// RoomID names a room for ever: the hash of the directory's previous header and the request that made the room.
type RoomID = Hash

// NodeID names a node: its raw Ed25519 public key.
type NodeID [ed25519.PublicKeySize]byte

// text is RFC 4648 base32 in lower case without padding: safe in IRC tags, JIDs, file names and URLs.
var text = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func lower32(b []byte) string { return text.EncodeToString(b) }

// String returns 52 characters of lower-case base32.
func (h Hash) String() string { return lower32(h[:]) }

// Short returns the first 8 characters of String, for people.
func (h Hash) Short() string { return h.String()[:8] }

// IsZero reports whether h is all zeros.
func (h Hash) IsZero() bool { return h == Hash{} }

// MsgID is the public id of what came of a request: the IRC msgid and the XMPP stanza-id. 32 characters, 160 bits of the request's hash.
func (h Hash) MsgID() string { return lower32(h[:20]) }

// ParseMsgID reads what MsgID wrote: the first 20 bytes of the hash.
func ParseMsgID(s string) (id [20]byte, err error) {
	b, err := text.DecodeString(s)
	if err != nil || len(b) != len(id) || lower32(b) != s {
		return id, errors.Join(fmt.Errorf("parse message id %.60q: want 32 characters of lower-case base32", s), err)
	}
	return [20]byte(b), nil
}

// String returns 52 characters of lower-case base32.
func (n NodeID) String() string { return lower32(n[:]) }

// Short returns the first 8 characters of String, for people.
func (n NodeID) Short() string { return n.String()[:8] }

// IsZero reports whether n names nobody.
func (n NodeID) IsZero() bool { return n == NodeID{} }

// Public returns the node's key.
func (n NodeID) Public() ed25519.PublicKey { return ed25519.PublicKey(n[:]) }

// NodeOf returns the id of the node with this key. It panics when key is not an Ed25519 public key of 32 bytes: a programmer's mistake.
func NodeOf(key ed25519.PublicKey) NodeID { return NodeID(key) }

// ParseHash reads what Hash.String wrote.
func ParseHash(s string) (h Hash, err error) {
	b, err := text.DecodeString(s)
	if err != nil || len(b) != len(h) || lower32(b) != s { // 52 characters hold 260 bits: the last 4 must be zero, so that an id has one text
		return h, errors.Join(fmt.Errorf("parse id %.60q: want 52 characters of lower-case base32", s), err)
	}
	return Hash(b), nil
}

// hashOf hashes the canonical encoding of v under a domain, so that no digest of one kind can stand for another.
func hashOf(domain string, v any) Hash { return hashBytes(domain, Marshal(v)) }

// hashBytes is hashOf for what is encoded already.
func hashBytes(domain string, encoded []byte) (sum Hash) {
	h := sha256.New()
	h.Write([]byte(domain))
	h.Write([]byte{0})
	h.Write(encoded)
	h.Sum(sum[:0])
	return sum
}
