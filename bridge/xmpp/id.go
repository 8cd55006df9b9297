package xmpp

import (
	"crypto/rand"
	"strings"
)

// newID returns an id that nobody can guess, 26 characters.
func newID() string { return strings.ToLower(rand.Text()) }
