package rooms

import (
	"crypto/ed25519"

	"warren/perms"
	"warren/rooms/canon"
)

// Request is a signed wish to change a room. It is immutable once signed.
//
// The author is an account (Account is set), a guest (only Nick is set) or the node itself (neither). Device is the key that signs: a node
// that the account's record lists, or the guest's node. For each (room, device) only the counter after the last one can be ordered.
type Request struct {
	_       struct{} `cbor:",toarray"`
	Room    RoomID
	Account string // canonical account name, or empty
	Nick    string // the author's nick in the room, or the guest's; empty for nodes and for accounts that are not occupants
	Device  NodeID
	Counter uint64
	Dir     uint64 // the directory version the author's node saw: the request is judged by this one or a later one
	Op      Op
	Body    []byte // canonical CBOR of the op's body
	Epoch   uint64 // of the room, in which alone it can be ordered; not part of the ID: in another epoch its device signs the same request again
	Sig     []byte // Ed25519 by Device over the ID and Epoch
}

// unsignedSize is about what a request without body and signature takes, in bytes.
const unsignedSize = 192

// ID is the hash that what comes of the request is known by for ever, in whichever epoch it is ordered.
func (r *Request) ID() Hash {
	var buf [unsignedSize]byte
	body := hashBytes("warren/body/1", canon.AppendBytes(buf[:0], r.Body))
	return hashBytes("warren/request/1", appendUnsigned(buf[:0], r, &body))
}

// Principal returns whom the rights are asked for.
func (r *Request) Principal() perms.Principal {
	return PrincipalOf(r.Account, r.Nick, r.Device)
}

// PrincipalOf returns the principal of an account, of a guest (no account), or of a node (neither).
func PrincipalOf(account, nick string, node NodeID) perms.Principal {
	switch {
	case account != "":
		return perms.Account(account)
	case nick != "":
		return perms.Guest(Fold(nick), node.String())
	}
	return perms.Node(node.String())
}

// Sign fills in the device and the signature for the epoch that Epoch names, and returns the request's id.
func (r *Request) Sign(key ed25519.PrivateKey) Hash {
	r.Device = NodeOf(key.Public().(ed25519.PublicKey))
	id := r.ID()
	h := r.signed(id)
	r.Sig = ed25519.Sign(key, h[:])
	return id
}

// signed is what the device signs. A signature holds for one epoch: an epoch may begin below what a copy held, and then counters that were used up
// are free again. A wish that was numbered twice in the meantime would be ordered twice, if what was signed before still counted.
func (r *Request) signed(id Hash) Hash {
	var buf [64]byte
	return hashBytes("warren/request-in-epoch/1", canon.AppendUint(appendHash(canon.AppendArray(buf[:0], 2), &id), r.Epoch))
}

// SignatureOK reports whether the device signed the request. It costs about 70 µs.
func (r *Request) SignatureOK() bool { return r.SignedAs(r.ID()) }

// SignedAs is SignatureOK for who has the request's id already.
func (r *Request) SignedAs(id Hash) bool {
	h := r.signed(id)
	return len(r.Sig) == ed25519.SignatureSize && ed25519.Verify(r.Device.Public(), h[:], r.Sig)
}

// Fold returns the form under which names (nicks, rooms, objects) are compared: ASCII letters in lower case, as IRC's CASEMAPPING=ascii.
func Fold(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if c := b[i]; 'A' <= c && c <= 'Z' {
					b[i] = c + 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
