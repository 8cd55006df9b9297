package names

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// inventorySign follows the '#' in the name of an account's inventory.
const inventorySign = "~"

// CanonicalChannel returns the form under which a room is known on every node: '#' and one or more parts joined by dots,
// each in PRECIS UsernameCaseMapped form. It is an error when the name is longer than [ChannelLen] bytes, has an empty
// part, or holds a space, a comma, a control character (^G among them) or one of the wildcards * and ?. An inventory is
// '#~' and a legal account name, with or without further parts; '#~' begins nothing else.
//
//	#Physics.Lab1 → #physics.lab1      #~Alice → #~alice
func CanonicalChannel(channel string) (string, error) {
	folded, err := foldChannel(channel)
	if err != nil {
		return "", fmt.Errorf("channel name: %w", err)
	}
	return folded, nil
}

func foldChannel(channel string) (string, error) {
	switch {
	case len(channel) > ChannelLen:
		return "", fmt.Errorf("longer than %d bytes", ChannelLen)
	case !strings.HasPrefix(channel, "#"):
		return "", errors.New("does not begin with #")
	case !utf8.ValidString(channel):
		return "", errors.New("not valid UTF-8")
	}
	name, inventory := strings.CutPrefix(width.Fold.String(channel[1:]), inventorySign)
	for _, r := range name {
		if unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(",*?", r) {
			return "", fmt.Errorf("may not hold %q", r)
		}
	}
	parts := strings.Split(name, ".")
	for i, part := range parts {
		if part == "" {
			return "", errors.New("has an empty part: dots stand between the names of a room and its sub-rooms")
		}
		folded, err := foldUser(part)
		if err == nil && inventory && i == 0 {
			folded, err = AccountName(part)
		}
		if err != nil {
			return "", err
		}
		parts[i] = folded
	}
	folded := strings.Join(parts, ".")
	if inventory {
		folded = inventorySign + folded
	}
	if len(folded) >= ChannelLen {
		return "", fmt.Errorf("longer than %d bytes in lower case", ChannelLen)
	}
	return "#" + folded, nil
}
