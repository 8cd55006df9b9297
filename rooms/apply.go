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
	switch body.(type) {
	case *Enter, *Leave, *Nick, *Say: // these look after the nick themselves
	default:
		if r.Nick != "" && s.borrowed(ctx, r.Nick, r.Account, r.Principal()) {
			if _, ok := s.here(r); !ok {
				return errs.NickInUse, nil // people would read that somebody else did it
			}
		}
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
func (s *State) refusal(ctx *context, r *Request, right perms.Rights, obj *Object) errs.Kind {
	q := s.query(s.SubjectOf(r.Account, r.Nick, r.Device), right, obj, ctx.time, ctx.dir)
	q.Sanctions = nil
	if perms.Decide(q).OK {
		return errs.Banned
	}
	return errs.Denied
}

func (s *State) say(ctx *context, r *Request, b *Say) (errs.Kind, *Event) {
	if _, ok := s.here(r); !ok && !s.Direct() {
		return errs.NotHere, nil
	}
	if !s.may(ctx, r, perms.Say, nil) {
		return s.refusal(ctx, r, perms.Say, nil), nil
	}
	if b.Kind > Signal || b.Text == "" && b.Kind != Signal {
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
	if size > MaxTalkTags+maxTalkExt {
		return errs.TooLarge, nil
	}
	if s.Direct() && len(s.Occupants) == 0 {
		s.EmptySince = max(1, ctx.time) // nobody enters a conversation of two: a temporary one lives on while they talk
	}
	return errs.OK, &Event{}
}

func (s *State) subject(ctx *context, r *Request, b *Subject) (errs.Kind, *Event) {
	if kind := s.inside(ctx, r); kind != errs.OK {
		return kind, nil
	}
	right := perms.Say
	if s.Set.TopicLock {
		right = perms.Sanction
	}
	if !s.may(ctx, r, right, nil) {
		return s.refusal(ctx, r, right, nil), nil
	}
	if kind := tooLong(b.Text, MaxSubject); kind != errs.OK {
		return kind, nil
	}
	s.Subject, s.SubjectBy, s.SubjectTime = b.Text, r.Principal().Display(), ctx.time
	if o, ok := s.here(r); ok {
		s.SubjectBy = o.Nick
	}
	return errs.OK, &Event{}
}

func (s *State) keep(ctx *context, r *Request) (errs.Kind, *Event) {
	switch {
	case r.Account == "" || !s.may(ctx, r, perms.Manage, nil):
		return errs.Denied, nil
	case !s.Temporary:
		return errs.Exists, nil
	}
	// A guest who made the room and asked an account to keep it would lose it with the nick: the keeper manages it from now on.
	acl := s.ACL.Grant(perms.Account(r.Account), perms.Manage)
	if len(acl) > perms.MaxEntries {
		return errs.Quota, nil
	}
	s.ACL, s.Temporary = acl, false
	return errs.OK, &Event{}
}

// Ends returns when a temporary room that stays as it is will have been empty for its time, ms; 0: never.
func (s *State) Ends() int64 {
	if !s.Temporary || s.Closed || len(s.Occupants) > 0 || len(s.Objects) > 0 || s.EmptySince == 0 {
		return 0
	}
	return s.EmptySince + emptyLife
}

// Expired reports whether a temporary room has been empty, and without objects, for its time at now (ms).
func (s *State) Expired(now int64) bool {
	ends := s.Ends()
	return ends > 0 && now >= ends
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
