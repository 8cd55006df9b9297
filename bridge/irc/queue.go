package irc

import (
	"context"
	"net"
	"sync"
	"time"
)

// Bounds of what waits for one client besides the events that Limits.SendQueue counts.
const (
	maxAnswers = 4 << 20  // bytes of answers to its own commands: NAMES of the largest room
	maxWrite   = 64 << 10 // bytes of one write, so that each has its own deadline
)

// queue holds what waits to be written to one client. Its writer gathers what waits into few writes.
//
// Events of rooms and answers are counted apart: a client is too slow when events pile up, not when it asked for much. Answers slow the
// client's own commands down instead, see wait.
type queue struct {
	limit int

	mu      sync.Mutex
	pending [][]byte
	events  int // bytes
	answers int // bytes
	closed  bool
	fatal   string        // why the connection ends
	taken   chan struct{} // closed and made anew whenever the writer takes all
	news    chan struct{}
}

func newQueue(limit int) *queue {
	return &queue{limit: limit, taken: make(chan struct{}), news: make(chan struct{}, 1)}
}

// push appends bytes that nobody changes any more. It never blocks; false: the queue is full.
func (q *queue) push(b []byte, answer bool) bool {
	if len(b) == 0 {
		return true
	}
	q.mu.Lock()
	size, limit := &q.events, q.limit
	if answer {
		size, limit = &q.answers, maxAnswers
	}
	if !q.closed {
		if *size+len(b) > limit {
			q.mu.Unlock()
			return false
		}
		q.pending = append(q.pending, b)
		*size += len(b)
	}
	q.mu.Unlock()
	q.wake()
	return true
}

// easy reports whether the client keeps up: what it can do without may be left out when it does not.
func (q *queue) easy() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.events <= q.limit/2
}

// wait blocks until few answers wait, or until ctx ends.
func (q *queue) wait(ctx context.Context) {
	for {
		q.mu.Lock()
		ok, taken := q.closed || q.answers <= q.limit/2, q.taken
		q.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-taken:
		case <-ctx.Done():
			return
		}
	}
}

func (q *queue) wake() {
	select {
	case q.news <- struct{}{}:
	default:
	}
}

// close takes a last line (past the limit) and lets the writer end when all is written.
func (q *queue) close(last []byte) {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		q.pending = append(q.pending, last)
	}
	q.mu.Unlock()
	q.wake()
}

// take returns all that waits; spare is used for what comes next.
func (q *queue) take(spare [][]byte) (batch [][]byte, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch, q.pending = q.pending, spare
	q.events, q.answers = 0, 0
	if len(batch) > 0 {
		close(q.taken)
		q.taken = make(chan struct{})
	}
	return batch, q.closed
}

// write is the writing goroutine: it ends after close, or when the connection fails; failed is called then.
func (q *queue) write(nc net.Conn, patience time.Duration, failed func(error)) {
	var spare [][]byte
	var flat []byte
	for range q.news {
		for {
			batch, closed := q.take(spare[:0])
			spare = batch
			if len(batch) == 0 {
				if closed {
					return
				}
				break
			}
			if closed {
				patience = min(patience, time.Second) // a goodbye is not worth waiting for
			}
			for rest := batch; len(rest) > 0; {
				var out []byte
				if out, rest = gather(rest, &flat); len(out) == 0 {
					continue
				}
				_ = nc.SetWriteDeadline(time.Now().Add(patience))
				if _, err := nc.Write(out); err != nil {
					failed(err)
					return
				}
			}
			clear(batch)
			if cap(spare) > 4096 {
				spare = nil // one large answer need not be remembered for ever
			}
		}
	}
}

// gather returns the next pieces as one, at most about maxWrite bytes, and those after them. flat is reused.
func gather(pieces [][]byte, flat *[]byte) (out []byte, rest [][]byte) {
	if len(pieces) == 1 {
		return pieces[0], nil
	}
	*flat = (*flat)[:0]
	for i, b := range pieces {
		if i > 0 && len(*flat)+len(b) > maxWrite {
			return *flat, pieces[i:]
		}
		*flat = append(*flat, b...)
	}
	return *flat, nil
}
