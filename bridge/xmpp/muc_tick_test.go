package xmpp

import (
	"strings"
	"testing"

	"warren/bridge"
)

// TestTicksAreForWhoAsks: a bot is told of them by the form that events have, in a message without a body; nobody else sees anything of them.
func TestTicksAreForWhoAsks(t *testing.T) {
	n := newNetwork(t)
	x := n.node("n1", nil, "alice", "bob")
	i := x.irc("", "ivan")
	seat := i.join("lobby")
	a, b := x.online("alice", "x"), x.online("bob", "y")
	a.join(lobby, "alice")
	b.join(lobby, "bob")
	tick := func(e *element) bool { return strings.Contains(e.childText(nsEvent, "event"), `"op":"tick"`) }
	x.hub.SessionsOf("alice")[0].Seat("lobby").Ticks(true)
	n.net.Tick(seat.Room().ID(), bridge.Tick{Height: 41, Time: 1_767_225_600_000})
	e := a.expect("the tick", tick)
	if e.attr("from") != lobby+"/"+bridge.BotNick || e.child(nsClient, "body") != nil || e.child(nsHints, "no-store") == nil ||
		!strings.Contains(e.childText(nsEvent, "event"), `"height":41,"time":1767225600000`) {
		t.Errorf("a tick: %s", e.bytes())
	}
	b.send("<message type='groupchat' to='" + lobby + "' id='t-2'><body>hello</body></message>")
	b.expect("no tick before what was said after it", func(e *element) bool {
		if tick(e) {
			t.Errorf("who has not asked is told: %s", e.bytes())
		}
		return strings.Contains(e.childText(nsClient, "body"), "hello")
	})
}
