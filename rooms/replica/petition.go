package replica

import (
	"slices"

	"warren/rooms"
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
	if i < 0 || !slices.Contains(r.controllers(), e.E.Node) || !e.E.OK(r.id, e.Kind, e.Thing, r.endorsedAt(0)) {
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
	used := int64(0)
	switch a.Kind {
	case rooms.KindNodeGone:
		var b rooms.NodeGone
		ok = rooms.Unmarshal(a.Body, &b) == nil && r.h.left(b.Node, true)
		e.Thing = b.Thing()
		if s, isRoom := r.chain.Machine.(*rooms.State); isRoom {
			used = s.Gone[b.Node]
		}
	case rooms.KindReconfigure:
		var b rooms.Reconfigure
		ok = rooms.Unmarshal(a.Body, &b) == nil && r.agreesTo(&b)
		e.Thing = b.Thing()
	case rooms.KindSilent:
		e.Thing, ok = r.seesSilence(from, a.Body)
	}
	if ok {
		e.E = rooms.Endorse(r.id, e.Kind, e.Thing, r.endorsedAt(used), r.h.cfg.Key)
	}
	return e, ok
}

// endorsedAt is the time at which something is endorsed, in ms, later than after. It is judged by the room's time, which is ahead of this node's clock for
// as long as whoever controlled the room alone once had a clock that was.
func (r *Replica) endorsedAt(after int64) int64 { return max(r.h.Now(), r.chain.Time, after+1) }

// agreesTo reports whether this node would take the step too, by what it sees itself. Half the time of being away is enough: the leader may have lost
// sight of a node earlier.
func (r *Replica) agreesTo(b *rooms.Reconfigure) bool {
	base := r.chain.Machine.Base()
	sight := r.h.sight(r.id, base.Controllers, r.askedFor(), r.h.nodes(), r.h.cfg.Away/2)
	sight.Unfit = func(n rooms.NodeID) bool { return r.ledger.Unfit(n, r.h.Now(), true) }
	return b.Since == base.Since && sight.Allows(b.Controllers, func(n rooms.NodeID) bool {
		return slices.ContainsFunc(b.Consents, func(c rooms.Consent) bool { return c.Node == n && c.OK(r.id, b.Since) })
	})
}
