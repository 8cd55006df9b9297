package login

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"hash"
	"sync"
)

// What new SCRAM keys should be made with. Accounts that use other numbers tell real accounts from made-up ones.
const (
	// Iterations of PBKDF2. RFC 7677 §4 wants 4096 at least; the client pays for them at each login, also on a telephone.
	Iterations = 10_000
	// SaltLen is the length of a salt in bytes.
	SaltLen = 16
)

// maxPassword is the longest password in bytes.
const maxPassword = 1024

// new returns the hash function; it is nil for a name that is not one of the constants.
func (h Hash) new() func() hash.Hash {
	switch h {
	case SHA1:
		return sha1.New
	case SHA256:
		return sha256.New
	}
	return nil
}

// size returns the length of a digest in bytes.
func (h Hash) size() int {
	if h == SHA1 {
		return sha1.Size
	}
	return sha256.Size
}

// MakeScram returns the keys for a password (RFC 5802 §3): for who has no device of the account to ask, as tests have none. It panics on an unknown hash and on fewer iterations
// than one: programmer's mistakes.
func MakeScram(password string, h Hash, salt []byte, iterations int) ScramKeys {
	fn := h.new()
	if fn == nil || iterations < 1 {
		panic(fmt.Sprintf("login: SCRAM keys with hash %q and %d iterations", h, iterations))
	}
	salted, err := pbkdf2.Key(fn, password, salt, iterations, h.size())
	if err != nil {
		panic(err) // only for lengths that no hash here has
	}
	stored := fn()
	stored.Write(mac(fn, salted, "Client Key"))
	return ScramKeys{Salt: salt, Iterations: iterations, StoredKey: stored.Sum(nil), ServerKey: mac(fn, salted, "Server Key")}
}

func mac(fn func() hash.Hash, key []byte, text string) []byte {
	m := hmac.New(fn, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// Decoys is an ability that Accounts may have too: a secret of at least 16 bytes that outlives the process, from which the salts of unknown
// accounts are made. Without it the secret is one of the process, so that whoever asks before and after a restart learns which accounts exist.
type Decoys interface {
	DecoySecret() []byte
}

// processSecret is drawn at the first need and the same ever after: salts of unknown accounts must not change between two tries.
var processSecret = sync.OnceValue(func() []byte {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return b
})

// decoy returns keys that nobody has a password for, always the same for a name.
func decoy(acc Accounts, name string, h Hash) ScramKeys {
	var secret []byte
	if d, ok := acc.(Decoys); ok {
		secret = d.DecoySecret()
	} else {
		secret = processSecret()
	}
	derive := func(what string, n int) []byte { return mac(sha256.New, secret, what+"\x00"+string(h)+"\x00"+name)[:n] }
	return ScramKeys{
		Salt: derive("salt", SaltLen), Iterations: Iterations,
		StoredKey: derive("stored", h.size()), ServerKey: derive("server", h.size()),
	}
}
