package names

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
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

func TestActions(t *testing.T) {
	for in, want := range map[string]string{
		"\x01ACTION waves\x01": "/me waves", "\x01action \x02waves": "/me waves", "\x01ACTION\x01": "/me ",
		"\x01VERSION\x01": "", "waves": "", "\x01": "", "\x01\x01": "", "\x01 ACTION x\x01": "",
	} {
		if got, ok := ActionToMe(in); got != want || ok != (want != "") {
			t.Errorf("ActionToMe(%q) = %q, %v, want %q", in, got, ok, want)
		}
	}
	if got, ok := MeToAction("/me \x01waves\x01"); got != "\x01ACTION waves\x01" || !ok {
		t.Errorf("got %q", got)
	}
	if _, ok := MeToAction("/meow"); ok {
		t.Error("/meow is taken as an action")
	}
	rapid.Check(t, func(t *rapid.T) {
		me := meOpen + IRCToPlain(genText().Draw(t, "text"))
		action, _ := MeToAction(me)
		if back, ok := ActionToMe(action); !ok || back != me {
			t.Fatalf("%q → %q → %q", me, action, back)
		}
	})
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
		if got := m.Match("Ann", "user", "pc.Example.org"); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.mask, got, tt.want)
		}
	}
	for _, bad := range []string{"", "a b", "\x00", "\xff", strings.Repeat("a", MaskLen+1)} {
		if m, err := ParseMask(bad); err == nil {
			t.Errorf("%q became %s", bad, m)
		}
	}
	m, err := ParseMask("*ŻÓ?W*!*@*")
	if err != nil || !m.Match("xżółwx", "u", "h") {
		t.Errorf("%s does not match beyond ASCII: %v", m, err)
	}
	if (Mask{}).Match("a", "b", "c") {
		t.Error("the zero mask matches")
	}
}

func TestGlobAgreesWithAModel(t *testing.T) {
	var model func(p, s []rune) bool
	model = func(p, s []rune) bool {
		switch {
		case len(p) == 0:
			return len(s) == 0
		case p[0] == '*':
			return model(p[1:], s) || len(s) > 0 && model(p, s[1:])
		}
		return len(s) > 0 && (p[0] == '?' || p[0] == s[0]) && model(p[1:], s[1:])
	}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.StringMatching(`[aż*?]{0,8}`).Draw(t, "pattern")
		s := rapid.StringMatching(`[aż🐍]{0,10}`).Draw(t, "s")
		if got, want := glob(p, s), model([]rune(p), []rune(s)); got != want {
			t.Fatalf("glob(%q, %q) = %v, want %v", p, s, got, want)
		}
	})
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
		m.Match(nick, nick, nick)
	})
}

func BenchmarkMaskAtItsWorst(b *testing.B) {
	m, err := ParseMask(strings.Repeat("a*", 180) + "b")
	if err != nil {
		b.Fatal(err)
	}
	nick := strings.Repeat("a", 300)
	for b.Loop() {
		m.Match(nick, "u", "h")
	}
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
		FoldChannel("#physics.lab1")
	}
}
