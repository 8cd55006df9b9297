package rooms

import (
	"slices"

	"warren/perms"
	"warren/rooms/errs"
)

func (s *State) configure(ctx *context, r *Request, b *Configure) (errs.Kind, *Event) {
	if !s.may(ctx, r, perms.Manage, nil) {
		return errs.Denied, nil
	}
	if b.Key != nil && len(*b.Key) != 0 && len(*b.Key) != 32 {
		return errs.Invalid, nil
	}
	if b.Title != nil {
		if kind := tooLong(*b.Title, MaxSubject); kind != errs.OK {
			return kind, nil
		}
	}
	if n := b.Controllers; n != nil && *n != 0 && (*n < 3 || *n > MaxControllers) {
		return errs.Invalid, nil
	}
	if n := b.Retention; n != nil && *n != 0 && (*n < MinRetention || *n > MaxRetention) {
		return errs.Invalid, nil
	}
	if n := b.Ticks; n != nil && *n > MaxTicks {
		return errs.Invalid, nil
	}
	acl := toggled(toggled(s.ACL, perms.Say, b.Moderated), perms.Enter|perms.Read, b.InviteOnly)
	if len(acl) > perms.MaxEntries {
		return errs.Quota, nil
	}
	set(&s.Set.TopicLock, b.TopicLock)
	set(&s.Set.Secret, b.Secret)
	set(&s.Set.Limit, b.Limit)
	set(&s.Set.Key, b.Key)
	set(&s.Set.Title, b.Title)
	set(&s.Set.Controllers, b.Controllers)
	set(&s.Set.Ticks, b.Ticks)
	if b.Retention != nil {
		s.Set.Forgotten = s.Set.Gone(ctx.time)
		s.Set.Retention = *b.Retention
	}
	s.ACL = acl
	return errs.OK, &Event{}
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// toggled returns the list with a right taken from everyone, or given back.
func toggled(a perms.ACL, right perms.Rights, off *bool) perms.ACL {
	switch {
	case off == nil:
		return a
	case *off:
		return a.Forget(perms.Everyone, right)
	}
	return a.Grant(perms.Everyone, right)
}

// Moderated reports whether only those may talk who have the right by name.
func (s *State) Moderated() bool { return !s.ACL.Get(perms.Everyone).Allow.Has(perms.Say) }

// InviteOnly reports whether only those may enter who are invited or have the right by name.
func (s *State) InviteOnly() bool { return !s.ACL.Get(perms.Everyone).Allow.Has(perms.Enter) }

func (s *State) grant(ctx *context, r *Request, b *Grant) (errs.Kind, *Event) {
	if !validPrincipal(b.Who) || (b.Allow|b.Deny|b.Forget)&^perms.All != 0 {
		return errs.Invalid, nil
	}
	acl, obj, limit := s.ACL, (*Object)(nil), perms.MaxEntries
	if b.Object != "" {
		o, ok := s.Objects[b.Object]
		if !ok {
			return errs.NotFound, nil
		}
		acl, obj, limit = o.ACL, &o, MaxObjectACL
	}
	// An owner gives rights to what is theirs, as long as no sanction keeps them from changing it.
	if owns := obj != nil && obj.Owner == r.Principal() && s.may(ctx, r, perms.Write, obj); !owns && !s.may(ctx, r, perms.Manage, obj) {
		return errs.Denied, nil
	}
	next := acl.Forget(b.Who, b.Forget).Grant(b.Who, b.Allow).Deny(b.Who, b.Deny)
	if len(next) > limit {
		return errs.Quota, nil
	}
	if obj == nil {
		s.ACL = next
		return errs.OK, &Event{}
	}
	obj.ACL = next
	s.Objects[obj.ID] = *obj
	return errs.OK, &Event{Object: obj}
}

func (s *State) sanction(ctx *context, r *Request, b *Sanction) (errs.Kind, *Event) {
	switch {
	case !s.may(ctx, r, perms.Sanction, nil):
		return s.refusal(ctx, r, perms.Sanction, nil), nil
	case (b.Who == "") == (b.Mask == ""), b.Who != "" && !validPrincipal(b.Who), len(b.Mask) > MaxPrincipal, !cleanLine(b.Mask),
		b.Denies == 0, b.Denies&^perms.All != 0:
		return errs.Invalid, nil
	case b.Until != 0 && b.Until <= ctx.time:
		return errs.Stale, nil // its time was over before it was ordered; it must not lift the one in force either
	}
	if kind := tooLong(b.Reason, MaxReason); kind != errs.OK {
		return kind, nil
	}
	p := perms.Penalty{Who: b.Who, Mask: b.Mask, Denies: b.Denies, Until: b.Until, By: r.Principal(), Time: ctx.time, Reason: b.Reason}
	rest := slices.DeleteFunc(slices.Clone(s.Sanctions), func(o perms.Penalty) bool {
		return o.Who == b.Who && o.Mask == b.Mask || !o.Active(ctx.time)
	})
	if len(rest) >= perms.MaxSanctions {
		return errs.Quota, nil
	}
	s.Sanctions = append(rest, p)
	return errs.OK, &Event{}
}

func (s *State) pardon(ctx *context, r *Request, b *Pardon) (errs.Kind, *Event) {
	if !s.may(ctx, r, perms.Sanction, nil) {
		return s.refusal(ctx, r, perms.Sanction, nil), nil
	}
	rest := slices.DeleteFunc(slices.Clone(s.Sanctions), func(o perms.Penalty) bool { return o.Who == b.Who && o.Mask == b.Mask })
	if len(rest) == len(s.Sanctions) {
		return errs.NotFound, nil
	}
	s.Sanctions = rest // all of them: a guest who changed nick may have brought a second one
	return errs.OK, &Event{}
}
