// Package login is the server side of SASL (RFC 4422) for every protocol, and what it needs of the node's accounts.
//
// A protocol makes an [Exchange] for the mechanism that a client chose, feeds it what the client sends and sends back what it answers; at the
// end it knows the account. Nothing of IRC or XMPP framing (base64, chunks, XML) may come in, and no storage.
package login

import (
	"context"
	"errors"
)

// Errors of logging in and registering. Anything else is a failure of the node (store, network) and temporary.
var (
	// ErrCredentials: unknown account or wrong password; which of the two is not told.
	ErrCredentials = errors.New("wrong account name or password")
	// ErrMechanism: this mechanism cannot serve this account here (its keys lie on another node): PLAIN can.
	ErrMechanism = errors.New("this node does not hold the account's keys yet: log in here once with the password itself (SASL PLAIN, over TLS), or at a node where you have logged in before")
	// ErrMalformed: the client's message does not follow the mechanism.
	ErrMalformed = errors.New("malformed SASL message")
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
	// ErrUnreachable: the account is known, but its keys lie on nodes of which none answers.
	ErrUnreachable = errors.New("none of the nodes that hold the account's keys answers: try again when one of them is back")
)

// TooFew is what people are told who cannot log in, or get an account, because the directory is frozen.
const TooFew = "too few nodes of the network can be reached: try again later"

// Hash names a SCRAM hash function.
type Hash string

// The hash functions of SCRAM: each account keeps credentials for both, so that it answers to either (RFC 5802, RFC 7677).
const (
	SHA1   Hash = "SHA-1"
	SHA256 Hash = "SHA-256"
)

// ScramKeys are what a server keeps to check SCRAM, never the password (RFC 5802 §3).
type ScramKeys struct {
	_          struct{} `cbor:",toarray"`
	Salt       []byte
	Iterations int
	StoredKey  []byte
	ServerKey  []byte
}

// Accounts is what logging in needs of the node. All methods may block on store and network; all are safe for concurrent use.
type Accounts interface {
	// Verify checks a password and returns the account's canonical name. When this node is not yet a device of the account, it fetches the
	// sealed key from one, unseals it and makes this node a device. Errors: ErrCredentials, ErrBusy, ErrUnreachable.
	Verify(ctx context.Context, name, password string) (account string, err error)
	// Scram returns the account's canonical name and its SCRAM keys, if this node holds them. Errors: ErrCredentials (unknown account),
	// ErrMechanism (known, but its keys lie elsewhere).
	Scram(ctx context.Context, name string, h Hash) (account string, k ScramKeys, err error)
	// Register makes an account with this node as its first device. Errors: ErrExists, ErrName, ErrPassword, ErrClosed, ErrBusy.
	Register(ctx context.Context, name, password string) (account string, err error)
}

// Binding is channel binding data of the client's TLS connection (RFC 5056), for SCRAM-*-PLUS.
type Binding struct {
	Type string // "tls-exporter" (RFC 9266), "tls-server-end-point" (RFC 5929)
	Data []byte
}
