package xmpp

import (
	"testing"

	"warren/bridge"
	"warren/rooms"
)

// A guest's occupant id stays when the nick changes, and whoever comes under the old nick gets another one.
func TestAGuestKeepsTheOccupantID(t *testing.T) {
	n := newNetwork(t)
	x, y := n.node("n1", nil, "alice"), n.node("n2", nil)
	a := x.online("alice", "x")
	a.join(lobby, "alice")
	i := y.irc("", "ivan")
	seat := i.join("lobby")
	idOf := func(e *element) string { return e.child(nsOccupant, "occupant-id").attrOr("id") }
	id := idOf(a.expect("ivan", presenceOf(lobby+"/ivan", "")))
	same := func(what string, e *element) {
		t.Helper()
		if got := idOf(e); got != id || id == "" {
			t.Errorf("%s: id %q, want %q", what, got, id)
		}
	}
	i.do(seat, &rooms.Say{Text: "one"})
	same("a message", a.expect("message", body("one")))
	rename := func(to string) {
		t.Helper()
		if err := i.s.Rename(t.Context(), to, nil); err != nil {
			t.Fatal(err)
		}
		i.expect("new nick", func(d bridge.Delivery) bool {
			return d.Event != nil && d.Event.Op == rooms.OpNick && d.Event.Body.(*rooms.Nick).New == to
		})
	}
	rename("igor")
	same("the old nick", a.expect("the end of ivan", presenceOf(lobby+"/ivan", "unavailable")))
	same("the new nick", a.expect("igor", presenceOf(lobby+"/igor", "")))
	i.do(seat, &rooms.Say{Text: "two"})
	same("a message under the new nick", a.expect("message", body("two")))

	other := y.irc("", "ivan")
	there := other.join("lobby")
	if got := idOf(a.expect("another ivan", presenceOf(lobby+"/ivan", ""))); got == id || got == "" {
		t.Errorf("another ivan has the id %q", got)
	}
	other.do(there, &rooms.Leave{})
	other.s.Close("")
	a.expect("the end of the other ivan", presenceOf(lobby+"/ivan", "unavailable"))
	late := x.online("alice", "z")
	late.join(lobby, "alice")
	same("who comes later", late.expect("igor", presenceOf(lobby+"/igor", "")))
	rename("ivan")
	same("back under the first nick", a.expect("ivan again", presenceOf(lobby+"/ivan", "")))
	i.do(seat, &rooms.Leave{})
	same("at the end", a.expect("the end", presenceOf(lobby+"/ivan", "unavailable")))
	if x.srv.guests.n != 0 || len(x.srv.guests.first) != 0 {
		t.Errorf("%d ids are remembered of nobody", x.srv.guests.n)
	}
}
