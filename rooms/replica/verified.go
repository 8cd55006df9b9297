package replica

import (
	"sync"

	"warren/rooms"
)

// verified remembers which requests carry a good signature, so that a node that controls and shows a room checks each once. Two generations
// bound it: when the young one is full it becomes the old one.
type verified struct {
	limit      int
	mu         sync.Mutex
	young, old map[[96]byte]struct{}
}

func newVerified(limit int) *verified {
	return &verified{limit: limit / 2, young: map[[96]byte]struct{}{}, old: map[[96]byte]struct{}{}}
}

// signatureKey is the id and the signature: a good id with another signature is another thing.
func signatureKey(r *rooms.Request, id rooms.Hash) (key [96]byte) {
	copy(key[:], id[:])
	copy(key[32:], r.Sig)
	return key
}

// check is a rooms.Verifier.
func (v *verified) check(r *rooms.Request, id rooms.Hash) bool {
	if len(r.Sig) != 64 {
		return false
	}
	key := signatureKey(r, id)
	v.mu.Lock()
	_, ok := v.young[key]
	if !ok {
		_, ok = v.old[key]
	}
	v.mu.Unlock()
	if ok {
		return true
	}
	if !r.SignedAs(id) {
		return false
	}
	v.add(key)
	return true
}

// signed remembers a request that this node has just signed itself.
func (v *verified) signed(r *rooms.Request, id rooms.Hash) { v.add(signatureKey(r, id)) }

func (v *verified) add(key [96]byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.young) >= v.limit {
		v.old, v.young = v.young, make(map[[96]byte]struct{}, v.limit)
	}
	v.young[key] = struct{}{}
}
