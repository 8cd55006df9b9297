package rooms

import (
	"crypto/ed25519"
	"slices"
)

// endorsementLife is how long (ms of room time) an endorsement can be used: long enough to gather a quorum, short enough that what
// was true then is true now.
const endorsementLife = 60_000

// Endorsement is one controller's signed "I see that too": that a node is gone, or that a reconfiguration is right.
type Endorsement struct {
	_    struct{} `cbor:",toarray"`
	Node NodeID
	Time int64 // ms by the endorser's clock, or by the room's where that is ahead
	Sig  []byte
}

type endorsedThing struct {
	_     struct{} `cbor:",toarray"`
	Room  RoomID
	Kind  string
	Thing Hash
	Node  NodeID
	Time  int64
}

// Endorse signs that this node sees thing in the room. kind and thing come from NodeGone.Thing or Reconfigure.Thing.
func Endorse(room RoomID, kind string, thing Hash, now int64, key ed25519.PrivateKey) Endorsement {
	e := Endorsement{Node: NodeOf(key.Public().(ed25519.PublicKey)), Time: now}
	h := hashOf("warren/endorse/1", endorsedThing{Room: room, Kind: kind, Thing: thing, Node: e.Node, Time: now})
	e.Sig = ed25519.Sign(key, h[:])
	return e
}

// OK reports whether the endorsement is the node's own, for this thing, and of the last minute before now (ms).
func (e Endorsement) OK(room RoomID, kind string, thing Hash, now int64) bool {
	if e.Time < 0 || now < 0 || e.Time-now > endorsementLife || now-e.Time > endorsementLife || len(e.Sig) != ed25519.SignatureSize {
		return false
	}
	h := hashOf("warren/endorse/1", endorsedThing{Room: room, Kind: kind, Thing: thing, Node: e.Node, Time: e.Time})
	return ed25519.Verify(e.Node.Public(), h[:], e.Sig)
}

// endorsedBy reports whether a quorum of distinct controllers endorses the thing, each later than after (ms), and when the last of them did.
func endorsedBy(es []Endorsement, controllers []NodeID, room RoomID, kind string, thing Hash, now, after int64) (latest int64, ok bool) {
	if len(es) > len(controllers) || len(controllers) == 0 {
		return 0, false // bounds the signatures to check
	}
	seen := map[NodeID]bool{}
	for _, e := range es {
		if e.Time > after && slices.Contains(controllers, e.Node) && !seen[e.Node] && e.OK(room, kind, thing, now) {
			seen[e.Node] = true
			latest = max(latest, e.Time)
		}
	}
	return latest, len(seen) >= Quorum(len(controllers))
}

// Kinds of things that are endorsed.
const (
	KindNodeGone    = "node-gone"
	KindReconfigure = "reconfigure"
	KindSilent      = "silent" // in the directory: controllers of a room are not heard
)

// Thing is what the endorsements of a NodeGone cover.
func (b *NodeGone) Thing() Hash { return hashOf("warren/gone/1", b.Node) }

// Thing is what the endorsements of a Reconfigure cover: the step it takes, not its proofs.
func (b *Reconfigure) Thing() Hash {
	return hashOf("warren/reconfigure/1", []any{b.Since, b.Controllers})
}

// SilentThing is what the endorsements cover that these controllers of a room (sorted) are not heard and give no statement at the end of its epoch,
// which the account is to end. below: so that it goes on below what the directory has witnessed.
func SilentThing(room RoomID, epoch uint64, account string, nodes []NodeID, below bool) Hash {
	return hashOf("warren/silent/1", []any{room, epoch, account, nodes, below})
}

// Consent is a newcomer's signed "I hold this room up to this height and will control it".
type Consent struct {
	_      struct{} `cbor:",toarray"`
	Node   NodeID
	Height uint64
	Sig    []byte
}

type consentThing struct {
	_             struct{} `cbor:",toarray"`
	Room          RoomID
	Since, Height uint64
}

// MakeConsent signs a consent to the reconfiguration after the one at height since.
func MakeConsent(room RoomID, since, height uint64, key ed25519.PrivateKey) Consent {
	h := hashOf("warren/consent/1", consentThing{Room: room, Since: since, Height: height})
	return Consent{Node: NodeOf(key.Public().(ed25519.PublicKey)), Height: height, Sig: ed25519.Sign(key, h[:])}
}

// OK reports whether the consent is the node's own and for this step.
func (c Consent) OK(room RoomID, since uint64) bool {
	h := hashOf("warren/consent/1", consentThing{Room: room, Since: since, Height: c.Height})
	return len(c.Sig) == ed25519.SignatureSize && ed25519.Verify(c.Node.Public(), h[:], c.Sig)
}
