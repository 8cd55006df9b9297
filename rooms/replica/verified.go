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
	young, old map[signature]struct{}
}

func newVerified(limit int) *verified {
	return &verified{limit: limit / 2, young: map[signature]struct{}{}, old: map[signature]struct{}{}}
}

// signature is a request's id, the epoch and the signature: a good id with another signature, or for another epoch, is another thing.
type signature struct {
	id    rooms.Hash
	epoch uint64
	sig   [64]byte
}

func signatureOf(r *rooms.Request, id rooms.Hash) signature {
	s := signature{id: id, epoch: r.Epoch}
	copy(s.sig[:], r.Sig)
	return s
}

// check is a rooms.Verifier.
func (v *verified) check(r *rooms.Request, id rooms.Hash) bool {
	if len(r.Sig) != 64 {
		return false
	}
	key := signatureOf(r, id)
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
func (v *verified) signed(r *rooms.Request, id rooms.Hash) { v.add(signatureOf(r, id)) }

func (v *verified) add(key signature) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.young) >= v.limit {
		v.old, v.young = v.young, make(map[signature]struct{}, v.limit)
	}
	v.young[key] = struct{}{}
}
