package names

import (
	"encoding/base32"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/text/secure/precis"
)

// armour begins a localpart that spells a room's name in base32. PRECIS checks a localpart as a whole for the direction of
// writing (RFC 5893 §2), so #~ with a Hebrew account name, or an Arabic room with a Latin sub-room, has no localpart of its
// own. Names that begin so by themselves are armoured too, which keeps the mapping one to one.
const armour = "u--"

// escapes are the codes of XEP-0106 §4.2.
const escapes = ` "&'/:<>@\`

const hexDigits = "0123456789abcdef"

// RoomsHost returns the XMPP host name of the network's rooms.
func RoomsHost(domain string) string { return "rooms." + domain }

// ChannelToJID returns localpart and domain of the room's bare JID. The localpart is in PRECIS form, so a JID library takes
// it as it is. It is an error when channel is not a legal name.
func ChannelToJID(channel, domain string) (local, host string, err error) {
	canonical, err := CanonicalChannel(channel)
	if err != nil {
		return "", "", err
	}
	return channelLocal(canonical), RoomsHost(domain), nil
}

// channelLocal maps a canonical channel.
func channelLocal(canonical string) string {
	name := canonical[1:]
	local := escape(name)
	folded, err := precis.UsernameCaseMapped.String(local)
	if err != nil || folded != local || strings.HasPrefix(local, armour) {
		return armour + strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(name)))
	}
	return local
}

// JIDToChannel returns the canonical channel that localpart and domain of a room's JID stand for. It is an error when host
// is not the rooms' host of the network's domain, or local does not come from a legal channel name by [ChannelToJID], but
// for case.
func JIDToChannel(local, host, domain string) (string, error) {
	if !strings.EqualFold(host, RoomsHost(domain)) {
		return "", fmt.Errorf("room address: rooms are at %s", RoomsHost(domain))
	}
	if local == "" || len(local) > localLen {
		return "", errors.New("room address: has no room name of legal length before the @")
	}
	local, err := foldUser(local)
	if err != nil {
		return "", fmt.Errorf("room address: %w", err)
	}
	name := unescape(local)
	if rest, ok := strings.CutPrefix(local, armour); ok {
		raw, err := base32.HexEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(rest))
		if err != nil {
			return "", errors.New("room address: u-- is not followed by a room name in base32")
		}
		name = string(raw)
	}
	canonical, err := CanonicalChannel("#" + name)
	if err != nil {
		return "", fmt.Errorf("room address: %w", err)
	}
	if channelLocal(canonical) != local {
		return "", errors.New("room address: written with needless escapes")
	}
	return canonical, nil
}

// escape replaces what a localpart may not hold by \hh (XEP-0106 §4.2), and a backslash only where it would be read as the
// start of such a code.
func escape(s string) string {
	if !strings.ContainsAny(s, escapes) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if strings.IndexByte(escapes, c) < 0 || c == '\\' && !isEscape(s[i:]) {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'\\', hexDigits[c>>4], hexDigits[c&15]})
	}
	return b.String()
}

// unescape undoes escape.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if !isEscape(s[i:]) {
			b.WriteByte(s[i])
			continue
		}
		b.WriteByte(escapedByte(s[i:]))
		i += 2
	}
	return b.String()
}

// isEscape reports whether s begins with one of the ten codes.
func isEscape(s string) bool {
	if len(s) < 3 || s[0] != '\\' {
		return false
	}
	hi, lo := strings.IndexByte(hexDigits, s[1]), strings.IndexByte(hexDigits, s[2])
	return hi >= 0 && lo >= 0 && strings.IndexByte(escapes, byte(hi<<4|lo)) >= 0
}

func escapedByte(s string) byte {
	return byte(strings.IndexByte(hexDigits, s[1])<<4 | strings.IndexByte(hexDigits, s[2]))
}
