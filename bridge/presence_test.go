package bridge_test

import (
	"slices"
	"sync"
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
