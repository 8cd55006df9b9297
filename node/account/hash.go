package account

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"

	"golang.org/x/crypto/argon2"
)

// secrets is what Argon2id makes of a password: 32 bytes of key, 32 bytes of fetch token.
type secrets [64]byte

func (s *secrets) key() []byte   { return s[:32] }
func (s *secrets) token() []byte { return s[32:] }
func (s *secrets) check() []byte { return checkOf(s.token()) }

func checkOf(token []byte) []byte {
	h := sha256.New()
	h.Write([]byte("warren/fetch-token/1\x00"))
	h.Write(token)
	return h.Sum(nil)
}

// opens reports whether a token is the one of the record, in constant time.
func (r *Record) opens(token []byte) bool {
	return subtle.ConstantTimeCompare(checkOf(token), r.Check) == 1
}

// hasher bounds how many passwords are hashed at once and how many wait.
type hasher struct {
	slots, queue chan struct{}
}

func newHasher(atOnce, waiting int) *hasher {
	return &hasher{slots: make(chan struct{}, atOnce), queue: make(chan struct{}, atOnce+waiting)}
}

// derive hashes a prepared password. It blocks for its turn and some 0.1 s more. Errors: ErrBusy when the queue is full, or ctx's.
func (h *hasher) derive(ctx context.Context, password string, salt []byte, p Params) (*secrets, error) {
	select {
	case h.queue <- struct{}{}:
		defer func() { <-h.queue }()
	default:
		return nil, ErrBusy
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out := argon2.IDKey([]byte(password), salt, p.Time, p.Memory, p.Threads, uint32(len(secrets{})))
	defer clear(out)
	return (*secrets)(append([]byte(nil), out...)), nil
}
