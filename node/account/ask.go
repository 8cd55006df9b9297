package account

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"warren/rooms"
)

// Protocol is the name under which devices answer: [Accounts.ServeSealed] is its handler, MaxRequest its greatest request.
const Protocol = "account/1"

// MaxRequest is the greatest request in bytes: a record and what stands around it.
const MaxRequest = MaxRecord + 1<<10

const (
	// askTimeout is how long a device has to answer.
	askTimeout = 3 * time.Second
	// grace is how long the other devices may still answer after the first one did.
	grace = 300 * time.Millisecond
)

// The questions.
const (
	opParams uint8 = 1 // how is the password to be hashed? Answer: Revision, Time, Salt, Params
	opOpen   uint8 = 2 // the record, please: here is the token. Revision and Time are those of the answer to params. Answer: Record
	opPull   uint8 = 3 // (devices) have you a newer one than this Revision and Time? Answer: Record, or empty
	opPush   uint8 = 4 // (devices) here is a newer one: Record
)

// The answers.
const (
	statusOK      uint8 = 0
	statusNotHere uint8 = 1 // no such account, or its keys are not here
	statusWrong   uint8 = 2 // wrong token
	statusBusy    uint8 = 3 // asked too often
	statusStale   uint8 = 4 // the record has changed between params and open, or the pushed one is no newer
	statusRefused uint8 = 5 // not by you, or not like this
)

type question struct {
	_        struct{} `cbor:",toarray"`
	Op       uint8
	Name     string // canonical
	Revision uint64
	Time     int64
	Token    []byte
	Record   []byte
}

type answer struct {
	_        struct{} `cbor:",toarray"`
	Status   uint8
	Revision uint64
	Time     int64
	Salt     []byte
	Params   Params
	Record   []byte
}

// ask asks one node.
func (a *Accounts) ask(ctx context.Context, to rooms.NodeID, q question) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	data, err := a.cfg.Peers.Request(ctx, to, Protocol, rooms.Marshal(q))
	if err != nil {
		return answer{}, err
	}
	return decodeAnswer(data)
}

func decodeAnswer(data []byte) (ans answer, err error) {
	if len(data) > MaxRequest {
		return ans, fmt.Errorf("answer of %d bytes", len(data))
	}
	if err := rooms.Unmarshal(data, &ans); err != nil {
		return answer{}, err
	}
	return ans, nil
}

// askAll asks all other devices of the account at once and returns the answers, until a moment after the first good one.
func (a *Accounts) askAll(ctx context.Context, d rooms.AccountRecord, q question) []offer {
	return a.askEach(ctx, d, q, grace)
}

// askEach asks all other devices of the account at once, 64 at most. With a wait it stops that long after the first good answer.
func (a *Accounts) askEach(ctx context.Context, d rooms.AccountRecord, q question, wait time.Duration) (out []offer) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		mu    sync.Mutex
		timer *time.Timer
		all   sync.WaitGroup
	)
	for _, v := range d.Devices {
		if v.To != 0 || v.Key == a.cfg.Self {
			continue
		}
		all.Go(func() {
			ans, err := a.ask(ctx, v.Key, q)
			if err != nil {
				a.log.Debug("a device of an account does not answer", "account", d.Name, "node", v.Key.Short(), "err", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			out = append(out, offer{ans, v.Key})
			if wait > 0 && ans.Status == statusOK && timer == nil {
				timer = time.AfterFunc(wait, cancel)
			}
		})
	}
	all.Wait()
	if timer != nil {
		timer.Stop()
	}
	return out
}

// cmpVersion compares what two devices have; tie decides between equals.
func cmpVersion(rx uint64, tx int64, ry uint64, ty int64, tie int) int {
	return cmp.Or(cmp.Compare(rx, ry), cmp.Compare(tx, ty), tie)
}
