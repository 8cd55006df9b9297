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

// check is a rooms.Verifier. The key is the id and the signature: a good id with another signature is another thing.
func (v *verified) check(r *rooms.Request) bool {
	if len(r.Sig) != 64 {
		return false
	}
	id := r.ID()
	var key [96]byte
	copy(key[:], id[:])
	copy(key[32:], r.Sig)
	v.mu.Lock()
	_, ok := v.young[key]
	if !ok {
		_, ok = v.old[key]
	}
	v.mu.Unlock()
	if ok {
		return true
	}
	if !r.SignatureOK() {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.young) >= v.limit {
		v.old, v.young = v.young, make(map[[96]byte]struct{}, v.limit)
	}
	v.young[key] = struct{}{}
	return true
}
