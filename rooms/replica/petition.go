package replica

import (
	"slices"
	"time"

	"warren/rooms"
	"warren/rooms/placement"
)

// petition gathers endorsements of a quorum.
type petition struct {
	kind  string
	body  rooms.Body
	thing rooms.Hash
	got   map[rooms.NodeID]rooms.Endorsement
	begun time.Time
	sent  bool // the request was submitted
}

// petition asks the controllers that have not endorsed yet, and submits the request when a quorum has.
func (r *Replica) petition(p *petition) {
	if p.sent {
		return
	}
	p.got[r.h.self] = rooms.Endorse(r.id, p.kind, p.thing, r.h.Now(), r.h.cfg.Key)
	data := rooms.Marshal(ask{Kind: p.kind, Body: rooms.Marshal(p.body)})
	for _, c := range r.controllers() {
		if _, ok := p.got[c]; !ok {
			r.tell(c, frameAsk, data)
		}
	}
	r.petitionDone(p)
}

func (r *Replica) petitionDone(p *petition) {
	if p.sent || len(p.got) < rooms.Quorum(len(r.controllers())) {
		return
	}
	var list []rooms.Endorsement
	for _, c := range r.controllers() {
		if e, ok := p.got[c]; ok {
			list = append(list, e)
		}
	}
	switch b := p.body.(type) {
	case *rooms.Reconfigure:
		b.Endorsed = list
	case *rooms.NodeGone:
		b.Endorsed = list
	}
	p.sent = true
	r.submit("", "", p.body, nil, func(o Outcome) {
		if o.Err != nil {
			r.h.log.Info("an endorsed change was refused", "room", r.id.Short(), "kind", p.kind, "err", o.Err)
			p.sent = false
			clear(p.got)
		} else if b, ok := p.body.(*rooms.NodeGone); ok && r.stew.gone[b.Node] == p {
			delete(r.stew.gone, b.Node) // should it come and go again, that is another matter
		}
	})
}

func (s *steward) endorsed(r *Replica, e endorse) {
	var p *petition
	if s.change != nil && s.change.petition != nil && s.change.petition.thing == e.Thing {
		p = s.change.petition
	}
	for _, g := range s.gone {
		if g.thing == e.Thing {
			p = g
		}
	}
	if p == nil || p.kind != e.Kind || !slices.Contains(r.controllers(), e.E.Node) || !e.E.OK(r.id, e.Kind, e.Thing, r.h.Now()) {
		return
	}
	p.got[e.E.Node] = e.E
	r.petitionDone(p)
}

// askedToEndorse judges by what this node sees itself.
func (r *Replica) askedToEndorse(from rooms.NodeID, a ask) {
	if !slices.Contains(r.controllers(), from) && a.Kind != rooms.KindSilent || !slices.Contains(r.controllers(), r.h.self) {
		return
	}
	var thing rooms.Hash
	switch a.Kind {
	case rooms.KindNodeGone:
		var b rooms.NodeGone
		if rooms.Unmarshal(a.Body, &b) != nil || !r.silent(b.Node, r.h.cfg.Lease/2) {
			return
		}
		thing = b.Thing()
	case rooms.KindReconfigure:
		var b rooms.Reconfigure
		if rooms.Unmarshal(a.Body, &b) != nil || !r.agreesTo(&b) {
			return
		}
		thing = b.Thing()
	case rooms.KindSilent:
		var ok bool
		if thing, ok = r.endorsesSilence(from, a.Body); !ok {
			return
		}
	default:
		return
	}
	e := endorse{Kind: a.Kind, Thing: thing, E: rooms.Endorse(r.id, a.Kind, thing, r.h.Now(), r.h.cfg.Key)}
	r.tell(from, frameEndorse, rooms.Marshal(e))
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
