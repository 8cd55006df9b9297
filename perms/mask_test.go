package perms

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMatchMask(t *testing.T) {
	tests := map[string]struct {
		mask, s string
		want    bool
	}{
		"itself":                          {"a!b@c", "a!b@c", true},
		"ASCII case does not matter":      {"AlIce!*@*", "aLiCE!x@y", true},
		"other letters' case matters":     {"É", "é", false},
		"a star is any run":               {"*!*@user/bob", "x!y@user/bob", true},
		"a star is also nothing":          {"a*b", "ab", true},
		"a question mark is one":          {"a?c", "abc", true},
		"a question mark is not none":     {"a?c", "ac", false},
		"one character may be many bytes": {"a?c", "aéc", true},
		"a star steps over characters":    {"*é?", "aéé", true},
		"the rest must fit":               {"*a", "ab", false},
		"two stars backtrack":             {"*ab*ab", "abxabab", true},
		"the empty mask fits nothing":     {"", "a", false},
		"the empty mask fits the empty":   {"", "", true},
		"stars fit the empty":             {"**", "", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := MatchMask(tt.mask, tt.s); got != tt.want {
				t.Errorf("MatchMask(%q, %q) = %v", tt.mask, tt.s, got)
			}
		})
	}
}

// slowMatch is the meaning of a mask, in few lines.
func slowMatch(m, s []rune) bool {
	switch {
	case len(m) == 0:
		return len(s) == 0
	case m[0] == '*':
		return slowMatch(m[1:], s) || len(s) > 0 && slowMatch(m, s[1:])
	}
	return len(s) > 0 && (m[0] == '?' || strings.EqualFold(string(m[0]), string(s[0]))) && slowMatch(m[1:], s[1:])
}

func TestMatchMaskIsWhatItMeans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mask := rapid.StringOfN(rapid.RuneFrom([]rune("abA?*é")), 0, 9, -1).Draw(t, "mask")
		s := rapid.StringOfN(rapid.RuneFrom([]rune("abAé")), 0, 9, -1).Draw(t, "s")
		if got, want := MatchMask(mask, s), slowMatch([]rune(mask), []rune(s)); got != want {
			t.Errorf("MatchMask(%q, %q) = %v, want %v", mask, s, got, want)
		}
	})
}

func FuzzMask(f *testing.F) {
	f.Add("*!*@*", "nick!user@host")
	f.Add("*\xff?*", "\xff\xfe")
	f.Fuzz(func(t *testing.T, mask, s string) {
		if len(mask)+len(s) > 4096 {
			return
		}
		MatchMask(mask, s)
		if !MatchMask("*", s) || !MatchMask(strings.Repeat("*", len(mask)%8+1), s) {
			t.Errorf("a star does not fit %q", s)
		}
		if !strings.ContainsAny(s, "*?") && !MatchMask(s, s) {
			t.Errorf("%q does not fit itself", s)
		}
	})
}
