package bridge_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"warren/bridge"
	"warren/perms"
	"warren/rooms"
)

func ptr[T any](v T) *T { return &v }

// nodeName is a directory in which every node has a name.
func nodeName(n rooms.NodeID) string { return fmt.Sprint("n", n[0]) }

func TestDescribe(t *testing.T) {
	plan := &rooms.Object{ID: "abc", Kind: rooms.Document, Name: "plan", Rev: 2, Owner: "alice", Tags: []string{"draft"}, Text: []byte("text")}
	for _, c := range []struct {
		op   rooms.Op
		body rooms.Body
		obj  *rooms.Object
		want string
	}{
		{rooms.OpSay, &rooms.Say{Text: "hi"}, nil, ""},
		{rooms.OpEnter, &rooms.Enter{}, nil, ""},
		{rooms.OpSubject, &rooms.Subject{Text: "x"}, nil, ""},
		{rooms.OpPut, &rooms.Put{Kind: rooms.Document, Name: "plan"}, &rooms.Object{Rev: 1}, `alice put document "plan" (revision 1)`},
		{rooms.OpPut, &rooms.Put{Kind: rooms.Document, Name: "plan", ID: "abc"}, plan, `alice changed document "plan" (revision 2)`},
		{rooms.OpPut, &rooms.Put{Kind: rooms.Document, Name: "plan", ID: "abc"}, nil, `alice changed document "plan"`},
		{rooms.OpPut, &rooms.Put{Kind: rooms.Exit, Name: "lab", Target: "physics.lab1"}, nil, `alice made an exit "lab" to #physics.lab1`},
		{rooms.OpPut, &rooms.Put{Kind: rooms.Exit, Name: "lab", ID: "x", Target: "b"}, nil, `alice changed exit "lab": it leads to #b`},
		{rooms.OpRemove, &rooms.Remove{ID: "abc"}, plan, `alice removed document "plan"`},
		{rooms.OpRemove, &rooms.Remove{ID: "abc"}, nil, `alice removed thing abc`},
		{rooms.OpTag, &rooms.Tag{ID: "abc", Add: []string{"physics", "draft"}}, plan, `alice tagged "plan": physics, draft`},
		{rooms.OpTag, &rooms.Tag{Add: []string{"a"}, Drop: []string{"b"}}, nil, `alice tagged the room: a, took tags off the room: b`},
		{rooms.OpKeep, &rooms.Keep{}, nil, `alice made the room permanent`},
		{rooms.OpGrant, &rooms.Grant{Who: "bob", Allow: perms.Write | perms.Delete}, nil, `alice gave bob the right to write, delete`},
		{rooms.OpGrant, &rooms.Grant{Who: perms.Everyone, Deny: perms.Read, Object: "abc"}, plan, `alice denied everyone the right to read on "plan"`},
		{rooms.OpGrant, &rooms.Grant{Who: "+", Forget: perms.Insert}, nil, `alice took back what was said of everyone with an account and the right to insert`},
		{rooms.OpConfigure, &rooms.Configure{Secret: ptr(true), Limit: ptr(uint32(5)), Key: ptr([]byte{})}, nil, `alice set: the room is secret; at most 5 occupants; no password`},
		{rooms.OpSanction, &rooms.Sanction{Mask: "*!*@x", Denies: perms.Enter | perms.Say, Reason: "spam\nspam"}, nil, `alice banned *!*@x: spam spam`},
		{rooms.OpSanction, &rooms.Sanction{Who: perms.Guest("eve", "k"), Denies: perms.Say, Until: 1000}, nil, `alice silenced guest eve until 1970-01-01 00:00 UTC`},
		{rooms.OpPardon, &rooms.Pardon{Who: "bob"}, nil, `alice lifted the sanctions of bob`},
		{rooms.OpKick, &rooms.Kick{Nick: "bob", Reason: "why"}, nil, `alice removed bob from the room: why`},
		{rooms.OpInvite, &rooms.Invite{Who: "@staff"}, nil, `alice invited group staff`},
		{rooms.OpConfigure, &rooms.Configure{Retention: ptr(uint16(30))}, nil, `alice set: what is said is kept for 30 days`},
		{rooms.OpConfigure, &rooms.Configure{Retention: ptr(uint16(0))}, nil, `alice set: what is said is kept for ever`},
		{rooms.OpReconfigure, &rooms.Reconfigure{Controllers: []rooms.NodeID{{2}, {1}}}, nil, `the room's controllers are now n1, n2`},
		{rooms.OpBegin, &rooms.Begin{Epoch: 2, Of: 4}, nil, `the room's controllers disagreed and began anew (epoch 2): nothing that was acknowledged is lost`},
		{rooms.OpBegin, &rooms.Begin{Epoch: 3, By: "bob", Silent: 3, Of: 4}, nil, `bob recovered the room (epoch 3): 3 of its 4 controllers did not answer, so what was said last before this may be lost`},
	} {
		ev := &rooms.Event{Op: c.op, Body: c.body, Object: c.obj, Nick: "alice", Account: "alice", Seq: 3, Time: 5}
		if got := bridge.Describe(ev, nodeName); got != c.want {
			t.Errorf("%T: got %q, want %q", c.body, got, c.want)
		}
		m := bridge.Machine(ev)
		if _, talk := c.body.(*rooms.Say); talk {
			if m != nil {
				t.Errorf("talk has a machine form: %s", m)
			}
			continue
		}
		var v map[string]any
		if err := json.Unmarshal(m, &v); err != nil {
			t.Fatalf("%T: %v in %s", c.body, err, m)
		}
		for _, k := range []string{"op", "room", "seq", "time", "id", "by"} {
			if _, ok := v[k]; !ok {
				t.Errorf("%T: no %s in %s", c.body, k, m)
			}
		}
	}
}

