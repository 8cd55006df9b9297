package xmpp

import (
	"strings"
	"testing"
	"time"

	"warren/rooms"
)

// push waits for a roster push of a contact and returns the item.
func (c *client) push(jid, subscription, ask string) {
	c.t.Helper()
	e := c.expect("push of "+jid+" "+subscription, func(e *element) bool {
		i := e.child(nsRoster, "query").child(nsRoster, "item")
		return e.Name.Local == "iq" && e.attr("type") == "set" && i.attrOr("jid") == jid && i.attrOr("subscription") == subscription && i.attrOr("ask") == ask
	})
	c.send("<iq type='result' id='" + e.attr("id") + "'/>")
}

// contact asks for the roster until the contact stands like this; it may have been folded in before the roster was asked for.
func (c *client) contact(jid, subscription string) {
	c.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		for _, i := range c.result("get", "", "<query xmlns='jabber:iq:roster'/>").child(nsRoster, "query").children() {
			if i.attr("jid") == jid && i.attr("subscription") == subscription {
				return
			}
		}
	}
	c.t.Fatalf("%s never stood at %s", jid, subscription)
}

func TestRosterSetIsPushed(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice", "bob")
	a1, a2 := x.online("alice", "one"), x.online("alice", "two")
	a1.result("set", "", "<query xmlns='jabber:iq:roster'><item jid='bob@localhost' name='Bob'><group>tea</group><group>tea</group></item></query>")
	a1.push("bob@localhost", "none", "")
	a2.push("bob@localhost", "none", "")
	i := a2.result("get", "", "<query xmlns='jabber:iq:roster'/>").child(nsRoster, "query").child(nsRoster, "item")
	if i.attrOr("name") != "Bob" || len(i.children()) != 1 || i.childText(nsRoster, "group") != "tea" {
		t.Errorf("item: %s", i.bytes())
	}
	a1.refused("bad-request", "set", "", "<query xmlns='jabber:iq:roster'/>")
	a1.refused("jid-malformed", "set", "", "<query xmlns='jabber:iq:roster'><item jid='@'/></query>")
	a1.refused("item-not-found", "set", "", "<query xmlns='jabber:iq:roster'><item jid='bob@example.org'/></query>")
	a1.refused("not-allowed", "set", "", "<query xmlns='jabber:iq:roster'><item jid='alice@localhost'/></query>")
	a1.refused("item-not-found", "set", "", "<query xmlns='jabber:iq:roster'><item jid='carol@localhost' subscription='remove'/></query>")
	a1.refused("not-acceptable", "set", "", "<query xmlns='jabber:iq:roster'><item jid='bob@localhost' name='"+strings.Repeat("x", 2000)+"'/></query>")
	a1.result("set", "", "<query xmlns='jabber:iq:roster'><item jid='bob@localhost' subscription='remove'/></query>")
	a2.push("bob@localhost", "remove", "")
}

func TestSubscriptionAcrossNodes(t *testing.T) {
	n := newNetwork(t)
	x, y := n.node("n1", nil, "alice"), n.node("n2", nil, "bob")
	a, b := x.online("alice", "x"), y.online("bob", "y")
	a.sync()
	b.sync()
	a.send("<presence to='bob@localhost' type='subscribe'><status>tea?</status></presence>")
	a.push("bob@localhost", "none", "subscribe")
	if e := b.expect("request", presenceOf("alice@localhost", "subscribe")); e.childText(nsClient, "status") != "tea?" {
		t.Errorf("request: %s", e.bytes())
	}
	b.send("<presence to='alice@localhost' type='subscribed'/>")
	b.push("alice@localhost", "from", "")
	a.expect("answer", presenceOf("bob@localhost", "subscribed"))
	a.push("bob@localhost", "to", "")
	a.expect("presence", presenceOf("bob@localhost/n2", ""))
	b.send("<presence to='alice@localhost' type='subscribe'/>")
	a.expect("request", presenceOf("bob@localhost", "subscribe"))
	a.send("<presence to='bob@localhost' type='subscribed'/>")
	a.push("bob@localhost", "both", "")
	b.push("alice@localhost", "both", "")
	b.expect("presence", presenceOf("alice@localhost/n1", ""))
	b.send("<presence><show>away</show><status>tea</status></presence>")
	e := a.expect("away", func(e *element) bool {
		return presenceOf("bob@localhost/n2", "")(e) && e.childText(nsClient, "show") == "away"
	})
	if e.childText(nsClient, "status") != "tea" {
		t.Errorf("away: %s", e.bytes())
	}
	b.send("</stream:stream>")
	b.ended()
	a.expect("unavailable", presenceOf("bob@localhost/n2", "unavailable"))
	a.result("set", "", "<query xmlns='jabber:iq:roster'><item jid='bob@localhost' subscription='remove'/></query>")
	a.push("bob@localhost", "remove", "")
	b = y.online("bob", "again")
	b.contact("alice@localhost", "none")
}

func TestRequestsWaitForWhoIsOffline(t *testing.T) {
	n := newNetwork(t)
	x, y := n.node("n1", nil, "alice"), n.node("n2", nil, "bob")
	a := x.online("alice", "x")
	a.send("<presence to='bob@localhost' type='subscribe'/>")
	a.push("bob@localhost", "none", "subscribe")
	b := y.online("bob", "y")
	b.expect("request", presenceOf("alice@localhost", "subscribe"))
	b.send("<presence to='alice@localhost' type='unsubscribed'/>")
	a.expect("refusal", presenceOf("bob@localhost", "unsubscribed"))
	a.send("<presence to='nobody@localhost' type='subscribe'/>")
	a.expect("refusal", presenceOf("nobody@localhost", "unsubscribed"))
}

