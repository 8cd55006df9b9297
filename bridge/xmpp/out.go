package xmpp

import (
	"net"
	"sync"
	"time"
)

// outbox is what waits for one client: a bounded run of bytes that one goroutine writes, many stanzas at once. Putting never blocks.
type outbox struct {
	limit int
	wake  chan struct{} // has room for one

	mu     sync.Mutex
	buf    []byte
	full   bool // more than limit waited: the client is too slow
	closed bool // nothing more is taken
	spare  []byte
	taken  chan struct{} // closed when the writer takes what waits; nil: nobody waits for that
}

func newOutbox(limit int) *outbox {
	return &outbox{limit: limit, wake: make(chan struct{}, 1)}
}

// put appends parts as one piece; false: the queue is full or closed.
func (o *outbox) put(parts ...[]byte) bool {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	o.mu.Lock()
	if o.closed || o.full {
		o.mu.Unlock()
		return false
	}
	if len(o.buf)+n > o.limit {
		o.full = true
		o.mu.Unlock()
		return false
	}
	for _, p := range parts {
		o.buf = append(o.buf, p...)
	}
	o.mu.Unlock()
	o.signal()
	return true
}

// easy reports whether the client keeps up: what it can do without may be left out when it does not.
func (o *outbox) easy() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.buf) <= o.limit/2
}

// wait blocks until no more than half of the limit waits, so that an answer of many stanzas can be put piece by piece. false: the queue is
// closed, or done came first.
func (o *outbox) wait(done <-chan struct{}) bool {
	for {
		o.mu.Lock()
		if o.taken == nil {
			o.taken = make(chan struct{})
		}
		closed, n, taken := o.closed || o.full, len(o.buf), o.taken
		o.mu.Unlock()
		switch {
		case closed:
			return false
		case n <= o.limit/2:
			return true
		}
		select {
		case <-taken:
		case <-done:
			return false
		}
	}
}

// finish appends a last word, past the limit, and closes the queue; the second time it does nothing. drop throws away what waits.
func (o *outbox) finish(last []byte, drop bool) {
	o.mu.Lock()
	if !o.closed {
		if drop {
			o.buf = nil
		}
		o.buf = append(o.buf, last...)
		o.closed = true
	}
	o.mu.Unlock()
	o.signal()
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take returns all that waits; done: there will never be more.
func (o *outbox) take() (data []byte, done bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	data = o.buf
	o.buf = o.spare[:0]
	o.spare = nil
	if o.taken != nil {
		close(o.taken)
		o.taken = nil
	}
	return data, o.closed
}

// keepBuffer is the largest buffer that an idle client keeps, in bytes.
const keepBuffer = 8 << 10

func (o *outbox) give(b []byte) {
	if cap(b) > keepBuffer {
		return
	}
	o.mu.Lock()
	o.spare = b
	o.mu.Unlock()
}

// run writes until the queue is finished or writing fails, then returns. The first write error closes nothing: the reader sees it.
func (o *outbox) run(nc net.Conn) error {
	for range o.wake {
		data, done := o.take()
		for len(data) > 0 {
			limit := writeTime
			if done {
				limit = closeTime
			}
			_ = nc.SetWriteDeadline(time.Now().Add(limit))
			if _, err := nc.Write(data); err != nil {
				o.finish(nil, true)
				return err
			}
			o.give(data)
			data, done = o.take()
		}
		if done {
			return nil
		}
	}
	return nil
}
