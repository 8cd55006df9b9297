package names

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestValidNick(t *testing.T) {
	for _, ok := range []string{"ann", "Ann_Lee", "[x]\\`^{|}", "a-b", "_1", "żółw", "Łukasz9", "爱丽丝", "שרה", "किरण", strings.Repeat("x", 32)} {
		if err := ValidNick(ok); err != nil {
			t.Errorf("%q: %v", ok, err)
		}
	}
	for name, bad := range map[string]string{
		"empty": "", "leading digit": "1a", "leading minus": "-a", "guest sign": "a~b", "space": "a b", "too long": strings.Repeat("x", 33),
		"too long in bytes": strings.Repeat("ż", 17), "channel": "#a", "emoji": "a🐍", "dot": "a.b", "wildcard": "a*", "mask": "a!b@c",
		"not UTF-8": "a\xff", "control": "a\x03", "leading mark": "\u0301a", "prefix": "@a", "colon": ":a", "comma": "a,b", "NUL": "a\x00",
	} {
		if ValidNick(bad) == nil {
			t.Errorf("%s: %q is taken as legal", name, bad)
		}
	}
	if err := ValidNick("1a"); !strings.Contains(err.Error(), "may not begin with '1'") {
		t.Errorf("unclear error: %v", err)
	}
}

func TestFoldNick(t *testing.T) {
	for in, want := range map[string]string{
		"Ann": "ann", "A[]": "a[]", "A{}": "a{}", "ŻÓŁW": "żółw", "Ann~Attic": "ann~attic", "ＡＢ": "ab", "a b": "a b", "": "",
	} {
		if got := FoldNick(in); got != want {
			t.Errorf("FoldNick(%q) = %q, want %q", in, got, want)
		}
	}
}

// genText draws names of all sorts: legal, nearly legal, and anything.
func genText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[a-zA-Z\[\]\\_^{|}`+"`"+`][a-zA-Z0-9~-]{0,40}`),
		rapid.StringOfN(rapid.SampledFrom([]rune("aAzZ0-_~.,#\\25e żŻßİıſΣςσאبک٣۳\u0301\u200d\u200c·・ーｶＡ～．*?!@:/&'\"<>🐍é\u00ad\ufffd\u202e\x01\x07")), 0, 20, -1),
		rapid.String(),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 40), func(b []byte) string { return string(b) }),
	)
}

func TestFoldingKeepsCasemappingASCII(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := genText().Draw(t, "s")
		upper := strings.Map(func(r rune) rune {
			if 'a' <= r && r <= 'z' {
				return r - 'a' + 'A'
			}
			return r
		}, s)
		if !utf8.ValidString(s) {
			return
		}
		if FoldNick(s) != FoldNick(upper) {
			t.Fatalf("FoldNick: %q and %q differ", s, upper)
		}
		if a, err := CanonicalChannel("#" + s); err == nil {
			if b, err := CanonicalChannel("#" + upper); err != nil || a != b {
				t.Fatalf("CanonicalChannel: %q and %q differ", s, upper)
			}
		}
		if ValidNick(s) == nil {
			folded := FoldNick(s)
			if FoldNick(folded) != folded || ValidNick(folded) != nil {
				t.Fatalf("FoldNick(%q) = %q is not settled", s, folded)
			}
		}
	})
}

