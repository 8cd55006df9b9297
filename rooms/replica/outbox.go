package replica

import (
	"context"
	"slices"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// Outcome is what came of a wish.
type Outcome struct {
	ID  rooms.Hash // of the request
	Err error      // nil: applied here; else an errs.Kind
}

// wish is a request of this node that has no verdict yet.
type wish struct {
	req    rooms.Request
	id     rooms.Hash
	cookie any
	done   func(Outcome)
	since  time.Time
}

func (w *wish) finish(err error) {
	if w.done != nil {
		w.done(Outcome{ID: w.id, Err: err})
	}
}

// outbox holds the wishes of this node in one room, in the order of their counters. Owned by the copy's loop.
type outbox struct {
	pending []*wish
	sent    int       // of pending, how many were sent since the last resend
	sentAt  time.Time // of the last send
	again   bool      // resend at the next drive
	tries   int
}

func (o *outbox) resendSoon() { o.again = len(o.pending) > 0 }

// find returns the wish of that id that has no verdict yet, or nil.
func (o *outbox) find(id rooms.Hash) *wish {
	for _, w := range o.pending {
		if w.id == id {
			return w
		}
	}
	return nil
}

func (o *outbox) fail(err error) {
	list := o.pending
	o.pending, o.sent = nil, 0
	for _, w := range list {
		w.finish(err)
	}
}

// Submit signs a wish in the author's name and sends it to be ordered. It does not block. done (nil: nobody asks) is called once, from the
// copy's goroutine, after the event went to all watchers.
func (r *Replica) Submit(account, nick string, b rooms.Body, cookie any, done func(Outcome)) {
	if !r.call(func() { r.submit(account, nick, b, cookie, done) }) && done != nil {
		done(Outcome{Err: r.unheard()})
	}
}

// Ask is Submit that blocks until the outcome or the end of ctx; it returns the request's id.
func (r *Replica) Ask(ctx context.Context, account, nick string, b rooms.Body) (rooms.Hash, error) {
	res := make(chan Outcome, 1)
	r.Submit(account, nick, b, nil, func(o Outcome) { res <- o })
	select {
	case o := <-res:
		return o.ID, o.Err
	case <-ctx.Done():
		return rooms.Hash{}, errs.Timeout
	case <-r.done:
		return rooms.Hash{}, errs.Closed
	}
}

func (r *Replica) submit(account, nick string, b rooms.Body, cookie any, done func(Outcome)) {
	w := &wish{req: rooms.NewRequest(r.id, account, nick, b), cookie: cookie, done: done, since: time.Now()}
	switch {
	case len(r.out.pending) >= maxPending:
		w.finish(errs.Busy)
		return
	case len(w.req.Body) > rooms.MaxRequest-1024:
		w.finish(errs.TooLarge)
		return
	case r.broken != nil:
		w.finish(errs.Internal)
		return
	}
	r.lastUse = w.since
	r.wakeUp()
	r.number(w, uint64(len(r.out.pending)))
	r.out.pending = append(r.out.pending, w)
	r.flush()
}

// number gives the wish the counter behind n others, and signs it.
func (r *Replica) number(w *wish, n uint64) {
	w.req.Counter = r.chain.Machine.Base().Counters[r.h.self] + n + 1
	if !r.directory {
		w.req.Dir = r.h.dirHeight()
	}
	w.id = w.req.Sign(r.h.cfg.Key)
	r.h.sigs.signed(&w.req, w.id)
}

// flush sends what the window has room for.
func (r *Replica) flush() {
	for r.out.sent < len(r.out.pending) && r.out.sent < window {
		if !r.send(r.out.pending[r.out.sent], false) {
			return
		}
		r.out.sent++
		r.out.sentAt = time.Now()
	}
}

// resend sends all in the window again: to the leader, or to every controller when that did not help before.
func (r *Replica) resend() {
	r.out.again = false
	r.out.tries++
	r.out.sent = 0
	for r.out.sent < len(r.out.pending) && r.out.sent < window {
		r.send(r.out.pending[r.out.sent], r.out.tries > 1)
		r.out.sent++
	}
	r.out.sentAt = time.Now()
}

// send hands one wish to the leading controller (or all). false: nobody to send to.
func (r *Replica) send(w *wish, all bool) bool {
	if r.ctl != nil && r.submitHere(&w.req, r.h.self) && !all {
		return true
	}
	data := rooms.Marshal(&w.req)
	if !all {
		to := r.leader
		if to.IsZero() || to == r.h.self {
			to = r.anyController()
		}
		return !to.IsZero() && r.tell(to, frameSubmit, data)
	}
	sent := false
	for _, c := range r.orderers() {
		if c != r.h.self {
			sent = r.tell(c, frameSubmit, data) || sent
		}
	}
	return sent
}

// anyController returns a controller that is alive, another one after each resend.
func (r *Replica) anyController() rooms.NodeID {
	list := r.orderers()
	for i := range list {
		c := list[(i+r.out.tries)%len(list)]
		if c != r.h.self && r.h.alive(c) {
			return c
		}
	}
	return rooms.NodeID{}
}

// tickOutbox resends what got no verdict for a while, and gives up what got none for long.
func (r *Replica) tickOutbox(now time.Time) {
	o := &r.out
	if len(o.pending) == 0 {
		o.tries = 0
		return
	}
	if now.Sub(o.pending[0].since) > giveUpAfter {
		// Counters behind a wish that is given up can never be ordered: all go. What was sent may still be ordered.
		kind := errs.Timeout
		if r.leader.IsZero() {
			kind = errs.Frozen
		}
		o.fail(kind)
		return
	}
	if now.Sub(o.sentAt) > resendAfter {
		r.resend()
	}
}

// decided finishes the wishes that a decision gave a verdict to, and renumbers the rest when one of this node's counters went to a request
// of an earlier life. counter is this node's last one before the decision.
func (o *outbox) decided(r *Replica, d *rooms.Decision, counter uint64) {
	mine := false
	for i := range d.Batch.Requests {
		req := &d.Batch.Requests[i]
		if req.Device != r.h.self {
			continue
		}
		mine = true
		kind := d.Verdicts.At(i)
		took := kind != errs.Void && req.Counter == counter+1
		if took {
			counter++
		}
		id := req.ID()
		j := slices.IndexFunc(o.pending, func(w *wish) bool { return w.id == id })
		if j < 0 {
			continue
		}
		if !took && kind != errs.Void {
			continue // too early (one before it is missing), or its counter went to a request of an earlier life: it is sent again
		}
		w := o.pending[j]
		o.pending = slices.Delete(o.pending, j, j+1)
		if j < o.sent {
			o.sent--
		}
		o.tries = 0
		w.finish(kindError(kind))
	}
	if !mine {
		return
	}
	next := r.chain.Machine.Base().Counters[r.h.self] + 1
	if len(o.pending) > 0 && o.pending[0].req.Counter != next {
		for i, w := range o.pending {
			r.number(w, uint64(i))
		}
		o.sent = 0
	}
	r.flush()
}
