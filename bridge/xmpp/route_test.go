package xmpp

import (
	"strings"
	"testing"

	"warren/rooms"
)

func TestStanzaErrors(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice", "bob")
	a := x.online("alice", "x")
	a.join(lobby, "alice")
	for name, tt := range map[string]struct{ in, want string }{
		"another domain":                {"<message to='bob@example.org' id='%'><body>x</body></message>", "remote-server-not-found"},
		"an unknown iq to the server":   {"<iq type='get' to='localhost' id='%'><x xmlns='urn:x'/></iq>", "service-unavailable"},
		"an unknown iq to oneself":      {"<iq type='set' id='%'><x xmlns='urn:x'/></iq>", "service-unavailable"},
		"an iq to somebody":             {"<iq type='get' to='bob@localhost/y' id='%'><x xmlns='urn:x'/></iq>", "service-unavailable"},
		"an iq to somebody's account":   {"<iq type='get' to='bob@localhost' id='%'><query xmlns='jabber:iq:roster'/></iq>", "service-unavailable"},
		"an iq to a room":               {"<iq type='get' to='lobby@rooms.localhost' id='%'><x xmlns='urn:x'/></iq>", "service-unavailable"},
		"an iq to the rooms' host":      {"<iq type='get' to='rooms.localhost' id='%'><x xmlns='urn:x'/></iq>", "service-unavailable"},
		"a bad address":                 {"<message to='@@' id='%'/>", "jid-malformed"},
		"a bad address of an iq":        {"<iq type='get' to='a@b@c' id='%'><ping xmlns='urn:xmpp:ping'/></iq>", "jid-malformed"},
		"an iq without type":            {"<iq id='%'><ping xmlns='urn:xmpp:ping'/></iq>", "bad-request"},
		"an iq without child":           {"<iq type='get' id='%'/>", "bad-request"},
		"an iq with two children":       {"<iq type='get' id='%'><a xmlns='x'/><b xmlns='x'/></iq>", "bad-request"},
		"an unknown type of presence":   {"<presence type='dancing' id='%'/>", "bad-request"},
		"a message to the server":       {"<message to='localhost' id='%'><body>x</body></message>", "service-unavailable"},
		"a message to the rooms' host":  {"<message to='rooms.localhost' id='%'><body>x</body></message>", "service-unavailable"},
		"a chat message to a room":      {"<message type='chat' to='lobby@rooms.localhost' id='%'><body>x</body></message>", "bad-request"},
		"talk in a room one is not in":  {"<message type='groupchat' to='den@rooms.localhost' id='%'><body>x</body></message>", "not-acceptable"},
		"a name that no room can have":  {"<message type='groupchat' to='a\\20b@rooms.localhost' id='%'><body>x</body></message>", "item-not-found"},
		"a subscription to a room":      {"<presence type='subscribe' to='lobby@rooms.localhost' id='%'/>", "service-unavailable"},
		"a groupchat to a person":       {"<message type='groupchat' to='bob@localhost' id='%'><body>x</body></message>", "service-unavailable"},
		"an unknown node":               {"<iq type='get' to='localhost' id='%'><query xmlns='http://jabber.org/protocol/disco#info' node='x'/></iq>", "item-not-found"},
		"info of a room there is not":   {"<iq type='get' to='nowhere@rooms.localhost' id='%'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>", "item-not-found"},
		"a ping to who is not there":    {"<iq type='get' to='lobby@rooms.localhost/zoe' id='%'><ping xmlns='urn:xmpp:ping'/></iq>", "item-not-found"},
		"a self-ping from outside":      {"<iq type='get' to='den@rooms.localhost/alice' id='%'><ping xmlns='urn:xmpp:ping'/></iq>", "not-acceptable"},
		"an empty message":              {"<message type='groupchat' to='lobby@rooms.localhost' id='%'><body/></message>", "not-acceptable"},
		"an admin request without item": {"<iq type='get' to='lobby@rooms.localhost' id='%'><query xmlns='http://jabber.org/protocol/muc#admin'/></iq>", "bad-request"},
	} {
		id := newID()
		a.send(strings.ReplaceAll(tt.in, "%", id))
		e := a.expect("answer to "+name, func(e *element) bool { return e.attr("id") == id })
		if e.attr("type") != "error" || e.child(nsClient, "error").child(nsStanzaErr, tt.want) == nil {
			t.Errorf("%s: got %s, want %s", name, e.bytes(), tt.want)
		}
	}
	// Errors and results are never answered.
	a.send("<iq type='result' id='r1' to='localhost'/><iq type='error' id='r2' to='bob@localhost'/><message type='error' to='nobody@localhost' id='r3'><body>x</body></message>")
	a.send("<iq type='result' id='r4' to='lobby@rooms.localhost'/><iq type='result' id='r5' to='lobby@rooms.localhost/alice'/><presence type='error' to='lobby@rooms.localhost/alice' id='r6'/>")
	a.none("answer to an answer", func(e *element) bool { return strings.HasPrefix(e.attr("id"), "r") && len(e.attr("id")) == 2 })
}

