package replica

import (
	"context"
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
	again  bool // it was refused because this node had been declared gone, and is wished once more

	// Of what is said while the room is frozen; see provisional.go.
	fixed bool   // its counter never changes
	said  bool   // people were shown it under its id
	place *place // the counter is kept free, in case the author has to enter again; unsigned until that is known
}

func (w *wish) finish(err error) {
	if w.done != nil {
		w.done(Outcome{ID: w.id, Err: err})
	}
}

// outbox holds the wishes of this node in one room, in the order of their counters, without gaps. Owned by the copy's loop.
type outbox struct {
	pending []*wish
	sent    int       // of pending, how many were sent since the last resend
	movedAt time.Time // when pending[0] was sent last, or came to be the first
	again   bool      // resend as soon as resendPause allows
	resent  time.Time // when all was sent again last
	tries   int       // resends since the last verdict
	asking  bool      // how far the room is has been asked, to fill the places
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
		if p := w.place; p != nil && p.again != nil && p.again.again {
			p.again.finish(err) // it waited for its place
		}
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
	rested := r.waking != nil || w.since.Sub(r.park.active) >= parkAfter
	r.wakeUp()
	if r.frozen && r.submitFrozen(w, b) {
		return
	}
	r.number(w, len(r.out.pending))
	r.out.pending = append(r.out.pending, w)
	r.flush()
	if rested {
		r.rouse(w)
	}
}

// rouse tells all other controllers of the first wish after a rest. Nothing went between them meanwhile, and in a network of more than a few nodes
// links that are not used are slow to tell that their other end is dead: should the leader be, they find out now, with this node, and not after
// resendAfter.
func (r *Replica) rouse(w *wish) {
	if w.open() || r.leads {
		return
	}
	data := rooms.Marshal(&w.req)
	for _, c := range r.orderers() {
		if c != r.h.self && c != r.leader {
			r.tell(c, frameSubmit, data)
		}
	}
}

// number gives the wish the counter behind n others, and signs it.
func (r *Replica) number(w *wish, n int) {
	w.req.Counter = r.counter() + uint64(n) + 1
	if !r.directory {
		w.req.Dir = r.h.dirHeight()
	}
	r.sign(w)
}

// sign makes the wish one that can be ordered in the epoch in which the copy is.
func (r *Replica) sign(w *wish) {
	w.req.Epoch = r.chain.Epoch
	w.id = w.req.Sign(r.h.cfg.Key)
	r.h.sigs.signed(&w.req, w.id)
}

// counter is the last of this node's counters that was used up.
func (r *Replica) counter() uint64 { return r.chain.Machine.Base().Counters[r.h.self] }

// flush sends what the window has room for.
func (r *Replica) flush() {
	for r.out.sent < len(r.out.pending) && r.out.sent < window {
		if !r.send(r.out.pending[r.out.sent], false) {
			return
		}
		if r.out.sent == 0 { // not with each: who goes on talking would never send the first one again
			r.out.movedAt = time.Now()
		}
		r.out.sent++
	}
}

// resendDue reports whether somebody new seems to lead, and it is time to turn to them.
func (o *outbox) resendDue() bool { return o.again && time.Since(o.resent) >= resendPause }

// resend sends all in the window again: to the leader, or to every controller when that did not help before.
func (r *Replica) resend() {
	r.out.again = false
	r.out.tries++
	r.out.sent = 0
	for r.out.sent < len(r.out.pending) && r.out.sent < window {
		if w := r.out.pending[r.out.sent]; w.open() {
			break
		} else {
			r.send(w, r.out.tries > 1)
		}
		r.out.sent++
	}
	r.out.movedAt = time.Now()
	r.out.resent = r.out.movedAt
}

// send hands one wish to the leading controller (or all). false: nobody to send to, or it is a place that is still to be filled.
func (r *Replica) send(w *wish, all bool) bool {
	if w.open() {
		return false
	}
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
	r.giveUp(now)
	r.fillPlaces()
	if now.Sub(o.movedAt) > resendAfter {
		r.resend()
	}
}
