package rooms

import (
	"fmt"
	"strings"
	"testing"

	"warren/perms"
	"warren/rooms/errs"
)

func TestSay(t *testing.T) {
	w := newWorld(t)
	w.refused(errs.NotHere, bob, &Say{Text: "hi"})
	w.in(alice, bob, zed)
	w.refused(errs.NotHere, who{"bob", "alice", "n2"}, &Say{Text: "I am alice"})
	w.refused(errs.NotHere, who{"alice", "alice", "n2"}, &Say{Text: "from a node where she is not"})
	for name, b := range map[string]Say{
		"no text":            {},
		"an unknown kind":    {Kind: Signal + 1, Text: "x"},
		"a NUL":              {Text: "a\x00"},
		"a carriage return":  {Text: "a\rb"},
		"a tag without name": {Text: "x", Tags: map[string]string{"": "v"}},
		"a NUL in a tag":     {Text: "x", Tags: map[string]string{"k": "\x00"}},
		"a NUL in the ref":   {Text: "x", Ref: "\x00"},
	} {
		if kind, _ := w.do(w.room, zed, &b); kind != errs.Invalid {
			t.Errorf("%s: got %v", name, kind)
		}
	}
	w.refused(errs.TooLarge, zed, &Say{Text: strings.Repeat("x", MaxText+1)})
	w.refused(errs.TooLarge, zed, &Say{Text: "x", Ext: make([]byte, MaxTalkTags+maxTalkExt+1)})
	for _, b := range []Say{{Text: "hi\nthere"}, {Kind: Notice, Text: "x"}, {Kind: Action, Text: "waves"}, {Kind: Signal, Tags: map[string]string{"typing": "active"}}} {
		if ev := w.must(w.room, zed, &b); ev.Nick != "zed" || ev.Account != "" || ev.Device != id("n3") || ev.Body.(*Say).Kind != b.Kind {
			t.Errorf("event %+v", ev)
		}
	}
	w.ban(guest("zed", "n3"), perms.Say)
	w.refused(errs.Banned, zed, &Say{Text: "mmh"})
	w.must(w.room, alice, &Configure{Moderated: ptr(true)})
	w.refused(errs.Denied, bob, &Say{Text: "may I?"})
	w.must(w.room, alice, &Grant{Who: "bob", Allow: perms.Say})
	w.must(w.room, bob, &Say{Text: "I may"})
	w.must(w.room, alice, &Pardon{Who: guest("zed", "n3")})
	w.refused(errs.Denied, zed, &Say{Text: "and I?"})
}

func TestInAConversationOfTwoNobodyEntersAndNobodyElseSpeaks(t *testing.T) {
	w := newWorld(t)
	w.room = w.make(bob, CreateRoom{Name: DirectName("bob", "carol"), Members: []perms.Principal{"bob", "carol"}, Temporary: true})
	w.now += 7
	w.must(w.room, bob, &Say{Text: "hi"})
	w.must(w.room, carol, &Say{Text: "hi"})
	if w.state().EmptySince != w.now {
		t.Errorf("its last word was at %d, not at %d", w.state().EmptySince, w.now)
	}
	w.refused(errs.Denied, alice, &Say{Text: "and me?"})
	w.refused(errs.InviteOnly, alice, &Enter{})
	w.in(carol)
	w.must(w.room, carol, &Say{Text: "somebody is here"})
}

func TestSubject(t *testing.T) {
	w := newWorld(t)
	w.refused(errs.NotHere, bob, &Subject{Text: "x"})
	w.must(w.room, alice, &Subject{Text: "a manager need not be here"})
	if by := w.state().SubjectBy; by != "alice" {
		t.Errorf("set by %q", by)
	}
	w.must(w.room, who{"alice", "somebody", "n1"}, &Subject{Text: "nor have a nick"})
	if by := w.state().SubjectBy; by != "alice" {
		t.Errorf("set by %q: a nick that nobody checked", by)
	}
	w.in(bob)
	w.refused(errs.Denied, bob, &Subject{Text: "it is locked"})
	w.must(w.room, alice, &Configure{TopicLock: ptr(false)})
	w.must(w.room, bob, &Subject{Text: "it is open"})
	w.refused(errs.TooLarge, bob, &Subject{Text: strings.Repeat("x", MaxSubject+1)})
	w.refused(errs.Invalid, bob, &Subject{Text: "a\rb"})
	w.ban("bob", perms.Say)
	w.refused(errs.Banned, bob, &Subject{Text: "silenced"})
	if st := w.state(); st.Subject != "it is open" || st.SubjectBy != "bob" || st.SubjectTime != w.now {
		t.Errorf("subject %q by %q at %d", st.Subject, st.SubjectBy, st.SubjectTime)
	}
}

