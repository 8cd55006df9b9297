package rooms

import (
	"testing"

	"warren/perms"
)

func TestARoomByInvitationOnlyKeepsItsLogFromOthers(t *testing.T) {
	s := NewState(RoomRecord{Name: "den", Maker: "alice", Time: 1})
	s.ACL = toggled(s.ACL, perms.Enter|perms.Read, new(true))
	s.ACL = s.ACL.Grant("carol", perms.Enter)
	s.Invited["dave"] = 1
	s.Occupants["erin"] = Occupant{Nick: "erin", Account: "erin", Nodes: []NodeID{{1}}}
	for who, want := range map[perms.Principal]bool{"alice": true, "bob": false, "carol": true, "dave": true, "erin": true} {
		if got := s.Decide(perms.Subject{Principal: who}, perms.Read, nil, 1, nil); got.OK != want {
			t.Errorf("%s: %+v, want %v", who, got, want)
		}
	}
	s.ACL = s.ACL.Deny("erin", perms.Read)
	if s.Decide(perms.Subject{Principal: "erin"}, perms.Read, nil, 1, nil).OK {
		t.Error("a denial by name is overridden by presence")
	}
	s.ACL = toggled(s.ACL, perms.Enter|perms.Read, new(false))
	if !s.Decide(perms.Subject{Principal: "bob"}, perms.Read, nil, 1, nil).OK {
		t.Error("an opened room cannot be read")
	}
}