func TestBoundStreamErrors(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice")
	for name, tt := range map[string]struct{ in, want string }{
		"somebody else's address": {"<message from='bob@localhost' to='alice@localhost'/>", "invalid-from"},
		"no stanza":               {"<hello/>", "unsupported-stanza-type"},
		"a stanza of servers":     {"<message xmlns='jabber:server'/>", "unsupported-stanza-type"},
		"a second login":          {"<auth xmlns='" + nsSASL + "' mechanism='PLAIN'/>", "unsupported-stanza-type"},
		"a huge stanza":           {"<message><body>" + strings.Repeat("x", 70<<10), "policy-violation"},
		"an entity bomb":          {"<message><body>&a;&a;</body></message>", "restricted-xml"},
		"a wrong end":             {"</stream>", "not-well-formed"},
	} {
		c := x.login("alice", newID())
		_, _ = c.nc.Write([]byte(tt.in))
		if got := c.ended(); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestServiceQueries(t *testing.T) {
	n := newNetwork(t)
	x := n.node("n1", nil, "alice")
	a := x.online("alice", "x")
	a.join(lobby, "alice")
	a.join("den@rooms.localhost", "alice")
	yes := true
	if err := x.hub.SessionsOf("alice")[0].Seat("den").Wait(t.Context(), &rooms.Configure{Secret: &yes}, nil); err != nil {
		t.Fatal(err)
	}
	b := n.node("n2", nil, "bob").online("bob", "y")
	if q := b.result("get", "rooms.localhost", "<query xmlns='"+nsDiscoItems+"'/>").child(nsDiscoItems, "query"); strings.Contains(string(q.bytes()), "den@") {
		t.Errorf("another node lists a secret room: %s", q.bytes())
	}
	for _, to := range []string{"", "localhost", "rooms.localhost", lobby, lobby + "/alice", lobby + "/warren", "alice@localhost"} {
		a.result("get", to, "<ping xmlns='urn:xmpp:ping'/>")
	}
	for _, to := range []string{"", "localhost", "rooms.localhost", lobby, "alice@localhost"} {
		i := a.result("get", to, "<query xmlns='"+nsDiscoInfo+"'/>").child(nsDiscoInfo, "query")
		if i.child(nsDiscoInfo, "identity") == nil || i.child(nsDiscoInfo, "feature") == nil {
			t.Errorf("info of %q: %s", to, i.bytes())
		}
		a.result("get", to, "<query xmlns='"+nsDiscoItems+"'/>")
	}
	if v := a.result("get", "rooms.localhost", "<query xmlns='jabber:iq:version'/>").child(nsVersion, "query"); v.childText(nsVersion, "version") != "test" {
		t.Errorf("version: %s", v.bytes())
	}
	if v := a.result("get", "localhost", "<time xmlns='urn:xmpp:time'/>").child(nsTime, "time"); v.childText(nsTime, "utc") == "" {
		t.Errorf("time: %s", v.bytes())
	}
	q := a.result("get", "rooms.localhost", "<query xmlns='"+nsDiscoItems+"'/>").child(nsDiscoItems, "query")
	if k := q.children(); len(k) != 1 || k[0].attr("jid") != lobby {
		t.Errorf("rooms: %s", q.bytes())
	}
	q = a.result("get", "rooms.localhost", "<query xmlns='"+nsDiscoItems+"'><set xmlns='http://jabber.org/protocol/rsm'><max>1</max></set></query>").child(nsDiscoItems, "query")
	if q.child(nsRSM, "set").childText(nsRSM, "count") != "1" {
		t.Errorf("paged rooms: %s", q.bytes())
	}
	q = a.result("get", lobby, "<query xmlns='"+nsDiscoItems+"'/>").child(nsDiscoItems, "query")
	if len(q.children()) != 2 {
		t.Errorf("occupants: %s", q.bytes())
	}
}
