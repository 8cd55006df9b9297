package names

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Mask is a pattern for nick!user@host, in which * stands for any run of characters and ? for one character. Who fits it is
// said by perms.MatchMask.
type Mask struct{ nick, user, host string }

// ParseMask reads a mask and fills in what is left out: "ann" is ann!*@*, "*@host" is *!*@host, "ann!user" is ann!user@*.
// It is an error when the mask is longer than [MaskLen] bytes, empty, not UTF-8, or holds spaces or control characters.
func ParseMask(s string) (Mask, error) {
	switch {
	case s == "":
		return Mask{}, errors.New("mask: empty")
	case len(s) > MaskLen:
		return Mask{}, fmt.Errorf("mask: longer than %d bytes", MaskLen)
	case !utf8.ValidString(s):
		return Mask{}, errors.New("mask: not valid UTF-8")
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return Mask{}, errors.New("mask: holds spaces or control characters")
	}
	nick, user, host := "", "", ""
	rest, bang := s, strings.IndexByte(s, '!')
	if bang >= 0 {
		nick, rest = s[:bang], s[bang+1:]
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest, host = rest[:at], rest[at+1:]
		user = rest
	} else if bang >= 0 {
		user = rest
	} else {
		nick = rest
	}
	return Mask{nick: foldPattern(nick), user: foldPattern(user), host: foldPattern(host)}, nil
}

// foldPattern lowers a pattern, writes nothing as *, and a run of stars as one.
func foldPattern(s string) string {
	if s == "" {
		return "*"
	}
	s = FoldNick(s)
	for strings.Contains(s, "**") {
		s = strings.ReplaceAll(s, "**", "*")
	}
	return s
}

// String writes the mask in full.
func (m Mask) String() string { return m.nick + "!" + m.user + "@" + m.host }
