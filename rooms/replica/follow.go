package replica

import (
	"context"
	"slices"
	"time"

	"warren/rooms"
)

// orderers returns who may order the room now: the controllers as this copy knows them, and those that the directory has witnessed since, for
// a copy that has not caught up yet.
func (r *Replica) orderers() []rooms.NodeID {
	list := slices.Clone(r.controllers())
	if r.directory {
		return list
	}
	r.h.Directory(func(d *rooms.Directory) {
		for _, n := range d.Rooms[r.id].Now {
			if !slices.Contains(list, n) {
				list = append(list, n)
			}
		}
	})
	return list
}

// informed returns the others who may know the room's head: who orders it, and of the directory every node, since a newcomer may not know the
// present controllers yet.
func (r *Replica) informed() []rooms.NodeID {
	list := r.orderers()
	if r.directory {
		for _, n := range r.h.nodes() {
			if !slices.Contains(list, n.ID) {
				list = append(list, n.ID)
			}
		}
	}
	return slices.DeleteFunc(list, func(n rooms.NodeID) bool { return n == r.h.self })
}

func (r *Replica) controlsNow() bool {
	return slices.Contains(r.controllers(), r.h.self) && r.ctl != nil
}

// peer follows who comes and goes.
func (r *Replica) peer(id rooms.NodeID, up bool) {
	if id == r.source || slices.Contains(r.controllers(), id) {
		r.wakeUp()
	}
	if up {
		if id == r.source || slices.Contains(r.controllers(), id) {
			r.asked = time.Time{}
		}
		if r.ctl != nil {
			r.ctl.Reached(r.h.Now(), id)
		}
		if r.frozen {
			r.respread(id)
		}
		return
	}
	delete(r.subs, id)
	if id == r.source {
		r.startOver()
	}
	if id == r.pull.from && r.pull.under() {
		r.pull.cancel()
	}
	r.lostController(id)
}

// pulling is a pull under way.
type pulling struct {
	from   rooms.NodeID
	since  time.Time
	cancel context.CancelFunc // nil: none is under way
}

func (p *pulling) under() bool { return p.cancel != nil }

// catchUp fetches the decisions that are missing, in the background, from one who has them. One pull is under way at a time; one that takes
// long makes way for who has been asked next, so that nobody holds a copy up by not answering.
func (r *Replica) catchUp(from rooms.NodeID) {
	if from == r.h.self || from.IsZero() || r.broken != nil {
		return
	}
	now := time.Now()
	if r.pull.under() {
		if from != r.pull.from && now.Sub(r.pull.since) > pullPatience {
			r.pull.cancel() // the next wish finds the place free
		}
		return
	}
	if r.jump(from, now) {
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, pullTime)
	r.pull = pulling{from, now, cancel}
	q := pull{Room: r.id, For: r.as, After: r.chain.Height}
	r.h.wg.Go(func() {
		defer cancel()
		var p pulled
		err := r.h.pull(ctx, from, q, &p)
		list := make([]*rooms.Decision, 0, min(len(p.Decisions), pullCount))
		for _, b := range p.Decisions[:cap(list)] {
			d := &rooms.Decision{}
			if err == nil {
				if err = rooms.Unmarshal(b, d); err == nil {
					list = append(list, d)
				}
			}
		}
		r.must(func() { r.pulled(from, p, list, err) })
	})
}

func (r *Replica) pulled(from rooms.NodeID, p pulled, list []*rooms.Decision, err error) {
	if err != nil {
		r.pull.cancel = nil
		r.h.log.Debug("a pull failed", "room", r.id.Short(), "from", from.Short(), "err", err)
		return
	}
	before := r.chain.Height
	if len(list) == 0 && p.Floor > before+1 && p.Height >= p.Floor {
		r.pull.cancel = nil
		r.strand(from, p.Floor)
		return
	}
	for i, d := range list { // the pull still counts as under way: what is offered asks for nothing, the same would come again at once
		r.offer(d, from, len(p.Decisions[i]))
	}
	r.applyHeld()
	r.pull.cancel = nil
	if r.chain.Height == before || p.Height <= r.chain.Height {
		return
	}
	if r.claimed = max(r.claimed, p.Height); p.Height-r.chain.Height > fetchSpan && !r.mayJumpFrom(from, time.Now()) {
		r.climb(p.Height)
		return
	}
	r.catchUp(from)
}
