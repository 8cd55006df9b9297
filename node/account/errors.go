package account

import (
	"errors"
	"fmt"

	"warren/rooms/errs"
)

// Errors of logging in and registering. Anything else is a failure of this node or the network, and temporary.
var (
	// ErrCredentials: unknown account or wrong password; which of the two is not told.
	ErrCredentials = errors.New("wrong account name or password")
	// ErrElsewhere: the account is known, but this node is not a device of it yet, so it has no SCRAM keys.
	ErrElsewhere = errors.New("this node does not hold the account's keys yet: log in once with the password")
	// ErrExists: the name is registered already.
	ErrExists = errors.New("the account name is taken")
	// ErrName: not a possible account name.
	ErrName = errors.New("not a possible account name")
	// ErrPassword: too short, too long, or not allowed by PRECIS OpaqueString (RFC 8265).
	ErrPassword = errors.New("the password must have 1 to 1024 bytes of text")
	// ErrClosed: registration is switched off at this node.
	ErrClosed = errors.New("registration is closed at this node")
	// ErrBusy: too many tries; come back later.
	ErrBusy = errors.New("too many tries: wait a minute")
	// ErrUnreachable: the account is known, but no device of it answers.
	ErrUnreachable = errors.New("none of the nodes that hold the account's keys answers: try again later, or log in at one of them")
	// ErrFrozen: the directory has no quorum, so it takes up neither accounts nor devices. It is errs.Frozen, too.
	ErrFrozen = fmt.Errorf("the directory is frozen: %w; try again when more nodes are back", errs.Frozen)
)
