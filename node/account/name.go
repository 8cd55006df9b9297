package account

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"

	"warren/rooms"
)

// maxPassword is the longest password in bytes.
const maxPassword = 1024

// canonical returns the PRECIS UsernameCaseMapped form of a name (RFC 8265 §3.3) if the directory could take it.
func canonical(name string) (string, error) {
	if len(name) > rooms.MaxName {
		return "", ErrName
	}
	n, err := precis.UsernameCaseMapped.String(name)
	if err != nil || !possible(n) {
		return "", ErrName
	}
	return n, nil
}

// possible accepts the names that the directory accepts.
func possible(n string) bool {
	return n != "" && len(n) <= rooms.MaxName && utf8.ValidString(n) && n == rooms.Fold(n) && !strings.ContainsAny(n, " ~@%+*#!\x00\r\n\t")
}

// prepare returns the PRECIS OpaqueString form of a password (RFC 8265 §4.2).
func prepare(password string) (string, error) {
	if len(password) == 0 || len(password) > maxPassword || !utf8.ValidString(password) {
		return "", ErrPassword
	}
	p, err := precis.OpaqueString.String(password)
	if err != nil || p == "" || len(p) > maxPassword {
		return "", ErrPassword
	}
	return p, nil
}
