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
	if kind := s.inside(ctx, r); kind != errs.OK {
		return kind, nil
	}
	same, taken := s.ObjectNamed(b.Kind, b.Name)
	if taken && same.ID != b.ID {
		return errs.Exists, nil
	}
	old, known := s.Objects[b.ID]
	switch {
	case b.ID == "":
		if !s.may(ctx, r, perms.Insert, nil) {
			return s.refusal(ctx, r, perms.Insert, nil), nil
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
		return s.refusal(ctx, r, perms.Write, &old), nil
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
	if kind := s.inside(ctx, r); kind != errs.OK {
		return kind, nil
	}
	o, ok := s.Objects[b.ID]
	if !ok {
		return errs.NotFound, nil
	}
	if !s.may(ctx, r, perms.Delete, &o) {
		return s.refusal(ctx, r, perms.Delete, &o), nil
	}
	s.Bytes -= len(o.Text)
	delete(s.Objects, o.ID)
	return errs.OK, &Event{Object: &o}
}

func (s *State) tag(ctx *context, r *Request, b *Tag) (errs.Kind, *Event) {
	if kind := s.inside(ctx, r); kind != errs.OK {
		return kind, nil
	}
	tags, obj := s.Tags, (*Object)(nil)
	if b.ID != "" {
		o, ok := s.Objects[b.ID]
		if !ok {
			return errs.NotFound, nil
		}
		tags, obj = o.Tags, &o
	}
	if !s.may(ctx, r, perms.Annotate, obj) {
		return s.refusal(ctx, r, perms.Annotate, obj), nil
	}
	if len(b.Add)+len(b.Drop) == 0 {
		return errs.Invalid, nil
	}
	next := slices.DeleteFunc(slices.Clone(tags), func(t string) bool { return slices.Contains(b.Drop, t) })
	for _, t := range b.Add {
		if t == "" || len(t) > MaxTag || !cleanLine(t) || t != Fold(t) {
			return errs.Invalid, nil
		}
		if slices.Contains(next, t) {
			continue
		}
		if len(next) >= MaxTags { // here, not behind the loop: thousands of tags would be compared with thousands
			return errs.Quota, nil
		}
		next = append(next, t)
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
