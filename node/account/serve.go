package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"warren/rooms"
)

// Limits of what other nodes may ask.
const (
	// asksPerNode bounds all questions of one node in a minute: a login there asks two, a start one for each common account.
	asksPerNode = 600
	// guessWindow is the time that wrong tokens are counted for.
	guessWindow = 10 * time.Minute
	// guessesPerNode bounds wrong tokens for an account by one node: people who mistype their password at a new place.
	guessesPerNode = 10
	// guessesPerAccount bounds wrong tokens for an account by all nodes together: 8640 guesses a day, if nodes conspire.
	guessesPerAccount = 60
)

// ServeSealed answers a question of another node about an account whose keys lie here. It is the handler of [Protocol]; an error means that
// the request was none, or came from outside.
func (a *Accounts) ServeSealed(_ context.Context, from rooms.NodeID, req []byte) ([]byte, error) {
	if len(req) > MaxRequest {
		return nil, fmt.Errorf("account request: longer than %d bytes", MaxRequest)
	}
	var q question
	if err := rooms.Unmarshal(req, &q); err != nil {
		return nil, fmt.Errorf("account request: %w", err)
	}
	if !a.cfg.Directory.Inside(from) {
		return nil, errors.New("account request: only nodes of the network may ask")
	}
	ans, err := a.answer(from, &q)
	if err != nil {
		a.log.Error("a question about an account cannot be answered", "node", from.Short(), "err", err)
		return nil, errors.New("account request: this node has a problem: ask another one")
	}
	return rooms.Marshal(ans), nil
}

func (a *Accounts) answer(from rooms.NodeID, q *question) (answer, error) {
	if !a.asked.take(string(from[:])) {
		return answer{Status: statusBusy}, nil
	}
	d, ok := a.cfg.Directory.Account(q.Name)
	if !ok || !signs(d, a.cfg.Self) {
		return answer{Status: statusNotHere}, nil
	}
	switch q.Op {
	case opPull, opPush:
		if !signs(d, from) {
			return answer{Status: statusRefused}, nil
		}
		if q.Op == opPush {
			return a.pushed(from, d, q.Record)
		}
	}
	r, err := a.load(q.Name)
	if err != nil || r == nil || r.Key != d.Key {
		return answer{Status: statusNotHere}, err
	}
	switch q.Op {
	case opParams:
		return answer{Revision: r.Revision, Time: r.Time, Salt: r.Salt, Params: r.Params}, nil
	case opOpen:
		return a.opened(from, r, q), nil
	case opPull:
		if cmpVersion(r.Revision, r.Time, q.Revision, q.Time, 0) > 0 {
			return answer{Record: r.Encode()}, nil
		}
		return answer{}, nil
	}
	return answer{Status: statusRefused}, nil
}

// opened hands out the record for its token.
func (a *Accounts) opened(from rooms.NodeID, r *Record, q *question) answer {
	if cmpVersion(r.Revision, r.Time, q.Revision, q.Time, 0) != 0 {
		return answer{Status: statusStale}
	}
	one := string(from[:]) + r.Name
	if !a.guessedHow.take(one) {
		return answer{Status: statusBusy}
	}
	if !a.guessed.take(r.Name) {
		a.guessedHow.back(one)
		return answer{Status: statusBusy}
	}
	if !r.opens(q.Token) {
		a.log.Warn("wrong password for an account at another node", "account", r.Name, "node", from.Short())
		return answer{Status: statusWrong}
	}
	a.guessed.back(r.Name)
	a.guessedHow.back(one)
	a.log.Info("the account's key goes to another node: its owner logs in there", "account", r.Name, "node", from.Short())
	return answer{Record: r.Encode()}
}

// pushed takes a newer record from another device.
func (a *Accounts) pushed(from rooms.NodeID, d rooms.AccountRecord, data []byte) (answer, error) {
	r, err := a.decodeFor(d, data)
	if err != nil {
		a.log.Warn("a device pushes a record that is not the account's", "account", d.Name, "node", from.Short(), "err", err)
		return answer{Status: statusRefused}, nil
	}
	stored, err := a.adopt(r)
	switch {
	case err != nil:
		return answer{}, err
	case !stored:
		return answer{Status: statusStale}, nil
	}
	a.log.Info("an account's password was changed elsewhere", "account", r.Name, "node", from.Short())
	return answer{}, nil
}