func TestDescribeNodeGone(t *testing.T) {
	ev := &rooms.Event{Op: rooms.OpNodeGone, Body: &rooms.NodeGone{Node: rooms.NodeID{9}}, Gone: []rooms.Occupant{{Nick: "carol"}, {Nick: "bob"}}}
	want := "node n9 cannot be reached any more: bob, carol left"
	if got := bridge.Describe(ev, nodeName); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMachinePut(t *testing.T) {
	o := &rooms.Object{ID: "abc", Kind: rooms.Document, Name: `a"<b>`, Rev: 2, Owner: "alice", Tags: []string{"draft"}, Text: []byte("text")}
	ev := &rooms.Event{Op: rooms.OpPut, Body: &rooms.Put{ID: "abc", Kind: rooms.Document, Name: o.Name}, Object: o, Nick: "Alice", Account: "alice", Seq: 12, Time: 77}
	want := `{"op":"put","room":"` + rooms.Hash{}.String() + `","seq":12,"time":77,"id":"` + rooms.Hash{}.MsgID() +
		`","by":"Alice","account":"alice","object":{"id":"abc","kind":"document","name":"a\"<b>","rev":2,"owner":"alice","tags":["draft"],"size":4}}`
	if got := string(bridge.Machine(ev)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Everything stays bounded and on one line, whatever names and tags people choose.
func TestDescribeIsBounded(t *testing.T) {
	var tags []string
	for range rooms.MaxTags {
		tags = append(tags, strings.Repeat("ä", rooms.MaxTag/2))
	}
	long := strings.Repeat("\n\"ü", 20)
	o := &rooms.Object{ID: "abc", Kind: rooms.Document, Name: long, Tags: tags}
	for _, b := range []rooms.Body{&rooms.Tag{ID: "abc", Add: tags, Drop: tags}, &rooms.Kick{Nick: long, Reason: strings.Repeat(long, 9)}} {
		ev := &rooms.Event{Op: rooms.OpTag, Body: b, Object: o, Nick: long}
		line, m := bridge.Describe(ev, nodeName), bridge.Machine(ev)
		if len(line) > 400 || strings.ContainsAny(line, "\n\r\x00") || !utf8.ValidString(line) || line == "" {
			t.Errorf("%d bytes: %q", len(line), line)
		}
		if len(m) > 3000 || !json.Valid(m) || strings.ContainsAny(string(m), "\n\r") {
			t.Errorf("machine form of %d bytes: %s", len(m), m)
		}
	}
}
