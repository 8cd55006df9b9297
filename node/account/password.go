package account

import (
	"context"
	"errors"
	"fmt"
	"math"

	"warren/rooms"
)

// ChangePassword sets a new password. It holds here at once; the other devices are told, and those that are away learn it when they are back
// ([Accounts.Sync]): until then the old password works there. The account's key stays. It blocks for two hashes and for the answers of the
// devices, some seconds when one does not answer. Errors: ErrCredentials (name or old password), ErrPassword (the new one), ErrBusy.
func (a *Accounts) ChangePassword(ctx context.Context, name, old, password string) error {
	name, err := a.cfg.Names(name)
	if err != nil {
		return ErrCredentials
	}
	if old, err = prepare(old); err != nil {
		return ErrCredentials
	}
	if password, err = prepare(password); err != nil {
		return err
	}
	r, err := a.reseal(ctx, name, old, password)
	if err != nil {
		return fmt.Errorf("change password: %w", err)
	}
	d, ok := a.cfg.Directory.Account(name)
	if !ok {
		return nil
	}
	q := question{Op: opPush, Name: name, Record: r.Encode()}
	told := a.tellAll(ctx, d, q)
	a.log.Info("password changed", "account", name, "devices", len(d.Devices), "told", told)
	return nil
}

// reseal stores the account's record under the new password.
func (a *Accounts) reseal(ctx context.Context, name, old, password string) (*Record, error) {
	release, err := a.turns.take(ctx, name)
	if err != nil {
		return nil, err
	}
	defer release() // before the others are told: they may be telling us
	r, key, err := a.open(ctx, name, old)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	if r.Revision == math.MaxUint64 {
		return nil, errors.New("the record cannot count further")
	}
	next, err := a.sealAnew(ctx, name, key, password, r.Revision+1)
	if err != nil {
		return nil, err
	}
	switch stored, err := a.adopt(next); {
	case err != nil:
		return nil, err
	case !stored:
		return nil, fmt.Errorf("%w: it was changed at another node at the same moment", ErrBusy)
	}
	a.cache.remember(next, password)
	return next, nil
}

// tellAll asks all other devices and returns how many said yes.
func (a *Accounts) tellAll(ctx context.Context, d rooms.AccountRecord, q question) (told int) {
	for _, o := range a.askEach(ctx, d, q, 0) {
		if o.Status == statusOK {
			told++
		}
	}
	return told
}
