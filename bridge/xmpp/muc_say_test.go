package xmpp

import (
	"strings"
	"testing"

	"warren/bridge"
	"warren/rooms"
)

// The same talk on both sides: ids, order and text agree.
func TestTalkBetweenProtocols(t *testing.T) {
	n := newNetwork(t)
	x, y := n.node("n1", nil, "alice"), n.node("n2", nil)
	i := y.irc("", "ivan")
	seat := i.join("lobby")
	a := x.online("alice", "x")
	a.join(lobby, "alice")
	a.send("<message type='groupchat' to='" + lobby + "' id='my-1'><body>hello &lt;there&gt; &#xE9;</body><origin-id xmlns='urn:xmpp:sid:0' id='o-1'/></message>")
	echo := a.expect("echo", body("hello <there> é"))
	if echo.attr("id") != "my-1" || echo.attr("from") != lobby+"/alice" || echo.child(nsSID, "origin-id").attr("id") != "o-1" {
		t.Errorf("echo: %s", echo.bytes())
	}
	d := i.expect("message", says("hello <there> é"))
	if sid := echo.child(nsSID, "stanza-id"); sid.attr("id") != d.Event.ID.MsgID() || sid.attr("by") != lobby {
		t.Errorf("stanza-id %s, msgid %s", sid.bytes(), d.Event.ID.MsgID())
	}
	i.do(seat, &rooms.Say{Text: "\x02bold\x02 \x0304red\x03 <tags> & co"})
	if e := a.expect("message", body("bold red <tags> & co")); e.attr("id") == "" || e.attr("from") != lobby+"/ivan" {
		t.Errorf("from IRC: %s", e.bytes())
	}
	i.do(seat, &rooms.Say{Kind: rooms.Action, Text: "waves"})
	a.expect("action", body("/me waves"))
	a.send("<message type='groupchat' to='" + lobby + "' id='my-2'><body>/me waves back</body></message>")
	i.expect("action", func(d bridge.Delivery) bool {
		return says("waves back")(d) && d.Event.Body.(*rooms.Say).Kind == rooms.Action
	})
	a.send("<message type='groupchat' to='" + lobby + "' id='my-3'><body>two\nlines</body></message>")
	i.expect("two lines", says("two\nlines"))
}

func TestExtensionsTravelButForgeriesDoNot(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice", "bob")
	a, b := x.online("alice", "x"), x.online("bob", "y")
	a.join(lobby, "alice")
	b.join(lobby, "bob")
	a.send("<message type='groupchat' to='" + lobby + "' id='e'><body>x</body>" +
		"<reply xmlns='urn:xmpp:reply:0' id='m' to='r'/><replace xmlns='urn:xmpp:message-correct:0' id='old'/>" +
		"<p:x xmlns:p='urn:prefixed' p:a='1' xml:lang='de'><p:y/>text</p:x>" +
		"<stanza-id xmlns='urn:xmpp:sid:0' by='" + lobby + "' id='forged'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>" +
		"<delay xmlns='urn:xmpp:delay' stamp='2001-01-01T00:00:00Z'/><x xmlns='http://jabber.org/protocol/muc#user'><status code='100'/></x>" +
		"<event xmlns='urn:warren:event:0'>{}</event></message>")
	e := b.expect("message", body("x"))
	if strings.Contains(string(e.bytes()), "forged") || e.child(nsDelay, "delay") != nil || e.child(nsMUCUser, "x") != nil || e.child(nsEvent, "event") != nil {
		t.Errorf("a forgery came through: %s", e.bytes())
	}
	p := e.child("urn:prefixed", "x")
	if e.child(nsReply, "reply") == nil || e.child("urn:xmpp:message-correct:0", "replace") == nil || p.child("urn:prefixed", "y") == nil || p.text() != "text" {
		t.Errorf("an extension was lost: %s", e.bytes())
	}
	a.send("<message type='groupchat' to='" + lobby + "' id='r'><reactions xmlns='urn:xmpp:reactions:0' id='m'><reaction>+1</reaction></reactions></message>")
	e = b.expect("reaction", func(e *element) bool { return e.child(nsReactions, "reactions") != nil })
	if e.child(nsSID, "stanza-id") == nil {
		t.Errorf("a reaction is part of the log: %s", e.bytes())
	}
	a.send("<message type='groupchat' to='" + lobby + "' id='big'><body>x</body><x xmlns='urn:big'>" + strings.Repeat("x", maxExt) + "</x></message>")
	wantError(t, a.expect("error", func(e *element) bool { return e.attr("id") == "big" }), "policy-violation")
	a.send("<message type='groupchat' to='" + lobby + "' id='long'><body>" + strings.Repeat("x", rooms.MaxText+1) + "</body></message>")
	wantError(t, a.expect("error", func(e *element) bool { return e.attr("id") == "long" }), "policy-violation")
}

func TestChatStatesAreNotOrdered(t *testing.T) {
	n := newNetwork(t)
	x, y := n.node("n1", nil, "alice", "bob"), n.node("n2", nil)
	a, b := x.online("alice", "x"), x.online("bob", "y")
	a.join(lobby, "alice")
	b.join(lobby, "bob")
	i := y.irc("", "ivan")
	seat := i.join("lobby")
	a.send("<message type='groupchat' to='" + lobby + "'><composing xmlns='" + nsStates + "'/></message>")
	e := b.expect("state", func(e *element) bool { return e.child(nsStates, "composing") != nil })
	if e.child(nsSID, "stanza-id") != nil || e.attr("from") != lobby+"/alice" {
		t.Errorf("state: %s", e.bytes())
	}
	seat.Signal(rooms.Say{Kind: rooms.Signal, Tags: map[string]string{"typing": "paused"}})
	b.expect("state from IRC", func(e *element) bool { return e.child(nsStates, "paused") != nil })
	evs, err := seat.History(t.Context(), bridge.HistoryQuery{Ops: []rooms.Op{rooms.OpSay}})
	if err != nil || len(evs) != 0 {
		t.Errorf("the log holds %d messages, %v", len(evs), err)
	}
}

