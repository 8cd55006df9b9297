package replica

import (
	"sync"

	"warren/rooms"
)

type inFrame struct {
	from rooms.NodeID
	frame
}

// cost is what a waiting frame counts against its sender, in bytes.
func (f *inFrame) cost() int { return len(f.Data) + frameCost }

// load counts what waits in all inboxes of the node, by sender: however many rooms somebody writes to, the memory that this takes is bounded.
type load struct {
	mu sync.Mutex
	by map[rooms.NodeID]int // bytes
}

// add adds n bytes of a sender's (or takes them off); false: they do not fit, and are not counted.
func (l *load) add(from rooms.NodeID, n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.by[from] + n
	switch {
	case now > senderBytes:
		return false
	case now <= 0:
		delete(l.by, from)
	default:
		l.by[from] = now
	}
	return true
}

// inbox is what waits for a copy's goroutine: frames of other nodes, and calls of this one. Both are bounded, and one sender has a share only,
// so that nobody crowds out the others.
type inbox struct {
	frames chan inFrame
	calls  chan func()

	mu      sync.Mutex
	ended   bool
	waiting map[rooms.NodeID]int // frames by sender
}

func newInbox() inbox {
	return inbox{frames: make(chan inFrame, inboxFrames), calls: make(chan func(), inboxCalls), waiting: map[rooms.NodeID]int{}}
}

// put adds a frame. It never blocks: one that does not fit is dropped and counted.
func (r *Replica) put(f inFrame) {
	r.in.mu.Lock()
	defer r.in.mu.Unlock()
	if r.in.ended {
		return
	}
	if r.in.waiting[f.from] >= senderFrames || !r.h.load.add(f.from, f.cost()) {
		r.dropped.Add(1)
		return
	}
	select {
	case r.in.frames <- f:
		r.in.waiting[f.from]++
	default:
		r.h.load.add(f.from, -f.cost())
		r.dropped.Add(1)
	}
}

// took takes a frame that has left the inbox off its sender's count.
func (r *Replica) took(f *inFrame) {
	r.h.load.add(f.from, -f.cost())
	r.in.mu.Lock()
	defer r.in.mu.Unlock()
	if r.in.waiting[f.from]--; r.in.waiting[f.from] <= 0 {
		delete(r.in.waiting, f.from)
	}
}

// call runs f in the copy's goroutine. It never blocks: when the inbox is full or the copy has ended, f is not run, and false returned.
func (r *Replica) call(f func()) bool {
	r.in.mu.Lock()
	defer r.in.mu.Unlock()
	if r.in.ended {
		return false
	}
	select {
	case r.in.calls <- f:
		return true
	default:
		return false
	}
}

// must is call that waits for a place; it gives up when the copy ends. Not for the copy's own goroutine.
func (r *Replica) must(f func()) {
	select {
	case r.in.calls <- f:
	case <-r.ctx.Done():
	}
}

// closeInbox lets nothing in any more and runs the calls that wait; frames are dropped.
func (r *Replica) closeInbox() {
	r.in.mu.Lock()
	r.in.ended = true
	r.in.mu.Unlock()
	for {
		select {
		case f := <-r.in.calls:
			f()
		case f := <-r.in.frames:
			r.took(&f)
		default:
			return
		}
	}
}
