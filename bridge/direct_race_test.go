package bridge_test

import (
	"fmt"
	"testing"

	"warren/bridge"
	"warren/bridge/bridgetest"
	"warren/rooms"
)

// Whoever opens a conversation first (an answer, a look at its history, the directory's news), what was said before is delivered, once.
func TestOpeningAConversationLosesNothing(t *testing.T) {
	n := bridgetest.New(t)
	w1, w2 := n.Node(t, "n1"), n.Node(t, "n2")
	h1, h2 := bridge.New(bridge.Config{World: w1, Wire: w1}), bridge.New(bridge.Config{World: w2, Wire: w2})
	defer h1.Close()
	defer h2.Close()
	for i := range 50 {
		alice, bob := fmt.Sprintf("alice%d", i), fmt.Sprintf("bob%d", i)
		w1.Register(t, alice)
		w2.Register(t, bob)
		ra := newRecorder()
		a, err := h1.Attach(ra, bridge.Person{Account: alice, Nick: alice})
		if err != nil {
			t.Fatal(err)
		}
		b, err := h2.Attach(newRecorder(), bridge.Person{Account: bob, Nick: bob})
		if err != nil {
			t.Fatal(err)
		}
		looked := make(chan error, 1)
		go func() {
			var err error
			for range 20 {
				if _, err = a.DirectHistory(t.Context(), bob, bridge.HistoryQuery{}); err != nil {
					break
				}
			}
			looked <- err
		}()
		if err := b.Tell(t.Context(), alice, rooms.Say{Text: "hello"}, nil); err != nil {
			t.Fatal(err)
		}
		ra.wait(t, "message", says("hello"))
		if err := <-looked; err != nil {
			t.Fatal(err)
		}
		a.Close("bye")
		b.Close("bye")
	}
}
