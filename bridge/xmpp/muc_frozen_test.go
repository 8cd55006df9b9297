package xmpp

import (
	"strings"
	"testing"

	"warren/bridge"
	"warren/rooms"
)

func early(what string) func(*element) bool {
	return func(e *element) bool { return e.child(nsEarly, what) != nil }
}

func subjectIs(text string) func(*element) bool {
	return func(e *element) bool {
		s := e.child(nsClient, "subject")
		return s != nil && s.text() == text
	}
}

func TestAFrozenRoomSaysSoAndTalkGoesOnProvisionally(t *testing.T) {
	n := newNetwork(t)
	x, y := n.node("n1", nil, "alice"), n.node("n2", nil)
	i := y.irc("", "ivan")
	seat := i.join("lobby")
	i.do(seat, &rooms.Subject{Text: "tea"})
	a := x.online("alice", "x")
	a.join(lobby, "alice")
	n.net.Freeze(seat.Room().ID(), true)
	e := a.expect("news of the freeze", early("frozen"))
	for _, w := range []string{"frozen", "quorum", "provisional"} {
		if !strings.Contains(e.childText(nsClient, "body"), w) || e.attr("from") != lobby+"/"+bridge.BotNick {
			t.Errorf("%q is not in %s", w, e.bytes())
		}
	}
	a.expect("the mark", subjectIs("[frozen] tea"))

	a.send("<message type='groupchat' to='" + lobby + "' id='p-1'><body>still here</body><provisional xmlns='urn:warren:provisional:0'/></message>")
	echo := a.expect("echo", body("still here"))
	sid := echo.child(nsSID, "stanza-id").attr("id")
	if echo.attr("id") != "p-1" || echo.child(nsEarly, "provisional") == nil || echo.child(nsHints, "no-permanent-store") == nil || sid == "" {
		t.Errorf("echo: %s", echo.bytes())
	}
	d := i.expect("message", func(d bridge.Delivery) bool { return says("still here")(d) && d.Kind == bridge.ProvisionalEvent })
	if d.Event.ID.MsgID() != sid {
		t.Errorf("stanza-id %s, msgid %s", sid, d.Event.ID.MsgID())
	}
	if d.Event.Body.(*rooms.Say).Ext != nil {
		t.Errorf("a mark of the client's own came through: %s", d.Event.Body.(*rooms.Say).Ext)
	}
	a.send("<message type='groupchat' to='" + lobby + "' id='s-1'><subject>new</subject></message>")
	refused := a.expect("refusal", func(e *element) bool { return e.attr("id") == "s-1" })
	wantError(t, refused, "remote-server-timeout")
	if !strings.Contains(string(refused.bytes()), "quorum") {
		t.Errorf("refusal without a reason: %s", refused.bytes())
	}
	seat.Do(&rooms.Say{Kind: 99, Text: "nonsense"}, nil, nil)
	a.expect("what will be refused", func(e *element) bool { return body("nonsense")(e) && early("provisional")(e) })

	n.net.Freeze(seat.Room().ID(), false)
	if e := a.expect("confirmation", early("confirmed")); e.child(nsEarly, "confirmed").attr("id") != sid || e.childText(nsClient, "body") != `confirmed: "still here"` {
		t.Errorf("confirmation: %s", e.bytes())
	}
	if e := a.expect("withdrawal", early("withdrawn")); !strings.Contains(e.childText(nsClient, "body"), "nonsense") {
		t.Errorf("withdrawal: %s", e.bytes())
	}
	a.expect("news of the thaw", early("thawed"))
	a.expect("no mark", subjectIs("tea"))
	a.none("second showing", body("still here"))

	b := x.online("alice", "late")
	b.join(lobby, "alice")
	again := b.expect("history", body("still here"))
	if again.child(nsEarly, "provisional") != nil || again.child(nsSID, "stanza-id").attr("id") != sid {
		t.Errorf("in the history: %s", again.bytes())
	}
	b.none("what was withdrawn", body("nonsense"))
}

func TestWhoComesToAFrozenRoomIsTold(t *testing.T) {
	n := newNetwork(t)
	x := n.node("n1", nil, "alice")
	a := x.online("alice", "x")
	a.join(lobby, "alice")
	var room bridge.Room
	for _, s := range x.hub.Sessions() {
		room = s.Seat("lobby").Room()
	}
	n.net.Freeze(room.ID(), true)
	b := x.online("alice", "y")
	b.join(lobby, "alice")
	b.expect("news of the freeze", early("frozen"))
	b.expect("the mark", subjectIs("[frozen] "))
}

func TestAFrozenConversationSaysSoToWhoTalks(t *testing.T) {
	n := newNetwork(t)
	x := n.node("n1", nil, "alice", "bob")
	a, b := x.online("alice", "x"), x.online("bob", "y")
	a.send("<message type='chat' to='bob@localhost'><body>one</body></message>")
	b.expect("message", body("one"))
	id := x.conversation("alice", "bob")
	n.net.Freeze(id, true)
	a.send("<message type='chat' to='bob@localhost'><body>two</body></message>")
	e := a.expect("the reason", early("frozen"))
	for _, w := range []string{"bob", "frozen", "quorum", "provisional"} {
		if !strings.Contains(e.childText(nsClient, "body"), w) || e.attr("from") != bridge.BotNick+"@localhost" {
			t.Errorf("%q is not in %s", w, e.bytes())
		}
	}
	n.net.Freeze(id, false)
	a.expect("confirmation", early("confirmed"))
	b.none("a word about the freeze", early("frozen"))
}
