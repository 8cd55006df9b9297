package overlay

import "sync"

// outFrame waits to be sent.
type outFrame struct {
	kind byte
	data []byte
}

// outQueue holds the frames for one peer, bounded in count and bytes. Frames being written still count.
type outQueue struct {
	wake chan struct{} // cap 1: something waits

	mu        sync.Mutex
	waiting   []outFrame
	count     int // waiting and being written
	bytes     int // of these
	maxFrames int
	maxBytes  int
}

func newOutQueue(frames, bytes int) *outQueue {
	return &outQueue{wake: make(chan struct{}, 1), maxFrames: frames, maxBytes: bytes}
}

// push adds a frame; false when the queue is full.
func (q *outQueue) push(f outFrame) bool {
	q.mu.Lock()
	if q.count >= q.maxFrames || q.bytes+len(f.data) > q.maxBytes {
		q.mu.Unlock()
		return false
	}
	q.waiting = append(q.waiting, f)
	q.count++
	q.bytes += len(f.data)
	first := len(q.waiting) == 1
	q.mu.Unlock()
	if first {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// take returns all that waits, in order, and keeps spare for the next frames. Call done with each part of
// it that has left.
func (q *outQueue) take(spare []outFrame) []outFrame {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch := q.waiting
	q.waiting = spare[:0]
	return batch
}

func (q *outQueue) done(frames, bytes int) {
	q.mu.Lock()
	q.count -= frames
	q.bytes -= bytes
	q.mu.Unlock()
}

// drop forgets all that waits and returns how many frames that were.
func (q *outQueue) drop() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.waiting)
	for _, f := range q.waiting {
		q.bytes -= len(f.data)
	}
	q.count -= n
	q.waiting = nil
	return n
}

func (q *outQueue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count == 0
}
