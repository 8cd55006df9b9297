package command

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxWords bounds the arguments of one line: more than the tags of one thing (rooms.MaxTags) and its name.
const maxWords = 40

var (
	errText     = errors.New("the line is not UTF-8 text")
	errNul      = errors.New("the line holds a character that no document can hold")
	errQuote    = errors.New(`a quoted argument ("like this") is not closed`)
	errAfter    = errors.New("a quoted argument must be followed by a space")
	errTooMany  = errors.New("too many arguments: put names with spaces in quotes")
	errNoNumber = errors.New("a page is a number from 1 on; names with spaces need quotes")
)

// tidy checks what a client sent and makes its line ends '\n'.
func tidy(line string) (string, error) {
	switch {
	case !utf8.ValidString(line):
		return "", errText
	case strings.ContainsRune(line, 0):
		return "", errNul
	}
	return strings.ReplaceAll(strings.ReplaceAll(line, "\r\n", "\n"), "\r", "\n"), nil
}

// cutWord splits at the first white space; what follows keeps its other white space.
func cutWord(s string) (word, rest string) {
	i := strings.IndexFunc(s, unicode.IsSpace)
	if i < 0 {
		return s, ""
	}
	return s[:i], s[i:]
}

// arguments splits a line into at most max arguments (-1 would make no sense). Quotes keep spaces together: "a name", with \" and \\ inside.
// With rest the last of the max is what is left of the line, taken as it was typed but for white space at its ends.
func arguments(line string, max int, rest bool) ([]string, error) {
	var out []string
	for {
		if rest && len(out) == max-1 {
			if text := body(line); text != "" {
				out = append(out, text)
			}
			return out, nil
		}
		line = strings.TrimLeftFunc(line, unicode.IsSpace)
		if line == "" {
			return out, nil
		}
		if len(out) >= max {
			return nil, errTooMany
		}
		word, left, err := next(line)
		if err != nil {
			return nil, err
		}
		out, line = append(out, word), left
	}
}

// body is a text as it was meant: without the spaces before it on its first line (indentation is kept when it begins on a line of its own),
// and without white space at its end.
func body(s string) string {
	t := strings.TrimLeft(s, " \t")
	t = strings.TrimPrefix(t, "\n")
	t = strings.TrimRightFunc(t, unicode.IsSpace)
	if strings.TrimSpace(t) == "" {
		return ""
	}
	return t
}

// next takes one argument off a line that begins with it.
func next(line string) (word, rest string, err error) {
	open, size := utf8.DecodeRuneInString(line)
	end := closing(open)
	if end == 0 {
		word, rest = cutWord(line)
		return word, rest, nil
	}
	var b strings.Builder
	escaped := false
	for i, r := range line[size:] {
		switch {
		case escaped:
			if r != '"' && r != '\\' {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
			escaped = false
		case r == '\\' && end == '"':
			escaped = true
		case r == end:
			rest = line[size+i+utf8.RuneLen(r):]
			if after, _ := utf8.DecodeRuneInString(rest); rest != "" && !unicode.IsSpace(after) {
				return "", "", errAfter
			}
			return b.String(), rest, nil
		default:
			b.WriteRune(r)
		}
	}
	return "", "", errQuote
}

// closing returns the mark that ends a quotation begun with open, 0 when it begins none. Telephones write curled ones by themselves.
func closing(open rune) rune {
	switch open {
	case '"':
		return '"'
	case '“':
		return '”'
	case '„':
		return '“'
	}
	return 0
}

// quoted writes a name as a command line takes it: in quotes where it needs them.
func quoted(name string) string {
	first, _ := utf8.DecodeRuneInString(name)
	if name != "" && closing(first) == 0 && strings.IndexFunc(name, unicode.IsSpace) < 0 && first != '#' {
		return name
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}