func TestSubject(t *testing.T) {
	n := newNetwork(t)
	x, y := n.node("n1", nil, "alice", "bob"), n.node("n2", nil)
	a, b := x.online("alice", "x"), x.online("bob", "y")
	a.join(lobby, "alice")
	b.join(lobby, "bob")
	i := y.irc("", "ivan")
	i.join("lobby")
	a.send("<message type='groupchat' to='" + lobby + "' id='s'><subject>tea</subject></message>")
	subject := func(e *element) bool {
		return e.childText(nsClient, "subject") == "tea" && e.attr("from") == lobby+"/alice"
	}
	a.expect("subject", subject)
	b.expect("subject", subject)
	i.expect("subject", func(d bridge.Delivery) bool { return d.Event != nil && d.Event.Op == rooms.OpSubject })
	b.send("<message type='groupchat' to='" + lobby + "' id='s2'><subject>coffee</subject></message>")
	wantError(t, b.expect("error", func(e *element) bool { return e.attr("id") == "s2" }), "forbidden")
}

func TestTheBotAnswersOneClientAlone(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice", "bob")
	a, b := x.online("alice", "x"), x.online("bob", "y")
	a.join(lobby, "alice")
	b.join(lobby, "bob")
	a.expect("bot", presenceOf(lobby+"/warren", ""))
	a.send("<message type='groupchat' to='" + lobby + "' id='c'><body>!look</body></message>")
	if e := a.expect("echo", body("!look")); e.attr("id") != "c" || e.child(nsSID, "stanza-id") != nil || e.attr("from") != lobby+"/alice" {
		t.Errorf("echo: %s", e.bytes())
	}
	if e := a.expect("answer", body("heard in #lobby\n!look")); e.attr("from") != lobby+"/warren" || e.attr("type") != "groupchat" {
		t.Errorf("answer: %s", e.bytes())
	}
	a.send("<message type='chat' to='" + lobby + "/warren' id='p'><body>!who</body></message>")
	if e := a.expect("answer", body("heard in #lobby\n!who")); e.attr("from") != lobby+"/warren" || e.attr("type") != "chat" {
		t.Errorf("private answer: %s", e.bytes())
	}
	a.send("<message type='chat' to='warren@localhost' id='d'><body>!tags</body></message>")
	if e := a.expect("answer", body("heard in private\n!tags")); e.attr("from") != "warren@localhost" {
		t.Errorf("direct answer: %s", e.bytes())
	}
	b.none("line of the bot", func(e *element) bool { return e.Name.Local == "message" && e.child(nsClient, "body") != nil })
	a.send("<message type='groupchat' to='" + lobby + "' id='g'><body>!go den</body></message>")
	e := a.expect("invitation", func(e *element) bool { return e.child(nsConference, "x") != nil })
	if e.child(nsConference, "x").attr("jid") != "den@rooms.localhost" {
		t.Errorf("invitation: %s", e.bytes())
	}
}

func TestChangesOfThingsAreOneLineAndMachineForm(t *testing.T) {
	n := newNetwork(t)
	x, y := n.node("n1", nil, "alice"), n.node("n2", nil, "bob")
	i := y.irc("bob", "bob")
	seat := i.join("lobby")
	a := x.online("alice", "x")
	a.join(lobby, "alice")
	i.do(seat, &rooms.Put{Kind: rooms.Document, Name: "plan", Text: []byte("x")})
	e := a.expect("line", body(`bob put document "plan" (revision 1)`))
	if m := e.childText(nsEvent, "event"); e.attr("from") != lobby+"/warren" || !strings.Contains(m, `"op":"put"`) || e.child(nsSID, "stanza-id") == nil {
		t.Errorf("line: %s", e.bytes())
	}
	i.do(seat, &rooms.Tag{Add: []string{"tea"}})
	a.expect("line", func(e *element) bool { return strings.Contains(e.childText(nsEvent, "event"), `"op":"tag"`) })
}

func TestRepliesAndReactionsFromIRC(t *testing.T) {
	n := newNetwork(t)
	x, y := n.node("n1", nil, "alice"), n.node("n2", nil)
	i := y.irc("", "ivan")
	seat := i.join("lobby")
	a := x.online("alice", "x")
	a.join(lobby, "alice")
	i.do(seat, &rooms.Say{Text: "yes", Tags: map[string]string{"draft/reply": "abc"}})
	if e := a.expect("reply", body("yes")); e.child(nsReply, "reply").attrOr("id") != "abc" {
		t.Errorf("reply: %s", e.bytes())
	}
	i.do(seat, &rooms.Say{Kind: rooms.Signal, Tags: map[string]string{"draft/reply": "abc", "draft/react": ":)"}})
	e := a.expect("reaction", func(e *element) bool { return e.child(nsReactions, "reactions") != nil })
	if r := e.child(nsReactions, "reactions"); r.attr("id") != "abc" || r.childText(nsReactions, "reaction") != ":)" {
		t.Errorf("reaction: %s", e.bytes())
	}
	i.do(seat, &rooms.Say{Kind: rooms.Signal, Tags: map[string]string{"unknown": "x"}})
	i.do(seat, &rooms.Say{Text: "done"})
	a.expect("end", body("done"))
	a.none("empty message", func(e *element) bool {
		return e.Name.Local == "message" && e.attr("from") == lobby+"/ivan"
	})
}