// A node where an account was never before knows its contacts from the conversations.
func TestContactsFollowTheAccount(t *testing.T) {
	n := newNetwork(t)
	x, y := n.node("n1", nil, "alice", "bob"), n.node("n2", nil, "alice")
	a, b := x.online("alice", "x"), x.online("bob", "y")
	a.send("<presence to='bob@localhost' type='subscribe'/>")
	b.expect("request", presenceOf("alice@localhost", "subscribe"))
	b.send("<presence to='alice@localhost' type='subscribed'/>")
	a.push("bob@localhost", "to", "")
	a2 := y.online("alice", "z")
	a2.expect("presence", presenceOf("bob@localhost/n1", ""))
	a2.contact("bob@localhost", "to")
}

func TestPresenceInRoomsFollowsTheClient(t *testing.T) {
	n := newNetwork(t)
	x, y := n.node("n1", nil, "alice", "bob"), n.node("n2", nil)
	a, b := x.online("alice", "x"), x.online("bob", "y")
	i := y.irc("", "ivan")
	i.join("lobby")
	a.join(lobby, "alice")
	b.join(lobby, "bob")
	a.send("<presence><show>dnd</show></presence>")
	b.expect("dnd", func(e *element) bool {
		return presenceOf(lobby+"/alice", "")(e) && e.childText(nsClient, "show") == "dnd"
	})
	i.s.SetPresence("gone fishing", "")
	e := b.expect("away", func(e *element) bool {
		return presenceOf(lobby+"/ivan", "")(e) && e.childText(nsClient, "show") == "away"
	})
	if e.childText(nsClient, "status") != "gone fishing" {
		t.Errorf("away: %s", e.bytes())
	}
}

func TestPrivateData(t *testing.T) {
	store := &memoryStore{m: map[string][]byte{}}
	n := newNetwork(t)
	x := n.node("n1", func(c *Config) { c.Roster = store }, "alice", "bob")
	a, b := x.online("alice", "x"), x.online("bob", "y")
	mark := "<storage xmlns='storage:bookmarks'><conference jid='" + lobby + "' autojoin='true'><nick>Al</nick></conference></storage>"
	empty := a.result("get", "", "<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query>")
	if s := empty.child(nsPrivate, "query").child("storage:bookmarks", "storage"); s == nil || len(s.Kids) != 0 {
		t.Errorf("empty: %s", empty.bytes())
	}
	a.result("set", "", "<query xmlns='jabber:iq:private'>"+mark+"</query>")
	got := a.result("get", "", "<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query>")
	if k := got.child(nsPrivate, "query").child("storage:bookmarks", "storage").child("storage:bookmarks", "conference"); k.attrOr("jid") != lobby {
		t.Errorf("got %s", got.bytes())
	}
	a.refused("resource-constraint", "set", "", "<query xmlns='jabber:iq:private'><x xmlns='urn:x'>"+strings.Repeat("x", maxPrivateBytes)+"</x></query>")
	a.refused("bad-request", "set", "", "<query xmlns='jabber:iq:private'/>")
	a.result("set", "", "<vCard xmlns='vcard-temp'><FN>Alice</FN></vCard>")
	if v := b.result("get", "alice@localhost", "<vCard xmlns='vcard-temp'/>").child(nsVCard, "vCard"); v.childText(nsVCard, "FN") != "Alice" {
		t.Errorf("card: %s", v.bytes())
	}
	b.result("get", "", "<vCard xmlns='vcard-temp'/>")
	b.refused("service-unavailable", "get", "nobody@localhost", "<vCard xmlns='vcard-temp'/>")
	if err := x.srv.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(store.m["alice"]), "autojoin") {
		t.Errorf("saved: %s", store.m["alice"])
	}
}

func TestSubscriptionFold(t *testing.T) {
	type step struct {
		mine bool
		kind string
	}
	for name, tt := range map[string]struct {
		steps []step
		want  contact
	}{
		"an unasked grant gives nothing":       {[]step{{false, "subscribed"}}, contact{}},
		"an unasked own grant gives nothing":   {[]step{{true, "subscribed"}}, contact{}},
		"asked and granted":                    {[]step{{true, "subscribe"}, {false, "subscribed"}}, contact{To: true}},
		"asked and refused":                    {[]step{{true, "subscribe"}, {false, "unsubscribed"}}, contact{}},
		"asked twice":                          {[]step{{true, "subscribe"}, {true, "subscribe"}}, contact{Ask: true}},
		"asked by the other":                   {[]step{{false, "subscribe"}}, contact{Asked: true}},
		"granted to the other, then withdrawn": {[]step{{false, "subscribe"}, {true, "subscribed"}, {true, "unsubscribed"}}, contact{}},
		"both, then the other leaves":          {[]step{{false, "subscribe"}, {true, "subscribed"}, {true, "subscribe"}, {false, "subscribed"}, {false, "unsubscribe"}}, contact{To: true}},
		"nonsense":                             {[]step{{false, "hello"}}, contact{}},
	} {
		var k contact
		for _, s := range tt.steps {
			k = k.after(s.mine, s.kind)
		}
		if k.subscription() != tt.want.subscription() || k.Ask != tt.want.Ask || k.Asked != tt.want.Asked {
			t.Errorf("%s: got %+v, want %+v", name, k, tt.want)
		}
	}
	if subOf(&rooms.Event{Body: &rooms.Say{Kind: rooms.Message, Text: "x", Ext: []byte("<sub xmlns='" + nsSub + "' type='subscribe'/>")}}) != nil {
		t.Error("talk was taken for a request")
	}
}
