package bootstrap

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"

	"warren/rooms"
)

// codeChars leaves out what looks like something else on paper (i, l, o, u).
const codeChars = "0123456789abcdefghjkmnpqrstvwxyz"

// Code is what the newcomer's screen shows and somebody inside types: "k3f7-92mq". It says 40 bits of a hash of
// network and newcomer, so a stranger who wants another's code has to make 10^12 keys while that one waits.
func Code(network [32]byte, newcomer rooms.NodeID) string {
	h := sha256.New()
	h.Write([]byte("warren/code/1\x00"))
	h.Write(network[:])
	h.Write(newcomer[:])
	s := base32.NewEncoding(codeChars).EncodeToString(h.Sum(nil)[:5])
	return s[:4] + "-" + s[4:]
}

// ErrCode says that what was typed is no code.
var ErrCode = errors.New("a code looks like k3f7-92mq")

// NormalCode returns a code as Code writes it, from what somebody typed: case, spaces and the dash do not
// matter, and i, l, o are read as 1, 1, 0.
func NormalCode(typed string) (string, error) {
	if len(typed) > 64 {
		return "", ErrCode
	}
	s := strings.NewReplacer(" ", "", "-", "", "i", "1", "l", "1", "o", "0").Replace(strings.ToLower(typed))
	if len(s) != 8 || strings.Trim(s, codeChars) != "" {
		return "", fmt.Errorf("%q: %w", typed, ErrCode)
	}
	return s[:4] + "-" + s[4:], nil
}
