package main

import (
	"errors"
	"fmt"
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

// What the node says of a login reaches the protocols under the bridge's names: what they do not know they show as a failure of the node.
func TestLoginErrorsAreTheBridgesErrors(t *testing.T) {
	for from, to := range map[error]error{
		account.ErrCredentials: login.ErrCredentials, account.ErrElsewhere: login.ErrMechanism, account.ErrBusy: login.ErrBusy, account.ErrUnreachable: login.ErrUnreachable,
	} {
		if got := loginError(fmt.Errorf("log in: %w", from)); !errors.Is(got, to) {
			t.Errorf("%v becomes %v, want %v", from, got, to)
		}
	}
}
