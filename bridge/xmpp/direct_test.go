package xmpp

import (
	"fmt"
	"testing"

	"warren/bridge"
	"warren/rooms"
)

func TestDirectMessagesAcrossNodes(t *testing.T) {
	n := newNetwork(t)
	x, y := n.node("n1", nil, "alice"), n.node("n2", nil, "bob")
	a, b := x.online("alice", "x"), y.online("bob", "y")
	a.send("<message type='chat' to='bob@localhost' id='d1'><body>psst</body><request xmlns='urn:xmpp:receipts'/></message>")
	e := b.expect("message", body("psst"))
	if e.attr("from") != "alice@localhost/x" || e.attr("type") != "chat" || e.attr("id") != "d1" || e.child("urn:xmpp:receipts", "request") == nil {
		t.Errorf("got %s", e.bytes())
	}
	if sid := e.child(nsSID, "stanza-id"); sid.attrOr("by") != "bob@localhost" || sid.attrOr("id") == "" {
		t.Errorf("stanza-id: %s", e.bytes())
	}
	b.send("<message type='chat' to='alice@localhost/x' id='d2'><received xmlns='urn:xmpp:receipts' id='d1'/></message>")
	a.expect("receipt", func(e *element) bool { return e.child("urn:xmpp:receipts", "received").attrOr("id") == "d1" })
	a.none("echo", body("psst"))
	for i := range 20 {
		a.send(fmt.Sprintf("<message type='chat' to='bob@localhost'><body>%d</body></message>", i))
	}
	for i := range 20 {
		e := b.expect("message", func(e *element) bool { return e.child(nsClient, "body") != nil })
		if got := e.childText(nsClient, "body"); got != fmt.Sprint(i) {
			t.Fatalf("got %s, want %d", got, i)
		}
	}
	a.send("<message type='chat' to='nobody@localhost' id='n'><body>hello?</body></message>")
	wantError(t, a.expect("error", func(e *element) bool { return e.attr("id") == "n" }), "service-unavailable")
	x.knows("bob")
	y.knows("alice")
	a.send("<message type='chat' to='bob@localhost' id='st'><composing xmlns='" + nsStates + "'/></message>")
	if e := b.expect("chat state", func(e *element) bool { return e.child(nsStates, "composing") != nil }); e.attr("from") != "alice@localhost" || e.attr("type") != "chat" {
		t.Errorf("got %s", e.bytes())
	}
	a.send("<message to='alice@localhost' id='self'><body>note to self</body></message>")
}

func TestDirectMessagesWithIRC(t *testing.T) {
	n := newNetwork(t)
	x, y := n.node("n1", nil, "alice"), n.node("n2", nil, "bob")
	a := x.online("alice", "x")
	i, g := y.irc("bob", "bob"), y.irc("", "greta")
	if err := i.s.Tell(t.Context(), "alice", rooms.Say{Text: "from irc"}, nil); err != nil {
		t.Fatal(err)
	}
	if e := a.expect("message", body("from irc")); e.attr("from") != "bob@localhost" {
		t.Errorf("from an account: %s", e.bytes())
	}
	if err := g.s.Tell(t.Context(), "alice", rooms.Say{Text: "from a guest"}, nil); err != nil {
		t.Fatal(err)
	}
	if e := a.expect("message", body("from a guest")); e.attr("from") != "greta@localhost" {
		t.Errorf("from a guest: %s", e.bytes())
	}
	x.knows("bob")
	y.knows("alice")
	i.s.SignalTo("alice", rooms.Say{Kind: rooms.Signal, Tags: map[string]string{"typing": "paused"}})
	a.expect("typing", func(e *element) bool { return e.attr("from") == "bob@localhost" && e.child(nsStates, "paused") != nil })
	a.send("<message type='chat' to='bob@localhost'><composing xmlns='" + nsStates + "'/></message>")
	i.expect("typing", func(d bridge.Delivery) bool {
		return d.Kind == bridge.SignalEvent && d.Seat == nil && d.By == "alice" && d.Say.Tags["typing"] == "active"
	})
	a.send("<message type='chat' to='greta@localhost' id='g'><body>hi guest</body></message>")
	g.expect("answer", says("hi guest"))
	a.send("<message type='chat' to='bob@localhost/n2' id='b'><body>hi bob</body></message>")
	i.expect("answer", says("hi bob"))
}

