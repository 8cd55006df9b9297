package rooms

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"warren/perms"
	"warren/rooms/errs"
)

func TestEnter(t *testing.T) {
	long := strings.Repeat("x", MaxName+1)
	tests := map[string]struct {
		before func(*world)
		by     who
		body   Enter
		want   errs.Kind
	}{
		"an account enters an open room":                          {nil, bob, Enter{View: "xmpp", Real: "Bob"}, errs.OK},
		"a guest enters an open room":                             {nil, zed, Enter{}, errs.OK},
		"a node by itself is nobody":                              {nil, n1, Enter{}, errs.Invalid},
		"an account needs a nick":                                 {nil, who{"bob", "", "n2"}, Enter{}, errs.Invalid},
		"a nick may not be too long":                              {nil, who{"bob", long, "n2"}, Enter{}, errs.Invalid},
		"a nick has no control characters":                        {nil, who{"bob", "b\x01b", "n2"}, Enter{}, errs.Invalid},
		"a nick has no space at its end":                          {nil, who{"bob", "bob ", "n2"}, Enter{}, errs.Invalid},
		"a view has a short name":                                 {nil, bob, Enter{View: strings.Repeat("x", 17)}, errs.Invalid},
		"a view has no line break":                                {nil, bob, Enter{View: "i\nrc"}, errs.Invalid},
		"a real name has no line break":                           {nil, bob, Enter{Real: "B\nob"}, errs.Invalid},
		"a real name may not be too long":                         {nil, bob, Enter{Real: strings.Repeat("x", MaxRealName+1)}, errs.TooLarge},
		"a guest may not take an account's name":                  {nil, who{"", "Alice", "n3"}, Enter{}, errs.NickInUse},
		"an account may not take another's name":                  {nil, who{"bob", "ALICE", "n2"}, Enter{}, errs.NickInUse},
		"an account takes a free nick":                            {nil, who{"bob", "bobby", "n2"}, Enter{}, errs.OK},
		"a nick is taken, in any case":                            {func(w *world) { w.in(zed) }, who{"", "ZED", "n4"}, Enter{}, errs.NickInUse},
		"a guest is in once":                                      {func(w *world) { w.in(zed) }, who{"", "ZED", "n3"}, Enter{}, errs.Exists},
		"an account does not take over a guest's nick":            {func(w *world) { w.in(zed) }, who{"bob", "zed", "n2"}, Enter{}, errs.NickInUse},
		"a guest does not take over an account's nick":            {func(w *world) { w.in(who{"bob", "bobby", "n2"}) }, who{"", "bobby", "n2"}, Enter{}, errs.NickInUse},
		"an account is in once from a node":                       {func(w *world) { w.in(alice) }, alice, Enter{}, errs.Exists},
		"an account enters from a second node":                    {func(w *world) { w.in(alice) }, who{"alice", "alice", "n2"}, Enter{}, errs.OK},
		"a second node needs no place in a full room":             {func(w *world) { w.must(w.dir, n2, w.device("bob", "n3")); w.in(bob); w.full() }, who{"bob", "bob", "n3"}, Enter{}, errs.OK},
		"a second node needs no invitation":                       {func(w *world) { w.must(w.dir, n2, w.device("bob", "n3")); w.in(bob); w.close() }, who{"bob", "bob", "n3"}, Enter{}, errs.OK},
		"who is banned comes from no second node":                 {func(w *world) { w.must(w.dir, n2, w.device("bob", "n3")); w.in(bob); w.ban("bob", perms.Enter) }, who{"bob", "bob", "n3"}, Enter{}, errs.Banned},
		"a full room is full":                                     {func(w *world) { w.in(alice); w.full() }, bob, Enter{}, errs.Full},
		"a manager enters a full room":                            {func(w *world) { w.in(bob); w.full() }, alice, Enter{}, errs.OK},
		"a room with a password wants it":                         {func(w *world) { w.lock() }, bob, Enter{}, errs.NeedKey},
		"a wrong password is refused":                             {func(w *world) { w.lock() }, bob, Enter{Key: KeyProof(Hash{}, "mellon")}, errs.NeedKey},
		"the right password opens":                                {func(w *world) { w.lock(); w.in(alice) }, bob, Enter{Key: []byte("proof")}, errs.OK},
		"an invitation opens a room with a password":              {func(w *world) { w.lock(); w.must(w.room, alice, &Invite{Who: "bob"}) }, bob, Enter{}, errs.OK},
		"a closed door wants an invitation":                       {func(w *world) { w.close() }, bob, Enter{}, errs.InviteOnly},
		"a manager passes a closed door":                          {func(w *world) { w.close() }, alice, Enter{}, errs.OK},
		"an invitation passes a closed door":                      {func(w *world) { w.close(); w.must(w.room, alice, &Invite{Who: "bob"}) }, bob, Enter{}, errs.OK},
		"an invitation is for one":                                {func(w *world) { w.close(); w.must(w.room, alice, &Invite{Who: "bob"}) }, carol, Enter{}, errs.InviteOnly},
		"a right to enter passes a closed door":                   {func(w *world) { w.close(); w.must(w.room, alice, &Grant{Who: "bob", Allow: perms.Enter}) }, bob, Enter{}, errs.OK},
		"who is banned stays out":                                 {func(w *world) { w.ban("bob", perms.Enter) }, bob, Enter{}, errs.Banned},
		"who is banned by mask stays out":                         {func(w *world) { w.must(w.room, alice, &Sanction{Mask: "*!*@guest/*", Denies: perms.Enter}) }, zed, Enter{}, errs.Banned},
		"a ban of guests leaves accounts":                         {func(w *world) { w.must(w.room, alice, &Sanction{Mask: "*!*@guest/*", Denies: perms.Enter}) }, bob, Enter{}, errs.OK},
		"who is banned stays out of a closed room though invited": {func(w *world) { w.close(); w.must(w.room, alice, &Invite{Who: "bob"}); w.ban("bob", perms.Enter) }, bob, Enter{}, errs.Banned},
		"who is denied by name stays out though invited": {func(w *world) {
			w.must(w.room, alice, &Invite{Who: "bob"})
			w.must(w.room, alice, &Grant{Who: "bob", Deny: perms.Enter})
		}, bob, Enter{}, errs.Denied},
		"an invitation of an ordinary occupant opens nothing": {func(w *world) { w.in(carol); w.must(w.room, carol, &Invite{Who: "bob"}); w.close() }, bob, Enter{}, errs.InviteOnly},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if tt.before != nil {
				tt.before(w)
			}
			w.now += 5000
			kind, ev := w.do(w.room, tt.by, &tt.body)
			if kind != tt.want {
				t.Fatalf("got %v, want %v", kind, tt.want)
			}
			if kind != errs.OK {
				return
			}
			o, ok := w.state().Occupant(tt.by.nick)
			if !ok || ev.Target == nil || ev.Target.Nick != o.Nick || !slices.Contains(o.Nodes, id(tt.by.node)) || w.state().EmptySince != 0 {
				t.Errorf("occupant %+v, %v; event target %+v", o, ok, ev.Target)
			}
		})
	}
}

