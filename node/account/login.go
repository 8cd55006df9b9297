package account

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

const (
	// maxHashesPerFetch is how many differing salts one login elsewhere hashes the password with: as many as there are versions of the record
	// about while a change of password spreads. Other devices cannot make us spend more.
	maxHashesPerFetch = 3
	// maxStale is how often a device is added anew because another one came in between.
	maxStale = 4
)

// Verify checks a password and returns the account's canonical name; this node is a device of the account then. It blocks for the hash (some
// 0.1 s), and for the network when the keys are not here yet. Errors: ErrCredentials, ErrBusy, ErrUnreachable.
func (a *Accounts) Verify(ctx context.Context, name, password string) (string, error) {
	name, err := a.cfg.Names(name)
	if err != nil {
		return "", ErrCredentials
	}
	if password, err = prepare(password); err != nil {
		return "", ErrCredentials
	}
	if a.remembered(name, password) {
		return name, nil
	}
	release, err := a.turns.take(ctx, name)
	if err != nil {
		return "", fmt.Errorf("log in: %w", err)
	}
	defer release()
	if a.remembered(name, password) { // by the one that we waited for
		return name, nil
	}
	_, key, err := a.open(ctx, name, password)
	if err != nil {
		return "", fmt.Errorf("log in: %w", err)
	}
	clear(key)
	return name, nil
}

// remembered reports whether this password was right a moment ago and nothing has changed since.
func (a *Accounts) remembered(name, password string) bool {
	d, ok := a.cfg.Directory.Account(name)
	if !ok || !signs(d, a.cfg.Self) {
		return false
	}
	r, err := a.load(name)
	return err == nil && r != nil && r.Key == d.Key && a.cache.right(r, password)
}

// open returns the account's record and private key, which the caller clears, and makes this node a device. The caller has the name's turn;
// name and password are canonical and prepared.
func (a *Accounts) open(ctx context.Context, name, password string) (*Record, ed25519.PrivateKey, error) {
	if !a.tries.take(name) {
		return nil, nil, ErrBusy
	}
	r, key, err := a.unlock(ctx, name, password)
	if !errors.Is(err, ErrCredentials) {
		a.tries.back(name)
	}
	if err != nil {
		return nil, nil, err
	}
	if err := a.settle(ctx, r, key); err != nil {
		clear(key)
		return nil, nil, err
	}
	a.cache.remember(r, password)
	return r, key, nil
}

// unlock finds the account's record, here or at another device, and unseals it.
func (a *Accounts) unlock(ctx context.Context, name, password string) (*Record, ed25519.PrivateKey, error) {
	d, known := a.cfg.Directory.Account(name)
	r, err := a.load(name)
	switch {
	case err != nil && !known:
		return nil, nil, err
	case err != nil:
		a.log.Error("an account's record cannot be read: fetching it from another of its nodes", "account", name, "err", err)
		r = nil
	case r != nil && known && r.Key != d.Key:
		r = nil // what was begun here under this name has lost against a registration elsewhere
	}
	switch {
	case r == nil && !known:
		return nil, nil, a.pretend(ctx, password)
	case r == nil:
		return a.fetch(ctx, d, password)
	}
	key, err := a.unsealHere(ctx, r, password)
	if errors.Is(err, ErrCredentials) && known {
		if newer := a.pull(ctx, d, r); newer != nil { // the password was changed while this node was away
			r = newer
			key, err = a.unsealHere(ctx, r, password)
		}
	}
	return r, key, err
}

// pretend takes as long as a real check.
func (a *Accounts) pretend(ctx context.Context, password string) error {
	s, err := a.hash.derive(ctx, password, make([]byte, saltLen), a.cfg.Params)
	if err != nil {
		return err
	}
	clear(s[:])
	return ErrCredentials
}

func (a *Accounts) unsealHere(ctx context.Context, r *Record, password string) (ed25519.PrivateKey, error) {
	secret, err := a.hash.derive(ctx, password, r.Salt, r.Params)
	if err != nil {
		return nil, err
	}
	defer clear(secret[:])
	return r.unseal(secret)
}

// settle sees to it that the directory knows the account and this node as a device of it, and that the record lies here.
func (a *Accounts) settle(ctx context.Context, r *Record, key ed25519.PrivateKey) error {
	if _, known := a.cfg.Directory.Account(r.Name); !known {
		err := a.enter(ctx, r, key, false) // the node stopped in the middle of registering
		if errors.Is(err, ErrExists) {
			return ErrCredentials // the name went to somebody else meanwhile
		}
		return err
	}
	if err := a.addDevice(ctx, r.Name, key); err != nil {
		return err
	}
	_, err := a.adopt(r)
	return err
}

// addDevice makes this node a device of the account, if it is none.
func (a *Accounts) addDevice(ctx context.Context, name string, key ed25519.PrivateKey) error {
	var err error
	for range maxStale {
		d, ok := a.cfg.Directory.Account(name)
		switch {
		case !ok:
			return fmt.Errorf("add this node to the account: %w", errs.NotFound)
		case signs(d, a.cfg.Self):
			return nil
		}
		digest := rooms.AccountDigest(a.cfg.Directory.ID(), "device", name, d.Key, a.cfg.Self, d.Changes)
		err = a.cfg.Directory.Order(ctx, &rooms.AddDevice{Account: name, Device: a.cfg.Self, Nonce: d.Changes, Sig: ed25519.Sign(key, digest)})
		switch errs.Of(err) {
		case errs.OK:
			a.log.Info("this node is a device of an account now", "account", name)
			return nil
		case errs.Exists:
			return nil
		case errs.Frozen:
			return fmt.Errorf("add this node to the account: %w", ErrFrozen)
		case errs.Stale: // another device came in between
		default:
			return fmt.Errorf("add this node to the account: %w", err)
		}
	}
	return fmt.Errorf("add this node to the account: %w", err)
}

