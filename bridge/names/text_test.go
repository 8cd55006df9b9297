package names

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"warren/perms"
)

func TestIRCToPlain(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "hello ż", "hello ż"},
		{"bold and italic", "\x02a\x02 \x1db\x1d", "a b"},
		{"every lone code", "\x02\x0f\x11\x16\x1d\x1e\x1fx", "x"},
		{"foreground", "\x034red\x03", "red"},
		{"two digits and no more", "\x03041", "1"},
		{"both colours", "\x0304,12text", "text"},
		{"a comma that is text", "\x0304,text", ",text"},
		{"a code and a comma", "\x03,5", ",5"},
		{"hex colours", "\x04ff0000,00FF00text\x04", "text"},
		{"too few hex digits are text", "\x04ff00", "ff00"},
		{"colour at the end", "a\x03", "a"},
		{"what XML forbids", "a\x00\x08\x1bb\ufffe", "ab"},
		{"tab stays", "a\tb", "a\tb"},
		{"not UTF-8", "a\xffb", "a\ufffdb"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := IRCToPlain(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPlainTextIsSettled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(genText(), rapid.StringOf(rapid.SampledFrom([]rune("\x02\x03\x04\x0f01,fFx\x01 ")))).Draw(t, "s")
		plain := IRCToPlain(s)
		if !isPlainText(plain) || !utf8.ValidString(plain) || IRCToPlain(plain) != plain || len(plain) > 3*len(s) {
			t.Fatalf("%q became %q", s, plain)
		}
	})
}

func TestCTCP(t *testing.T) {
	if command, rest, ok := CTCP("\x01ping 12 34\x01"); command != "PING" || rest != "12 34" || !ok {
		t.Errorf("got %q %q", command, rest)
	}
}

func TestMasks(t *testing.T) {
	for _, tt := range []struct {
		mask, full string
		want       bool
	}{
		{"ann", "ann!*@*", true},
		{"ANN!*@*", "ann!*@*", true},
		{"*!*@*.example.org", "*!*@*.example.org", true},
		{"*@host", "*!*@host", false},
		{"a?n", "a?n!*@*", true},
		{"a?", "a?!*@*", false},
		{"ann!user", "ann!user@*", true},
		{"*!us*r@*", "*!us*r@*", true},
		{"***", "*!*@*", true},
		{"bob", "bob!*@*", false},
		{"!@", "*!*@*", true},
	} {
		m, err := ParseMask(tt.mask)
		if err != nil {
			t.Fatal(err)
		}
		if m.String() != tt.full {
			t.Errorf("%s: written as %s, want %s", tt.mask, m, tt.full)
		}
		if got := perms.MatchMask(m.String(), "Ann!user@pc.Example.org"); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.mask, got, tt.want)
		}
	}
	for _, bad := range []string{"", "a b", "\x00", "\xff", strings.Repeat("a", MaskLen+1)} {
		if m, err := ParseMask(bad); err == nil {
			t.Errorf("%q became %s", bad, m)
		}
	}
	m, err := ParseMask("*ŻÓ?W*!*@*")
	if err != nil || !perms.MatchMask(m.String(), "xżółwx!u@h") {
		t.Errorf("%s does not match beyond ASCII: %v", m, err)
	}
}

func FuzzMask(f *testing.F) {
	f.Add("a*!?@*", "ann")
	f.Fuzz(func(t *testing.T, mask, nick string) {
		m, err := ParseMask(mask)
		if err != nil {
			return
		}
		again, err := ParseMask(m.String())
		if len(m.String()) <= MaskLen && err == nil && again != m {
			t.Fatalf("%q: %s, then %s", mask, m, again)
		}
		perms.MatchMask(m.String(), nick+"!"+nick+"@"+nick)
	})
}

func BenchmarkFoldNick(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		FoldNick("Ann_Lee")
	}
}

func BenchmarkCanonicalChannel(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := CanonicalChannel("#physics.lab1"); err != nil {
			b.Fatal(err)
		}
	}
}
