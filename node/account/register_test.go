package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"warren/rooms"
	"warren/rooms/errs"
)

func TestRegisterHereLogInThere(t *testing.T) {
	w := newWorld(t)
	home, away, other := w.node(1), w.node(2), w.node(3)
	home.register("ann", "secret")
	home.verify("ann", "secret", nil)
	home.verify("ann", "Secret", ErrCredentials)
	if err := home.scram("ann", "secret"); err != nil || !home.Has("Ann") {
		t.Fatalf("SCRAM at home: %v", err)
	}
	if err := away.scram("ann", "secret"); !errors.Is(err, ErrElsewhere) || away.Has("ann") {
		t.Fatalf("SCRAM before the first login: %v", err)
	}
	if err := away.scram("bob", "secret"); !errors.Is(err, ErrCredentials) {
		t.Fatalf("SCRAM of nobody: %v", err)
	}
	away.verify("ann", "wrong", ErrCredentials)
	away.verify("bob", "secret", ErrCredentials)
	away.verify("no name", "secret", ErrCredentials)
	away.verify("ann", "", ErrCredentials)
	if list, err := away.List(); len(list) != 0 || err != nil {
		t.Fatalf("accounts after wrong passwords: %v, %v", list, err)
	}
	away.verify("ann", "secret", nil)
	if err := away.scram("ann", "secret"); err != nil {
		t.Fatalf("SCRAM after the first login: %v", err)
	}
	home.away = true
	away.restart()
	away.verify("ann", "secret", nil)
	away.verify("ann", "wrong", ErrCredentials)
	other.verify("ann", "secret", nil) // from the second device
	list, err := other.List()
	if err != nil || len(list) != 1 || list[0].Name != "ann" || list[0].Revision != 1 || !list[0].Active || list[0].Key != w.accounts["ann"].Key {
		t.Errorf("list: %+v, %v", list, err)
	}
	if n := len(w.accounts["ann"].Devices); n != 3 {
		t.Errorf("%d devices", n)
	}
}

func TestNamesAndPasswordsAreRefused(t *testing.T) {
	w := newWorld(t)
	n := w.node(1)
	for _, c := range []struct {
		name, password string
		want           error
	}{
		{"", "x", ErrName}, {"a b", "x", ErrName}, {"a@b", "x", ErrName}, {"#a", "x", ErrName}, {"a\xff", "x", ErrName}, {"~a", "x", ErrName},
		{strings.Repeat("a", rooms.MaxName+1), "x", ErrName},
		{"ann", "", ErrPassword}, {"ann", "a\nb", ErrPassword}, {"ann", "\xff", ErrPassword}, {"ann", strings.Repeat("x", maxPassword+1), ErrPassword},
	} {
		if _, err := n.Register(t.Context(), c.name, c.password); !errors.Is(err, c.want) {
			t.Errorf("register %q/%q: got %v, want %v", c.name, c.password, err, c.want)
		}
	}
	if got, err := n.Register(t.Context(), "ANN", "e\u0301"); got != "ann" || err != nil {
		t.Errorf("register ANN: %q, %v", got, err)
	}
	n.verify("ann", "\u00e9", nil)
	if _, err := n.Register(t.Context(), "Ann", "y"); !errors.Is(err, ErrExists) {
		t.Errorf("register twice: %v", err)
	}
	n.cfg.Open = false
	n.restart()
	if _, err := n.Register(t.Context(), "bob", "y"); !errors.Is(err, ErrClosed) {
		t.Errorf("register where it is closed: %v", err)
	}
}

func TestRefusedRegistrationLeavesNothing(t *testing.T) {
	for kind, want := range map[errs.Kind]error{errs.Exists: ErrExists, errs.Invalid: ErrName, errs.Quota: errs.Quota, errs.Denied: errs.Denied} {
		w := newWorld(t)
		n := w.node(1)
		w.refuse = fmt.Errorf("order: %w", kind)
		if _, err := n.Register(t.Context(), "ann", "secret"); !errors.Is(err, want) {
			t.Errorf("%v: got %v, want %v", kind, err, want)
		}
		if list, err := n.List(); len(list) != 0 || err != nil {
			t.Errorf("%v: left %v, %v", kind, list, err)
		}
		n.verify("ann", "secret", ErrCredentials)
	}
}

