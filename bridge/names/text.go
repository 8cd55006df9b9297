package names

import (
	"strings"
	"unicode/utf8"
)

// IRC formatting codes (modern.ircdocs.horse/formatting) that carry parameters; the others stand alone.
const (
	codeColour    = 0x03
	codeHexColour = 0x04
	codeCTCP      = 0x01
)

// IRCToPlain returns the text of an IRC message for those who know no formatting codes: bold, colours and the like are
// taken out, and so is what XML 1.0 §2.2 forbids. Bytes that are no UTF-8 become U+FFFD. The result is never longer than
// three times the text.
func IRCToPlain(text string) string {
	if isPlainText(text) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		i += n
		switch {
		case r == codeColour:
			i += colourLen(text[i:], isDigit, 1, 2)
		case r == codeHexColour:
			i += colourLen(text[i:], isHex, 6, 6)
		case isXMLRune(r):
			b.WriteRune(r)
		}
	}
	return b.String()
}

// colourLen returns the length of "FG" or "FG,BG" at the start of s, each of least to most digits; 0 when there is none.
func colourLen(s string, digit func(byte) bool, least, most int) int {
	count := func(s string) int {
		n := 0
		for n < len(s) && n < most && digit(s[n]) {
			n++
		}
		if n < least {
			return 0
		}
		return n
	}
	fg := count(s)
	if fg == 0 || fg == len(s) || s[fg] != ',' {
		return fg
	}
	if bg := count(s[fg+1:]); bg > 0 {
		return fg + 1 + bg
	}
	return fg
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isHex(c byte) bool   { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// isXMLRune reports whether XML 1.0 allows the character.
func isXMLRune(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r != 0xfffe && r != 0xffff
}

// isPlainText reports whether s is UTF-8 without anything to take out.
func isPlainText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !isXMLRune(r) })
}

// CTCP splits a CTCP message ("\x01VERSION\x01") into command in upper case and the rest; ok is false for any other text.
// The closing \x01 may be missing, as clients cut long lines.
func CTCP(text string) (command, rest string, ok bool) {
	if len(text) < 2 || text[0] != codeCTCP {
		return "", "", false
	}
	command, rest, _ = strings.Cut(strings.TrimSuffix(text[1:], "\x01"), " ")
	if command == "" {
		return "", "", false
	}
	return strings.ToUpper(command), rest, true
}
