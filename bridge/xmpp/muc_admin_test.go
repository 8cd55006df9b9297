package xmpp

import (
	"testing"

	"warren/bridge"
	"warren/rooms"
)

func admin(items string) string {
	return "<query xmlns='http://jabber.org/protocol/muc#admin'>" + items + "</query>"
}

func itemOf(e *element) *element { return e.child(nsMUCUser, "x").child(nsMUCUser, "item") }

// three returns alice (owner), bob and carol in the lobby.
func three(t *testing.T) (x *site, a, b, c *client) {
	x = newNetwork(t).node("n1", nil, "alice", "bob", "carol")
	a, b, c = x.online("alice", "x"), x.online("bob", "y"), x.online("carol", "z")
	a.join(lobby, "alice")
	b.join(lobby, "bob")
	c.join(lobby, "carol")
	return x, a, b, c
}

func TestKickAndBan(t *testing.T) {
	_, a, b, c := three(t)
	b.refused("forbidden", "set", lobby, admin("<item nick='carol' role='none'/>"))
	a.result("set", lobby, admin("<item nick='bob' role='none'><reason>rest</reason></item>"))
	for _, who := range []*client{b, c} {
		e := who.expect("kick", presenceOf(lobby+"/bob", "unavailable"))
		if !hasCode(e, "307") || hasCode(e, "110") != (who == b) || itemOf(e).childText(nsMUCUser, "reason") != "rest" ||
			itemOf(e).child(nsMUCUser, "actor").attrOr("nick") != "alice" || itemOf(e).attr("role") != "none" {
			t.Errorf("kick: %s", e.bytes())
		}
	}
	b.join(lobby, "bob")
	a.result("set", lobby, admin("<item jid='bob@localhost' affiliation='outcast'><reason>spam</reason></item>"))
	for _, who := range []*client{b, c} {
		e := who.expect("ban", presenceOf(lobby+"/bob", "unavailable"))
		if !hasCode(e, "301") || itemOf(e).attr("affiliation") != "outcast" {
			t.Errorf("ban: %s", e.bytes())
		}
	}
	wantError(t, b.join(lobby, "bob"), "forbidden")
	q := a.result("get", lobby, admin("<item affiliation='outcast'/>")).child(nsMUCAdmin, "query")
	if it := q.child(nsMUCAdmin, "item"); it.attrOr("jid") != "bob@localhost" || it.childText(nsMUCAdmin, "reason") != "spam" {
		t.Errorf("list of bans: %s", q.bytes())
	}
	a.result("set", lobby, admin("<item jid='bob@localhost' affiliation='none'/>"))
	if e := b.join(lobby, "bob"); e.attr("type") == "error" {
		t.Errorf("after the pardon: %s", e.bytes())
	}
}

func TestABannedManagerDoesNotComeBack(t *testing.T) {
	_, a, b, _ := three(t)
	a.result("set", lobby, admin("<item jid='bob@localhost' affiliation='owner'/>"))
	a.result("set", lobby, admin("<item jid='bob@localhost' affiliation='outcast'/>"))
	b.expect("ban", presenceOf(lobby+"/bob", "unavailable"))
	wantError(t, b.join(lobby, "bob"), "forbidden")
	if q := a.result("get", lobby, admin("<item affiliation='outcast'/>")).child(nsMUCAdmin, "query"); q.child(nsMUCAdmin, "item") == nil {
		t.Errorf("list of bans: %s", q.bytes())
	}
}

func TestSeveralItemsInOneSet(t *testing.T) {
	_, a, b, c := three(t)
	a.result("set", lobby, admin("<item jid='bob@localhost' affiliation='member'/><item jid='carol@localhost' affiliation='admin'/>"))
	is := func(nick, role, affiliation string) func(*element) bool {
		return func(e *element) bool {
			return presenceOf(lobby+"/"+nick, "")(e) && itemOf(e).attr("role") == role && itemOf(e).attr("affiliation") == affiliation
		}
	}
	b.expect("member", is("bob", "participant", "member"))
	b.expect("admin", is("carol", "moderator", "admin"))
	c.expect("own change", func(e *element) bool { return is("carol", "moderator", "admin")(e) && hasCode(e, "110") })
	q := a.result("get", lobby, admin("<item affiliation='member'/>")).child(nsMUCAdmin, "query")
	if len(q.Kids) != 1 || q.child(nsMUCAdmin, "item").attr("jid") != "bob@localhost" {
		t.Errorf("members: %s", q.bytes())
	}
	q = a.result("get", lobby, admin("<item role='moderator'/>")).child(nsMUCAdmin, "query")
	if len(q.Kids) != 2 {
		t.Errorf("moderators: %s", q.bytes())
	}
	a.refused("item-not-found", "set", lobby, admin("<item nick='nobody' role='none'/><item nick='bob' role='none'/>"))
	b.expect("the second item was applied", presenceOf(lobby+"/bob", "unavailable"))
	a.refused("conflict", "set", lobby, admin("<item jid='alice@localhost' affiliation='member'/>"))
	a.refused("bad-request", "set", lobby, admin(""))
	a.refused("bad-request", "set", lobby, admin("<item jid='bob@localhost' affiliation='king'/>"))
	a.refused("jid-malformed", "set", lobby, admin("<item jid='@@' affiliation='member'/>"))
	b.refused("not-acceptable", "get", lobby, admin("<item role='moderator'/>"))
}

