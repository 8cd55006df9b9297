package main

import (
	"testing"

	"warren/bridge/login"
	"warren/node/account"
)

// What is made up for unknown accounts must look like what accounts have: bridge and node cannot see each other, so it is said here.
func TestMadeUpKeysLookLikeRealOnes(t *testing.T) {
	if login.Iterations != account.ScramIterations || login.SaltLen != account.ScramSaltLen {
		t.Errorf("made up: %d iterations, %d bytes of salt; real: %d, %d", login.Iterations, login.SaltLen, account.ScramIterations, account.ScramSaltLen)
	}
}
