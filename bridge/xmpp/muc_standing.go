package xmpp

import (
	"warren/bridge"
	"warren/perms"
	"warren/rooms"
)

// standing is what XEP-0045 §5 calls role and affiliation.
type standing struct{ role, affiliation string }

// The rights that affiliations stand for.
const (
	memberRights = perms.Enter | perms.Read | perms.Say | perms.Annotate | perms.Insert
	banRights    = perms.Enter | perms.Say
)

// judge tells standings in a room at a moment.
type judge struct {
	st     *rooms.State
	now    int64
	groups perms.Groups
}

// judging calls f with the room's state and a judge for it.
func (s *Server) judging(t *bridge.Seat, f func(j judge)) {
	j := judge{now: s.hub.World().Now()}
	s.hub.World().Directory(func(d *rooms.Directory) { j.groups = d.Now() })
	t.View(func(st *rooms.State) {
		j.st = st
		f(j)
	})
}

func (j judge) may(o rooms.Occupant, r perms.Rights) bool {
	return j.st.Decide(perms.Subject{Principal: o.Principal(), Mask: o.Mask()}, r, nil, j.now, j.groups).OK
}

// of returns an occupant's standing.
func (j judge) of(o rooms.Occupant) standing {
	s := standing{"participant", j.affiliation(o.Principal(), o)}
	if s.affiliation == "outcast" { // still inside: who laid the sanction has not removed them
		s.affiliation = "none"
	}
	switch {
	case j.may(o, perms.Sanction):
		s.role = "moderator"
	case !j.may(o, perms.Say):
		s.role = "visitor"
	}
	return s
}

// affiliation is what somebody is to the room, present or not.
func (j judge) affiliation(p perms.Principal, o rooms.Occupant) string {
	own := j.st.ACL.Get(p).Allow
	switch {
	case j.may(o, perms.Manage):
		return "owner"
	case j.outcast(p, o):
		return "outcast"
	case j.may(o, perms.Sanction):
		return "admin"
	case own.Has(perms.Enter) && own.Has(perms.Say):
		return "member"
	}
	return "none"
}

// outcast reports whether a sanction keeps somebody out.
func (j judge) outcast(p perms.Principal, o rooms.Occupant) bool {
	for _, s := range j.st.Sanctions {
		if s.Denies.Has(perms.Enter) && s.Active(j.now) && (s.Who == p || s.Who == "" && perms.MatchMask(s.Mask, o.Mask())) {
			return true
		}
	}
	return false
}
