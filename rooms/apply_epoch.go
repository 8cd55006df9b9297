package rooms

import (
	"errors"
	"slices"

	"warren/rooms/errs"
)

// newEpoch judges everything that can be judged without the room's state. What needs it, the right of the account that recovers a room, every
// replica judges when it comes there (Chain.judge); the directory's controllers judge it by what they know before they endorse that others are silent.
func (d *Directory) newEpoch(ctx *context, r *Request, b *NewEpoch) errs.Kind {
	rec, ok := d.Rooms[b.Room]
	switch {
	case !ok:
		return errs.NotFound
	case b.Epoch != rec.Epoch()+1:
		return errs.Stale
	case !rec.MayBegin(r.Account):
		return errs.Quota
	case r.Account == "" && !r.Principal().IsNode():
		return errs.Denied
	case len(b.Statements) > len(rec.Now) || len(b.Carried) > MaxPromises || (b.Header == nil) != (b.Cert == nil):
		return errs.Invalid
	}
	for i := range b.Statements {
		s := &b.Statements[i]
		if slices.ContainsFunc(b.Statements[:i], func(o Statement) bool { return o.Node == s.Node }) {
			return errs.Invalid
		}
		switch err := rec.CheckStatement(s); {
		case s.For != r.Account:
			return errs.Void // given for something else
		case errors.Is(err, ErrStale):
			return errs.Stale
		case err != nil:
			return errs.Void
		}
	}
	t, err := rec.Tally(b.Statements)
	if err != nil {
		return errs.Denied
	}
	if b.Header != nil {
		if rec.certified(b.Header, b.Cert) != nil {
			return errs.Void
		}
		if t.Known(b.Header.Height, b.Header.Hash()) != nil {
			return errs.Denied
		}
	}
	if b.Below != nil {
		begun := rec.begun()
		switch {
		case r.Account == "" || !t.Lowest() || b.Header != nil || len(b.Carried)+len(b.Below.Above) > 0 || b.Below.Header.Height >= rec.Floor:
			return errs.Denied
		case b.Below.check(&begun, MaxPast) != nil:
			return errs.Void
		}
		t.Height, t.Head = b.Below.Header.Height, b.Below.Header.Hash()
	}
	controllers := rec.Now
	if r.Account == "" {
		if !t.Enough() || !t.carries(b.Carried) {
			return errs.Denied
		}
	} else {
		controllers = []NodeID{r.Device}
		if !t.permits(b.Carried) {
			return errs.Denied
		}
		if len(t.Silent) > 0 {
			if _, ok := endorsedBy(b.Silent, d.B.Controllers, ctx.room, KindSilent, SilentThing(rec.ID, rec.Epoch(), r.Account, t.Silent, b.Below != nil), ctx.time, -1); !ok {
				return errs.Denied
			}
		}
		if _, inside := ctx.dir.Node(r.Device); !inside {
			return errs.NotFound // a client's key signs for accounts too, but controls nothing
		}
	}
	e := EpochRecord{
		Epoch: b.Epoch, From: ctx.height, Start: t.Height, Head: t.Head, Controllers: slices.Clone(controllers), Of: uint32(len(rec.Now)),
		Silent: t.Silent, By: r.Account,
	}
	if t.below(b.Carried) > 0 {
		e.Start, e.Head = b.Carried[0].Height-1, b.Carried[0].Prev
	}
	for i := range b.Carried {
		h := &b.Carried[i]
		if h.Room != rec.ID || h.Epoch != rec.Epoch() || h.Height != e.Start+1 || h.Prev != e.Head {
			return errs.Invalid
		}
		e.Start, e.Head = h.Height, h.Hash()
		e.Carried = append(e.Carried, e.Head)
	}
	rec.Epochs = append(slices.Clone(rec.Epochs), e)
	rec.Now, rec.Since, rec.Floor, rec.FloorHead = e.Controllers, e.Start+1, e.Start, e.Head
	d.Rooms[rec.ID] = rec
	return errs.OK
}

// below returns how many of the headers are at or below the highest certified one.
func (t *Tally) below(list []Header) int {
	if len(list) == 0 || list[0].Height == 0 || list[0].Height > t.Height {
		return 0
	}
	return int(min(t.Height-list[0].Height+1, MaxPromises+1))
}

// reaches reports whether what is carried over at and below the highest certified height leads up to what is certified there.
func (t *Tally) reaches(list []Header) (low int, ok bool) {
	low = t.below(list)
	return low, low == 0 || low <= len(list) && list[low-1].Hash() == t.Head
}

// carries reports whether exactly what may have been certified is carried over, and that is beyond doubt: one header at each height, none of which
// changes the controllers, since others might have certified what is above it. And that it begins low enough: above what an honest node is sure to
// hold. That each follows the one before is checked by the caller.
func (t *Tally) carries(list []Header) bool {
	low, ok := t.reaches(list)
	if !ok || t.Height-uint64(low) > t.Held() {
		return false
	}
	for height := t.Height + 1; ; height++ {
		may, changes := t.May(height)
		i := low + int(height-t.Height-1)
		switch {
		case len(may) == 0:
			return len(list) == i
		case len(may) > 1 || changes || i >= len(list) || list[i].Hash() != may[0]:
			return false
		}
	}
}

// permits reports whether everything that is carried over may have been certified. People decide how much of it, when nobody can tell.
func (t *Tally) permits(list []Header) bool {
	low, ok := t.reaches(list)
	if !ok {
		return false
	}
	for i := low; i < len(list); i++ {
		may, changes := t.May(t.Height + 1 + uint64(i-low))
		if changes || !slices.Contains(may, list[i].Hash()) {
			return false
		}
	}
	return true
}
