package login

import (
	"context"
	"fmt"
	"strings"
)

// plain is the mechanism PLAIN (RFC 4616): [authzid] NUL authcid NUL passwd.
type plain struct {
	e   *Exchange
	acc Accounts
}

func (p *plain) step(ctx context.Context, in []byte) ([]byte, string, bool, error) {
	parts := strings.Split(string(in), "\x00")
	if len(parts) != 3 || parts[1] == "" || parts[2] == "" {
		return nil, "", false, fmt.Errorf("%w: PLAIN wants an account name and a password, each after a NUL", ErrMalformed)
	}
	name, err := p.e.authcid(parts[1])
	if err != nil || len(parts[2]) > maxPassword {
		return nil, "", false, ErrCredentials
	}
	if err := p.e.actsFor(parts[0], name); err != nil {
		return nil, "", false, err
	}
	account, err := p.acc.Verify(ctx, name, parts[2])
	if err != nil {
		return nil, "", false, fmt.Errorf("check password: %w", err)
	}
	return nil, account, true, nil
}
