package rooms

import (
	"slices"

	"warren/perms"
	"warren/rooms/errs"
)

func (s *State) put(ctx *context, r *Request, b *Put) (errs.Kind, *Event) {
	if b.Kind != Document && b.Kind != Exit || !validName(b.Name) || len(b.Type) > 128 || !cleanText(b.Type) {
		return errs.Invalid, nil
	}
	if b.Kind == Exit && (!validName(b.Target) || len(b.Text) > 0) || b.Kind == Document && b.Target != "" {
		return errs.Invalid, nil
	}
	if len(b.Text) > MaxDocument {
		return errs.TooLarge, nil
	}
	same, taken := s.ObjectNamed(b.Kind, b.Name)
	if taken && same.ID != b.ID {
		return errs.Exists, nil
	}
	old, known := s.Objects[b.ID]
	switch {
	case b.ID == "":
		if !s.may(ctx, r, perms.Insert, nil) {
			return s.refusal(ctx, r, perms.Insert), nil
		}
		if len(s.Objects) >= MaxObjects {
			return errs.Quota, nil
		}
		old = Object{ID: ctx.id.String()[:13], Kind: b.Kind, Owner: r.Principal(), Created: ctx.time}
		if _, clash := s.Objects[old.ID]; clash {
			return errs.Exists, nil
		}
	case !known:
		return errs.NotFound, nil
	case old.Kind != b.Kind:
		return errs.Invalid, nil
	case !s.may(ctx, r, perms.Write, &old):
		return errs.Denied, nil
	case b.Rev != 0 && b.Rev != old.Rev:
		return errs.Stale, nil
	}
	if s.Bytes-len(old.Text)+len(b.Text) > MaxObjectBytes {
		return errs.Quota, nil
	}
	s.Bytes += len(b.Text) - len(old.Text)
	next := old
	next.Name, next.Type, next.Text, next.Target = b.Name, b.Type, b.Text, b.Target
	next.Rev, next.Changed, next.By = old.Rev+1, ctx.time, r.Principal()
	s.Objects[next.ID] = next
	return errs.OK, &Event{Object: &next}
}

func (s *State) remove(ctx *context, r *Request, b *Remove) (errs.Kind, *Event) {
	o, ok := s.Objects[b.ID]
	if !ok {
		return errs.NotFound, nil
	}
	if !s.may(ctx, r, perms.Delete, &o) {
		return errs.Denied, nil
	}
	s.Bytes -= len(o.Text)
	delete(s.Objects, o.ID)
	return errs.OK, &Event{Object: &o}
}

func (s *State) tag(ctx *context, r *Request, b *Tag) (errs.Kind, *Event) {
	tags, obj := s.Tags, (*Object)(nil)
	if b.ID != "" {
		o, ok := s.Objects[b.ID]
		if !ok {
			return errs.NotFound, nil
		}
		tags, obj = o.Tags, &o
	}
	if !s.may(ctx, r, perms.Annotate, obj) {
		return s.refusal(ctx, r, perms.Annotate), nil
	}
	if len(b.Add)+len(b.Drop) == 0 {
		return errs.Invalid, nil
	}
	next := slices.DeleteFunc(slices.Clone(tags), func(t string) bool { return slices.Contains(b.Drop, t) })
	for _, t := range b.Add {
		if t == "" || len(t) > MaxTag || !cleanText(t) || t != Fold(t) {
			return errs.Invalid, nil
		}
		if !slices.Contains(next, t) {
			next = append(next, t)
		}
	}
	if len(next) > MaxTags {
		return errs.Quota, nil
	}
	slices.Sort(next)
	if obj == nil {
		s.Tags = next
		return errs.OK, &Event{}
	}
	obj.Tags = next
	s.Objects[obj.ID] = *obj
	return errs.OK, &Event{Object: obj}
}
