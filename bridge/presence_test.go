package bridge_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"warren/bridge"
	"warren/bridge/bridgetest"
	"warren/rooms"
)

// slowWire keeps what comes until it is opened, and then loses all but the last.
type slowWire struct {
	bridge.Wire
	mu   sync.Mutex
	open bool
	kept []func()
}

func (w *slowWire) Receive(f func(rooms.NodeID, []byte)) func() {
	return w.Wire.Receive(func(from rooms.NodeID, data []byte) {
		w.mu.Lock()
		open := w.open
		if !open {
			w.kept = append(w.kept, func() { f(from, slices.Clone(data)) })
		}
		w.mu.Unlock()
		if open {
			f(from, data)
		}
	})
}

func (w *slowWire) release() {
	w.mu.Lock()
	kept := w.kept
	w.open, w.kept = true, nil
	w.mu.Unlock()
	kept[len(kept)-1]()
}

// The room tells that somebody came; that she is away is known when her node says so, be it later, and in the first word of her.
func TestWhoCameIsSeenAwayWhenThatIsKnown(t *testing.T) {
	n := bridgetest.New(t)
	n1, n2 := n.Node(t, "n1"), n.Node(t, "n2")
	slow := &slowWire{Wire: n2}
	h1, h2 := bridge.New(bridge.Config{World: n1, Wire: n1}), bridge.New(bridge.Config{World: n2, Wire: slow})
	t.Cleanup(h1.Close)
	t.Cleanup(h2.Close)
	r := newRecorder()
	bob, err := h2.Attach(r, bridge.Person{Nick: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Join(t.Context(), "lobby", bridge.JoinOptions{Create: true}); err != nil {
		t.Fatal(err)
	}
	ann, err := h1.Attach(newRecorder(), bridge.Person{Nick: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan struct{}, 1)
	defer h1.WatchUsers(func(_, now bridge.User) {
		if now.Away == "gone" {
			told <- struct{}{}
		}
	})()
	ann.SetPresence("gone", "xa")
	if _, err := ann.Join(t.Context(), "lobby", bridge.JoinOptions{}); err != nil {
		t.Fatal(err)
	}
	r.wait(t, "her entrance", func(d bridge.Delivery) bool {
		return d.Event != nil && d.Event.Op == rooms.OpEnter && d.Event.Nick == "ann"
	})
	<-told
	slow.release()
	d := r.wait(t, "news of her", func(d bridge.Delivery) bool { return d.Kind == bridge.UserChange && d.User.Nick == "ann" })
	if d.User.Away != "gone" || d.Was.Away != "" || d.Was.Nick != "ann" || d.User.Show != "xa" {
		t.Errorf("%+v", d)
	}
}

// farWire is a wire of a node that has no links: what it broadcasts arrives, what it sends is lost, and nobody comes up.
type farWire struct {
	bridge.Wire
	asked atomic.Int32
	again func()
}

func (w *farWire) Send(rooms.NodeID, []byte)                    { w.asked.Add(1) }
func (w *farWire) Peers(func(rooms.NodeID, bool)) (stop func()) { return func() {} }
func (w *farWire) Again(f func()) (stop func()) {
	w.again = f
	return func() {}
}

// Who has no link to a node learns who is on it from what that tells all now and then, asks nobody, and hears at once of what changes.
func TestUsersOfNodesThatAreNotLinkedAreKnown(t *testing.T) {
	const users = 150 // more than one message holds
	n := bridgetest.New(t)
	n1, n2 := n.Node(t, "n1"), n.Node(t, "n2")
	w1 := &farWire{Wire: n1}
	h1 := bridge.New(bridge.Config{World: n1, Wire: w1})
	t.Cleanup(h1.Close)
	var first, second, last *bridge.Session
	for i := range users {
		s, err := h1.Attach(newRecorder(), bridge.Person{Nick: fmt.Sprint("user", i)})
		if err != nil {
			t.Fatal(err)
		}
		switch i {
		case 0:
			first = s
		case 1:
			second = s
		}
		last = s
	}
	last.Barrier(t.Context())
	w2 := &farWire{Wire: n2} // it was not there when they came
	h2 := bridge.New(bridge.Config{World: n2, Wire: w2})
	t.Cleanup(h2.Close)
	elsewhere := func() (count int) {
		for _, u := range h2.Users() {
			if u.Node == n1.Self() {
				count++
			}
		}
		return count
	}
	second.Close("bye") // it lacks what was told before
	last.Barrier(t.Context())
	for range 2 { // the second time it changes nothing
		w1.again()
		if got := elsewhere(); got != users-1 {
			t.Fatalf("%d users are known, want %d", got, users-1)
		}
	}
	first.Close("bye")
	last.Barrier(t.Context())
	if got := elsewhere(); got != users-2 {
		t.Errorf("%d users are known after one left", got)
	}
	if w2.asked.Load() != 0 {
		t.Errorf("a node was asked %d times over a link that there is not", w2.asked.Load())
	}
}
