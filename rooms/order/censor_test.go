package order_test

import (
	"strings"
	"testing"

	"warren/rooms"
	"warren/rooms/order"
)

// TestCensoredRequestIsOrdered has a leader that lets the requests of one author, or a single request, disappear: backups pass them on, depose it,
// and they are ordered.
func TestCensoredRequestIsOrdered(t *testing.T) {
	for _, author := range []bool{true, false} {
		bothWays(t, order.Switches{Misdeeds: []order.Misdeed{order.Censored}}, func(tr *trial, off bool) {
			tr.crown()
			victim := tr.request(2, "two", &rooms.Enter{View: "test"})
			other := tr.request(1, "one", &rooms.Enter{View: "test"})
			tr.drop = func(p packet) bool {
				gone := false
				if p.to == tr.cheat.id {
					order.Alter(p.data, func(e *order.Envelope) { gone = e.Submit != nil && e.Submit.Device == victim.Device })
				}
				return gone
			}
			for range 100 {
				for _, h := range tr.honest() {
					h.ctl.Submit(tr.now, victim)
				}
				if author {
					if tr.ask(other); tr.has(other) { // the others are served well
						other = tr.request(1, "one", &rooms.Say{Text: "hello"})
					}
				}
				tr.tick(1)
			}
			if ordered := tr.has(victim); ordered == off || tr.charged(order.Censored, true) == off {
				t.Errorf("others talk: %v, defence off: %v; ordered: %v", author, off, ordered)
			}
		})
	}
}

// TestALeaderIsNotBlamedForWhatItMustRefuse: anybody can send all controllers a request that is too large, or that loses its author's right while it
// waits; nor is it the leader's fault that a backup itself stood still.
func TestALeaderIsNotBlamedForWhatItMustRefuse(t *testing.T) {
	for name, pause := range map[string]int64{"too large": 0, "this node stood still": 8_000} {
		t.Run(name, func(t *testing.T) {
			tr := newTrial(t, order.Switches{})
			tr.crown()
			r := tr.request(2, "two", &rooms.Enter{View: "test"})
			if pause == 0 {
				large := rooms.NewRequest(tr.room, "", strings.Repeat("x", 5000), &rooms.Enter{View: "test"})
				large.Counter = r.Counter
				large.Sign(key(2))
				r = &large
			}
			for k := range 80 {
				for _, h := range tr.honest() {
					h.ctl.Submit(tr.now, r)
				}
				if pause > 0 && k == 2 {
					tr.now += pause
				}
				if tr.tick(1); tr.has(r) {
					break
				}
			}
			if tr.charged(order.Censored, false) {
				t.Error("the leader is blamed")
			}
		})
	}
}