func TestVoice(t *testing.T) {
	_, a, b, _ := three(t)
	a.result("set", lobby, admin("<item nick='bob' role='visitor'/>"))
	b.expect("visitor", func(e *element) bool { return presenceOf(lobby+"/bob", "")(e) && itemOf(e).attr("role") == "visitor" })
	b.send("<message type='groupchat' to='" + lobby + "' id='v'><body>mmh</body></message>")
	wantError(t, b.expect("error", func(e *element) bool { return e.attr("id") == "v" }), "forbidden")
	a.result("set", lobby, admin("<item nick='bob' role='participant'/>"))
	b.expect("participant", func(e *element) bool {
		return presenceOf(lobby+"/bob", "")(e) && itemOf(e).attr("role") == "participant"
	})
	b.send("<message type='groupchat' to='" + lobby + "' id='v2'><body>thanks</body></message>")
	a.expect("message", body("thanks"))
}

func owner(fields map[string]string) string {
	f := "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>" + nsMUCConfig + "</value></field>"
	for k, v := range fields {
		f += "<field var='" + k + "'><value>" + v + "</value></field>"
	}
	return "<query xmlns='http://jabber.org/protocol/muc#owner'>" + f + "</x></query>"
}

func TestConfiguration(t *testing.T) {
	x, a, b, _ := three(t)
	b.refused("forbidden", "get", lobby, "<query xmlns='http://jabber.org/protocol/muc#owner'/>")
	form := a.result("get", lobby, "<query xmlns='http://jabber.org/protocol/muc#owner'/>").child(nsMUCOwner, "query").child(nsForm, "x")
	if v := formValues(form); v[fieldKeep] != "0" || v[fieldPublic] != "1" || v[fieldModerated] != "0" {
		t.Errorf("form: %s", form.bytes())
	}
	a.result("set", lobby, "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>") // instant room
	a.result("set", lobby, owner(map[string]string{fieldName: "The Lobby", fieldKeep: "1", fieldModerated: "true", fieldProtected: "1", fieldSecret: "s3", fieldMax: "20"}))
	b.expect("104", func(e *element) bool { return hasCode(e, "104") })
	b.expect("visitor", func(e *element) bool { return presenceOf(lobby+"/bob", "")(e) && itemOf(e).attr("role") == "visitor" })
	x.hub.SessionsOf("alice")[0].Seat("lobby").View(func(st *rooms.State) {
		if st.Temporary || st.Set.Title != "The Lobby" || !st.Moderated() || len(st.Set.Key) == 0 || st.Set.Limit != 20 {
			t.Errorf("state: %+v", st.Set)
		}
	})
	info := b.result("get", lobby, "<query xmlns='"+nsDiscoInfo+"'/>").child(nsDiscoInfo, "query")
	has := map[string]bool{}
	for _, k := range info.children() {
		has[k.attr("var")] = true
	}
	if !has["muc_passwordprotected"] || !has["muc_moderated"] || !has["muc_persistent"] || !has["muc_open"] || info.child(nsDiscoInfo, "identity").attr("name") != "The Lobby" {
		t.Errorf("info: %s", info.bytes())
	}
	a.result("set", lobby, owner(map[string]string{fieldProtected: "0", fieldMembers: "1"}))
	x.hub.SessionsOf("alice")[0].Seat("lobby").View(func(st *rooms.State) {
		if len(st.Set.Key) != 0 || !st.InviteOnly() || !st.Moderated() {
			t.Errorf("state: %+v", st.Set)
		}
	})
	b.refused("forbidden", "set", lobby, owner(nil))
	a.refused("not-allowed", "set", lobby, "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query>")
	a.refused("not-acceptable", "set", lobby, owner(map[string]string{fieldMax: "many"}))
}

func TestInvitations(t *testing.T) {
	n := newNetwork(t)
	x, y := n.node("n1", nil, "alice", "bob"), n.node("n2", nil, "carol")
	a, b := x.online("alice", "x"), x.online("bob", "y")
	a.join("den@rooms.localhost", "alice")
	yes := true
	if err := x.hub.SessionsOf("alice")[0].Seat("den").Wait(t.Context(), &rooms.Configure{InviteOnly: &yes}, nil); err != nil {
		t.Fatal(err)
	}
	i := y.irc("carol", "carol")
	a.send("<message to='den@rooms.localhost' id='i'><x xmlns='" + nsMUCUser + "'><invite to='bob@localhost'><reason>tea</reason></invite><invite to='carol@localhost'/></x></message>")
	e := b.expect("invitation", func(e *element) bool { return e.child(nsMUCUser, "x").child(nsMUCUser, "invite") != nil })
	if e.attr("from") != "den@rooms.localhost" || e.child(nsMUCUser, "x").child(nsMUCUser, "invite").attr("from") != "alice@localhost" ||
		e.child(nsConference, "x").attrOr("jid") != "den@rooms.localhost" {
		t.Errorf("invitation: %s", e.bytes())
	}
	i.expect("invitation on IRC", func(d bridge.Delivery) bool { return d.Kind == bridge.Invited && d.Room == "den" && d.By == "alice" })
	if e := b.join("den@rooms.localhost", "bob"); e.attr("type") == "error" {
		t.Errorf("invited and refused: %s", e.bytes())
	}
	a.send("<message to='den@rooms.localhost' id='i2'><x xmlns='" + nsMUCUser + "'><invite to='nobody@localhost'/></x></message>")
	wantError(t, a.expect("error", func(e *element) bool { return e.attr("id") == "i2" }), "item-not-found")
	b.send("<message to='alice@localhost' id='direct'><x xmlns='jabber:x:conference' jid='" + lobby + "'/></message>")
	a.expect("direct invitation", func(e *element) bool { return e.child(nsConference, "x").attrOr("jid") == lobby })
}
