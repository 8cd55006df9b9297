package replica

import (
	"math"
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
// so that nobody crowds out the others. The queues grow with what waits: a room in which nothing happens holds none.
type inbox struct {
	ready chan struct{} // holds a token while something waits

	mu      sync.Mutex
	ended   bool
	frames  []inFrame
	calls   []func()
	waiting map[rooms.NodeID]int // frames by sender; nil: fewer than crowd wait, and nobody can have too many among them
}

// crowd is how many frames wait before they are counted by sender.
const crowd = senderFrames / 2

func newInbox() inbox { return inbox{ready: make(chan struct{}, 1)} }

// wake says that something waits. It never blocks.
func (b *inbox) wake() {
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// put adds a frame. It never blocks: one that does not fit is dropped and counted. false: the copy has ended and takes nothing more.
func (r *Replica) put(f inFrame) bool {
	r.in.mu.Lock()
	defer r.in.mu.Unlock()
	if r.in.ended {
		return false
	}
	if len(r.in.frames) >= inboxFrames || r.in.waiting[f.from] >= senderFrames || !r.h.load.add(f.from, f.cost()) {
		r.dropped.Add(1)
		return true
	}
	r.in.frames = append(r.in.frames, f)
	switch {
	case r.in.waiting != nil:
		r.in.waiting[f.from]++
	case len(r.in.frames) >= crowd:
		r.in.waiting = map[rooms.NodeID]int{}
		for i := range r.in.frames {
			r.in.waiting[r.in.frames[i].from]++
		}
	}
	r.in.wake()
	return true
}

// call runs f in the copy's goroutine. It never blocks: when the inbox is full or the copy has ended, f is not run, and false returned.
func (r *Replica) call(f func()) bool { return r.enqueue(f, inboxCalls) }

// must is call that is never refused for want of room: for what there is a bounded number of, and comes when work is done. It does nothing when
// the copy has ended.
func (r *Replica) must(f func()) { r.enqueue(f, math.MaxInt) }

func (r *Replica) enqueue(f func(), limit int) bool {
	r.in.mu.Lock()
	defer r.in.mu.Unlock()
	if r.in.ended || len(r.in.calls) >= limit {
		return false
	}
	r.in.calls = append(r.in.calls, f)
	r.in.wake()
	return true
}

// unqueue returns what waits, at most turn of each kind, in the order in which it came.
func (r *Replica) unqueue(turn int) (frames []inFrame, calls []func()) {
	r.in.mu.Lock()
	defer r.in.mu.Unlock()
	frames, r.in.frames = cut(r.in.frames, turn)
	calls, r.in.calls = cut(r.in.calls, turn)
	for i := range frames {
		f := &frames[i]
		r.h.load.add(f.from, -f.cost())
		if r.in.waiting == nil {
			continue
		}
		if r.in.waiting[f.from]--; r.in.waiting[f.from] <= 0 {
			delete(r.in.waiting, f.from)
		}
	}
	if len(r.in.frames) < crowd {
		r.in.waiting = nil
	}
	if len(r.in.frames)+len(r.in.calls) > 0 {
		r.in.wake()
	}
	return frames, calls
}

// cut splits a queue; what is left of an emptied one is nil, so that its memory goes.
func cut[T any](q []T, n int) (first, rest []T) {
	if len(q) <= n {
		return q, nil
	}
	return q[:n:n], q[n:]
}

// endIfEmpty ends the copy if nothing waits for it; what comes later finds it ended.
func (r *Replica) endIfEmpty() bool {
	r.in.mu.Lock()
	defer r.in.mu.Unlock()
	if len(r.in.frames)+len(r.in.calls) > 0 {
		return false
	}
	r.in.ended = true
	r.cancel()
	return true
}

// closeInbox lets nothing in any more and runs the calls that wait; frames are dropped.
func (r *Replica) closeInbox() {
	r.in.mu.Lock()
	r.in.ended = true
	r.in.mu.Unlock()
	_, calls := r.unqueue(math.MaxInt)
	for _, f := range calls {
		f()
	}
}
