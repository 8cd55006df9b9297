package query

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SyntaxError says where a query stopped making sense and what was expected there, in one line for the person who typed it.
type SyntaxError struct {
	// Column is where, counted in characters from 1.
	Column int
	// Problem is the sentence after the column.
	Problem string
}

// Error returns the line to show.
func (e *SyntaxError) Error() string { return fmt.Sprintf("query, column %d: %s", e.Column, e.Problem) }

type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokOpen
	tokClose
	tokAnd
	tokOr
	tokNot
	tokWord
)

// token is one piece of the input. For a word, field and value are set; quoted tells whether the value stood in quotes.
type token struct {
	kind   tokenKind
	pos    int // byte offset
	text   string
	field  string // as typed, "" for none
	value  string
	quoted bool
}

type lexer struct {
	in  string
	pos int
}

// fail makes an error at a byte offset.
func (l *lexer) fail(pos int, format string, args ...any) error {
	return &SyntaxError{Column: utf8.RuneCountInString(l.in[:pos]) + 1, Problem: fmt.Sprintf(format, args...)}
}

// next reads one token.
func (l *lexer) next() (token, error) {
	l.pos = len(l.in) - len(strings.TrimLeftFunc(l.in[l.pos:], unicode.IsSpace))
	start := l.pos
	if start == len(l.in) {
		return token{kind: tokEnd, pos: start}, nil
	}
	if k := punctuation(l.in[start]); k != tokEnd {
		l.pos++
		return token{kind: k, pos: start, text: l.in[start:l.pos]}, nil
	}
	return l.word()
}

// punctuation returns the token that one byte makes at the start of a word, tokEnd for none.
func punctuation(c byte) tokenKind {
	switch c {
	case '(':
		return tokOpen
	case ')':
		return tokClose
	case '-':
		return tokNot
	}
	return tokEnd
}

// word reads an operator or a term: value, "value", field:value or field:"value".
func (l *lexer) word() (token, error) {
	start := l.pos
	t := token{kind: tokWord, pos: start}
	if !l.atQuote() {
		run := l.run(true)
		if l.pos < len(l.in) && l.in[l.pos] == ':' {
			t.field = run
			if run == "" {
				return t, l.fail(start, `expected a field before ":", as in kind:document`)
			}
			l.pos++
		} else {
			t.value = run
		}
	}
	if t.value == "" {
		if err := l.value(&t); err != nil {
			return t, err
		}
	}
	if l.pos < len(l.in) && l.atQuote() {
		return t, l.fail(l.pos, "expected a space before the quote")
	}
	t.text = l.in[start:l.pos]
	if t.field == "" && !t.quoted {
		switch operator(t.value) {
		case "AND":
			t.kind = tokAnd
		case "OR":
			t.kind = tokOr
		case "NOT":
			t.kind = tokNot
		}
	}
	return t, nil
}

// value reads what may follow a field, quoted or not.
func (l *lexer) value(t *token) error {
	start := l.pos
	if !l.atQuote() {
		t.value = l.run(false)
		if t.value == "" {
			return l.fail(start, "expected a value after %s", shown(t.field+":"))
		}
		return nil
	}
	t.quoted = true
	var b strings.Builder
	l.skip()
	for l.pos < len(l.in) {
		switch {
		case l.atQuote():
			l.skip()
			t.value = b.String()
			if l.pos < len(l.in) && !l.atBreak() {
				return l.fail(l.pos, "expected a space after the closing quote")
			}
			return nil
		case l.in[l.pos] == '\\':
			l.pos++
		}
		from := l.pos
		l.skip()
		b.WriteString(l.in[from:l.pos])
	}
	return l.fail(start, "expected a closing quote to this opening one")
}

// run reads bare characters up to a space, parenthesis or quote, and up to a colon when colon is set.
func (l *lexer) run(colon bool) string {
	start := l.pos
	for l.pos < len(l.in) && !l.atBreak() && !l.atQuote() && (!colon || l.in[l.pos] != ':') {
		l.skip()
	}
	return l.in[start:l.pos]
}

func (l *lexer) skip() {
	_, n := utf8.DecodeRuneInString(l.in[l.pos:])
	l.pos += n
}

// atBreak reports whether a space or parenthesis comes next.
func (l *lexer) atBreak() bool {
	r, _ := utf8.DecodeRuneInString(l.in[l.pos:])
	return r == '(' || r == ')' || unicode.IsSpace(r)
}

// atQuote reports whether a quote comes next.
func (l *lexer) atQuote() bool {
	r, _ := utf8.DecodeRuneInString(l.in[l.pos:])
	return isQuote(r)
}

// isQuote reports whether r opens and closes a phrase. Phones turn straight quotes into curly ones, so those count too.
func isQuote(r rune) bool { return r == '"' || r == '“' || r == '”' || r == '„' }

// operator returns AND, OR or NOT when the word is one of them in any case, or a sign that people write for one, else "".
func operator(word string) string {
	switch word {
	case "&", "&&":
		return "AND"
	case "|", "||":
		return "OR"
	}
	for _, o := range []string{"AND", "OR", "NOT"} {
		if len(word) == len(o) && strings.EqualFold(word, o) {
			return o
		}
	}
	return ""
}

// shown quotes a piece of the input for an error: one line, nothing unprintable, not long.
func shown(s string) string {
	if utf8.RuneCountInString(s) > maxShown {
		s = string([]rune(s)[:maxShown-1]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
