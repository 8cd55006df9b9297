package xmpp

import (
	"fmt"
	"runtime"
	"testing"

	"warren/rooms"
)

func TestOwnArchiveMergesConversations(t *testing.T) {
	n := newNetwork(t)
	x, y := n.node("n1", nil, "alice", "bob"), n.node("n2", nil, "carol")
	a, b := x.online("alice", "x"), x.online("bob", "y")
	carol := y.irc("carol", "carol")
	for k := range 4 {
		a.send(fmt.Sprintf("<message type='chat' to='bob@localhost'><body>to bob %d</body></message>", k))
		b.expect("message", body(fmt.Sprintf("to bob %d", k)))
		if err := carol.s.Tell(t.Context(), "alice", rooms.Say{Text: fmt.Sprintf("from carol %d", k)}, nil); err != nil {
			t.Fatal(err)
		}
		a.expect("message", body(fmt.Sprintf("from carol %d", k)))
	}
	a.send("<presence type='subscribe' to='bob@localhost'/>")
	b.expect("request", presenceOf("alice@localhost", "subscribe"))
	all, _, fin := a.archive("", "")
	if len(all) != 8 || fin.attr("complete") != "true" {
		t.Fatalf("all: %d, %s", len(all), fin.bytes())
	}
	var paged []string
	for after, k := "", 0; k < 9; k++ {
		want := "<max>3</max>"
		if after != "" {
			want += "<after>" + after + "</after>"
		}
		ids, _, fin := a.archive("alice@localhost", rsm(want))
		paged = append(paged, ids...)
		if fin.attr("complete") == "true" {
			break
		}
		after = fin.child(nsRSM, "set").childText(nsRSM, "last")
	}
	if fmt.Sprint(paged) != fmt.Sprint(all) {
		t.Errorf("paged: %v\nall:   %v", paged, all)
	}
	with := "<x xmlns='jabber:x:data' type='submit'><field var='with'><value>carol@localhost</value></field></x>"
	if _, texts, _ := a.archive("", with); fmt.Sprint(texts) != "[from carol 0 from carol 1 from carol 2 from carol 3]" {
		t.Errorf("with carol: %v", texts)
	}
	if ids, _, _ := a.archive("", with+rsm("<max>2</max><before/>")); fmt.Sprint(ids) == "" || len(ids) != 2 {
		t.Errorf("last of carol: %v", ids)
	}
	again := x.online("alice", "z") // does not remember ids
	if ids, _, _ := again.archive("", rsm("<before>"+all[2]+"</before>")); len(ids) != 2 {
		t.Errorf("before the third: %v", ids)
	}
	a.refused("item-not-found", "set", "", "<query xmlns='urn:xmpp:mam:2'>"+rsm("<after>x</after>")+"</query>")
	if f := a.result("get", "", "<query xmlns='urn:xmpp:mam:2'/>").child(nsMAM, "query").child(nsForm, "x"); f == nil {
		t.Error("no form of a query")
	}
}

// A conversation of which a part is still on its way to this node neither lacks a message nor is complete.
func TestAnArchiveWithAGapIsTriedAgain(t *testing.T) {
	n := newNetwork(t)
	x := n.node("n1", nil, "alice", "bob")
	a, b := x.online("alice", "x"), x.online("bob", "y")
	a.send("<message type='chat' to='bob@localhost'><body>hello</body></message>")
	b.expect("message", body("hello"))
	ask := func(payload string) *element {
		return a.ask("set", "", "<query xmlns='urn:xmpp:mam:2'>"+payload+"</query>")
	}
	wantError(t, ask(rsm("<after>x</after>")), "item-not-found")
	n.net.Gap(x.conversation("alice", "bob"), true)
	wantError(t, ask(rsm("<after>x</after>")), "resource-constraint")
	wantError(t, ask(""), "resource-constraint")
}

func TestMissedMessagesComeAtLogin(t *testing.T) {
	n := newNetwork(t)
	x, y := n.node("n1", nil, "alice"), n.node("n2", nil, "bob")
	a := x.online("alice", "x")
	bob := y.irc("bob", "bob")
	tell := func(texts ...string) {
		t.Helper()
		for _, text := range texts {
			if err := bob.s.Tell(t.Context(), "alice", rooms.Say{Text: text}, nil); err != nil {
				t.Fatal(err)
			}
		}
		for now := x.w.Now(); x.w.Now() < now+2; { // the clock has ms
			runtime.Gosched()
		}
	}
	bye := func(c *client) {
		t.Helper()
		c.send("</stream:stream>")
		c.ended()
	}
	tell("while here")
	a.expect("message", body("while here"))
	bye(a)
	tell("while away", "and more")
	a = x.login("alice", "silent") // connected, but not available: nobody reads
	tell("to nobody")
	a.none("what was missed", body("while away"))
	a.send("<presence><priority>-1</priority></presence>")
	a.none("what was missed, with a negative priority", body("to nobody"))
	a.send("<presence/>")
	for _, text := range []string{"while away", "and more", "to nobody"} {
		if e := a.expect("missed message", body(text)); e.child(nsDelay, "delay") == nil || e.attr("from") != "bob@localhost" {
			t.Errorf("missed: %s", e.bytes())
		}
	}
	a.none("what was seen", body("while here"))
	a2 := x.online("alice", "z")
	a2.sync() // available
	tell("end")
	if e := a2.expect("message", body("end")); e.child(nsDelay, "delay") != nil {
		t.Errorf("live, but delayed: %s", e.bytes())
	}
	a2.none("what was shown to another", body("while away"))
	bye(a)
	bye(a2)
	tell("in the archive")
	a = x.login("alice", "mam")
	if _, texts, _ := a.archive("", rsm("<max>1</max><before/>")); fmt.Sprint(texts) != "[in the archive]" {
		t.Errorf("archive: %v", texts)
	}
	a.send("<presence/>")
	tell("last")
	a.expect("message", body("last"))
	a.none("what the archive gave", body("in the archive"))
}
