package bridge_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"warren/bridge"
	"warren/bridge/bridgetest"
	"warren/rooms"
	"warren/rooms/errs"
)

// recorder is a client that keeps what it is shown.
type recorder struct {
	mu   sync.Mutex
	got  []bridge.Delivery
	news chan struct{}
}

func newRecorder() *recorder { return &recorder{news: make(chan struct{}, 1)} }

func (r *recorder) Deliver(d bridge.Delivery) {
	r.mu.Lock()
	r.got = append(r.got, d)
	r.mu.Unlock()
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// wait blocks until a delivery fits.
func (r *recorder) wait(t *testing.T, what string, f func(bridge.Delivery) bool) bridge.Delivery {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		r.mu.Lock()
		for _, d := range r.got {
			if f(d) {
				r.mu.Unlock()
				return d
			}
		}
		r.mu.Unlock()
		select {
		case <-r.news:
		case <-timeout:
			t.Fatalf("no %s; got %d deliveries", what, len(r.got))
		}
	}
}

func says(text string) func(bridge.Delivery) bool {
	return func(d bridge.Delivery) bool {
		if d.Event == nil {
			return false
		}
		b, ok := d.Event.Body.(*rooms.Say)
		return ok && b.Text == text
	}
}

func TestTwoNodesTalkInOneRoom(t *testing.T) {
	n := bridgetest.New(t)
	w1, w2 := n.Node(t, "n1"), n.Node(t, "n2")
	h1, h2 := bridge.New(bridge.Config{World: w1, Wire: w1}), bridge.New(bridge.Config{World: w2, Wire: w2})
	defer h1.Close()
	defer h2.Close()
	w1.Register(t, "alice")
	ra, rb := newRecorder(), newRecorder()
	a, err := h1.Attach(ra, bridge.Person{Account: "alice", Nick: "alice", View: "irc"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := h2.Attach(rb, bridge.Person{Nick: "bob", View: "xmpp"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h2.Attach(rb, bridge.Person{Nick: "Alice"}); !errors.Is(err, errs.NickInUse) {
		t.Errorf("a guest took a registered name: %v", err)
	}
	ta, err := a.Join(t.Context(), "lobby", bridge.JoinOptions{Create: true, Cookie: "join"})
	if err != nil {
		t.Fatal(err)
	}
	if d := ra.got[0]; !d.Self || !d.Mine || d.Cookie != "join" || d.Event.Op != rooms.OpEnter {
		t.Errorf("first delivery is not the own enter: %+v", d)
	}
	if _, err := b.Join(t.Context(), "LOBBY", bridge.JoinOptions{}); err != nil {
		t.Fatal(err)
	}
	ra.wait(t, "bob's enter", func(d bridge.Delivery) bool {
		return d.Event != nil && d.Event.Op == rooms.OpEnter && d.Event.Nick == "bob"
	})
	if err := ta.Wait(t.Context(), &rooms.Say{Text: "hello"}, 7); err != nil {
		t.Fatal(err)
	}
	if d := ra.wait(t, "own echo", says("hello")); d.Cookie != 7 || !d.Mine {
		t.Errorf("echo without its cookie: %+v", d)
	}
	if d := rb.wait(t, "message", says("hello")); d.Mine || d.Self {
		t.Errorf("bob's copy is marked as his own: %+v", d)
	}
	if err := b.Tell(t.Context(), "alice", rooms.Say{Text: "psst"}, nil); err != nil {
		t.Fatal(err)
	}
	if d := ra.wait(t, "direct message", says("psst")); d.Kind != bridge.DirectEvent || d.From.Nick != "bob" {
		t.Errorf("direct message: %+v", d)
	}
	if err := a.Tell(t.Context(), "bob", rooms.Say{Text: "yes?"}, nil); err != nil {
		t.Fatal(err)
	}
	rb.wait(t, "direct answer", says("yes?"))
	b.Close("bye")
	ra.wait(t, "bob's leave", func(d bridge.Delivery) bool {
		return d.Event != nil && d.Event.Op == rooms.OpLeave && d.Event.Body.(*rooms.Leave).Quit
	})
	evs, err := ta.History(t.Context(), bridge.HistoryQuery{Ops: []rooms.Op{rooms.OpSay}})
	if err != nil || len(evs) != 1 {
		t.Errorf("history: %v, %v", evs, err)
	}
	if err := ta.Leave(t.Context(), "done", nil); err != nil {
		t.Fatal(err)
	}
	ra.wait(t, "own leave", func(d bridge.Delivery) bool { return d.Last && d.Self })
	if len(a.Seats()) != 0 {
		t.Error("a seat is left")
	}
}
