package account

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

const (
	// cacheFor is how long a password that was right costs no Argon2id again: a client that reconnects, several clients of a person.
	cacheFor = 5 * time.Minute
	// maxCached bounds the memory: some 200 KiB.
	maxCached = 1024
)

// checked remembers passwords that were right, as HMACs under a key of the process.
type checked struct {
	key []byte
	now func() time.Time

	mu      sync.Mutex
	entries map[string]entry // by canonical name; one password each
}

type entry struct {
	mac   []byte
	until time.Time
}

// mac covers the record's revision and key, so that a changed password ends what was remembered.
func (c *checked) mac(r *Record, password string) []byte {
	m := hmac.New(sha256.New, c.key)
	m.Write(r.Key[:])
	m.Write(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, r.Revision), uint64(r.Time)))
	m.Write([]byte(password))
	return m.Sum(nil)
}

// right reports whether the prepared password was found right for this record not long ago.
func (c *checked) right(r *Record, password string) bool {
	mac := c.mac(r, password)
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[r.Name]
	return ok && c.now().Before(e.until) && hmac.Equal(e.mac, mac)
}

// remember notes that the password is right.
func (c *checked) remember(r *Record, password string) {
	mac, now := c.mac(r, password), c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.entries[r.Name]; !ok && len(c.entries) >= maxCached {
		c.drop(now)
	}
	c.entries[r.Name] = entry{mac, now.Add(cacheFor)}
}

// drop makes room: whatever has expired, or else any one entry.
func (c *checked) drop(now time.Time) {
	for name, e := range c.entries {
		if !now.Before(e.until) {
			delete(c.entries, name)
		}
	}
	for name := range c.entries {
		if len(c.entries) < maxCached {
			return
		}
		delete(c.entries, name)
	}
}
