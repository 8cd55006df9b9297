package account

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"warren/rooms"
	"warren/rooms/errs"
)

// Register makes an account with this node as its first device and returns its canonical name. It blocks for the hash, the disk and the
// directory. When the directory freezes meanwhile (ErrFrozen, too), or does not answer in time, the same call may be repeated with the same
// password, also after a restart. Errors: ErrExists, ErrName, ErrPassword, ErrClosed, ErrBusy, ErrFrozen; others are temporary.
func (a *Accounts) Register(ctx context.Context, name, password string) (string, error) {
	if !a.cfg.Open {
		return "", ErrClosed
	}
	name, err := a.cfg.Names(name)
	if err != nil || !possible(name) {
		return "", ErrName
	}
	if password, err = prepare(password); err != nil {
		return "", err
	}
	release, err := a.turns.take(ctx, name)
	if err != nil {
		return "", fmt.Errorf("register: %w", err)
	}
	defer release()
	if _, taken := a.cfg.Directory.Account(name); taken {
		return "", ErrExists
	}
	if a.cfg.Directory.Frozen() {
		return "", ErrFrozen // before anything is stored: what was never sent need not be repeated
	}
	r, key, fresh, err := a.begin(ctx, name, password)
	if err != nil {
		return "", fmt.Errorf("register: %w", err)
	}
	defer clear(key)
	if err := a.enter(ctx, r, key, fresh); err != nil {
		return "", fmt.Errorf("register: %w", err)
	}
	a.cache.remember(r, password)
	return name, nil
}

// begin makes and stores the record of a new account, or takes up the one of a registration that was not answered; fresh tells which.
func (a *Accounts) begin(ctx context.Context, name, password string) (r *Record, key ed25519.PrivateKey, fresh bool, err error) {
	if r, err = a.load(name); err != nil {
		return nil, nil, false, err
	}
	if r == nil {
		r, key, err = a.create(ctx, name, password)
		return r, key, true, err
	}
	if !a.tries.take(name) {
		return nil, nil, false, ErrBusy
	}
	key, err = a.unsealHere(ctx, r, password)
	if errors.Is(err, ErrCredentials) {
		return nil, nil, false, ErrExists // somebody's, who may still get it
	}
	a.tries.back(name)
	return r, key, false, err
}

// create makes and stores the record of a new account.
func (a *Accounts) create(ctx context.Context, name, password string) (*Record, ed25519.PrivateKey, error) {
	if !a.registrations.take("") {
		return nil, nil, ErrBusy
	}
	seed, err := a.draw(ed25519.SeedSize)
	if err != nil {
		return nil, nil, err
	}
	defer clear(seed)
	key := ed25519.NewKeyFromSeed(seed)
	r, err := a.sealAnew(ctx, name, key, password, 1)
	if err == nil {
		_, err = a.adopt(r)
	}
	if err != nil {
		clear(key)
		return nil, nil, err
	}
	return r, key, nil
}

// sealAnew makes a record with a fresh salt.
func (a *Accounts) sealAnew(ctx context.Context, name string, key ed25519.PrivateKey, password string, revision uint64) (*Record, error) {
	salt, err := a.draw(saltLen)
	if err != nil {
		return nil, err
	}
	secret, err := a.hash.derive(ctx, password, salt, a.cfg.Params)
	if err != nil {
		return nil, err
	}
	defer clear(secret[:])
	return a.seal(name, key, secret, salt, password, revision)
}

// enter has the directory take up the account. On a refusal a fresh record is removed again. When it is not known whether the request, or
// that of an earlier try (not fresh), takes effect, the record stays, since the key may be needed.
func (a *Accounts) enter(ctx context.Context, r *Record, key ed25519.PrivateKey, fresh bool) error {
	digest := rooms.AccountDigest(a.cfg.Directory.ID(), "register", r.Name, r.Key, a.cfg.Self, 0)
	err := a.cfg.Directory.Order(ctx, &rooms.Register{Name: r.Name, Key: r.Key, Device: a.cfg.Self, Sig: ed25519.Sign(key, digest)})
	if d, ok := a.cfg.Directory.Account(r.Name); ok && d.Key == r.Key {
		a.log.Info("registered", "account", r.Name)
		return nil // also when an earlier try got through
	}
	switch kind := errs.Of(err); kind {
	case errs.Exists, errs.Invalid, errs.Void, errs.Denied, errs.TooLarge, errs.Quota, errs.NotFound, errs.Closed, errs.Banned:
		if fresh || kind == errs.Exists {
			a.undo(r)
		}
		switch kind {
		case errs.Exists:
			return ErrExists
		case errs.Invalid:
			return ErrName
		}
	case errs.Frozen:
		err = ErrFrozen
	case errs.OK:
		err = errs.Internal // applied, and not there
	}
	return fmt.Errorf("enter the account into the directory: %w", err)
}

// undo removes the record of a registration that was refused.
func (a *Accounts) undo(r *Record) {
	if err := a.forget(r.Name, r.Key); err != nil {
		a.log.Error("the record of a refused registration stays", "account", r.Name, "err", err)
	}
}
