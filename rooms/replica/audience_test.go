package replica

import (
	"testing"
	"testing/synctest"
	"time"

	"warren/perms"
	"warren/rooms"
)

// TestWhoMayNotReadIsToldNothingProvisional: being an occupant is not enough, and coming back does not help.
func TestWhoMayNotReadIsToldNothingProvisional(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		w.join("n5", id)
		r1, s1 := w.seat("n1", "ann", id)
		_, s2 := w.seat("n2", "cyd", id)
		_, s5 := w.seat("n5", "bob", id)
		bob := perms.Guest("bob", node("n5").String())
		w.do(r1, "", "ann", &rooms.Grant{Who: perms.Everyone, Forget: perms.Read | perms.Enter}, &rooms.Grant{Who: bob, Deny: perms.Read})
		w.kill("n3")
		w.kill("n4")
		w.eventually("the room is frozen", 5*time.Second, func() bool { return s1.isFrozen() && s2.isFrozen() && s5.isFrozen() })
		say(r1, "ann", "among us")
		w.eventually("who may read is shown it", 5*time.Second, func() bool { return s2.has("ann: among us") })
		w.lan.split(node("n5"))
		time.Sleep(5 * time.Second)
		w.lan.split()
		time.Sleep(5 * time.Second)
		if s5.has("ann: among us") {
			t.Error("shown to somebody who may not read the room")
		}
	})
}

// TestProvisionalTalkOfTwo: both sides of a conversation see what is said while it is frozen.
func TestProvisionalTalkOfTwo(t *testing.T) {
	for name, other := range map[string]struct{ account, nick string }{"an account": {"bob", "bob"}, "a guest": {"", "zed"}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, lobby := newWorld(t).four("lobby")
				h5 := w.join("n5", lobby)
				w.account("alice", "n1")
				w.account("bob", "n5")
				members := []perms.Principal{"alice", rooms.PrincipalOf(other.account, other.nick, node("n5"))}
				id := w.found("alice", "alice", rooms.CreateRoom{Name: rooms.DirectName(members[0], members[1]), Members: members})
				w.knows(h5, id)
				r1, r5 := w.openAs("n1", id, "alice", "alice"), w.openAs("n5", id, other.account, other.nick)
				s1, s5 := watch(r1), watch(r5)
				for _, n := range []string{"n2", "n3", "n4"} {
					w.kill(n)
				}
				w.eventually("it is frozen", 5*time.Second, func() bool { return s1.isFrozen() && s5.isFrozen() })
				r1.Submit("alice", "alice", &rooms.Say{Text: "are you there?"}, nil, nil)
				r5.Submit(other.account, other.nick, &rooms.Say{Text: "yes"}, nil, nil)
				w.eventually("each is shown what the other says", 5*time.Second, func() bool {
					return s5.has("alice: are you there?") && s1.has(other.nick+": yes")
				})
				for _, n := range []string{"n2", "n3", "n4"} {
					w.start(n)
				}
				w.eventually("it is ordered", time.Minute, func() bool {
					return s1.knows("alice: are you there?", other.nick+": yes") && s5.knows("alice: are you there?", other.nick+": yes")
				})
			})
		})
	}
}
