package query

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// foldRounds is how often text is normalised and lowered until it stays as it is. Two rounds settle every character of
// Unicode that was seen to need more than one; the rest is reserve.
const foldRounds = 4

// FoldTag returns the form of a tag under which it is stored, announced and compared: Unicode NFKC, lower case, trimmed,
// inner white space as single spaces. Folding a folded tag changes nothing.
//
// It is an error when nothing is left, when the result is longer than [MaxTag] bytes, or when the tag holds invalid UTF-8,
// control characters or characters that turn the direction of writing.
func FoldTag(tag string) (string, error) {
	if len(tag) > maxRawTag {
		return "", fmt.Errorf("tag: longer than %d bytes", MaxTag)
	}
	folded, err := foldText(tag)
	switch {
	case err != nil:
		return "", fmt.Errorf("tag: %w", err)
	case folded == "":
		return "", errors.New("tag: empty")
	case len(folded) > MaxTag:
		return "", fmt.Errorf("tag: longer than %d bytes", MaxTag)
	}
	return folded, nil
}

// foldText folds as [FoldTag] does, without its limits of length.
func foldText(s string) (string, error) {
	if isPlain(s) {
		return s, nil
	}
	if !utf8.ValidString(s) {
		return "", errors.New("not valid UTF-8")
	}
	for _, r := range s {
		if unicode.Is(unicode.Bidi_Control, r) || unicode.IsControl(r) && !unicode.IsSpace(r) {
			return "", fmt.Errorf("holds the control character %U", r)
		}
	}
	for range foldRounds {
		next := strings.Join(strings.Fields(norm.NFKC.String(strings.ToLower(norm.NFKC.String(s)))), " ")
		if next == s {
			return s, nil
		}
		s = next
	}
	return "", errors.New("has no settled lower-case form")
}

// foldField folds a field of an item for comparison. What cannot be folded compares as it is.
func foldField(s string) string {
	folded, err := foldText(s)
	if err != nil {
		return s
	}
	return folded
}

// isPlain reports whether s is ASCII that folding leaves alone: the common case, without allocation.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf || c < ' ' || c == 0x7f || 'A' <= c && c <= 'Z' {
			return false
		}
		if c == ' ' && (i == 0 || i == len(s)-1 || s[i-1] == ' ') {
			return false
		}
	}
	return true
}
