package rooms

import (
	"slices"

	"warren/perms"
	"warren/rooms/errs"
)

// apply implements Machine. A refused request changes nothing: every handler judges first and changes after its last refusal.
func (s *State) apply(ctx *context, r *Request, body Body) (errs.Kind, *Event) {
	if s.Closed {
		return errs.Closed, nil
	}
	switch b := body.(type) {
	case *Enter:
		return s.enter(ctx, r, b)
	case *Leave:
		return s.leave(ctx, r, b)
	case *Nick:
		return s.nick(ctx, r, b)
	case *Say:
		return s.say(ctx, r, b)
	case *Subject:
		return s.subject(ctx, r, b)
	case *Configure:
		return s.configure(ctx, r, b)
	case *Grant:
		return s.grant(ctx, r, b)
	case *Sanction:
		return s.sanction(ctx, r, b)
	case *Pardon:
		return s.pardon(ctx, r, b)
	case *Kick:
		return s.kick(ctx, r, b)
	case *Invite:
		return s.invite(ctx, r, b)
	case *Put:
		return s.put(ctx, r, b)
	case *Remove:
		return s.remove(ctx, r, b)
	case *Tag:
		return s.tag(ctx, r, b)
	case *Keep:
		return s.keep(ctx, r)
	case *Close:
		return s.close(ctx, r)
	case *NodeGone:
		return s.nodeGone(ctx, b)
	}
	return errs.Invalid, nil
}

// may asks perms for the author of r.
func (s *State) may(ctx *context, r *Request, right perms.Rights, obj *Object) bool {
	return s.Decide(s.SubjectOf(r.Account, r.Nick, r.Device), right, obj, ctx.time, ctx.dir).OK
}

// refusal says why the author may not: banned when a sanction stands in the way, denied otherwise.
func (s *State) refusal(ctx *context, r *Request, right perms.Rights) errs.Kind {
	who := s.SubjectOf(r.Account, r.Nick, r.Device)
	without := perms.Query{Subject: who, Right: right, ACLs: []perms.ACL{s.ACL}, Now: ctx.time, Groups: ctx.dir}
	if perms.Decide(without).OK {
		return errs.Banned
	}
	return errs.Denied
}

// here returns the author's occupant, if the author is present under the request's nick from the signing node.
func (s *State) here(r *Request) (Occupant, bool) {
	o, ok := s.Occupant(r.Nick)
	return o, ok && o.Principal() == r.Principal() && slices.Contains(o.Nodes, r.Device)
}

func (s *State) enter(ctx *context, r *Request, b *Enter) (errs.Kind, *Event) {
	if !validName(r.Nick) || len(b.View) > 16 || tooLong(b.Real, 256) != errs.OK || !cleanText(b.View) {
		return errs.Invalid, nil
	}
	fold, who := Fold(r.Nick), r.Principal()
	if who.IsNode() {
		return errs.Invalid, nil
	}
	if old, ok := s.Occupants[fold]; ok {
		if old.Account == "" || old.Account != r.Account {
			if old.Principal() == who {
				return errs.Exists, nil
			}
			return errs.NickInUse, nil
		}
		if slices.Contains(old.Nodes, r.Device) {
			return errs.Exists, nil
		}
	} else if r.Account != fold && ctx.dir.HasAccount(fold) {
		return errs.NickInUse, nil // registered names are reserved
	}
	if kind := s.mayEnter(ctx, r, b); kind != errs.OK {
		return kind, nil
	}
	o, ok := s.Occupants[fold]
	if !ok {
		o = Occupant{Nick: r.Nick, Account: r.Account, Since: ctx.time, View: b.View, Real: b.Real}
	}
	o.Nodes = append(slices.Clone(o.Nodes), r.Device)
	SortNodes(o.Nodes)
	s.Occupants[fold] = o
	s.EmptySince = 0
	delete(s.Invited, who)
	return errs.OK, &Event{Target: &o}
}

