package rooms

import (
	"slices"

	"warren/perms"
	"warren/rooms/errs"
)

// here returns the author's occupant, if the author is present under the request's nick from the signing node.
func (s *State) here(r *Request) (Occupant, bool) {
	o, ok := s.Occupant(r.Nick)
	return o, ok && o.Account == r.Account && slices.Contains(o.Nodes, r.Device)
}

// inside returns errs.OK when the author may change what is in the room: who is present, who manages it, and both sides of a conversation
// of two. Others would write past the room's password, invitations and bans.
func (s *State) inside(ctx *context, r *Request) errs.Kind {
	if _, ok := s.here(r); ok || s.Direct() || s.may(ctx, r, perms.Manage, nil) {
		return errs.OK
	}
	return errs.NotHere
}

// borrowed reports whether a nick belongs to somebody else than who: to an occupant, or to the account of that name.
func (s *State) borrowed(ctx *context, nick, account string, who perms.Principal) bool {
	fold := Fold(nick)
	if o, ok := s.Occupants[fold]; ok {
		return o.Principal() != who
	}
	return account != fold && ctx.dir.HasAccount(fold)
}

func (s *State) enter(ctx *context, r *Request, b *Enter) (errs.Kind, *Event) {
	if r.Nick == "" || len(b.View) > 16 || !cleanLine(b.View) || !cleanLine(b.Real) {
		return errs.Invalid, nil
	}
	if len(b.Real) > MaxRealName {
		return errs.TooLarge, nil
	}
	fold, who := Fold(r.Nick), r.Principal()
	o, present := s.Occupants[fold]
	switch {
	case present && o.Principal() != who:
		return errs.NickInUse, nil
	case present && slices.Contains(o.Nodes, r.Device):
		return errs.Exists, nil
	case s.borrowed(ctx, r.Nick, r.Account, who):
		return errs.NickInUse, nil
	}
	if kind := s.mayEnter(ctx, r, b, present); kind != errs.OK {
		return kind, nil
	}
	if !present {
		o = Occupant{Nick: r.Nick, Account: r.Account, Since: ctx.time, View: b.View, Real: b.Real}
	}
	o.Nodes = append(slices.Clone(o.Nodes), r.Device)
	SortNodes(o.Nodes)
	s.Occupants[fold] = o
	s.EmptySince = 0
	delete(s.Invited, who)
	return errs.OK, &Event{Target: &o}
}

// mayEnter judges who comes in. Somebody who is present already and comes from one node more needs no invitation, password or place.
func (s *State) mayEnter(ctx *context, r *Request, b *Enter, present bool) errs.Kind {
	_, invited := s.Invited[r.Principal()]
	switch {
	case !present && len(s.Occupants) >= MaxOccupants:
		return errs.Full
	case s.may(ctx, r, perms.Manage, nil):
		return errs.OK
	case s.banned(ctx, r):
		return errs.Banned
	case present:
		return errs.OK
	case s.ACL.Get(r.Principal()).Deny.Has(perms.Enter):
		return errs.Denied // by name: an invitation, which any occupant of an open room can make, does not change that
	case invited:
		return errs.OK
	case !s.may(ctx, r, perms.Enter, nil):
		return errs.InviteOnly
	case len(s.Set.Key) > 0 && !slices.Equal(KeyVerifier(b.Key), s.Set.Key):
		return errs.NeedKey
	case s.Set.Limit > 0 && uint64(len(s.Occupants)) >= uint64(s.Set.Limit):
		return errs.Full
	}
	return errs.OK
}

// banned reports whether a sanction keeps the author out, whatever the ACL and invitations say.
func (s *State) banned(ctx *context, r *Request) bool {
	return !perms.Decide(perms.Query{
		Subject: s.SubjectOf(r.Account, r.Nick, r.Device), Right: perms.Enter, ACLs: []perms.ACL{perms.ACL{}.Grant(perms.Everyone, perms.Enter)},
		Sanctions: s.Sanctions, Now: ctx.time, Groups: ctx.dir,
	}).OK
}

func (s *State) leave(ctx *context, r *Request, b *Leave) (errs.Kind, *Event) {
	o, ok := s.here(r)
	if !ok {
		return errs.NotHere, nil
	}
	if kind := tooLong(b.Reason, MaxReason); kind != errs.OK {
		return kind, nil
	}
	ev := &Event{Target: &o}
	if s.drop(ctx, o, r.Device) {
		ev.Gone = []Occupant{o}
	}
	return errs.OK, ev
}

// drop takes the node off the occupant, and the occupant off the room when it was the last; it reports whether the occupant is gone.
func (s *State) drop(ctx *context, o Occupant, node NodeID) bool {
	o.Nodes = slices.DeleteFunc(slices.Clone(o.Nodes), func(n NodeID) bool { return n == node })
	if len(o.Nodes) > 0 {
		s.Occupants[Fold(o.Nick)] = o
		return false
	}
	s.evict(ctx, o)
	return true
}

// evict takes the occupant off the room, from all its nodes.
func (s *State) evict(ctx *context, o Occupant) {
	delete(s.Occupants, Fold(o.Nick))
	if len(s.Occupants) == 0 {
		s.EmptySince = max(1, ctx.time) // 0 says that somebody is here
	}
}

