package xmpp

import "sync"

// lanes run what has to wait for somebody else, one thing after the other in each lane, lanes beside each other: a room that does not answer
// holds up nothing but itself. A lane has a goroutine while there is something in it.
type lanes struct {
	work *sync.WaitGroup // counts the goroutines

	mu      sync.Mutex
	started bool // put only queues before
	closed  bool
	pending int
	queue   map[string][]func()
	waiting []chan struct{} // closed when nothing is pending
}

func newLanes(work *sync.WaitGroup) *lanes { return &lanes{work: work, queue: map[string][]func(){}} }

// put adds f to a lane. false: maxWork things are pending, or the lanes are closed.
func (l *lanes) put(lane string, f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.pending >= maxWork {
		return false
	}
	l.pending++
	q, running := l.queue[lane]
	l.queue[lane] = append(q, f)
	if !running && l.started {
		l.work.Go(func() { l.run(lane) })
	}
	return true
}

// start lets run what has been put before: the hub may have something to tell before a client is wholly bound.
func (l *lanes) start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.started = true
	for lane := range l.queue {
		l.work.Go(func() { l.run(lane) })
	}
}

func (l *lanes) run(lane string) {
	for {
		l.mu.Lock()
		q := l.queue[lane]
		if len(q) == 0 {
			delete(l.queue, lane)
			l.mu.Unlock()
			return
		}
		l.queue[lane] = q[1:]
		l.mu.Unlock()
		q[0]()
		l.mu.Lock()
		if l.pending--; l.pending == 0 {
			for _, c := range l.waiting {
				close(c)
			}
			l.waiting = nil
		}
		l.mu.Unlock()
	}
}

// idle returns a channel that is closed when nothing is pending.
func (l *lanes) idle() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := make(chan struct{})
	if l.pending == 0 {
		close(c)
	} else {
		l.waiting = append(l.waiting, c)
	}
	return c
}

// close takes nothing more. What is pending runs still, with the contexts of a connection that has ended.
func (l *lanes) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}
