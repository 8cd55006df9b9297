package rooms

import (
	"fmt"
	"strings"
	"testing"

	"warren/perms"
	"warren/rooms/errs"
)

func TestConfigure(t *testing.T) {
	w := newWorld(t).in(bob)
	w.refused(errs.Denied, bob, &Configure{Secret: ptr(true)})
	w.refused(errs.Invalid, alice, &Configure{Secret: ptr(true), Key: ptr([]byte("short"))})
	w.refused(errs.TooLarge, alice, &Configure{Secret: ptr(true), Title: ptr(strings.Repeat("x", MaxSubject+1))})
	w.refused(errs.Invalid, alice, &Configure{Secret: ptr(true), Title: ptr("a\x00")})
	for _, n := range []uint8{1, 2, MaxControllers + 1, 255} {
		w.refused(errs.Invalid, alice, &Configure{Secret: ptr(true), Controllers: ptr(n)})
	}
	w.must(w.room, alice, &Configure{
		TopicLock: ptr(false), Secret: ptr(true), Moderated: ptr(true), InviteOnly: ptr(true), Limit: ptr(uint32(1 << 31)), Key: ptr(make([]byte, 32)), Title: ptr("The Lab"), Controllers: ptr(uint8(MaxControllers)),
	})
	st := w.state()
	if st.Set.TopicLock || !st.Set.Secret || !st.Moderated() || !st.InviteOnly() || st.Set.Limit != 1<<31 || len(st.Set.Key) != 32 || st.Set.Title != "The Lab" || st.Set.Controllers != MaxControllers {
		t.Errorf("settings %+v, ACL %v", st.Set, st.ACL)
	}
	w.must(w.room, alice, &Configure{Moderated: ptr(false), InviteOnly: ptr(false), Key: ptr([]byte{})})
	if st.Moderated() || st.InviteOnly() || len(st.Set.Key) != 0 || st.Set.Title != "The Lab" {
		t.Errorf("settings %+v, ACL %v", st.Set, st.ACL)
	}
	w.lock()
	w.must(w.room, alice, &Configure{Key: ptr([]byte(nil))})
	if len(st.Set.Key) != 0 {
		t.Error("nil did not remove the password")
	}
	w.refused(errs.Invalid, alice, &Configure{Secret: ptr(true), Ticks: ptr(uint8(MaxTicks + 1))})
	for _, n := range []uint16{MaxRetention + 1, 65535} {
		w.refused(errs.Invalid, alice, &Configure{Secret: ptr(true), Retention: ptr(n)})
	}
	w.must(w.room, carol, &Enter{}) // 2^31 places are many, on machines of 32 bits too
}

func TestGrant(t *testing.T) {
	w := newWorld(t).in(alice, bob, carol)
	doc := w.must(w.room, bob, &Put{Kind: Document, Name: "plan"}).Object.ID
	w.refused(errs.Denied, bob, &Grant{Who: "bob", Allow: perms.Manage})
	w.refused(errs.Denied, carol, &Grant{Object: doc, Who: "carol", Allow: perms.Write})
	w.refused(errs.NotFound, alice, &Grant{Object: "none", Who: "bob", Allow: perms.Say})
	for _, b := range []Grant{{}, {Who: "a\n"}, {Who: perms.Principal(strings.Repeat("x", MaxPrincipal+1))}, {Who: "bob", Allow: perms.All + 1}, {Who: "bob", Deny: 1 << 31}, {Who: "bob", Forget: 1 << 31}} {
		w.refused(errs.Invalid, alice, &b)
	}
	w.must(w.room, alice, &Grant{Who: "bob", Allow: perms.Sanction | perms.Write, Deny: perms.Say})
	if e := w.state().ACL.Get("bob"); e.Allow != perms.Sanction|perms.Write || e.Deny != perms.Say {
		t.Errorf("entry %v", e)
	}
	w.must(w.room, alice, &Grant{Who: "bob", Forget: perms.All})
	if e := w.state().ACL.Get("bob"); e.Allow|e.Deny != 0 {
		t.Errorf("entry %v", e)
	}
	if ev := w.must(w.room, bob, &Grant{Object: doc, Who: "carol", Allow: perms.Write}); ev.Object == nil || !ev.Object.ACL.Get("carol").Allow.Has(perms.Write) {
		t.Errorf("event %+v", ev)
	}
	w.must(w.room, carol, &Put{ID: doc, Kind: Document, Name: "plan", Text: []byte("x")})
	w.must(w.room, bob, &Grant{Object: doc, Who: "alice", Deny: perms.All})
	w.must(w.room, bob, &Grant{Object: doc, Who: perms.Everyone, Deny: perms.All})
	w.must(w.room, alice, &Tag{ID: doc, Add: []string{"x"}}) // who manages the room is not locked out
	for i := 0; len(w.state().Objects[doc].ACL) < MaxObjectACL; i++ {
		w.must(w.room, bob, &Grant{Object: doc, Who: perms.Principal(fmt.Sprint("p", i)), Allow: perms.Read})
	}
	w.refused(errs.Quota, bob, &Grant{Object: doc, Who: "p", Allow: perms.Read})
	w.ban("bob", perms.Write)
	w.refused(errs.Denied, bob, &Grant{Object: doc, Who: "p0", Deny: perms.Read})
}

