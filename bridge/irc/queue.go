package irc

import (
	"net"
	"sync"
	"time"
)

// queue holds what waits to be written to one client. Its writer gathers all that waits into one write.
type queue struct {
	limit int

	mu     sync.Mutex
	wait   [][]byte
	size   int
	closed bool
	fatal  string // why the connection ends
	news   chan struct{}
}

func newQueue(limit int) *queue { return &queue{limit: limit, news: make(chan struct{}, 1)} }

// push appends bytes that nobody changes any more. It never blocks; false: the queue is full.
func (q *queue) push(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return true
	}
	if q.size+len(b) > q.limit {
		q.mu.Unlock()
		return false
	}
	q.wait = append(q.wait, b)
	q.size += len(b)
	q.mu.Unlock()
	q.wake()
	return true
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
		q.wait = append(q.wait, last)
	}
	q.mu.Unlock()
	q.wake()
}

// write is the writing goroutine: it ends after close, or when the connection fails; failed is called then.
func (q *queue) write(nc net.Conn, patience time.Duration, failed func(error)) {
	var spare [][]byte
	var flat []byte
	for range q.news {
		for {
			q.mu.Lock()
			batch, closed := q.wait, q.closed
			q.wait, q.size = spare[:0], 0
			q.mu.Unlock()
			if len(batch) == 0 {
				if closed {
					return
				}
				spare = batch
				break
			}
			out := batch[0]
			if len(batch) > 1 {
				flat = flat[:0]
				for _, b := range batch {
					flat = append(flat, b...)
				}
				out = flat
			}
			if closed {
				patience = min(patience, time.Second) // a goodbye is not worth waiting for
			}
			_ = nc.SetWriteDeadline(time.Now().Add(patience))
			if _, err := nc.Write(out); err != nil {
				failed(err)
				return
			}
			clear(batch)
			spare = batch
		}
	}
}
