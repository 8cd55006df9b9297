package names

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"
)

// GuestSign stands between nick and node in the name of another node's guest. No nick may hold it.
const GuestSign = '~'

// nickSpecials are the characters besides letters and digits that RFC 2812 §2.3.1 allows in a nick.
const nickSpecials = "[]\\`_^{|}-"

// nobody is the nick of those whose display name has nothing that a nick may have.
const nobody = "someone"

// isNickRune reports whether r may stand in a nick, first or further on.
func isNickRune(r rune, first bool) bool {
	switch {
	case r < utf8.RuneSelf:
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		digit := '0' <= r && r <= '9'
		return letter || digit && !first || strings.ContainsRune(nickSpecials, r) && (r != '-' || !first)
	case unicode.IsLetter(r):
		return r != utf8.RuneError
	default:
		return !first && (unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Mc, r) || unicode.IsDigit(r))
	}
}

// ValidNick returns nil when a client may take this nick: 1 to [NickLen] bytes of UTF-8; letters and digits of any script
// and []\`_^{|}- ; neither a digit nor '-' first; no '~', which is for guests of other nodes. Its folded form must be a
// legal nick too.
func ValidNick(nick string) error {
	if err := checkNick(nick, NickLen, false); err != nil {
		return fmt.Errorf("nick: %w", err)
	}
	return nil
}

// ValidNode returns nil when a node may have this name: as a nick of at most [NodeLen] bytes, but a digit may come first.
func ValidNode(node string) error {
	if err := checkNick(node, NodeLen, true); err != nil {
		return fmt.Errorf("node name: %w", err)
	}
	return nil
}

func checkNick(s string, limit int, digitFirst bool) error {
	if err := checkNickRunes(s, limit, digitFirst); err != nil {
		return err
	}
	folded := foldAny(s)
	if foldAny(folded) != folded || checkNickRunes(folded, limit, digitFirst) != nil {
		return errors.New("has no legal lower-case form")
	}
	return nil
}

func checkNickRunes(s string, limit int, digitFirst bool) error {
	switch {
	case s == "":
		return errors.New("empty")
	case len(s) > limit:
		return fmt.Errorf("longer than %d bytes", limit)
	case !utf8.ValidString(s):
		return errors.New("not valid UTF-8")
	}
	for i, r := range s {
		if isNickRune(r, i == 0) || i == 0 && digitFirst && '0' <= r && r <= '9' {
			continue
		}
		if i == 0 && isNickRune(r, false) {
			return fmt.Errorf("may not begin with %q", r)
		}
		return fmt.Errorf("may not hold %q", r)
	}
	return nil
}

// FoldNick returns the form under which nicks, guests' names and account names are compared and looked up. It never fails:
// what is no legal nick folds as well as it can. Nicks that differ by the case of ASCII letters fold to the same
// (CASEMAPPING=ascii), and so do those that differ by the case of other letters.
func FoldNick(nick string) string {
	if n, node, ok := strings.Cut(nick, string(GuestSign)); ok {
		return foldAny(n) + string(GuestSign) + foldAny(node)
	}
	return foldAny(nick)
}

// DisplayNick returns the nick that an XMPP client asked for in its PRECIS Nickname form (RFC 8266 §2.3): inner white space
// as single spaces, trimmed, NFKC. It is an error when nothing is left, or more than [DisplayLen] bytes.
func DisplayNick(nick string) (string, error) {
	if len(nick) > 4*DisplayLen {
		return "", fmt.Errorf("nick: longer than %d bytes", DisplayLen)
	}
	if !utf8.ValidString(nick) {
		return "", errors.New("nick: not valid UTF-8")
	}
	display, err := precis.Nickname.String(nick)
	if err != nil {
		return "", errors.New("nick: empty, or holds characters that a nick may not have")
	}
	if len(display) > DisplayLen {
		return "", fmt.Errorf("nick: longer than %d bytes", DisplayLen)
	}
	return display, nil
}

// NickForIRC returns a legal nick that looks like the given one: white space, '~' and '.' become '_', what a nick may not
// hold is left out, a leading digit or '-' gets '_' before it, and the end is cut at [NickLen] bytes. A legal nick stays as
// it is. Several nicks may give the same: the caller resolves that with [NickVariant].
func NickForIRC(displayNick string) string {
	if ValidNick(displayNick) == nil {
		return displayNick
	}
	var b strings.Builder
	for _, r := range norm.NFKC.String(strings.ToValidUTF8(cut(displayNick, 4*DisplayLen), "")) {
		switch {
		case unicode.IsSpace(r) || r == GuestSign || r == '.':
			b.WriteByte('_')
		case isNickRune(r, b.Len() == 0):
			b.WriteRune(r)
		case isNickRune(r, false):
			b.WriteByte('_')
			b.WriteRune(r)
		}
	}
	nick := cut(b.String(), NickLen)
	if strings.Trim(nick, "_") == "" {
		return nobody
	}
	if ValidNick(nick) == nil {
		return nick
	}
	// The lower-case form is not legal, mostly because it is longer: that of the first half is.
	if nick = cut(foldAny(cut(nick, NickLen/2)), NickLen); ValidNick(nick) == nil {
		return nick
	}
	return nobody
}

// NickVariant returns the n-th other nick to try (n from 1) when a legal nick is taken: nick_1, nick_2, ... The nick is cut
// until the whole and its lower-case form, which may be longer, fit into [NickLen] bytes.
func NickVariant(nick string, n int) string {
	suffix := "_" + strconv.Itoa(n)
	for room := NickLen - len(suffix); room > 0; room-- {
		if v := cut(nick, room) + suffix; ValidNick(v) == nil {
			return v
		}
	}
	return nobody + suffix
}

// GuestName returns the name under which a guest of another node is shown when the bare nick would be ambiguous: nick~node.
// It is at most [NickLen] + 1 + [NodeLen] bytes long.
func GuestName(nick, node string) string { return nick + string(GuestSign) + node }

// SplitGuest undoes [GuestName]; ok is false when the name is not of that form.
func SplitGuest(name string) (nick, node string, ok bool) {
	nick, node, ok = strings.Cut(name, string(GuestSign))
	if !ok || ValidNick(nick) != nil || ValidNode(node) != nil {
		return "", "", false
	}
	return nick, node, true
}