func (s *State) nick(ctx *context, r *Request, b *Nick) (errs.Kind, *Event) {
	o, ok := s.here(r)
	if !ok {
		return errs.NotHere, nil
	}
	if !validName(b.New) {
		return errs.Invalid, nil
	}
	fold := Fold(b.New)
	if _, taken := s.Occupants[fold]; fold != Fold(o.Nick) && (taken || o.Account != fold && ctx.dir.HasAccount(fold)) {
		return errs.NickInUse, nil
	}
	before := o.Principal()
	delete(s.Occupants, Fold(o.Nick))
	o.Nick = b.New
	s.Occupants[fold] = o
	if after := o.Principal(); after != before {
		s.rename(before, after) // a guest is (node, nick): what was given to one goes along
	}
	return errs.OK, &Event{Target: &o}
}

// rename hands over what a guest has in the room to the guest's new principal: rights, sanctions, the invitation, objects.
func (s *State) rename(before, after perms.Principal) {
	s.ACL = renameIn(s.ACL, before, after)
	s.Sanctions = slices.Clone(s.Sanctions) // views may still read the old list
	for i := range s.Sanctions {
		if s.Sanctions[i].Who == before {
			s.Sanctions[i].Who = after
		}
	}
	if t, ok := s.Invited[before]; ok {
		delete(s.Invited, before)
		s.Invited[after] = t
	}
	if s.Maker == before {
		s.Maker = after
	}
	for id, o := range s.Objects {
		acl := renameIn(o.ACL, before, after)
		if o.Owner == before {
			o.Owner = after
		}
		o.ACL = acl
		s.Objects[id] = o
	}
}

// renameIn returns the list with the entry of before standing for after: added to what after had.
func renameIn(a perms.ACL, before, after perms.Principal) perms.ACL {
	e, had := a.Get(before), a.Get(after)
	if e.Allow|e.Deny == 0 {
		return a
	}
	e.Who, e.Allow, e.Deny = after, e.Allow|had.Allow, e.Deny|had.Deny
	return a.With(perms.Entry{Who: before}).With(e)
}

func (s *State) kick(ctx *context, r *Request, b *Kick) (errs.Kind, *Event) {
	if !s.may(ctx, r, perms.Sanction, nil) {
		return s.refusal(ctx, r, perms.Sanction, nil), nil
	}
	if kind := tooLong(b.Reason, MaxReason); kind != errs.OK {
		return kind, nil
	}
	o, ok := s.Occupant(b.Nick)
	if !ok {
		return errs.NotFound, nil
	}
	if s.outranks(ctx, o, r) {
		return errs.Denied, nil
	}
	s.evict(ctx, o)
	return errs.OK, &Event{Target: &o, Gone: []Occupant{o}}
}

// outranks reports whether o may manage and the author of r may not.
func (s *State) outranks(ctx *context, o Occupant, r *Request) bool {
	who := perms.Subject{Principal: o.Principal(), Mask: o.Mask()}
	return s.Decide(who, perms.Manage, nil, ctx.time, ctx.dir).OK && !s.may(ctx, r, perms.Manage, nil)
}

// invite tells somebody to come. Only who may sanction opens the door by it: were every invitation kept, any occupant could let in the
// whole world before the room is closed to it, or fill the list.
func (s *State) invite(ctx *context, r *Request, b *Invite) (errs.Kind, *Event) {
	if kind := s.inside(ctx, r); kind != errs.OK {
		return kind, nil
	}
	opens := s.may(ctx, r, perms.Sanction, nil)
	closed := s.InviteOnly() || len(s.Set.Key) > 0 || s.Set.Limit > 0
	switch {
	case closed && !opens:
		return s.refusal(ctx, r, perms.Sanction, nil), nil
	case !validPrincipal(b.Who) || !b.Who.IsAccount() && !b.Who.IsGuest():
		return errs.Invalid, nil
	}
	if !opens {
		return errs.OK, &Event{}
	}
	if _, again := s.Invited[b.Who]; !again && len(s.Invited) >= MaxInvited {
		delete(s.Invited, s.oldestInvitation())
	}
	s.Invited[b.Who] = ctx.time
	return errs.OK, &Event{}
}

// oldestInvitation returns who waits longest; of several the first by name.
func (s *State) oldestInvitation() (who perms.Principal) {
	for p, t := range s.Invited {
		if old := s.Invited[who]; who == "" || t < old || t == old && p < who {
			who = p
		}
	}
	return who
}

func (s *State) nodeGone(ctx *context, b *NodeGone) (errs.Kind, *Event) {
	latest, ok := endorsedBy(b.Endorsed, s.B.Controllers, ctx.room, KindNodeGone, b.Thing(), ctx.time, s.Gone[b.Node])
	if !ok {
		return errs.Denied, nil
	}
	for n, t := range s.Gone {
		if ctx.time-t > endorsementLife {
			delete(s.Gone, n) // endorsements of that time are too old by now anyway
		}
	}
	s.Gone[b.Node] = latest
	ev := &Event{}
	for _, fold := range s.Nicks() {
		if o := s.Occupants[fold]; slices.Contains(o.Nodes, b.Node) && s.drop(ctx, o, b.Node) {
			ev.Gone = append(ev.Gone, o)
		}
	}
	return errs.OK, ev
}
