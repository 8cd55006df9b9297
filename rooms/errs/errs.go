// Package errs holds the few kinds of error that travel between nodes and views.
//
// Kinds are numbers on the wire and in every log's verdicts: they are only ever appended to. A view has one table from kind to its own
// form (IRC numeric, stanza error condition, exit code). Nothing else may come in.
package errs

import "errors"

// Kind says what went wrong. It is an error itself, so callers ask errors.Is(err, errs.Denied).
type Kind uint8

// The kinds.
const (
	OK         Kind = iota // nothing went wrong; never used as an error
	Void                   // no valid signature of someone who may sign for the author
	Stale                  // its counter is used up, or what it refers to has changed
	Denied                 // the right is missing
	NotFound               // the room, object, account or occupant does not exist
	Exists                 // the name is taken
	NickInUse              // the nick is taken in this room
	Invalid                // malformed, or makes no sense
	TooLarge               // over a size limit
	Quota                  // over a number limit
	Closed                 // the room is closed
	Banned                 // a sanction stands in the way
	InviteOnly             // the room wants an invitation
	NeedKey                // the room wants its password
	Full                   // the room's occupant limit is reached
	NotHere                // the author is not an occupant
	Frozen                 // no quorum of controllers can be reached
	Busy                   // a queue is full: try again later
	Timeout                // no answer in time: whether it took effect is not known
	Internal               // a defect or a failing disk
)

// Error returns the kind in words.
func (k Kind) Error() string {
	switch k {
	case OK:
		return "ok"
	case Void:
		return "no valid signature of the author"
	case Stale:
		return "overtaken by another change"
	case Denied:
		return "not allowed"
	case NotFound:
		return "no such thing"
	case Exists:
		return "the name is taken"
	case NickInUse:
		return "the nick is in use"
	case Invalid:
		return "malformed"
	case TooLarge:
		return "too large"
	case Quota:
		return "too many"
	case Closed:
		return "the room is closed"
	case Banned:
		return "banned"
	case InviteOnly:
		return "by invitation only"
	case NeedKey:
		return "wrong or missing password"
	case Full:
		return "the room is full"
	case NotHere:
		return "not in the room"
	case Frozen:
		return "no quorum of the room's controllers can be reached"
	case Busy:
		return "busy: try again later"
	case Timeout:
		return "no answer in time"
	case Internal:
		return "internal error"
	}
	return "unknown error"
}

// Of returns the kind inside err: OK for nil, Internal when there is none.
func Of(err error) Kind {
	if err == nil {
		return OK
	}
	var k Kind
	if errors.As(err, &k) {
		return k
	}
	return Internal
}