// fetch gets the record from another device and unseals it.
func (a *Accounts) fetch(ctx context.Context, d rooms.AccountRecord, password string) (*Record, ed25519.PrivateKey, error) {
	offers := a.offers(ctx, d)
	var secret *secrets
	defer func() {
		if secret != nil {
			clear(secret[:])
		}
	}()
	failure := ErrUnreachable
	hashed := 0
	for i, o := range offers {
		if i == 0 || !bytes.Equal(o.Salt, offers[i-1].Salt) || o.Params != offers[i-1].Params {
			if hashed++; hashed > maxHashesPerFetch {
				break
			}
			next, err := a.hash.derive(ctx, password, o.Salt, o.Params)
			if err != nil {
				return nil, nil, err
			}
			if secret != nil {
				clear(secret[:])
			}
			secret = next
		}
		q := question{Op: opOpen, Name: d.Name, Revision: o.Revision, Time: o.Time, Token: bytes.Clone(secret.token())}
		ans, err := a.ask(ctx, o.from, q)
		clear(q.Token)
		if err != nil {
			a.log.Debug("a device does not give the account's record", "account", d.Name, "node", o.from.Short(), "err", err)
			continue
		}
		switch ans.Status {
		case statusOK:
			r, key, err := a.accept(d, ans.Record, secret)
			if err == nil {
				return r, key, nil
			}
			a.log.Warn("a device gives a record that is not the account's", "account", d.Name, "node", o.from.Short(), "err", err)
		case statusWrong:
			failure = ErrCredentials
		case statusBusy:
			if failure == ErrUnreachable {
				failure = ErrBusy
			}
		}
	}
	return nil, nil, failure
}

// accept checks a record that another device gave.
func (a *Accounts) accept(d rooms.AccountRecord, data []byte, secret *secrets) (*Record, ed25519.PrivateKey, error) {
	r, err := a.decodeFor(d, data)
	if err != nil {
		return nil, nil, err
	}
	key, err := r.unseal(secret)
	if err != nil {
		return nil, nil, errors.New("the password that opened it does not unseal it")
	}
	return r, key, nil
}

// decodeFor reads a record that must be this account's.
func (a *Accounts) decodeFor(d rooms.AccountRecord, data []byte) (*Record, error) {
	r, err := DecodeRecord(data)
	switch {
	case err != nil:
		return nil, err
	case r.Name != d.Name || r.Key != d.Key:
		return nil, errors.New("another account's record")
	}
	return r, r.Params.check(a.cfg.Floor)
}

// offer is what a device told about the record that it has.
type offer struct {
	answer
	from rooms.NodeID
}

// offers asks all other devices for the parameters of their records and returns those that make sense, the newest first.
func (a *Accounts) offers(ctx context.Context, d rooms.AccountRecord) []offer {
	out := a.askAll(ctx, d, question{Op: opParams, Name: d.Name})
	out = slices.DeleteFunc(out, func(o offer) bool {
		return o.Status != statusOK || len(o.Salt) != saltLen || o.Params.check(a.cfg.Floor) != nil
	})
	slices.SortStableFunc(out, func(x, y offer) int { // then by salt, so that each is hashed once
		return -cmpVersion(x.Revision, x.Time, y.Revision, y.Time, bytes.Compare(x.Salt, y.Salt))
	})
	return out
}

// pull asks the other devices for a newer record than ours, stores and returns it; nil when there is none.
func (a *Accounts) pull(ctx context.Context, d rooms.AccountRecord, ours *Record) *Record {
	best := ours
	for _, o := range a.askAll(ctx, d, question{Op: opPull, Name: d.Name, Revision: ours.Revision, Time: ours.Time}) {
		if o.Status != statusOK || len(o.Record) == 0 {
			continue
		}
		r, err := a.decodeFor(d, o.Record)
		switch {
		case err != nil:
			a.log.Warn("a device gives a record that is not the account's", "account", d.Name, "node", o.from.Short(), "err", err)
		case r.newer(best):
			best = r
		}
	}
	if best == ours {
		return nil
	}
	if _, err := a.adopt(best); err != nil {
		a.log.Error("a newer record of an account cannot be stored", "account", d.Name, "err", err)
	}
	return best
}

// Sync asks the other devices of every account here for newer records: of passwords that were changed while this node was away. It blocks
// until all were asked, at most some seconds per account with several devices. To be called after a start, and now and then.
func (a *Accounts) Sync(ctx context.Context) error {
	all, err := a.List()
	if err != nil {
		return fmt.Errorf("sync accounts: %w", err)
	}
	for _, i := range all {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d, ok := a.cfg.Directory.Account(i.Name)
		if !i.Active || !ok {
			continue
		}
		r, err := a.load(i.Name)
		if err != nil || r == nil {
			continue
		}
		if newer := a.pull(ctx, d, r); newer != nil {
			a.log.Info("an account's password was changed elsewhere", "account", i.Name, "changed", time.UnixMilli(newer.Time))
		}
	}
	return nil
}
