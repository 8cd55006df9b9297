package xmpp

import (
	"sync"
	"testing"
	"time"

	"warren/bridge"
	"warren/rooms"
)

// irc is a session of another protocol: it keeps what it is shown.
type irc struct {
	t    testing.TB
	s    *bridge.Session
	mu   sync.Mutex
	got  []bridge.Delivery
	news chan struct{}
}

func (x *site) irc(account, nick string) *irc {
	x.t.Helper()
	i := &irc{t: x.t, news: make(chan struct{}, 1)}
	s, err := x.hub.Attach(i, bridge.Person{Account: account, Nick: nick, View: "irc"})
	if err != nil {
		x.t.Fatal(err)
	}
	i.s = s
	return i
}

func (i *irc) Deliver(d bridge.Delivery) {
	i.mu.Lock()
	i.got = append(i.got, d)
	i.mu.Unlock()
	select {
	case i.news <- struct{}{}:
	default:
	}
}

func (i *irc) expect(what string, fits func(bridge.Delivery) bool) bridge.Delivery {
	i.t.Helper()
	timeout := time.After(patience)
	for {
		i.mu.Lock()
		for _, d := range i.got {
			if fits(d) {
				i.mu.Unlock()
				return d
			}
		}
		i.mu.Unlock()
		select {
		case <-i.news:
		case <-timeout:
			i.t.Fatalf("no %s", what)
		}
	}
}

// says is a delivery of talk with this text.
func says(text string) func(bridge.Delivery) bool {
	return func(d bridge.Delivery) bool {
		if d.Event == nil {
			return false
		}
		b, ok := d.Event.Body.(*rooms.Say)
		return ok && b.Text == text
	}
}

func (i *irc) join(room string) *bridge.Seat {
	i.t.Helper()
	t, err := i.s.Join(i.t.Context(), room, bridge.JoinOptions{Create: true})
	if err != nil {
		i.t.Fatal(err)
	}
	return t
}

func (i *irc) do(t *bridge.Seat, b rooms.Body) {
	i.t.Helper()
	if err := t.Wait(i.t.Context(), b, nil); err != nil {
		i.t.Fatalf("%T: %v", b, err)
	}
}
