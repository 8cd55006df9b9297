package irc

import (
	"context"
	"sync"
	"time"

	irc "gopkg.in/irc.v4"

	"warren/bridge"
	"warren/rooms"
)

// wishes counts what a client has wished and its rooms have not ordered yet. Safe for concurrent use; the zero value is ready.
type wishes struct {
	mu   sync.Mutex
	n    int
	idle chan struct{} // closed when n is 0 again; nil: nobody waits
}

func (w *wishes) begin() {
	w.mu.Lock()
	w.n++
	w.mu.Unlock()
}

func (w *wishes) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.n--; w.n == 0 && w.idle != nil {
		close(w.idle)
		w.idle = nil
	}
}

// wait blocks until all are ordered (or refused), at most as long as a PONG may be held.
func (w *wishes) wait(ctx context.Context) {
	w.mu.Lock()
	if w.n == 0 {
		w.mu.Unlock()
		return
	}
	if w.idle == nil {
		w.idle = make(chan struct{})
	}
	idle := w.idle
	w.mu.Unlock()
	t := time.NewTimer(bridge.BarrierLimit)
	defer t.Stop()
	select {
	case <-idle:
	case <-t.C:
	case <-ctx.Done():
	}
}

// wish asks a room for something in the client's name; the answer r waits for it. It does not block; done is called with what came of it.
func (c *conn) wish(r *reply, t *bridge.Seat, b rooms.Body, done func(bridge.Outcome)) {
	r.hold()
	c.wishes.begin()
	t.Do(b, r, func(o bridge.Outcome) {
		done(o)
		r.release()
		c.wishes.end()
	})
}

// await runs f, which may block, and waits for it at most as long as a PONG may be held; then it goes on in the background. Its lines belong
// to the answer r.
func (c *conn) await(r *reply, f func(ctx context.Context)) {
	t := time.NewTimer(bridge.BarrierLimit)
	defer t.Stop()
	select {
	case c.slots <- struct{}{}:
	case <-c.ctx.Done():
		return
	case <-t.C:
		r.num(irc.RPL_TRYAGAIN, "*", "Too much at once: wait until what you asked before is done")
		return
	}
	r.hold()
	done := make(chan struct{})
	c.tasks.Go(func() {
		defer func() { <-c.slots; r.release(); close(done) }()
		ctx, cancel := context.WithTimeout(c.ctx, commandMax)
		defer cancel()
		f(ctx)
	})
	select {
	case <-done:
	case <-t.C:
	case <-c.ctx.Done():
	}
}

// spawn runs f in the background, from any goroutine; when too much is under way it does not.
func (c *conn) spawn(f func(ctx context.Context)) {
	select {
	case c.slots <- struct{}{}:
	default:
		return
	}
	c.tasks.Go(func() {
		defer func() { <-c.slots }()
		ctx, cancel := context.WithTimeout(c.ctx, commandMax)
		defer cancel()
		f(ctx)
	})
}
