package xmpp

import (
	"fmt"
	"testing"
	"time"

	"warren/rooms"
)

// archive asks a room's archive and returns ids, texts, and the fin element.
func (c *client) archive(room, payload string) (ids, texts []string, fin *element) {
	c.t.Helper()
	fin = c.result("set", room, "<query xmlns='urn:xmpp:mam:2' queryid='q'>"+payload+"</query>").child(nsMAM, "fin")
	var rest []*element
	for _, e := range c.got {
		r := e.child(nsMAM, "result")
		if r == nil {
			rest = append(rest, e)
			continue
		}
		m := r.child(nsForward, "forwarded").child(nsClient, "message")
		if r.attr("queryid") != "q" || r.child(nsForward, "forwarded").child(nsDelay, "delay") == nil || m.child(nsSID, "stanza-id").attrOr("id") != r.attr("id") {
			c.t.Errorf("result: %s", e.bytes())
		}
		ids, texts = append(ids, r.attr("id")), append(texts, m.childText(nsClient, "body"))
	}
	c.got = rest
	return ids, texts, fin
}

func rsm(s string) string { return "<set xmlns='http://jabber.org/protocol/rsm'>" + s + "</set>" }

func TestArchive(t *testing.T) {
	n := newNetwork(t)
	x, y := n.node("n1", nil, "alice"), n.node("n2", nil)
	i := y.irc("", "ivan")
	seat := i.join("lobby")
	for k := range 25 {
		i.do(seat, &rooms.Say{Text: fmt.Sprint(k)})
	}
	a := x.online("alice", "x")
	a.join(lobby, "alice")
	all, texts, fin := a.archive(lobby, "")
	if len(all) != 25 || texts[0] != "0" || texts[24] != "24" || fin.attr("complete") != "true" {
		t.Fatalf("all: %v, %s", texts, fin.bytes())
	}
	if set := fin.child(nsRSM, "set"); set.childText(nsRSM, "first") != all[0] || set.childText(nsRSM, "last") != all[24] {
		t.Errorf("fin: %s", fin.bytes())
	}
	var paged []string
	for after, k := "", 0; k < 10; k++ {
		want := "<max>10</max>"
		if after != "" {
			want += "<after>" + after + "</after>"
		}
		ids, _, fin := a.archive(lobby, rsm(want))
		paged = append(paged, ids...)
		if fin.attr("complete") == "true" {
			break
		}
		after = fin.child(nsRSM, "set").childText(nsRSM, "last")
	}
	if fmt.Sprint(paged) != fmt.Sprint(all) {
		t.Errorf("paged forwards: %d of %d", len(paged), len(all))
	}
	_, texts, fin = a.archive(lobby, rsm("<max>3</max><before/>"))
	if fmt.Sprint(texts) != "[22 23 24]" || fin.attr("complete") == "true" {
		t.Errorf("last page: %v %s", texts, fin.bytes())
	}
	_, texts, _ = a.archive(lobby, rsm("<max>2</max><before>"+all[10]+"</before>"))
	if fmt.Sprint(texts) != "[8 9]" {
		t.Errorf("page before: %v", texts)
	}
	_, texts, _ = a.archive(lobby, rsm("<max>3</max><before/>")+"<flip-page/>")
	if fmt.Sprint(texts) != "[24 23 22]" {
		t.Errorf("flipped: %v", texts)
	}
	if ids, _, fin := a.archive(lobby, rsm("<max>0</max>")); len(ids) != 0 || fin.attr("complete") == "true" {
		t.Errorf("none: %v %s", ids, fin.bytes())
	}
	form := func(field, value string) string {
		return "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field><field var='" + field + "'><value>" + value + "</value></field></x>"
	}
	future := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	if ids, _, _ := a.archive(lobby, form("start", future)); len(ids) != 0 {
		t.Errorf("from the future: %d", len(ids))
	}
	if ids, _, _ := a.archive(lobby, form("end", future)); len(ids) != 25 {
		t.Errorf("until the future: %d", len(ids))
	}
	if ids, _, _ := a.archive(lobby, form("after-id", all[20])); len(ids) != 4 {
		t.Errorf("after an id: %d", len(ids))
	}
	a.refused("item-not-found", "set", lobby, "<query xmlns='urn:xmpp:mam:2'>"+rsm("<after>nonsense</after>")+"</query>")
	a.refused("bad-request", "set", lobby, "<query xmlns='urn:xmpp:mam:2'>"+form("start", "yesterday")+"</query>")
	a.refused("bad-request", "set", lobby, "<query xmlns='urn:xmpp:mam:2'>"+rsm("<max>-1</max>")+"</query>")
	a.refused("not-acceptable", "set", "den@rooms.localhost", "<query xmlns='urn:xmpp:mam:2'/>")
	if f := a.result("get", lobby, "<query xmlns='urn:xmpp:mam:2'/>").child(nsMAM, "query").child(nsForm, "x"); f == nil {
		t.Error("no form of a query")
	}
}