func (s *State) mayEnter(ctx *context, r *Request, b *Enter) errs.Kind {
	managing := s.may(ctx, r, perms.Manage, nil)
	_, invited := s.Invited[r.Principal()]
	switch {
	case managing:
		return errs.OK
	case !s.may(ctx, r, perms.Enter, nil):
		if kind := s.refusal(ctx, r, perms.Enter); kind == errs.Banned || !invited {
			if kind == errs.Denied {
				return errs.InviteOnly
			}
			return kind
		}
	case invited:
	case len(s.Set.Key) > 0 && !slices.Equal(KeyVerifier(b.Key), s.Set.Key):
		return errs.NeedKey
	case s.Set.Limit > 0 && len(s.Occupants) >= int(s.Set.Limit):
		return errs.Full
	}
	if len(s.Occupants) >= MaxOccupants {
		return errs.Full
	}
	return errs.OK
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
	fold := Fold(o.Nick)
	o.Nodes = slices.DeleteFunc(slices.Clone(o.Nodes), func(n NodeID) bool { return n == node })
	if len(o.Nodes) > 0 {
		s.Occupants[fold] = o
		return false
	}
	delete(s.Occupants, fold)
	if len(s.Occupants) == 0 {
		s.EmptySince = ctx.time
	}
	return true
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
	if fold != Fold(o.Nick) {
		if _, taken := s.Occupants[fold]; taken || (o.Account != fold && ctx.dir.HasAccount(fold)) {
			return errs.NickInUse, nil
		}
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

func (s *State) rename(before, after perms.Principal) {
	if e := s.ACL.Get(before); e.Allow|e.Deny != 0 {
		s.ACL = s.ACL.With(perms.Entry{Who: before})
		e.Who = after
		s.ACL = s.ACL.With(e)
	}
	for i := range s.Sanctions {
		if s.Sanctions[i].Who == before {
			s.Sanctions[i].Who = after
		}
	}
	for id, o := range s.Objects {
		if o.Owner == before {
			o.Owner = after
			s.Objects[id] = o
		}
	}
}

func (s *State) say(ctx *context, r *Request, b *Say) (errs.Kind, *Event) {
	if _, ok := s.here(r); !ok && !s.Direct() {
		return errs.NotHere, nil
	}
	if !s.may(ctx, r, perms.Say, nil) {
		return s.refusal(ctx, r, perms.Say), nil
	}
	if b.Kind > Signal || (b.Text == "") != (b.Kind == Signal) && b.Text == "" {
		return errs.Invalid, nil
	}
	if kind := tooLong(b.Text, MaxText); kind != errs.OK {
		return kind, nil
	}
	size := len(b.Ext) + len(b.Ref)
	if !cleanText(b.Ref) {
		return errs.Invalid, nil
	}
	for k, v := range b.Tags {
		size += len(k) + len(v) + 3
		if !cleanText(k) || !cleanText(v) || k == "" {
			return errs.Invalid, nil
		}
	}
	if size > MaxTalkTags+8<<10 {
		return errs.TooLarge, nil
	}
	if s.Direct() {
		s.EmptySince = ctx.time // nobody enters a conversation of two: a temporary one lives on while they talk
	}
	return errs.OK, &Event{}
}

func (s *State) subject(ctx *context, r *Request, b *Subject) (errs.Kind, *Event) {
	if _, ok := s.here(r); !ok && !s.may(ctx, r, perms.Manage, nil) {
		return errs.NotHere, nil
	}
	right := perms.Say
	if s.Set.TopicLock {
		right = perms.Sanction
	}
	if !s.may(ctx, r, right, nil) {
		return errs.Denied, nil
	}
	if kind := tooLong(b.Text, MaxSubject); kind != errs.OK {
		return kind, nil
	}
	s.Subject, s.SubjectBy, s.SubjectTime = b.Text, r.Nick, ctx.time
	if r.Nick == "" {
		s.SubjectBy = r.Account
	}
	return errs.OK, &Event{}
}

func (s *State) kick(ctx *context, r *Request, b *Kick) (errs.Kind, *Event) {
	if !s.may(ctx, r, perms.Sanction, nil) {
		return errs.Denied, nil
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

func (s *State) evict(ctx *context, o Occupant) {
	delete(s.Occupants, Fold(o.Nick))
	if len(s.Occupants) == 0 {
		s.EmptySince = ctx.time
	}
}

func (s *State) invite(ctx *context, r *Request, b *Invite) (errs.Kind, *Event) {
	if _, ok := s.here(r); !ok && !s.may(ctx, r, perms.Manage, nil) {
		return errs.NotHere, nil
	}
	closed := !s.ACL.Get(perms.Everyone).Allow.Has(perms.Enter) || len(s.Set.Key) > 0 || s.Set.Limit > 0
	if closed && !s.may(ctx, r, perms.Sanction, nil) {
		return errs.Denied, nil
	}
	switch {
	case b.Who == "" || len(b.Who) > 256 || !cleanText(string(b.Who)):
		return errs.Invalid, nil
	case len(s.Invited) >= MaxInvited:
		return errs.Quota, nil
	}
	s.Invited[b.Who] = ctx.time
	return errs.OK, &Event{}
}

func (s *State) nodeGone(ctx *context, b *NodeGone) (errs.Kind, *Event) {
	if !endorsedBy(b.Endorsed, s.B.Controllers, ctx.room, KindNodeGone, b.Thing(), ctx.time) {
		return errs.Denied, nil
	}
	ev := &Event{}
	for _, fold := range s.Nicks() {
		if o := s.Occupants[fold]; slices.Contains(o.Nodes, b.Node) && s.drop(ctx, o, b.Node) {
			ev.Gone = append(ev.Gone, o)
		}
	}
	return errs.OK, ev
}

func (s *State) keep(ctx *context, r *Request) (errs.Kind, *Event) {
	switch {
	case r.Account == "" || !s.may(ctx, r, perms.Manage, nil):
		return errs.Denied, nil
	case !s.Temporary:
		return errs.Exists, nil
	}
	s.Temporary = false
	// A guest who made the room and asked an account to keep it would lose it with the nick: the keeper manages it from now on.
	s.ACL = s.ACL.Grant(perms.Account(r.Account), perms.Manage)
	return errs.OK, &Event{}
}

// Expired reports whether a temporary room has been empty, and without objects, for its time at now (ms).
func (s *State) Expired(now int64) bool {
	return s.Temporary && !s.Closed && len(s.Occupants) == 0 && len(s.Objects) == 0 && s.EmptySince > 0 && now-s.EmptySince >= emptyLife
}

func (s *State) close(ctx *context, r *Request) (errs.Kind, *Event) {
	if !r.Principal().IsNode() || !slices.Contains(s.B.Controllers, r.Device) {
		return errs.Denied, nil
	}
	if !s.Expired(ctx.time) {
		return errs.Stale, nil
	}
	s.Closed = true
	return errs.OK, &Event{}
}
