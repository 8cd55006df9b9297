package account

import (
	"context"
	"sync"
	"time"
)

// maxWindowKeys bounds the memory of a window, some 400 KiB: when more differ within one length, the rest is refused.
const maxWindowKeys = 4096

// window counts by key in fixed windows of time.
type window struct {
	now    func() time.Time
	length time.Duration
	limit  int

	mu    sync.Mutex
	start time.Time
	n     map[string]int
}

func newWindow(now func() time.Time, length time.Duration, limit int) *window {
	return &window{now: now, length: length, limit: limit, n: map[string]int{}}
}

// take counts one for key and reports whether the limit allows it.
func (w *window) take(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t := w.now(); t.Sub(w.start) >= w.length || t.Before(w.start) {
		w.start = t
		clear(w.n)
	}
	n, known := w.n[key]
	if n >= w.limit || !known && len(w.n) >= maxWindowKeys {
		return false
	}
	w.n[key] = n + 1
	return true
}

// back undoes one take of key: it turned out to be harmless.
func (w *window) back(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch n := w.n[key]; {
	case n > 1:
		w.n[key] = n - 1
	case n == 1:
		delete(w.n, key)
	}
}

// turns lets one caller at a time work on a name.
type turns struct {
	limit int
	mu    sync.Mutex
	names map[string]*turn
}

type turn struct {
	users int           // guarded by turns.mu
	held  chan struct{} // capacity 1
}

func newTurns(limit int) *turns { return &turns{limit: limit, names: map[string]*turn{}} }

// take waits for the name's turn; release must be called once. Errors: ErrBusy when too many wait, or ctx's.
func (t *turns) take(ctx context.Context, name string) (release func(), err error) {
	t.mu.Lock()
	u := t.names[name]
	if u == nil {
		u = &turn{held: make(chan struct{}, 1)}
		t.names[name] = u
	}
	if u.users > t.limit {
		t.mu.Unlock()
		return nil, ErrBusy
	}
	u.users++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if u.users--; u.users == 0 {
			delete(t.names, name)
		}
	}
	select {
	case u.held <- struct{}{}:
		return func() { <-u.held; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
