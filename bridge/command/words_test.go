package command

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestArguments(t *testing.T) {
	for _, c := range []struct {
		line string
		max  int
		rest bool
		want []string
		err  error
	}{
		{"", 2, false, nil, nil},
		{"  a  b ", 2, false, []string{"a", "b"}, nil},
		{"a b c", 2, false, nil, errTooMany},
		{`"a b" c`, 2, false, []string{"a b", "c"}, nil},
		{`"a \"b\" \\ \n"`, 1, false, []string{`a "b" \ \n`}, nil},
		{`""`, 1, false, []string{""}, nil},
		{`a"b`, 1, false, []string{`a"b`}, nil},
		{`"a`, 1, false, nil, errQuote},
		{`"a"b`, 1, false, nil, errAfter},
		{`„a b“ c`, 2, false, []string{"a b", "c"}, nil},
		{"a", 2, true, []string{"a"}, nil},
		{"a   ", 2, true, []string{"a"}, nil},
		{"a   b  c ", 2, true, []string{"a", "b  c"}, nil},
		{"a \n  b\n\n", 2, true, []string{"a", "  b"}, nil},
		{"a\nb", 2, true, []string{"a", "b"}, nil},
		{` "b" c `, 1, true, []string{`"b" c`}, nil},
	} {
		got, err := arguments(c.line, c.max, c.rest)
		if err != c.err || !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, %v; want %q, %v", c.line, got, err, c.want, c.err)
		}
	}
}

// What quoted writes is read as the one argument that it was.
func FuzzQuoted(f *testing.F) {
	for _, s := range []string{"plan", "a b", `"`, `\`, `a\`, `a "b" \c`, "#x", "“x", "", "\u00a0", "a\u2003b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if !utf8.ValidString(name) || strings.ContainsAny(name, "\x00\r") {
			return
		}
		got, err := arguments("  "+quoted(name)+" 2", 2, false)
		if err != nil || len(got) != 2 || got[0] != name {
			t.Errorf("%q is written %s and read %q, %v", name, quoted(name), got, err)
		}
	})
}