func TestPrivateMessagesInRooms(t *testing.T) {
	n := newNetwork(t)
	x, y := n.node("n1", nil, "alice", "bob"), n.node("n2", nil)
	a, b := x.online("alice", "x"), x.online("bob", "y")
	a.join(lobby, "Al")
	b.join(lobby, "Bobby")
	g := y.irc("", "greta")
	g.join("lobby")
	a.send("<message type='chat' to='" + lobby + "/Bobby' id='p'><body>psst</body></message>")
	e := b.expect("private message", body("psst"))
	if e.attr("from") != lobby+"/Al" || e.attr("type") != "chat" || e.child(nsMUCUser, "x") == nil {
		t.Errorf("got %s", e.bytes())
	}
	a.send("<message type='chat' to='" + lobby + "/greta' id='q'><body>hey</body></message>")
	d := g.expect("private message", says("hey"))
	if d.Kind != bridge.DirectEvent || d.Event.Body.(*rooms.Say).Tags[contextTag] != "#lobby" {
		t.Errorf("got %+v", d)
	}
	if err := g.s.Tell(t.Context(), "alice", rooms.Say{Text: "ho"}, nil); err != nil {
		t.Fatal(err)
	}
	if e := a.expect("answer of a guest", body("ho")); e.attr("from") != lobby+"/greta" {
		t.Errorf("got %s", e.bytes())
	}
	a.send("<message type='chat' to='" + lobby + "/nobody' id='r'><body>x</body></message>")
	wantError(t, a.expect("error", func(e *element) bool { return e.attr("id") == "r" }), "item-not-found")
	a.send("<message type='groupchat' to='" + lobby + "/Bobby' id='s'><body>x</body></message>")
	wantError(t, a.expect("error", func(e *element) bool { return e.attr("id") == "s" }), "bad-request")
}

func TestCarbons(t *testing.T) {
	n := newNetwork(t)
	x, y := n.node("n1", nil, "alice", "bob"), n.node("n2", nil, "alice")
	a1, a2, a3, b := x.online("alice", "one"), x.online("alice", "two"), y.online("alice", "three"), x.online("bob", "b")
	a2.result("set", "", "<enable xmlns='urn:xmpp:carbons:2'/>")
	a3.result("set", "localhost", "<enable xmlns='urn:xmpp:carbons:2'/>")
	inner := func(how, text string) func(*element) bool {
		return func(e *element) bool {
			return e.attr("from") == "alice@localhost" && body(text)(e.child(nsCarbons, how).child(nsForward, "forwarded").childOr("message"))
		}
	}
	a1.send("<message type='chat' to='bob@localhost' id='1'><body>sent</body></message>")
	b.expect("message", body("sent"))
	e := a2.expect("sent carbon", inner("sent", "sent"))
	if m := e.child(nsCarbons, "sent").child(nsForward, "forwarded").childOr("message"); m.attr("from") != "alice@localhost/one" || m.attr("to") != "bob@localhost" {
		t.Errorf("sent: %s", e.bytes())
	}
	a3.expect("sent carbon on another node", inner("sent", "sent"))
	b.send("<message type='chat' to='alice@localhost/one' id='2'><body>got</body></message>")
	a1.expect("message", body("got"))
	a2.expect("received carbon", inner("received", "got"))
	a3.expect("received carbon on another node", inner("received", "got"))
	b.send("<message type='chat' to='alice@localhost' id='3'><body>to all</body></message>")
	for _, c := range []*client{a1, a2, a3} {
		c.expect("message to the bare address", body("to all"))
	}
	a2.send("<presence><priority>-1</priority></presence>")
	a2.result("set", "", "<disable xmlns='urn:xmpp:carbons:2'/>")
	b.send("<message type='chat' to='alice@localhost' id='4'><body>not to two</body></message>")
	a1.expect("message", body("not to two"))
	a2.none("message", body("not to two"))
	b.send("<message type='chat' to='alice@localhost/gone' id='5'><body>to nobody in particular</body></message>")
	a1.expect("message to a resource that is gone", body("to nobody in particular"))
}

// childOr is child that never returns nil.
func (e *element) childOr(local string) *element {
	if k := e.child(nsClient, local); k != nil {
		return k
	}
	return &element{}
}