func (w *world) full() {
	w.must(w.room, alice, &Configure{Limit: ptr(uint32(len(w.state().Occupants)))})
}

func (w *world) lock() {
	w.must(w.room, alice, &Configure{Key: ptr(KeyVerifier([]byte("proof")))})
}

func (w *world) close() { w.must(w.room, alice, &Configure{InviteOnly: ptr(true)}) }

func (w *world) ban(p perms.Principal, r perms.Rights) {
	w.must(w.room, alice, &Sanction{Who: p, Denies: r})
}

func TestABanWithoutAKickLeavesThePersonIn(t *testing.T) {
	w := newWorld(t).in(alice, bob)
	w.ban("bob", perms.Enter)
	w.must(w.room, bob, &Say{Text: "still here"})
	w.must(w.room, alice, &Kick{Nick: "bob"})
	w.refused(errs.Banned, bob, &Enter{})
}

func TestTheRoomHoldsNoMoreOccupantsThanItsLimitWhoeverComes(t *testing.T) {
	w := newWorld(t)
	for i := range MaxOccupants {
		nick := fmt.Sprint("x", i)
		w.state().Occupants[nick] = Occupant{Nick: nick, Account: "alice", Nodes: ids("n1"), Since: start}
	}
	w.state().EmptySince = 0
	for _, p := range []who{alice, bob} {
		if v, _ := w.run(w.room, w.request(w.room, p, &Enter{})); v.At(0) != errs.Full {
			t.Errorf("%v: got %v", p, v.At(0))
		}
	}
}

func TestLeave(t *testing.T) {
	w := newWorld(t)
	w.refused(errs.NotHere, bob, &Leave{})
	w.in(alice, who{"alice", "alice", "n2"}, bob)
	w.refused(errs.NotHere, who{"bob", "alice", "n2"}, &Leave{})
	w.refused(errs.NotHere, zed, &Leave{})
	w.refused(errs.TooLarge, bob, &Leave{Reason: strings.Repeat("x", MaxReason+1)})
	w.refused(errs.Invalid, bob, &Leave{Reason: "a\x00"})
	if ev := w.must(w.room, alice, &Leave{}); ev.Gone != nil || ev.Target.Nick != "alice" {
		t.Errorf("with a node left nobody is gone: %+v", ev)
	}
	if o, _ := w.state().Occupant("alice"); !slices.Equal(o.Nodes, ids("n2")) {
		t.Errorf("alice is at %v", o.Nodes)
	}
	if ev := w.must(w.room, who{"alice", "alice", "n2"}, &Leave{}); len(ev.Gone) != 1 {
		t.Errorf("from the last node she is gone: %+v", ev)
	}
	w.now++
	w.must(w.room, bob, &Leave{Quit: true})
	if w.state().EmptySince != w.now {
		t.Errorf("empty since %d, want %d", w.state().EmptySince, w.now)
	}
}