func TestNickForIRC(t *testing.T) {
	for in, want := range map[string]string{
		"ann": "ann", "Ann Lee": "Ann_Lee", "🐍 snake": "_snake", "🐍": "someone", "": "someone", "9lives": "_9lives", "-x": "_-x",
		"ann~attic": "ann_attic", "J. R.": "J__R_", "①st": "_1st", "Ann\tLee": "Ann_Lee", "\xffann": "ann", "\u202eann": "ann",
	} {
		if got := NickForIRC(in); got != want {
			t.Errorf("NickForIRC(%q) = %q, want %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := genText().Draw(t, "s")
		nick := NickForIRC(s)
		if err := ValidNick(nick); err != nil {
			t.Fatalf("NickForIRC(%q) = %q: %v", s, nick, err)
		}
		if again := NickForIRC(nick); again != nick {
			t.Fatalf("%q, then %q", nick, again)
		}
		if variant := NickVariant(nick, rapid.IntRange(1, 1_000_000).Draw(t, "n")); ValidNick(variant) != nil || variant == nick {
			t.Fatalf("variant %q of %q: %v", variant, nick, ValidNick(variant))
		}
	})
}

func TestNickVariants(t *testing.T) {
	for in, want := range map[string]string{
		"ann": "ann_7", strings.Repeat("x", 32): strings.Repeat("x", 30) + "_7",
		// The lower-case form is longer: Ⱥ has two bytes, ⱥ three.
		"ȺȺȺȺȺȺȺȺȺȺȺ": "ȺȺȺȺȺȺȺȺȺȺ_7",
	} {
		if got := NickVariant(in, 7); got != want {
			t.Errorf("NickVariant(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestGuestNames(t *testing.T) {
	for _, bad := range []string{"ann", "~attic", "ann~", "ann~a~b", "1~a", "a b~c", "ann~" + strings.Repeat("x", NodeLen+1)} {
		if nick, node, ok := SplitGuest(bad); ok {
			t.Errorf("%q is taken as guest %q of %q", bad, nick, node)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		nick := NickForIRC(genText().Draw(t, "nick"))
		node := cut(NickForIRC(genText().Draw(t, "node")), NodeLen)
		if ValidNode(node) != nil {
			return
		}
		gotNick, gotNode, ok := SplitGuest(GuestName(nick, node))
		if !ok || gotNick != nick || gotNode != node {
			t.Fatalf("%s of %s came back as %s of %s", nick, node, gotNick, gotNode)
		}
	})
	if err := ValidNode("4th-floor"); err != nil {
		t.Error(err)
	}
}

func TestDisplayNick(t *testing.T) {
	got, err := DisplayNick("  Ann \u00a0 Lee ")
	if err != nil || got != "Ann Lee" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := DisplayNick("🐍"); err != nil || got != "🐍" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, bad := range []string{"", "  ", "\x00", "\xff", strings.Repeat("x", DisplayLen+1), strings.Repeat(" ", 10_000)} {
		if got, err := DisplayNick(bad); err == nil {
			t.Errorf("%q became %q", bad, got)
		}
	}
}

func TestAccountName(t *testing.T) {
	for in, want := range map[string]string{"Alice": "alice", "ŻÓŁW": "żółw", "a_b-1": "a_b-1", "שרה": "שרה", "ＢＯＢ": "bob"} {
		if got, err := AccountName(in); err != nil || got != want {
			t.Errorf("AccountName(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "a b", "1a", "a~b", "a@b", "a🐍", "\xff", strings.Repeat("x", 33), "a.b", "אa", "#a", strings.Repeat("Ａ", 1000)} {
		if got, err := AccountName(bad); err == nil {
			t.Errorf("%q became account %q", bad, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := genText().Draw(t, "s")
		account, err := AccountName(s)
		if err != nil {
			return
		}
		if again, err := AccountName(account); err != nil || again != account {
			t.Fatalf("%q, then %q, %v", account, again, err)
		}
		if ValidNick(account) != nil || FoldNick(s) != account {
			t.Fatalf("%q: account %q, nick folds to %q", s, account, FoldNick(s))
		}
		back, err := LocalToAccount(AccountToLocal(account))
		if err != nil || back != account {
			t.Fatalf("%q → %q → %q, %v", account, AccountToLocal(account), back, err)
		}
		if _, err := CanonicalChannel("#" + inventorySign + account); err != nil {
			t.Fatalf("inventory of %q: %v", account, err)
		}
	})
}
