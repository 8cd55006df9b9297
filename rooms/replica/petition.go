package replica

import (
	"slices"
	"time"

	"warren/rooms"
	"warren/rooms/placement"
)

// petition asks the controllers to endorse a thing until a quorum of them has. Owned by the copy's loop.
type petition struct {
	kind  string
	thing rooms.Hash
	body  []byte // encoded: what they judge
	got   map[rooms.NodeID]rooms.Endorsement
	sent  bool                      // a quorum's were given to done
	done  func([]rooms.Endorsement) // takes a quorum's, in the order of the controllers
}

// newPetition makes a petition for a request of this node: endorse puts the endorsements into it, then it is ordered. applied (nil: nobody asks) is
// called when it has been applied; if it is refused the petition begins anew.
func (r *Replica) newPetition(kind string, thing rooms.Hash, body rooms.Body, endorse func([]rooms.Endorsement), applied func()) *petition {
	p := &petition{kind: kind, thing: thing, body: rooms.Marshal(body), got: map[rooms.NodeID]rooms.Endorsement{}}
	p.done = func(list []rooms.Endorsement) {
		endorse(list)
		r.submit("", "", body, nil, func(o Outcome) {
			switch {
			case o.Err != nil:
				r.h.log.Info("an endorsed change was refused", "room", r.id.Short(), "kind", kind, "err", o.Err)
				p.sent = false
				clear(p.got)
			case applied != nil:
				applied()
			}
		})
	}
	return p
}

// petition asks the controllers that have not endorsed yet. This node judges as the others do.
func (r *Replica) petition(p *petition) {
	if p.sent {
		return
	}
	a := ask{Kind: p.kind, Body: p.body}
	data := rooms.Marshal(a)
	for _, c := range r.controllers() {
		if _, have := p.got[c]; have {
			continue
		}
		if c != r.h.self {
			r.tell(c, frameAsk, data)
		} else if e, ok := r.judge(c, a); ok {
			p.got[c] = e.E
		}
	}
	r.petitionDone(p)
}

func (r *Replica) petitionDone(p *petition) {
	var list []rooms.Endorsement
	for _, c := range r.controllers() {
		if e, ok := p.got[c]; ok {
			list = append(list, e)
		}
	}
	if !p.sent && len(list) >= rooms.Quorum(len(r.controllers())) {
		p.sent = true
		p.done(list)
	}
}

// endorsed takes a controller's endorsement.
func (r *Replica) endorsed(e endorse) {
	under := []*petition{r.stew.silence}
	if r.stew.change != nil {
		under = append(under, r.stew.change.petition)
	}
	for _, p := range r.stew.gone {
		under = append(under, p)
	}
	i := slices.IndexFunc(under, func(p *petition) bool { return p != nil && p.kind == e.Kind && p.thing == e.Thing })
	if i < 0 || !slices.Contains(r.controllers(), e.E.Node) || !e.E.OK(r.id, e.Kind, e.Thing, r.h.Now()) {
		return
	}
	under[i].got[e.E.Node] = e.E
	r.petitionDone(under[i])
}

// judge endorses what a node asks for, if this node sees it itself.
func (r *Replica) judge(from rooms.NodeID, a ask) (e endorse, ok bool) {
	if !slices.Contains(r.controllers(), from) && a.Kind != rooms.KindSilent || !slices.Contains(r.controllers(), r.h.self) {
		return e, false
	}
	e.Kind = a.Kind
	switch a.Kind {
	case rooms.KindNodeGone:
		var b rooms.NodeGone
		ok = rooms.Unmarshal(a.Body, &b) == nil && r.silent(b.Node, r.h.cfg.Lease/2)
		e.Thing = b.Thing()
	case rooms.KindReconfigure:
		var b rooms.Reconfigure
		ok = rooms.Unmarshal(a.Body, &b) == nil && r.agreesTo(&b)
		e.Thing = b.Thing()
	case rooms.KindSilent:
		e.Thing, ok = r.seesSilence(from, a.Body)
	}
	if ok {
		e.E = rooms.Endorse(r.id, e.Kind, e.Thing, r.h.Now(), r.h.cfg.Key)
	}
	return e, ok
}

// silent reports whether the node has not been heard for so long.
func (r *Replica) silent(n rooms.NodeID, d time.Duration) bool {
	if n == r.h.self {
		return false
	}
	up, since := r.h.cfg.Net.Alive(n)
	return !up && time.Since(since) >= d
}

// agreesTo reports whether this node would take the step too: newcomers are inside, alive and consent, and there are no more than there should
// be; a room with more than it asks for gives some up; else who is put out was away for long, has misbehaved in this node's own eyes, or is not
// inside any more. Half the time is enough: the leader may have lost sight of it earlier.
func (r *Replica) agreesTo(b *rooms.Reconfigure) bool {
	base := r.chain.Machine.Base()
	bound := placement.Bound(r.askedFor())
	if b.Since != base.Since || len(b.Controllers) < min(len(base.Controllers), bound) {
		return false
	}
	nodes := r.h.nodes()
	isInside := func(n rooms.NodeID) bool {
		return slices.ContainsFunc(nodes, func(x rooms.NodeRecord) bool { return x.ID == n })
	}
	if len(b.Controllers) > max(min(len(base.Controllers), bound), placement.Asked(len(nodes), r.askedFor())) {
		return false
	}
	for _, n := range b.Controllers {
		if slices.Contains(base.Controllers, n) {
			continue
		}
		inside := isInside(n)
		consents := slices.ContainsFunc(b.Consents, func(c rooms.Consent) bool { return c.Node == n && c.OK(r.id, b.Since) })
		if !inside || !consents || !r.h.alive(n) {
			return false
		}
	}
	if len(base.Controllers) > bound {
		return len(b.Controllers) == bound && !slices.ContainsFunc(b.Controllers, func(n rooms.NodeID) bool { return !slices.Contains(base.Controllers, n) })
	}
	for _, n := range base.Controllers {
		if !slices.Contains(b.Controllers, n) && isInside(n) && !r.silent(n, r.h.cfg.Away/2) && !relieves(base.Controllers, b.Controllers, nodes) &&
			!r.ledger.Unfit(n, r.h.Now(), true) {
			return false
		}
	}
	return true
}

// relieves reports whether the step exchanges one node for another and makes the room less crowded by it.
func relieves(now, next []rooms.NodeID, nodes []rooms.NodeRecord) bool {
	stay := slices.DeleteFunc(slices.Clone(next), func(n rooms.NodeID) bool { return !slices.Contains(now, n) })
	return len(next) == len(now) && len(stay) == len(now)-1 && placement.Crowd(next, nodes, len(next)) < placement.Crowd(now, nodes, len(now))
}
