package invite

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"warren/rooms"
)

func testKey() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, ed25519.SeedSize))
}

func sample(t testing.TB) Invite {
	i, err := Make(testKey(), Invite{
		Network: [32]byte{1}, Name: "physics", Addrs: []string{"/ip4/192.0.2.7/udp/4067/quic-v1/p2p/12D3KooW"},
		DirHeight: 7, DirHash: [32]byte{2}, Expires: 2000, Uses: 3, ID: [16]byte{4}, Sponsor: "alice",
	})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// anyInvite draws an invitation within the limits.
func anyInvite(t *rapid.T) Invite {
	array := func(n int, label string) []byte {
		return rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, label)
	}
	i := Invite{
		Network:   [32]byte(array(32, "network")),
		Name:      rapid.StringMatching(`[a-zé ]{1,30}`).Draw(t, "name"),
		Addrs:     rapid.SliceOfN(rapid.StringMatching(`/ip4/1\.2\.3\.4/tcp/[0-9]{1,5}/p2p/[a-zA-Z0-9]{10,60}`), 1, MaxAddrs).Draw(t, "addrs"),
		DirHeight: rapid.Uint64().Draw(t, "height"),
		DirHash:   [32]byte(array(32, "hash")),
		Expires:   rapid.Int64Range(1, 1<<40).Draw(t, "expires"),
		Uses:      rapid.IntRange(1, MaxUses).Draw(t, "uses"),
		ID:        [16]byte(array(16, "id")),
		Sponsor:   rapid.StringMatching(`[a-z]{0,20}`).Draw(t, "sponsor"),
	}
	i, err := Make(ed25519.NewKeyFromSeed(array(32, "seed")), i)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestParseIsTheInverseOfString(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyInvite(t)
		got, err := Parse(" " + want.String() + "\n")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
		if err := got.Verify(time.Unix(want.Expires-1, 0)); err != nil {
			t.Fatal(err)
		}
		if err := got.Verify(time.Unix(want.Expires, 0)); !errors.Is(err, ErrExpired) {
			t.Fatalf("got %v, want ErrExpired", err)
		}
	})
}

func TestEachTruncationIsSaidToBeOne(t *testing.T) {
	link := sample(t).String()
	for n := len(Scheme) + 1; n < len(link); n++ {
		if _, err := Parse(link[:n]); !errors.Is(err, ErrTruncated) {
			t.Fatalf("the first %d of %d bytes: got %v, want ErrTruncated", n, len(link), err)
		}
	}
}

func TestNoAlteredLinkIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		link := []byte(anyInvite(t).String())
		at := rapid.IntRange(0, len(link)-1).Draw(t, "at")
		to := rapid.Byte().Draw(t, "to")
		if link[at] == to {
			return
		}
		link[at] = to
		if strings.TrimSpace(string(link)) != string(link) {
			return
		}
		if _, err := Parse(string(link)); err == nil {
			t.Fatalf("byte %d changed to %q, and it was read", at, to)
		}
	})
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	good := sample(t)
	resign := func(change func(*Invite)) string {
		i := good
		change(&i)
		i.Sig = ed25519.Sign(testKey(), i.digest())
		return i.String()
	}
	for name, c := range map[string]struct {
		link string
		want error
	}{
		"empty":                      {"", ErrNotInvite},
		"another scheme":             {"https://example.org", ErrNotInvite},
		"nothing after the scheme":   {Scheme, ErrTruncated},
		"a space within":             {good.String()[:50] + " " + good.String()[50:], ErrAltered},
		"something appended":         {good.String() + "AAAA", ErrAltered},
		"too long":                   {Scheme + strings.Repeat("A", MaxLink), ErrAltered},
		"random bytes":               {Scheme + base64.RawURLEncoding.EncodeToString([]byte("hello, this is no cbor")), ErrAltered},
		"signed by another":          {func() string { i := good; i.SponsorNode = rooms.NodeID{9}; return i.String() }(), ErrAltered},
		"no address":                 {resign(func(i *Invite) { i.Addrs = []string{} }), ErrInvalid},
		"address without peer":       {resign(func(i *Invite) { i.Addrs = []string{"/ip4/1.2.3.4/tcp/1"} }), ErrInvalid},
		"no uses":                    {resign(func(i *Invite) { i.Uses = 0 }), ErrInvalid},
		"terminal escape in a name":  {resign(func(i *Invite) { i.Name = "a\x1b[2Jb" }), ErrInvalid},
		"negative expiry":            {resign(func(i *Invite) { i.Expires = -1 }), ErrInvalid},
		"a name that is much longer": {resign(func(i *Invite) { i.Name = strings.Repeat("a", MaxName+1) }), ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(c.link); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestMakeRefusesWhatParseWould(t *testing.T) {
	if _, err := Make(testKey(), Invite{Name: "x", Uses: 1, Expires: 5}); !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
}

func FuzzParse(f *testing.F) {
	good := sample(f).String()
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(Scheme)
	f.Add(Scheme + "gAAA")
	f.Fuzz(func(t *testing.T, link string) {
		i, err := Parse(link)
		if err != nil {
			return
		}
		if got := i.String(); got != strings.TrimSpace(link) {
			t.Errorf("read and written again it is another link:\n%s\n%s", link, got)
		}
	})
}