func TestNick(t *testing.T) {
	w := newWorld(t)
	w.refused(errs.NotHere, zed, &Nick{New: "zoe"})
	w.in(alice, zed, yan)
	w.refused(errs.Invalid, zed, &Nick{New: ""})
	w.refused(errs.Invalid, zed, &Nick{New: "a\tb"})
	w.refused(errs.Invalid, zed, &Nick{New: "a\x7fb"})
	w.refused(errs.NickInUse, zed, &Nick{New: "YAN"})
	w.refused(errs.NickInUse, zed, &Nick{New: "Bob"}) // bob is not here, but the name is his
	if ev := w.must(w.room, zed, &Nick{New: "ZED"}); ev.Target.Nick != "ZED" || ev.Nick != "zed" {
		t.Errorf("event %+v", ev)
	}
	w.must(w.room, who{"", "ZED", "n3"}, &Nick{New: "zoe"})
	if got := w.state().Nicks(); !slices.Equal(got, []string{"alice", "yan", "zoe"}) {
		t.Errorf("here are %v", got)
	}
	w.must(w.room, alice, &Nick{New: "al"})
	w.must(w.room, who{"alice", "al", "n1"}, &Nick{New: "alice"})
}

func TestAGuestKeepsEverythingWithANewNick(t *testing.T) {
	w := newWorld(t)
	w.room = w.make(zed, CreateRoom{Name: "den"})
	w.in(zed)
	doc := w.must(w.room, zed, &Put{Kind: Document, Name: "plan", Text: []byte("x")}).Object
	w.must(w.room, zed, &Grant{Object: doc.ID, Who: guest("zed", "n3"), Allow: perms.Annotate})
	w.must(w.room, zed, &Invite{Who: guest("zed", "n3")})
	w.must(w.room, zed, &Sanction{Who: guest("zed", "n3"), Denies: perms.Insert})
	w.must(w.room, zed, &Grant{Who: guest("zoe", "n3"), Allow: perms.Write}) // somebody had the nick before
	old := w.state().Sanctions
	w.must(w.room, zed, &Nick{New: "zoe"})
	st, now := w.state(), guest("zoe", "n3")
	o := st.Objects[doc.ID]
	_, invited := st.Invited[now]
	if e := st.ACL.Get(now); !e.Allow.Has(perms.Manage|perms.Write) || st.ACL.Get(guest("zed", "n3")).Allow != 0 {
		t.Errorf("rights: %v", st.ACL)
	}
	if o.Owner != now || !o.ACL.Get(now).Allow.Has(perms.Annotate) || !invited || st.Sanctions[0].Who != now || st.Maker != now {
		t.Errorf("owner %s, ACL %v, invited %v, sanction of %s, maker %s", o.Owner, o.ACL, invited, st.Sanctions[0].Who, st.Maker)
	}
	if old[0].Who != guest("zed", "n3") {
		t.Error("the list that others may still read was changed in place")
	}
	w.must(w.room, who{"", "zoe", "n3"}, &Configure{Secret: ptr(true)})
}

func TestKick(t *testing.T) {
	w := newWorld(t).in(alice, bob, carol)
	w.must(w.room, alice, &Grant{Who: "carol", Allow: perms.Sanction})
	w.refused(errs.Denied, bob, &Kick{Nick: "carol"})
	w.refused(errs.NotFound, carol, &Kick{Nick: "nobody"})
	w.refused(errs.TooLarge, carol, &Kick{Nick: "bob", Reason: strings.Repeat("x", MaxReason+1)})
	w.refused(errs.Denied, carol, &Kick{Nick: "alice"}) // she manages
	if ev := w.must(w.room, carol, &Kick{Nick: "BOB", Reason: "noise"}); ev.Target.Nick != "bob" || len(ev.Gone) != 1 {
		t.Errorf("event %+v", ev)
	}
	w.refused(errs.NotHere, bob, &Say{Text: "hey"})
	w.must(w.room, alice, &Kick{Nick: "alice"})
	w.ban("carol", perms.Sanction)
	w.refused(errs.Banned, carol, &Kick{Nick: "carol"})
}

func TestInvite(t *testing.T) {
	w := newWorld(t)
	w.refused(errs.NotHere, bob, &Invite{Who: "carol"})
	w.in(bob)
	for _, p := range []perms.Principal{"", "*", "+", "@wizards", "%node", perms.Principal(strings.Repeat("x", MaxPrincipal+1)), "a\nb"} {
		w.refused(errs.Invalid, bob, &Invite{Who: p})
	}
	w.must(w.room, bob, &Invite{Who: "carol"})
	w.close()
	w.refused(errs.Denied, bob, &Invite{Who: "carol"})
	for i := range MaxInvited + 5 {
		w.now++
		if v, _ := w.run(w.room, w.request(w.room, alice, &Invite{Who: perms.Principal(fmt.Sprint("p", i))})); v.At(0) != errs.OK {
			t.Fatalf("invitation %d: %v", i, v.At(0))
		}
	}
	if _, ok := w.state().Invited["p4"]; ok || len(w.state().Invited) != MaxInvited {
		t.Errorf("%d invitations, the oldest still there: %v", len(w.state().Invited), ok)
	}
}
