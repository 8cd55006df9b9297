package login

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/xdg-go/scram"
)

// scramServer is the mechanism SCRAM (RFC 5802), with either hash, with or without channel binding.
type scramServer struct {
	e        *Exchange
	acc      Accounts
	hash     Hash
	plus     bool // the -PLUS mechanism was asked for
	bindings []Binding
	nonce    func() string // for tests; nil: the library's

	conv    *scram.ServerConversation // nil before the first message
	account string
	unknown bool // the exchange runs for show
}

func (s *scramServer) step(ctx context.Context, in []byte) ([]byte, string, bool, error) {
	if s.conv == nil {
		out, err := s.first(ctx, string(in))
		return out, "", false, err
	}
	out, err := s.final(string(in))
	return out, s.account, true, err
}

// first answers the client's first message with salt and nonce.
func (s *scramServer) first(ctx context.Context, in string) ([]byte, error) {
	binding, err := s.choose(in)
	if err != nil {
		return nil, err
	}
	var failed error
	lookup := func(name string) (c scram.StoredCredentials, _ error) {
		keys, err := s.lookup(ctx, name)
		if err != nil {
			failed = err
			return c, err
		}
		c.Salt, c.Iters, c.StoredKey, c.ServerKey = string(keys.Salt), keys.Iterations, keys.StoredKey, keys.ServerKey
		return c, nil
	}
	server, err := scram.HashGeneratorFcn(s.hash.new()).NewServer(lookup)
	if err != nil {
		return nil, fmt.Errorf("begin SCRAM: %w", err)
	}
	if s.nonce != nil {
		server.WithNonceGenerator(s.nonce)
	}
	if s.plus {
		s.conv = server.NewConversationWithChannelBindingRequired(binding)
	} else {
		s.conv = server.NewConversationWithChannelBinding(binding)
	}
	out, err := s.conv.Step(in)
	switch {
	case failed != nil:
		return nil, failed
	case err != nil:
		return nil, fmt.Errorf("%w: first message of SCRAM", ErrMalformed)
	}
	if err := s.e.actsFor(s.conv.AuthzID(), s.account); err != nil {
		return nil, err
	}
	return []byte(out), nil
}

// choose reads the head of the client's first message, in so far as the library does not, and returns the binding to run with.
func (s *scramServer) choose(in string) (scram.ChannelBinding, error) {
	var own scram.ChannelBinding
	if len(s.bindings) > 0 {
		own = bindingOf(s.bindings[0])
	}
	fields := strings.Split(in, ",")
	if len(fields) < 4 || !printable(strings.TrimPrefix(fields[3], "r=")) {
		return own, fmt.Errorf("%w: first message of SCRAM without a nonce", ErrMalformed)
	}
	kind, bound := strings.CutPrefix(fields[0], "p=")
	switch {
	case bound != s.plus:
		return own, fmt.Errorf("%w: channel binding belongs to the -PLUS mechanisms, and these do not go without", ErrMalformed)
	case fields[0] == "y" && len(s.bindings) > 0:
		return own, fmt.Errorf("%w: somebody took the -PLUS mechanisms out of the offer", ErrCredentials)
	case !bound:
		return own, nil
	}
	for _, b := range s.bindings {
		if b.Type == kind && len(b.Data) > 0 {
			return bindingOf(b), nil
		}
	}
	return own, fmt.Errorf("%w: this connection has no channel binding of that type", ErrMalformed)
}

func bindingOf(b Binding) scram.ChannelBinding {
	return scram.ChannelBinding{Type: scram.ChannelBindingType(b.Type), Data: b.Data}
}

// printable accepts what RFC 5802 §7 calls printable, at least one character.
func printable(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == ',' }) < 0
}

// lookup returns the keys of the account with that name, or made-up ones.
func (s *scramServer) lookup(ctx context.Context, name string) (ScramKeys, error) {
	canonical, err := s.e.authcid(name)
	if err != nil {
		s.account, s.unknown = name, true
		return decoy(s.acc, name, s.hash), nil
	}
	account, keys, err := s.acc.Scram(ctx, canonical, s.hash)
	switch {
	case errors.Is(err, ErrCredentials):
		s.account, s.unknown = canonical, true
		return decoy(s.acc, canonical, s.hash), nil
	case err != nil:
		return ScramKeys{}, fmt.Errorf("look up SCRAM keys: %w", err)
	case len(keys.StoredKey) != s.hash.size() || len(keys.ServerKey) != s.hash.size() || len(keys.Salt) == 0 || keys.Iterations < 1:
		return ScramKeys{}, errors.New("look up SCRAM keys: the stored keys are damaged: set the password anew")
	}
	s.account = account
	return keys, nil
}

// final checks the client's proof and returns the server's signature.
func (s *scramServer) final(in string) ([]byte, error) {
	if !strings.Contains(in, ",p=") {
		return nil, fmt.Errorf("%w: final message of SCRAM without a proof", ErrMalformed)
	}
	out, err := s.conv.Step(in)
	switch {
	case err != nil && (out == "" || out == scram.ErrOtherError):
		return nil, fmt.Errorf("%w: final message of SCRAM", ErrMalformed)
	case err != nil && out == scram.ErrChannelBindingsDontMatch:
		return nil, fmt.Errorf("%w: the channel binding is that of another connection", ErrCredentials)
	case err != nil || !s.conv.Valid() || s.unknown:
		return nil, ErrCredentials
	}
	return []byte(out), nil
}
