package replica

import (
	"slices"

	"warren/rooms"
	"warren/rooms/errs"
)

// unspoken follows a controller's word that this node may not speak for the author of a wish. It gets no verdict then, and what waits behind it neither.
// So if the directory here says the same the author is told, and the others get its counter. If it does not, the controller knows a later version, or
// lies: the directory is asked for, and the controller says so again when the wish is sent again.
func (r *Replica) unspoken(id rooms.Hash) {
	o := &r.out
	i := slices.IndexFunc(o.pending, func(w *wish) bool { return w.id == id && !w.open() })
	if i < 0 {
		return
	}
	switch w := o.pending[i]; {
	case r.speaks(w.req.Account, r.h.self):
		r.h.dir.call(r.h.dir.hurry)
	case w.said:
		r.withdraw(i, errs.Void)
	case w.fixed: // a filler, or a place that is taken: only who was put out of the network cannot have those
	default:
		r.renounce(i, errs.Void)
	}
}

// renounce ends a wish that was never put in order, nor anything behind it, and whose counter others can have.
func (r *Replica) renounce(i int, why error) {
	o := &r.out
	w := o.pending[i]
	if slices.ContainsFunc(o.pending[i:], func(p *wish) bool { return p.fixed }) {
		o.pending[i] = r.filler(w.req.Counter)
	} else {
		o.pending = slices.Delete(o.pending, i, i+1)
		for k, p := range o.pending[i:] {
			r.number(p, i+k)
		}
	}
	o.sent = min(o.sent, i)
	w.finish(why)
	r.flush()
}