// TestUnansweredRegistration goes on where a time-out or a crash left it.
func TestUnansweredRegistration(t *testing.T) {
	for _, applied := range []bool{false, true} {
		for _, again := range []string{"register", "verify"} {
			t.Run(fmt.Sprintf("applied %v, then %s", applied, again), func(t *testing.T) {
				w := newWorld(t)
				n := w.node(1)
				w.refuse, w.applied = errs.Timeout, applied
				_, err := n.Register(t.Context(), "ann", "secret")
				if applied != (err == nil) {
					t.Fatalf("first try: %v", err)
				}
				w.refuse = nil
				n.restart()
				if applied {
					n.verify("ann", "secret", nil)
					return
				}
				if err := n.scram("ann", "secret"); !errors.Is(err, ErrCredentials) {
					t.Errorf("SCRAM of a name that nobody knows: %v", err)
				}
				if _, err := n.Register(t.Context(), "ann", "other"); !errors.Is(err, ErrExists) {
					t.Errorf("somebody else takes it up: %v", err)
				}
				n.verify("ann", "other", ErrCredentials)
				if again == "register" {
					n.register("ann", "secret")
				}
				n.verify("ann", "secret", nil)
			})
		}
	}
}

// TestRefusedRetryKeepsTheKey: the first request may still be on its way.
func TestRefusedRetryKeepsTheKey(t *testing.T) {
	w := newWorld(t)
	n := w.node(1)
	for _, refuse := range []error{errs.Timeout, errs.Quota, context.DeadlineExceeded} {
		w.refuse = refuse
		if _, err := n.Register(t.Context(), "ann", "secret"); !errors.Is(err, refuse) {
			t.Fatalf("got %v, want %v", err, refuse)
		}
		if list, err := n.List(); len(list) != 1 || list[0].Active || err != nil {
			t.Fatalf("after %v: %+v, %v", refuse, list, err)
		}
		n.verify("ann", "secret", refuse)
	}
	w.refuse = errs.Exists // and the directory here does not show it yet
	n.verify("ann", "secret", ErrCredentials)
	if list, err := n.List(); len(list) != 0 || err != nil {
		t.Errorf("left %+v, %v", list, err)
	}
}

// TestAFrozenDirectoryIsNamed: at once, and then nothing is left; or while it is waited for, and then the same can be done again.
func TestAFrozenDirectoryIsNamed(t *testing.T) {
	w := newWorld(t)
	n := w.node(1)
	w.frozen = true
	if _, err := n.Register(t.Context(), "ann", "secret"); !errors.Is(err, ErrFrozen) || !errors.Is(err, errs.Frozen) {
		t.Errorf("frozen: %v", err)
	}
	if list, err := n.List(); len(list) != 0 || err != nil {
		t.Errorf("left %v, %v", list, err)
	}
	w.frozen, w.refuse = false, errs.Frozen
	if _, err := n.Register(t.Context(), "ann", "another"); !errors.Is(err, ErrFrozen) {
		t.Errorf("frozen meanwhile: %v", err)
	}
	w.refuse = nil
	n.register("ann", "another")
	other := w.node(2)
	w.refuse = errs.Frozen
	other.verify("ann", "another", ErrFrozen)
}

func TestLostRegistrationGivesWay(t *testing.T) {
	w := newWorld(t)
	slow, quick := w.node(1), w.node(2)
	w.refuse = errs.Frozen
	if _, err := slow.Register(t.Context(), "ann", "mine"); err == nil {
		t.Fatal("registered without a directory")
	}
	w.refuse = nil
	quick.register("ann", "hers")
	slow.verify("ann", "mine", ErrCredentials)
	if err := slow.scram("ann", "hers"); !errors.Is(err, ErrElsewhere) {
		t.Errorf("SCRAM with the lost key: %v", err)
	}
	slow.verify("ann", "hers", nil)
	if err := slow.scram("ann", "hers"); err != nil {
		t.Error(err)
	}
}

func TestConcurrentRegistration(t *testing.T) {
	w := newWorld(t)
	nodes := []*node{w.node(1), w.node(2)}
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		won  []string
		lost int
	)
	for i := range 8 {
		all.Go(func() {
			password := fmt.Sprintf("secret %d", i)
			_, err := nodes[i%2].Register(t.Context(), "ann", password)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won = append(won, password)
			case errors.Is(err, ErrExists):
				lost++
			default:
				t.Errorf("register: %v", err)
			}
		})
	}
	all.Wait()
	if len(won) != 1 || lost != 7 {
		t.Fatalf("%d won, %d lost", len(won), lost)
	}
	for _, n := range nodes {
		n.verify("ann", won[0], nil)
	}
}
