package bridge_test

import (
	"runtime"
	"testing"

	"warren/bridge"
	"warren/bridge/bridgetest"
	"warren/rooms"
)

func TestGuestsFindTheirConversationAgain(t *testing.T) {
	n := bridgetest.New(t)
	w1, w2 := n.Node(t, "n1"), n.Node(t, "n2")
	h1, h2 := bridge.New(bridge.Config{World: w1, Wire: w1}), bridge.New(bridge.Config{World: w2, Wire: w2})
	defer h1.Close()
	defer h2.Close()
	for _, text := range []string{"first", "second", "third"} {
		ra, rb := newRecorder(), newRecorder()
		b, err := h2.Attach(rb, bridge.Person{Nick: "bob"})
		if err != nil {
			t.Fatal(err)
		}
		a, err := h1.Attach(ra, bridge.Person{Nick: "ann"})
		if err != nil {
			t.Fatal(err)
		}

		for _, ok := h1.UserByNick("bob"); !ok; _, ok = h1.UserByNick("bob") {
			runtime.Gosched()
		}
		if err := a.Tell(t.Context(), "bob", rooms.Say{Text: text}, nil); err != nil {
			t.Fatal(err)
		}
		rb.wait(t, "the message "+text, says(text))
		a.Close("")
		b.Close("")
	}
}
