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
	if b.Title != nil && tooLong(*b.Title, MaxSubject) != errs.OK || b.Key != nil && len(*b.Key) != 0 && len(*b.Key) != 32 {
		return errs.Invalid, nil
	}
	set(&s.Set.TopicLock, b.TopicLock)
	set(&s.Set.Secret, b.Secret)
	set(&s.Set.Limit, b.Limit)
	set(&s.Set.Key, b.Key)
	set(&s.Set.Title, b.Title)
	s.toggle(perms.Say, b.Moderated)
	s.toggle(perms.Enter, b.InviteOnly)
	return errs.OK, &Event{}
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// toggle takes a right from everyone, or gives it back.
func (s *State) toggle(right perms.Rights, off *bool) {
	switch {
	case off == nil:
	case *off:
		s.ACL = s.ACL.Forget(perms.Everyone, right)
	default:
		s.ACL = s.ACL.Grant(perms.Everyone, right)
	}
}

// Moderated reports whether only those may talk who have the right by name.
func (s *State) Moderated() bool { return !s.ACL.Get(perms.Everyone).Allow.Has(perms.Say) }

// InviteOnly reports whether only those may enter who are invited or have the right by name.
func (s *State) InviteOnly() bool { return !s.ACL.Get(perms.Everyone).Allow.Has(perms.Enter) }

func (s *State) grant(ctx *context, r *Request, b *Grant) (errs.Kind, *Event) {
	if b.Who == "" || len(b.Who) > 256 || !cleanText(string(b.Who)) || (b.Allow|b.Deny|b.Forget)&^perms.All != 0 {
		return errs.Invalid, nil
	}
	acl, obj := s.ACL, (*Object)(nil)
	if b.Object != "" {
		o, ok := s.Objects[b.Object]
		if !ok {
			return errs.NotFound, nil
		}
		acl, obj = o.ACL, &o
	}
	if !s.may(ctx, r, perms.Manage, obj) && (obj == nil || obj.Owner != r.Principal()) {
		return errs.Denied, nil
	}
	next := acl.Forget(b.Who, b.Forget).Grant(b.Who, b.Allow).Deny(b.Who, b.Deny)
	if len(next) > perms.MaxEntries {
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
		return errs.Denied, nil
	case (b.Who == "") == (b.Mask == ""), len(b.Who) > 256, len(b.Mask) > 256, b.Denies == 0, b.Denies&^perms.All != 0,
		!cleanText(string(b.Who)), !cleanText(b.Mask), tooLong(b.Reason, MaxReason) != errs.OK:
		return errs.Invalid, nil
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
		return errs.Denied, nil
	}
	i := slices.IndexFunc(s.Sanctions, func(o perms.Penalty) bool { return o.Who == b.Who && o.Mask == b.Mask })
	if i < 0 {
		return errs.NotFound, nil
	}
	s.Sanctions = slices.Delete(slices.Clone(s.Sanctions), i, i+1)
	return errs.OK, &Event{}
}
