package replica

import (
	"slices"
	"sync"

	"warren/rooms"
)

// listeners are functions that want to be called when something happens, in the order in which they came. Safe for concurrent use.
type listeners[F any] struct {
	mu   sync.Mutex
	list []*F // replaced, never changed in place: who calls them holds no lock
}

// add adds f. After stop f may still be called by who has begun before.
func (l *listeners[F]) add(f F) (stop func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(slices.Clip(l.list), &f)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.list = slices.DeleteFunc(slices.Clone(l.list), func(o *F) bool { return o == &f })
	}
}

// all returns the functions that want to be called now. The caller does not change the list.
func (l *listeners[F]) all() []*F {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.list
}

// Watch calls f with every event applied from now on, in order, with the cookie of this node's own wishes. f must not block.
func (r *Replica) Watch(f func(ev *rooms.Event, cookie any)) (stop func()) {
	stop = r.watch.add(f)
	r.call(r.joinTopic)
	return stop
}

func (r *Replica) watchers() int { return len(r.watch.all()) }

// dispatch tells everybody at this node of an event.
func (r *Replica) dispatch(ev *rooms.Event, cookie any) {
	if r.directory {
		r.h.directoryApplied(ev)
	}
	for _, f := range r.watch.all() {
		(*f)(ev, cookie)
	}
	if r.h.cfg.Applied != nil && !r.directory {
		r.h.cfg.Applied(ev)
	}
}
