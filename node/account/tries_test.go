package account

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"warren/rooms"
)

func TestServeOnlyInside(t *testing.T) {
	w := newWorld(t)
	home, out := w.node(1), w.node(2)
	home.register("ann", "secret")
	out.out = true
	q := rooms.Marshal(question{Op: opParams, Name: "ann"})
	if _, err := home.ServeSealed(t.Context(), out.id, q); err == nil {
		t.Error("a node that was put out is answered")
	}
	if _, err := home.ServeSealed(t.Context(), rooms.NodeID{9}, q); err == nil {
		t.Error("a stranger is answered")
	}
	if _, err := home.ServeSealed(t.Context(), home.id, make([]byte, MaxRequest+1)); err == nil {
		t.Error("a long request is answered")
	}
	if ans := home.put(t, home.id, question{Op: opParams, Name: "bob"}); ans.Status != statusNotHere {
		t.Errorf("nobody's: %+v", ans)
	}
	ans := home.put(t, home.id, question{Op: opOpen, Name: "ann", Revision: 2, Token: make([]byte, 32)})
	if ans.Status != statusStale || ans.Record != nil {
		t.Errorf("another revision: %+v", ans)
	}
}

func TestGuessesAreCounted(t *testing.T) {
	w := newWorld(t)
	home := w.node(1)
	home.register("ann", "secret")
	r, _ := home.load("ann")
	guess := func(from *node) uint8 {
		t.Helper()
		return home.put(t, from.id, question{Op: opOpen, Name: "ann", Revision: r.Revision, Time: r.Time, Token: make([]byte, 32)}).Status
	}
	first := w.node(2)
	for i := range guessesPerNode {
		if got := guess(first); got != statusWrong {
			t.Fatalf("guess %d: status %d", i, got)
		}
	}
	if got := guess(first); got != statusBusy {
		t.Errorf("one too many: status %d", got)
	}
	first.verify("ann", "secret", ErrBusy)
	w.pass(guessWindow)
	first.verify("ann", "secret", nil)

	n := 0
	for b := byte(10); n < guessesPerAccount; b++ {
		from := w.node(b)
		for range guessesPerNode {
			if got := guess(from); got != statusWrong {
				t.Fatalf("guess %d: status %d", n, got)
			}
			n++
		}
	}
	if got := guess(w.node(100)); got != statusBusy {
		t.Errorf("too many of all nodes: status %d", got)
	}
	for range asksPerNode {
		home.put(t, first.id, question{Op: opParams, Name: "bob"})
	}
	if ans := home.put(t, first.id, question{Op: opParams, Name: "ann"}); ans.Status != statusBusy {
		t.Errorf("too many questions: %+v", ans)
	}
}

func TestTriesAreCounted(t *testing.T) {
	w := newWorld(t)
	n := w.node(1)
	n.register("ann", "secret")
	for range triesPerAccount {
		n.verify("ann", "wrong", ErrCredentials)
	}
	n.verify("ann", "wrong", ErrBusy)
	n.verify("ann", "secret", nil) // who was right before is not locked out
	n.restart()
	for range triesPerAccount {
		n.verify("ann", "wrong", ErrCredentials)
	}
	n.verify("ann", "secret", ErrBusy)
	w.pass(time.Minute)
	for range 2 * triesPerAccount { // right ones do not count
		n.cache.entries = map[string]entry{}
		n.verify("ann", "secret", nil)
	}
	for i := range registrationsPerMinute {
		n.register(fmt.Sprintf("user%d", i), "x")
	}
	if _, err := n.Register(t.Context(), "onemore", "x"); !errors.Is(err, ErrBusy) {
		t.Errorf("too many registrations: %v", err)
	}
}

// TestRememberedPasswords counts hashes by what they need: a free slot.
func TestRememberedPasswords(t *testing.T) {
	w := newWorld(t)
	n := w.node(1)
	n.register("ann", "secret")
	for range cap(n.hash.queue) {
		n.hash.queue <- struct{}{} // every hash is ErrBusy now
	}
	n.verify("ann", "secret", nil)
	n.verify("ann", "wrong", ErrBusy)
	w.pass(cacheFor)
	n.verify("ann", "secret", ErrBusy)
	for range cap(n.hash.queue) {
		<-n.hash.queue
	}
	n.verify("ann", "secret", nil)
	for i := range 2 * maxCached {
		n.cache.remember(&Record{Name: fmt.Sprint(i)}, "x")
	}
	if len(n.cache.entries) > maxCached {
		t.Errorf("%d entries", len(n.cache.entries))
	}
}

func TestWindowAndTurnsAreBounded(t *testing.T) {
	now := time.UnixMilli(0)
	win := newWindow(func() time.Time { return now }, time.Minute, 2)
	for i := range maxWindowKeys {
		if !win.take(fmt.Sprint(i)) {
			t.Fatal("refused early")
		}
	}
	if win.take("one more") || !win.take("1") || win.take("1") {
		t.Error("limits of keys or counts do not hold")
	}
	win.back("1")
	if !win.take("1") {
		t.Error("given back in vain")
	}
	now = now.Add(time.Minute)
	if !win.take("one more") {
		t.Error("the window does not end")
	}
	now = now.Add(-time.Hour)
	for range 2 {
		if !win.take("one more") {
			t.Error("a clock set back locks out")
		}
	}

	tu := newTurns(1)
	release, err := tu.take(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tu.take(ctx, "ann"); !errors.Is(err, context.Canceled) {
		t.Errorf("second: %v", err)
	}
	tu.names["ann"].users++
	if _, err := tu.take(t.Context(), "ann"); !errors.Is(err, ErrBusy) {
		t.Errorf("third: %v", err)
	}
	tu.names["ann"].users--
	release()
	if len(tu.names) != 0 {
		t.Error("turns are kept")
	}
}
