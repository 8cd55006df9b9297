package xmpp

import "time"

// Limits are what a server bears from one client. Zero fields take the defaults.
type Limits struct {
	MaxStanza     int // bytes of one stanza of a client that has logged in
	MaxStanzaAuth int // bytes of one element before that
	MaxQueue      int // bytes that wait for a client to read them
	MaxConns      int // connections at the same time
	MaxPerAddress int // connections of one address at the same time; loopback is not counted
}

// Defaults of Limits.
const (
	defaultMaxStanza     = 64 << 10  // RFC 6120 §13.12 wants 10,000 at least; documents and encrypted messages are larger
	defaultMaxStanzaAuth = 16 << 10  // a SASL message has 4 KiB, base64 makes it six
	defaultMaxQueue      = 256 << 10 // a thousand presences, or some hundred messages
	defaultMaxConns      = 10_000
	defaultMaxPerAddress = 100
)

const (
	maxDepth       = 32      // elements within elements: encrypted and forwarded payloads have about ten
	maxNodes       = 4096    // elements and attributes of one stanza: <a/> costs 4 bytes to send and a hundred to hold
	maxTries       = 5       // failed logins and registrations of one connection
	maxRequestsPre = 64      // elements of a client that has not logged in
	maxJoins       = 8       // joins of one client under way
	maxWork        = 64      // direct messages and changes of one client that wait to be ordered, in all its lanes
	maxWishes      = 128     // messages of one client under way; more make the server stop reading
	maxExt         = 8 << 10 // bytes of extensions that travel with a message: what rooms.Say bears
	maxRef         = 256     // bytes of a stanza's id
	maxResource    = 256     // bytes; RFC 7622 allows 1023

	authTime  = 60 * time.Second // to log in and bind
	idleTime  = 3 * time.Minute  // without a byte of the client: then the server pings
	pingTime  = 60 * time.Second // and closes when nothing comes for this long
	writeTime = 30 * time.Second // for the client to take what is written
	closeTime = 2 * time.Second  // for a last word
	opTime    = 20 * time.Second // for a room to answer
	openTime  = 3 * time.Second  // to look at a room that the client does not sit in
)

func (l Limits) withDefaults() Limits {
	set := func(to *int, v int) {
		if *to <= 0 {
			*to = v
		}
	}
	set(&l.MaxStanza, defaultMaxStanza)
	set(&l.MaxStanzaAuth, defaultMaxStanzaAuth)
	set(&l.MaxQueue, defaultMaxQueue)
	set(&l.MaxConns, defaultMaxConns)
	set(&l.MaxPerAddress, defaultMaxPerAddress)
	return l
}
