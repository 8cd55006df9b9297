package invite

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"warren/rooms"
)

// Scheme starts each link.
const Scheme = "warren:"

// Limits. A link with the most of everything has about 3.5 kB; usual ones have 600 bytes and fit a QR code.
const (
	MaxLink = 4096 // bytes of a link
	MaxName = 64   // bytes of a network's or a sponsor's name
	MaxAddr = 256  // bytes of one address
	MaxUses = 10000
	// MaxAddrs is how many addresses an invitation carries at most: some of them will still answer when it is used.
	MaxAddrs = 8
)

const (
	version = 1
	domain  = "warren/invite/1\x00" // nothing else that a node signs starts so
)

// What is wrong with a link, for errors.Is.
var (
	ErrNotInvite = errors.New("no invitation: it must start with \"warren:\"")
	ErrTruncated = errors.New("the invitation is cut off: copy the whole link")
	ErrAltered   = errors.New("the invitation was altered on its way: ask for it again")
	ErrExpired   = errors.New("the invitation has expired: ask for a new one")
	ErrInvalid   = errors.New("the invitation makes no sense")
)

// Invite is an invitation to a network.
type Invite struct {
	Network     [32]byte     // network id
	Name        string       // the network's name, for people; 1 to 64 bytes
	Addrs       []string     // 1 to 8 multiaddrs with peer id
	DirHeight   uint64       // a recent height of the directory …
	DirHash     [32]byte     // … and the hash of its header
	Expires     int64        // Unix time, s
	Uses        int          // how many nodes may join with it, 1 to 10000
	ID          [16]byte     // random, to count the uses by
	Sponsor     string       // name of the account or node that invites; at most 64 bytes
	SponsorNode rooms.NodeID // whose signature follows
	Sig         []byte       // Ed25519
}

// wire is the order of the fields in the link.
type wire struct {
	_           struct{} `cbor:",toarray"`
	Version     uint
	Network     [32]byte
	Name        string
	Addrs       []string
	DirHeight   uint64
	DirHash     [32]byte
	Expires     int64
	Uses        int
	ID          [16]byte
	Sponsor     string
	SponsorNode rooms.NodeID
	Sig         []byte
}

func (i Invite) encode() []byte {
	return rooms.Marshal(wire{
		Version: version, Network: i.Network, Name: i.Name, Addrs: i.Addrs, DirHeight: i.DirHeight, DirHash: i.DirHash,
		Expires: i.Expires, Uses: i.Uses, ID: i.ID, Sponsor: i.Sponsor, SponsorNode: i.SponsorNode, Sig: i.Sig,
	})
}

// digest is what is signed: all fields but the signature.
func (i Invite) digest() []byte {
	i.Sig = nil
	h := sha256.Sum256(append([]byte(domain), i.encode()...))
	return h[:]
}

// Make signs an invitation with a node's key and checks it. SponsorNode and Sig of i are overwritten; the rest
// is the caller's, ID included (16 random bytes).
func Make(key ed25519.PrivateKey, i Invite) (Invite, error) {
	i.SponsorNode = rooms.NodeOf(key.Public().(ed25519.PublicKey))
	if err := i.check(); err != nil {
		return Invite{}, fmt.Errorf("make invitation: %w", err)
	}
	i.Sig = ed25519.Sign(key, i.digest())
	return i, nil
}

// String returns the link.
func (i Invite) String() string { return Scheme + base64.RawURLEncoding.EncodeToString(i.encode()) }

// Parse reads a link. White space around it is ignored. Its signature is checked, its expiry is not: see
// Verify. Errors are ErrNotInvite, ErrTruncated, ErrAltered or ErrInvalid, with details.
func Parse(link string) (Invite, error) {
	i, err := parse(strings.TrimSpace(link))
	if err != nil {
		return Invite{}, fmt.Errorf("read invitation: %w", err)
	}
	return i, nil
}

func parse(link string) (Invite, error) {
	text, ok := strings.CutPrefix(link, Scheme)
	if !ok {
		return Invite{}, ErrNotInvite
	}
	if len(link) > MaxLink {
		return Invite{}, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrAltered, len(link), MaxLink)
	}
	if n := strings.IndexFunc(text, notBase64); n >= 0 {
		return Invite{}, fmt.Errorf("%w: character %d does not belong there", ErrAltered, len(Scheme)+n+1)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil { // all characters are right, so the end is missing
		return Invite{}, ErrTruncated
	}
	var w wire
	if err := rooms.Unmarshal(raw, &w); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return Invite{}, ErrTruncated
		}
		return Invite{}, fmt.Errorf("%w: %v", ErrAltered, err)
	}
	if w.Version != version {
		return Invite{}, fmt.Errorf("%w: version %d, this program knows version %d; a newer program may read it", ErrInvalid, w.Version, version)
	}
	i := Invite{
		Network: w.Network, Name: w.Name, Addrs: w.Addrs, DirHeight: w.DirHeight, DirHash: w.DirHash, Expires: w.Expires,
		Uses: w.Uses, ID: w.ID, Sponsor: w.Sponsor, SponsorNode: w.SponsorNode, Sig: w.Sig,
	}
	if !bytes.Equal(i.encode(), raw) {
		return Invite{}, fmt.Errorf("%w: not in canonical form", ErrAltered)
	}
	if err := i.checkSig(); err != nil {
		return Invite{}, err
	}
	return i, i.check()
}

func notBase64(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_')
}

// Verify checks signature, fields and expiry. It returns nil, or ErrAltered, ErrInvalid or ErrExpired with
// details.
func (i Invite) Verify(now time.Time) error {
	if err := i.checkSig(); err != nil {
		return fmt.Errorf("verify invitation: %w", err)
	}
	if err := i.check(); err != nil {
		return fmt.Errorf("verify invitation: %w", err)
	}
	if now.Unix() >= i.Expires {
		return fmt.Errorf("verify invitation: %w: it was valid until %s", ErrExpired, time.Unix(i.Expires, 0).UTC().Format(time.DateTime+" UTC"))
	}
	return nil
}

func (i Invite) checkSig() error {
	if len(i.Sig) != ed25519.SignatureSize || !ed25519.Verify(i.SponsorNode.Public(), i.digest(), i.Sig) {
		return ErrAltered
	}
	return nil
}

// check finds what makes no sense, whoever signed it.
func (i Invite) check() error {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
	}
	if i.Name == "" || !printable(i.Name, MaxName) {
		return invalid("the network's name must have 1 to %d printable bytes", MaxName)
	}
	if !printable(i.Sponsor, MaxName) {
		return invalid("the sponsor's name must have at most %d printable bytes", MaxName)
	}
	if len(i.Addrs) == 0 || len(i.Addrs) > MaxAddrs {
		return invalid("%d addresses, want 1 to %d", len(i.Addrs), MaxAddrs)
	}
	for _, a := range i.Addrs {
		if !printable(a, MaxAddr) || !strings.HasPrefix(a, "/") || !strings.Contains(a, "/p2p/") {
			return invalid("address %.80q is no multiaddr with a peer id, of at most %d bytes", a, MaxAddr)
		}
	}
	if i.Uses < 1 || i.Uses > MaxUses {
		return invalid("%d uses, want 1 to %d", i.Uses, MaxUses)
	}
	if i.Expires <= 0 || i.Expires > 1<<40 {
		return invalid("expiry %d is no time", i.Expires)
	}
	return nil
}

// printable says whether s is text that is safe on a terminal.
func printable(s string, limit int) bool {
	return len(s) <= limit && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