func TestNobodyActsUnderAnothersNick(t *testing.T) {
	w := newWorld(t).in(bob)
	w.must(w.room, alice, &Grant{Who: "carol", Allow: perms.Manage})
	w.refused(errs.NickInUse, who{"carol", "bob", "n3"}, &Configure{Secret: ptr(true)})   // an occupant's
	w.refused(errs.NickInUse, who{"carol", "alice", "n3"}, &Configure{Secret: ptr(true)}) // an account's
	w.must(w.room, who{"carol", "anything", "n3"}, &Configure{Secret: ptr(true)})
	w.must(w.room, who{"carol", "", "n3"}, &Configure{Secret: ptr(true)})
}

func TestKeep(t *testing.T) {
	w := newWorld(t)
	w.refused(errs.Exists, alice, &Keep{})
	w.room = w.make(zed, CreateRoom{Name: "den", Temporary: true})
	w.refused(errs.Denied, zed, &Keep{})
	w.refused(errs.Denied, bob, &Keep{})
	w.must(w.room, zed, &Grant{Who: "bob", Allow: perms.Manage})
	w.must(w.room, bob, &Keep{})
	if w.state().Temporary || !w.state().ACL.Get("bob").Allow.Has(perms.Manage) {
		t.Error("it is not kept for bob")
	}
	w.refused(errs.Exists, bob, &Keep{})
}

func TestTheACLHoldsNoMoreEntriesThanItsLimitWhoeverAdds(t *testing.T) {
	w := newWorld(t)
	w.room = w.make(zed, CreateRoom{Name: "den", Temporary: true})
	st := w.state()
	st.ACL = perms.ACL{}.Grant(perms.Registered, perms.Manage)
	for i := 1; i < perms.MaxEntries; i++ {
		st.ACL = st.ACL.Grant(perms.Principal(fmt.Sprint("p", i)), perms.Say)
	}
	w.refused(errs.Quota, bob, &Keep{})
	w.refused(errs.Quota, bob, &Grant{Who: "bob", Allow: perms.Say})
	w.refused(errs.Quota, bob, &Configure{Secret: ptr(true), InviteOnly: ptr(false)})
	w.must(w.room, bob, &Grant{Who: "p1", Forget: perms.Say})
	w.must(w.room, bob, &Keep{})
}

func TestClose(t *testing.T) {
	w := newWorld(t)
	w.now += 2 * emptyLife
	w.refused(errs.Stale, n1, &Close{}) // #lab is permanent
	w.room = w.make(zed, CreateRoom{Name: "den", Temporary: true})
	w.refused(errs.Stale, n1, &Close{})
	w.now += emptyLife
	w.refused(errs.Denied, zed, &Close{})
	w.refused(errs.Denied, n2, &Close{})
	w.refused(errs.Denied, who{"alice", "", "n1"}, &Close{})
	rs := []Request{w.request(w.room, n1, &Close{}), w.request(w.room, zed, &Enter{})}
	if v, _ := w.run(w.room, rs...); v.At(0) != errs.Invalid {
		t.Errorf("not alone in its batch: %v", v.At(0))
	}
	w.refused(errs.Stale, n1, &Close{}) // zed is here
	w.must(w.room, zed, &Leave{})
	w.must(w.room, zed, &Enter{})
	w.must(w.room, zed, &Grant{Who: guest("zed", "n3"), Allow: perms.Insert})
	doc := w.must(w.room, zed, &Put{Kind: Document, Name: "x"})
	w.must(w.room, zed, &Leave{})
	w.now += emptyLife
	w.refused(errs.Stale, n1, &Close{}) // it holds something
	w.must(w.room, zed, &Remove{ID: doc.Object.ID})
	w.must(w.room, n1, &Close{})
	for _, b := range []Body{&Enter{}, &Close{}, &Keep{}, w.reconfigure(w.room, ids("n2"), "n1")} {
		w.refused(errs.Closed, zed, b)
	}
}

func TestARoomWhoseLeaderHasNoClockStillExpires(t *testing.T) {
	w := newWorld(t)
	w.room = w.make(zed, CreateRoom{Name: "den", Temporary: true})
	w.now = 0
	w.in(zed)
	w.must(w.room, zed, &Leave{})
	w.now = emptyLife + 1
	w.must(w.room, n1, &Close{})
}
