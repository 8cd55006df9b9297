package query

import (
	"errors"
	"strings"
	"testing"
	"unicode"
)

func TestParseWritesTheCanonicalForm(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"one tag", "Physics", "physics"},
		{"juxtaposition is AND", "a b and c", "a b c"},
		{"signs for AND", "a & b && c", "a b c"},
		{"signs for OR", "a | b || c & d", "a OR b OR c d"},
		{"a sign in quotes is a tag", `a "&" tag:||`, `a "&" "||"`},
		{"a sign inside a word is part of it", "r&b", "r&b"},
		{"AND binds closer than OR", "a or b AND c", "a OR b c"},
		{"needed parentheses stay", "(a OR b) c", "(a OR b) c"},
		{"needless parentheses go", "((a) AND (b AND (c)))", "a b c"},
		{"nested OR is dissolved", "a OR (b OR c)", "a OR b OR c"},
		{"minus is NOT", "a -b", "a -b"},
		{"NOT over a group", "a not (b or c)", "a -(b OR c)"},
		{"NOT over an AND group", "NOT (a b)", "-(a b)"},
		{"double negation goes", "not -a", "a"},
		{"a hyphen inside a word is part of it", "well-known", "well-known"},
		{"a phrase", `"Ground  Floor"`, `"ground floor"`},
		{"curly quotes of phones", "“ground floor”", `"ground floor"`},
		{"an operator in quotes is a tag", `"and"`, `"and"`},
		{"escapes in quotes", `"a\"b\\c"`, `"a\"b\\c"`},
		{"needless quotes go", `"a"`, "a"},
		{"tag: is the default field", "tag:a", "a"},
		{"tag: takes a word that looks like an operator", "tag:or", `"or"`},
		{"tag: takes a leading minus", "tag:-x", `"-x"`},
		{"kind in any case", "KIND:Document", "kind:document"},
		{"all fields", `x owner:Alice room:#Physics* name:"My Notes"`, `x owner:alice room:#physics* name:"my notes"`},
		{"stars shrink", "name:a***b", "name:a*b"},
		{"a quoted star is a plain character of a tag", `"c*"`, `"c*"`},
		{"full-width letters are folded", "ＡＢＣ", "abc"},
		{"parentheses need no spaces", "(a)(b)-(c d)", "a b -(c d)"},
		{"colon in a value", "name:a:b", "name:a:b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := Parse(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := e.String(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestParseSaysWhereAndWhatWasExpected(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		column   int
		part     string
	}{
		{"nothing", "  ", 3, `expected a tag or "(", found the end`},
		{"AND without a right side", "a AND", 6, "found the end"},
		{"AND without a left side", "AND a", 1, `found "AND"`},
		{"OR after OR", "a OR OR b", 6, `found "OR"`},
		{"open parenthesis", "a (b c", 3, `expected a ")"`},
		{"stray close", "a) b", 2, `without a "("`},
		{"empty group", "()", 2, `expected a tag or "("`},
		{"minus alone", "a -", 4, "found the end"},
		{"open quote", `a "b`, 3, "closing quote"},
		{"empty quote", `a ""`, 3, "tag: empty"},
		{"text after a quote", `"a"b`, 4, "expected a space after the closing quote"},
		{"quote inside a word", `a"b"`, 2, "expected a space before the quote"},
		{"unknown field", "colour:red", 1, `found "colour"`},
		{"no field", ":a", 1, `expected a field before ":"`},
		{"no value", "kind:", 6, `expected a value after "kind:"`},
		{"unknown kind", "x kind:cat", 3, "document, exit, room, link, member"},
		{"star in a tag", "phys*", 1, "a tag takes no *"},
		{"columns count characters", "ä ö )", 5, `without a "("`},
		{"long tag", strings.Repeat("x", MaxTag+1), 1, "longer than 64 bytes"},
		{"control character", "a\x01b", 1, "control character U+0001"},
		{"not UTF-8", "a \xff", 1, "UTF-8"},
		{"long input", strings.Repeat("a ", MaxInput), 1, "1024 bytes"},
		{"too many terms", strings.Repeat("a ", MaxTerms+1), 2*MaxTerms + 1, "at most 64"},
		{"too deep by parentheses", strings.Repeat("(", MaxNesting+1) + "a", MaxNesting + 1, "at most 32 levels"},
		{"too deep by minus", strings.Repeat("-", MaxNesting+1) + "a", MaxNesting + 1, "at most 32 levels"},
		{"grows by folding", strings.Repeat("name:"+strings.Repeat("\ufdfa", 5)+" ", 40), 1, "when its tags are folded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(tt.in)
			var syn *SyntaxError
			if !errors.As(err, &syn) {
				t.Fatalf("got %v, want a SyntaxError", err)
			}
			if syn.Column != tt.column || !strings.Contains(err.Error(), tt.part) {
				t.Errorf("got %q, want column %d and %q", err, tt.column, tt.part)
			}
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("error of several lines: %q", err)
			}
		})
	}
}

func TestFoldTag(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"lower case and trim", "  Physics ", "physics"},
		{"inner space", "ground\t  floor", "ground floor"},
		{"compatibility forms", "ﬁne①", "fine1"},
		{"composed and decomposed are one", "Cafe\u0301", "café"},
		{"emoji stay", "🐍", "🐍"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := FoldTag(tt.in)
			if err != nil || got != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
	for _, bad := range []string{"", " ", "\x00", "a\u202eb", "\xff", strings.Repeat("x", 65), strings.Repeat(" ", 2000)} {
		if got, err := FoldTag(bad); err == nil {
			t.Errorf("FoldTag(%q) = %q, want an error", bad, got)
		}
	}
}

func TestEveryCharacterFoldsToASettledForm(t *testing.T) {
	for r := rune(0); r <= 0x10ffff; r++ {
		if !unicode.IsGraphic(r) {
			continue
		}
		once, err := FoldTag(string(r))
		if err != nil {
			continue
		}
		if twice, err := FoldTag(once); err != nil || twice != once {
			t.Fatalf("%U: %q then %q, %v", r, once, twice, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"a OR b -c", `("a b" kind:room) owner:x*`, "not not (a)", `“x” tag:-y`, "name:\ufdfa", `"\"`, "-(-a)b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		e, err := Parse(in)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Fatalf("error of several lines: %q", err)
			}
			return
		}
		s := e.String()
		again, err := Parse(s)
		if err != nil {
			t.Fatalf("%q: canonical form %q: %v", in, s, err)
		}
		if again.String() != s {
			t.Fatalf("%q: %q then %q", in, s, again)
		}
	})
}
