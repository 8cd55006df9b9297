package login

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"warren/bridge/names"
)

// MaxMessage is the longest message of a client, in bytes and without base64. A PLAIN message of the longest names and password has less than
// half of it, a SCRAM message with generous nonces a quarter.
const MaxMessage = 4 << 10

// The mechanisms, as they are called on the wire (RFC 4616, RFC 5802, RFC 7677).
const (
	Plain           = "PLAIN"
	ScramSHA1       = "SCRAM-SHA-1"
	ScramSHA1Plus   = "SCRAM-SHA-1-PLUS"
	ScramSHA256     = "SCRAM-SHA-256"
	ScramSHA256Plus = "SCRAM-SHA-256-PLUS"
)

// ErrUnknown is what New says of a mechanism that it cannot run here: offer Mechanisms to the client again.
var ErrUnknown = errors.New("unknown SASL mechanism")

// Mechanisms returns the mechanisms to offer, the best first. scram says whether SCRAM can be had at all, plus whether the connection has
// channel binding data.
func Mechanisms(scram, plus bool) []string {
	switch {
	case scram && plus:
		return []string{ScramSHA256Plus, ScramSHA256, ScramSHA1Plus, ScramSHA1, Plain}
	case scram:
		return []string{ScramSHA256, ScramSHA1, Plain}
	}
	return []string{Plain}
}

// Option changes how an Exchange reads names.
type Option func(*Exchange)

// WithNames sets how the names that a client sends are read: authcid returns the canonical account name of an authentication identity,
// authzid that of an authorisation identity, each with an error for what cannot be one. Without it both are [names.AccountName]; XMPP has
// escaped localparts and JIDs instead.
func WithNames(authcid, authzid func(string) (string, error)) Option {
	return func(e *Exchange) { e.authcid, e.authzid = authcid, authzid }
}

// mechanism is one mechanism under way.
type mechanism interface {
	// step is Exchange.Step without what all mechanisms share; account counts once done.
	step(ctx context.Context, in []byte) (out []byte, account string, done bool, err error)
}

// Exchange is one try of a client to log in. It is not safe for concurrent use, and it must not be used again after an error.
type Exchange struct {
	authcid, authzid func(string) (string, error)

	mech    mechanism
	asked   bool // for an initial message
	begun   bool
	over    bool
	account string
}

// New returns an exchange for the mechanism that a client asked for. bindings are those of its connection, the preferred one first; when
// there are any, the -PLUS mechanisms must have been offered, since a client that says it saw none is then taken for the victim of an attack
// (RFC 5802 §6). The only error is ErrUnknown.
func New(mech string, acc Accounts, bindings []Binding, opts ...Option) (*Exchange, error) {
	e := &Exchange{authcid: names.AccountName, authzid: names.AccountName}
	for _, o := range opts {
		o(e)
	}
	mech = strings.ToUpper(mech)
	base, plus := strings.CutSuffix(mech, "-PLUS")
	switch {
	case mech == Plain:
		e.mech = &plain{e: e, acc: acc}
	case plus && len(bindings) == 0:
		return nil, fmt.Errorf("%w: this connection has no channel binding", ErrUnknown)
	case base == ScramSHA1:
		e.mech = &scramServer{e: e, acc: acc, hash: SHA1, plus: plus, bindings: slices.Clone(bindings)}
	case base == ScramSHA256:
		e.mech = &scramServer{e: e, acc: acc, hash: SHA256, plus: plus, bindings: slices.Clone(bindings)}
	default:
		return nil, ErrUnknown
	}
	return e, nil
}

// Step takes the client's next message, decoded, and returns the answer. A nil message means that the client named the mechanism only; the
// answer is then an empty challenge. done tells that the client is logged in; out then is the data that belongs to success (SCRAM: the
// server's signature), or empty. With an error out is nil and the exchange is over: the client may begin another one. Errors: those of the
// package, wrapped; any other is a failure of the node.
//
// It may block as the methods of Accounts do.
func (e *Exchange) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	switch {
	case e.over:
		return nil, false, fmt.Errorf("%w: the exchange is over", ErrMalformed)
	case in == nil && !e.asked && !e.begun:
		e.asked = true
		return []byte{}, false, nil
	}
	e.begun = true
	switch {
	case len(in) == 0:
		err = fmt.Errorf("%w: empty", ErrMalformed)
	case len(in) > MaxMessage:
		err = fmt.Errorf("%w: longer than %d bytes", ErrMalformed, MaxMessage)
	case !utf8.Valid(in):
		err = fmt.Errorf("%w: not UTF-8", ErrMalformed)
	default:
		out, e.account, done, err = e.mech.step(ctx, in)
	}
	if err != nil {
		e.over, e.account = true, ""
		return nil, false, err
	}
	e.over = done
	return out, done, nil
}

// Account returns the canonical name of the account that has logged in; empty before Step was done.
func (e *Exchange) Account() string {
	if !e.over {
		return ""
	}
	return e.account
}

// actsFor checks the authorisation identity: nobody acts for another account.
func (e *Exchange) actsFor(authzid, account string) error {
	if authzid == "" {
		return nil
	}
	if name, err := e.authzid(authzid); err != nil || name != account {
		return fmt.Errorf("%w: nobody may act for another account", ErrCredentials)
	}
	return nil
}
