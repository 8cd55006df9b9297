package rooms

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"testing"
)

// TestPublishedVectors computes what docs/spec/encoding.md prints: whoever reads the formats there must get the same bytes.
func TestPublishedVectors(t *testing.T) {
	seeded := func(b byte) ed25519.PrivateKey {
		return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
	}
	room, err := ParseHash("4lb5fuqtnromeruxbedkasv4mn3rbbhitkl55zfzwkce5llbpija")
	if err != nil {
		t.Fatal(err)
	}
	r := NewRequest(room, "", "ann", &Say{Text: "hello"})
	r.Counter, r.Dir = 1, 7
	r.Sign(seeded(1))
	b := Batch{Epoch: 1, Term: 2, Height: 1, Time: 1767225600123, Dir: 7, Requests: []Request{r}}
	b.Sign(room, seeded(1))
	h := Header{Room: room, Epoch: 1, Height: 1, Prev: room, Time: b.Time, Dir: b.Dir, Payload: b.Hash(), Verdicts: Verdicts{0}.Hash()}
	for _, c := range []struct {
		what string
		got  Hash
		want string
	}{
		{"request id", r.ID(), "dad966fc5626928813e012d99533f081fc9bc21682f936274a9c98f71572d53a"},
		{"payload", h.Payload, "fae7683ff0e8d4ae17247dd836575a5f6172d34d692cb0bce690dac2d497b960"},
		{"verdicts", h.Verdicts, "f494e2e5a0abbeb36eaf5ad2e87ff1f7bf98f328cef7a5c012fc6ba69a8073f4"},
		{"header", h.Hash(), "18187e9e59d597a5e78cdb5f17f2d3e9a417fb7711110a86164e65b35542fd11"},
	} {
		if got := hex.EncodeToString(c.got[:]); got != c.want {
			t.Errorf("%s hash: %s, published %s", c.what, got, c.want)
		}
	}
}
