package bridge_test

import (
	"strings"
	"testing"

	"warren/bridge"
	"warren/bridge/bridgetest"
)

func TestARoomTellsThatItFreezesAndThaws(t *testing.T) {
	n := bridgetest.New(t)
	w := n.Node(t, "n1")
	h := bridge.New(bridge.Config{World: w})
	defer h.Close()
	r := newRecorder()
	s, err := h.Attach(r, bridge.Person{Nick: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	seat, err := s.Join(t.Context(), "lobby", bridge.JoinOptions{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		frozen bool
		word   string
	}{{true, "no quorum"}, {false, "goes on"}} {
		n.Freeze(seat.Room().ID(), c.frozen)
		r.wait(t, c.word, func(d bridge.Delivery) bool {
			return d.Kind == bridge.BotReply && d.Seat == seat && strings.Contains(d.Reply.Lines[0], c.word)
		})
	}
}
