package xmpp

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"warren/bridge"
	"warren/rooms"
)

// A join is told in the order of XEP-0045 §7.1: occupants, self, history, subject, then what happens.
func TestJoinIsToldInOrder(t *testing.T) {
	n := newNetwork(t)
	x, y := n.node("n1", nil, "alice"), n.node("n2", nil)
	i := y.irc("", "ivan")
	seat := i.join("lobby")
	i.do(seat, &rooms.Say{Text: "before"})
	i.do(seat, &rooms.Subject{Text: "tea"})
	a := x.online("alice", "x")
	a.send("<presence to='" + lobby + "/Al'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
	var order []string
	for len(order) == 0 || !strings.HasPrefix(order[len(order)-1], "subject") {
		e, err := a.read()
		if err != nil {
			t.Fatal(err)
		}
		nick := strings.TrimPrefix(e.attr("from"), lobby+"/")
		switch {
		case !strings.HasPrefix(e.attr("from"), lobby):
		case e.Name.Local == "presence" && hasCode(e, "110"):
			order = append(order, "self "+nick)
			if !hasCode(e, "100") || hasCode(e, "201") || hasCode(e, "210") || e.child(nsOccupant, "occupant-id") == nil {
				t.Errorf("self-presence: %s", e.bytes())
			}
			if item := e.child(nsMUCUser, "x").child(nsMUCUser, "item"); item.attr("jid") != "alice@localhost/x" || item.attr("role") != "participant" {
				t.Errorf("own item: %s", item.bytes())
			}
		case e.Name.Local == "presence":
			order = append(order, "presence "+nick)
		case e.child(nsClient, "subject") != nil:
			order = append(order, "subject "+e.childText(nsClient, "subject"))
			if d := e.child(nsDelay, "delay"); d.attr("stamp") == "" {
				t.Errorf("subject: %s", e.bytes())
			}
		default:
			order = append(order, "message "+e.childText(nsClient, "body"))
			if d := e.child(nsDelay, "delay"); d == nil || d.attr("from") != lobby || e.child(nsSID, "stanza-id") == nil {
				t.Errorf("history: %s", e.bytes())
			}
		}
	}
	if got, want := strings.Join(order, ", "), "presence warren, presence ivan, self Al, message before, subject tea"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	i.do(seat, &rooms.Say{Text: "after"})
	a.expect("live message", body("after"))
	i.expect("enter", func(d bridge.Delivery) bool {
		return d.Event != nil && d.Event.Op == rooms.OpEnter && d.Event.Nick == "Al" && d.Event.Account == "alice"
	})
}

func TestFirstJoinMakesTheRoom(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice", "bob")
	a, b := x.online("alice", "x"), x.online("bob", "y")
	self := a.join("new@rooms.localhost", "alice")
	item := self.child(nsMUCUser, "x").child(nsMUCUser, "item")
	if !hasCode(self, "201") || item.attr("affiliation") != "owner" || item.attr("role") != "moderator" {
		t.Errorf("maker: %s", self.bytes())
	}
	if self = b.join("new@rooms.localhost", "bob"); hasCode(self, "201") {
		t.Errorf("second: %s", self.bytes())
	}
	p := a.expect("bob", presenceOf("new@rooms.localhost/bob", ""))
	if j := p.child(nsMUCUser, "x").child(nsMUCUser, "item").attr("jid"); j != "bob@localhost" {
		t.Errorf("bob's address is shown as %q", j)
	}
}

func TestJoinRefusals(t *testing.T) {
	n := newNetwork(t)
	x := n.node("n1", nil, "alice", "bob")
	a, b := x.online("alice", "x"), x.online("bob", "y")
	a.join(lobby, "alice")
	wantError(t, b.join(lobby, "alice"), "conflict")
	wantError(t, b.join(lobby, "warren"), "conflict")
	b.send("<presence to='" + lobby + "' id='none'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
	wantError(t, b.expect("error", func(e *element) bool { return e.attr("id") == "none" }), "jid-malformed")
	b.send("<presence to='" + lobby + "/bob' id='gc1'/>")
	wantError(t, b.expect("error", func(e *element) bool { return e.attr("id") == "gc1" }), "not-acceptable")
	seat := x.hub.SessionsOf("alice")[0].Seat("lobby")
	do := func(b rooms.Body) {
		t.Helper()
		if err := seat.Wait(t.Context(), b, nil); err != nil {
			t.Fatal(err)
		}
	}
	key, none, yes, no := rooms.KeyVerifier(rooms.KeyProof(seat.Room().ID(), "sesame")), []byte{}, true, false
	one, zero := uint32(1), uint32(0)
	do(&rooms.Configure{Key: &key})
	wantError(t, b.join(lobby, "bob"), "not-authorized")
	do(&rooms.Configure{Key: &none, InviteOnly: &yes})
	wantError(t, b.join(lobby, "bob"), "registration-required")
	do(&rooms.Configure{InviteOnly: &no, Limit: &one})
	wantError(t, b.join(lobby, "bob"), "service-unavailable")
	do(&rooms.Configure{Limit: &zero})
	do(&rooms.Sanction{Who: "bob", Denies: banRights})
	wantError(t, b.join(lobby, "bob"), "forbidden")
	do(&rooms.Pardon{Who: "bob"})
	do(&rooms.Configure{Key: &key})
	b.send("<presence to='" + lobby + "/bob'><x xmlns='http://jabber.org/protocol/muc'><password>sesame</password></x></presence>")
	if e := b.joined(lobby); e.attr("type") == "error" {
		t.Errorf("with the password: %s", e.bytes())
	}
}

func TestNickIsMadeLegalForAll(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice")
	a := x.online("alice", "x")
	if self := a.join(lobby, "Alice Liddell"); self.attr("from") != lobby+"/Alice_Liddell" || !hasCode(self, "210") {
		t.Errorf("got %s", self.bytes())
	}
}

func TestNickChange(t *testing.T) {
	n := newNetwork(t)
	x, y := n.node("n1", nil, "alice", "bob"), n.node("n2", nil)
	a, b := x.online("alice", "x"), x.online("bob", "y")
	a.join(lobby, "alice")
	b.join(lobby, "bob")
	i := y.irc("", "ivan")
	i.join("lobby")
	a.send("<presence to='" + lobby + "/Al'/>")
	for _, c := range []*client{a, b} {
		e := c.expect("unavailable", presenceOf(lobby+"/alice", "unavailable"))
		if !hasCode(e, "303") || hasCode(e, "110") != (c == a) || e.child(nsMUCUser, "x").child(nsMUCUser, "item").attr("nick") != "Al" {
			t.Errorf("old nick: %s", e.bytes())
		}
		if e = c.expect("available", presenceOf(lobby+"/Al", "")); hasCode(e, "110") != (c == a) {
			t.Errorf("new nick: %s", e.bytes())
		}
	}
	i.expect("nick", func(d bridge.Delivery) bool {
		return d.Event != nil && d.Event.Op == rooms.OpNick && d.Event.Nick == "alice"
	})
	a.send("<presence to='" + lobby + "/bob' id='taken'/>")
	wantError(t, a.expect("error", func(e *element) bool { return e.attr("id") == "taken" }), "conflict")
}

func TestLeave(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice", "bob")
	a, b := x.online("alice", "x"), x.online("bob", "y")
	a.join(lobby, "alice")
	b.join(lobby, "bob")
	a.send("<presence to='" + lobby + "/alice' type='unavailable'><status>tea</status></presence>")
	if e := a.expect("own leave", presenceOf(lobby+"/alice", "unavailable")); !hasCode(e, "110") {
		t.Errorf("own: %s", e.bytes())
	}
	if e := b.expect("leave", presenceOf(lobby+"/alice", "unavailable")); e.childText(nsClient, "status") != "tea" || hasCode(e, "110") {
		t.Errorf("other's: %s", e.bytes())
	}
	a.send("<message type='groupchat' to='" + lobby + "' id='m'><body>still here?</body></message>")
	wantError(t, a.expect("error", func(e *element) bool { return e.attr("id") == "m" }), "not-acceptable")
	b.send("</stream:stream>")
	b.ended()
	x.login("bob", "z").join(lobby, "bob")
}

func TestUnavailableLeavesAllRooms(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice")
	a := x.online("alice", "x")
	a.join(lobby, "alice")
	a.join("den@rooms.localhost", "alice")
	a.send("<presence type='unavailable'/>")
	a.expect("leave", presenceOf(lobby+"/alice", "unavailable"))
	a.expect("leave", presenceOf("den@rooms.localhost/alice", "unavailable"))
}

func TestTwoClientsOfOnePersonShareANick(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice", "bob")
	a1, a2, b := x.online("alice", "one"), x.online("alice", "two"), x.online("bob", "y")
	b.join(lobby, "bob")
	a1.join(lobby, "alice")
	a1.send("<message type='groupchat' to='" + lobby + "' id='1'><body>first</body></message>")
	a1.expect("echo", body("first"))
	if self := a2.join(lobby, "alice"); self.attr("type") == "error" {
		t.Fatalf("second client: %s", self.bytes())
	}
	a2.expect("history", body("first"))
	a2.none("the same again", body("first"))
	b.send("<message type='groupchat' to='" + lobby + "'><body>hi both</body></message>")
	a1.expect("message", body("hi both"))
	a2.expect("message", body("hi both"))
	a1.send("<presence to='" + lobby + "/alice' type='unavailable'/>")
	a1.expect("own leave", presenceOf(lobby+"/alice", "unavailable"))
	b.none("leave of somebody who is still here", presenceOf(lobby+"/alice", "unavailable"))
	b.send("<message type='groupchat' to='" + lobby + "'><body>hi you</body></message>")
	a2.expect("message", body("hi you"))
}

func TestJoiningAgainTellsAllAnew(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice", "bob")
	a, b := x.online("alice", "x"), x.online("bob", "y")
	b.join(lobby, "bob")
	a.join(lobby, "alice")
	a.expect("bob", presenceOf(lobby+"/bob", ""))
	a.join(lobby, "alice")
	a.expect("bob again", presenceOf(lobby+"/bob", ""))
}

func TestHistoryLimits(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice", "bob")
	b := x.online("bob", "y")
	b.join(lobby, "bob")
	for i := range 30 {
		b.send(fmt.Sprintf("<message type='groupchat' to='%s' id='%d'><body>m%d</body></message>", lobby, i, i))
		b.expect("echo", body(fmt.Sprintf("m%d", i)))
	}
	for limit, want := range map[string]int{
		"":               20,
		"maxstanzas='0'": 0,
		"maxstanzas='5'": 5,
		"maxchars='0'":   0,
		"seconds='3600'": 30,
		"maxstanzas='x'": 20,
		"since='" + time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + "'":                 0,
		"since='" + time.Now().Add(-time.Hour).UTC().Format(time.RFC3339) + "' maxstanzas='7'": 7,
	} {
		a := x.online("alice", newID())
		a.send("<presence to='" + lobby + "/alice'><x xmlns='http://jabber.org/protocol/muc'><history " + limit + "/></x></presence>")
		a.joined(lobby)
		got := 0
		for _, e := range a.got {
			if e.child(nsDelay, "delay") != nil {
				got++
			}
		}
		if got != want {
			t.Errorf("history with %s: got %d messages, want %d", limit, got, want)
		}
		a.send("</stream:stream>")
		a.ended()
	}
}

// Talk between the own enter and the end of the introduction must come, once and in order.
func TestNothingIsLostWhileJoining(t *testing.T) {
	n := newNetwork(t)
	x, y := n.node("n1", nil, "alice"), n.node("n2", nil)
	i := y.irc("", "ivan")
	seat := i.join("lobby")
	stop, done := make(chan struct{}), make(chan int)
	go func() {
		k := 0
		for ; ; k++ {
			select {
			case <-stop:
				_ = seat.Wait(t.Context(), &rooms.Say{Text: "the end"}, nil)
				done <- k
				return
			default:
				_ = seat.Wait(t.Context(), &rooms.Say{Text: fmt.Sprint(k)}, nil)
			}
		}
	}()
	a := x.online("alice", "x")
	a.send("<presence to='" + lobby + "/alice'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='500'/></x></presence>")
	a.joined(lobby)
	close(stop)
	a.expect("end", body("the end"))
	total := <-done
	next := -1
	seen := 0
	for _, e := range a.got {
		text := e.childText(nsClient, "body")
		var k int
		if _, err := fmt.Sscan(text, &k); err != nil || e.Name.Local != "message" {
			continue
		}
		if next >= 0 && k != next {
			t.Fatalf("got %d, want %d", k, next)
		}
		next = k + 1
		seen++
	}
	if next >= 0 && next != total {
		t.Errorf("the last was %d of %d", next-1, total-1)
	}
	if seen == 0 {
		t.Error("nothing was seen")
	}
}
