package names

import (
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// foldUser returns the PRECIS UsernameCaseMapped form (RFC 8265 §3.3) and refuses what has none or what is not settled
// after one application.
func foldUser(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", errors.New("not valid UTF-8")
	}
	if isASCIIGraph(s) {
		return lowerASCII(s), nil
	}
	once, err := precis.UsernameCaseMapped.String(s)
	if err != nil {
		return "", errors.New("holds characters that a name may not have, or mixes directions of writing")
	}
	if twice, err := precis.UsernameCaseMapped.String(once); err != nil || twice != once {
		return "", errors.New("holds characters without a settled lower-case form")
	}
	return once, nil
}

// foldAny folds what need not be a name at all: as foldUser, or the nearest there is.
func foldAny(s string) string {
	if folded, err := foldUser(s); err == nil {
		return folded
	}
	return norm.NFC.String(strings.ToLower(width.Fold.String(s)))
}

// isASCIIGraph reports whether s is one or more visible ASCII characters, all of which PRECIS allows.
func isASCIIGraph(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != ""
}

// lowerASCII lowers A-Z alone: CASEMAPPING=ascii.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// cut shortens s to at most n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