func TestSanctionAndPardon(t *testing.T) {
	w := newWorld(t).in(alice, bob, carol)
	w.refused(errs.Denied, bob, &Sanction{Who: "carol", Denies: perms.Say})
	w.refused(errs.Denied, bob, &Pardon{Who: "carol"})
	for _, b := range []Sanction{
		{Denies: perms.Say}, {Who: "bob", Mask: "*", Denies: perms.Say}, {Who: "bob"}, {Who: "bob", Denies: perms.All + 1}, {Mask: "a\nb", Denies: perms.Say},
		{Mask: strings.Repeat("*", MaxPrincipal+1), Denies: perms.Say}, {Who: "bob", Denies: perms.Say, Reason: "\x00"},
	} {
		w.refused(errs.Invalid, alice, &b)
	}
	w.refused(errs.TooLarge, alice, &Sanction{Who: "bob", Denies: perms.Say, Reason: strings.Repeat("x", MaxReason+1)})
	w.refused(errs.NotFound, alice, &Pardon{Who: "bob"})
	w.must(w.room, alice, &Sanction{Who: "bob", Denies: perms.Say, Until: w.now + 1000})
	w.refused(errs.Stale, alice, &Sanction{Who: "bob", Denies: perms.Say, Until: w.now})
	w.refused(errs.Stale, alice, &Sanction{Who: "bob", Denies: perms.Say, Until: -1})
	w.refused(errs.Banned, bob, &Say{Text: "x"})
	w.must(w.room, alice, &Sanction{Who: "bob", Denies: perms.Say, Until: w.now + 2000})
	if n := len(w.state().Sanctions); n != 1 {
		t.Errorf("%d sanctions of one person", n)
	}
	w.now += 2000
	w.must(w.room, bob, &Say{Text: "its time is over"})
	w.must(w.room, alice, &Sanction{Who: perms.Everyone, Denies: perms.Say})
	if n := len(w.state().Sanctions); n != 1 {
		t.Errorf("%d sanctions: the one that is over was kept", n)
	}
	w.refused(errs.Banned, bob, &Say{Text: "x"})
	w.must(w.room, alice, &Say{Text: "who manages may"})
	w.must(w.room, alice, &Pardon{Who: perms.Everyone})
	w.must(w.room, bob, &Say{Text: "x"})
	w.must(w.room, alice, &Sanction{Mask: "BOB!*@*", Denies: perms.Say})
	w.refused(errs.Banned, bob, &Say{Text: "x"})
	w.refused(errs.NotFound, alice, &Pardon{Mask: "bob!*@*"})
	w.must(w.room, alice, &Pardon{Mask: "BOB!*@*"})
	for i := len(w.state().Sanctions); i < perms.MaxSanctions; i++ {
		if v, _ := w.run(w.room, w.request(w.room, alice, &Sanction{Who: perms.Principal(fmt.Sprint("p", i)), Denies: perms.Say})); v.At(0) != errs.OK {
			t.Fatal(v.At(0))
		}
	}
	w.refused(errs.Quota, alice, &Sanction{Who: "one more", Denies: perms.Say})
	w.must(w.room, alice, &Sanction{Who: "p7", Denies: perms.All})
}

func TestAPardonLiftsAllSanctionsOfAGuestWhoBroughtOneAlong(t *testing.T) {
	w := newWorld(t).in(zed)
	w.ban(guest("zed", "n3"), perms.Insert)
	w.ban(guest("zoe", "n3"), perms.Say)
	w.must(w.room, zed, &Nick{New: "zoe"})
	w.must(w.room, alice, &Pardon{Who: guest("zoe", "n3")})
	if n := len(w.state().Sanctions); n != 0 {
		t.Errorf("%d sanctions are left", n)
	}
}

// TestRetention: what a room once allowed to be let go may be gone for ever, whatever it decides later.
func TestRetention(t *testing.T) {
	w := newWorld(t)
	st := w.state()
	set := func(days uint16) int64 {
		t.Helper()
		return w.must(w.room, alice, &Configure{Retention: ptr(days)}).Time
	}
	if st.Set.Gone(1<<50) != 0 {
		t.Error("a new room lets something go")
	}
	began := set(30)
	if got := st.Set.Gone(began + 31*day); got != began+day {
		t.Errorf("after 31 days all before %d may be gone, of a room that was set at %d", got, began)
	}
	then := set(2)
	if got := st.Set.Gone(then); got != then-2*day {
		t.Errorf("of two days, at %d: %d", then, got)
	}
	last := set(0)
	if got := st.Set.Gone(last + 100*day); got != last-2*day {
		t.Errorf("what was gone at %d, by then all before %d, has become all before %d", last, last-2*day, got)
	}
	set(30)
	if got := st.Set.Gone(last + day); got != last-2*day {
		t.Errorf("a longer time brought back what was gone: %d", got)
	}
}

// TestTicksAreForWhoIsHere: an empty room asks for none, whatever it is set to.
func TestTicksAreForWhoIsHere(t *testing.T) {
	w := newWorld(t)
	st := w.state()
	w.must(w.room, alice, &Configure{Ticks: ptr(uint8(MaxTicks))})
	if n := st.TickEvery(); n != 0 {
		t.Errorf("an empty room wants a tick in %d ms", n)
	}
	w.in(bob)
	if n := st.TickEvery(); n != 50 {
		t.Errorf("20 per second are one in %d ms", n)
	}
	w.must(w.room, alice, &Configure{Ticks: ptr(uint8(0))})
	if n := st.TickEvery(); n != 0 {
		t.Errorf("switched off, one in %d ms", n)
	}
}
