package replica

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
	"warren/rooms/order"
	"warren/rooms/placement"
)

// steward is the leading controller's care for the room: the right number of living controllers, no occupants of dead nodes, no empty
// temporary room. Owned by the copy's loop.
type steward struct {
	last      time.Time
	change    *change
	weighed   uint64 // Host.nodesVersion when it was last found out who should control the room
	weighedAt time.Time
	gone      map[rooms.NodeID]*petition
	closed    bool      // an OpClose was submitted
	refused   time.Time // when the replacement of a cheat was last given up
	told      time.Time // when the directory was last told something, or asked for nothing
	telling   atomic.Bool
}

// change is a reconfiguration under way.
type change struct {
	since    uint64
	target   []rooms.NodeID
	begun    time.Time
	consents map[rooms.NodeID]rooms.Consent
	petition *petition
}

// petition gathers endorsements of a quorum.
type petition struct {
	kind  string
	body  rooms.Body
	thing rooms.Hash
	got   map[rooms.NodeID]rooms.Endorsement
	begun time.Time
	sent  bool // the request was submitted
}

// recruitment is this node's side: the leader asks it to control the room.
type recruitment struct {
	by       rooms.NodeID
	last     time.Time
	asking   bool // how far the room is
	caughtUp bool
}

func (s *steward) wants(n rooms.NodeID) bool {
	return s.change != nil && slices.Contains(s.change.target, n)
}

// tickSteward looks after the room while this node leads it, and after this node's own recruitment.
func (r *Replica) tickSteward(now time.Time) {
	if now.Sub(r.stew.last) < stewardEvery {
		return
	}
	r.stew.last = now
	r.tickTopic()
	r.tickRecruit(now)
	r.tickEnding(now)
	if !r.leads || r.ctl == nil {
		r.stew.change, r.stew.gone, r.stew.closed, r.stew.weighedAt = nil, nil, false, time.Time{}
		return
	}
	r.tickChange(now)
	r.tickGone(now)
	r.tickClose()
	r.tickImports(now)
}

// tickChange sees to it that the room has the controllers it should have.
func (r *Replica) tickChange(now time.Time) {
	s := &r.stew
	base := r.chain.Machine.Base()
	if s.change != nil && (s.change.since != base.Since || now.Sub(s.change.begun) > changeGiveUp) {
		if now.Sub(s.change.begun) > changeGiveUp {
			r.notAgreed(s.change, now)
		}
		s.change, s.weighedAt = nil, time.Time{}
		r.ctl.SetLearners()
	}
	if s.change == nil {
		// Who should control the room changes with the nodes and with their coming and going; else with time only, and slowly.
		seen := r.h.nodesVersion()
		if seen == s.weighed && now.Sub(s.weighedAt) < weighEvery {
			return
		}
		s.weighed, s.weighedAt = seen, now
		target := r.h.wanted(r.id, base.Controllers, r.askedFor(), r.h.nodes(), r.hasPeople, r.wantsOut(now), now)
		if slices.Equal(target, base.Controllers) || len(target) == 0 {
			return
		}
		s.change = &change{since: base.Since, target: target, begun: now, consents: map[rooms.NodeID]rooms.Consent{}}
	}
	var newcomers []rooms.NodeID
	for _, n := range s.change.target {
		if !slices.Contains(base.Controllers, n) {
			newcomers = append(newcomers, n)
		}
	}
	r.ctl.SetLearners(newcomers...)
	all := true
	for _, n := range newcomers {
		if _, ok := s.change.consents[n]; !ok {
			all = false
			r.tell(n, frameRecruit, nil)
		}
	}
	if !all || !r.level(newcomers) {
		return
	}
	if s.change.petition == nil {
		body := &rooms.Reconfigure{Since: s.change.since, Controllers: s.change.target}
		for _, n := range newcomers {
			body.Consents = append(body.Consents, s.change.consents[n])
		}
		s.change.petition = &petition{kind: rooms.KindReconfigure, body: body, thing: body.Thing(), got: map[rooms.NodeID]rooms.Endorsement{}, begun: now}
	}
	r.petition(s.change.petition)
}

// level reports whether the newcomers' own controllers follow the log closely: were they counted before, the room would wait for them.
func (r *Replica) level(newcomers []rooms.NodeID) bool {
	members := r.ctl.Status().Members
	for _, n := range newcomers {
		if !slices.ContainsFunc(members, func(m order.MemberStatus) bool { return m.Node == n && m.Level }) {
			return false
		}
	}
	return true
}

// askedFor returns how many controllers the room asks for, 0: as many as the network's size says.
func (r *Replica) askedFor() int {
	if s, ok := r.chain.Machine.(*rooms.State); ok {
		return int(s.Set.Controllers)
	}
	return 0
}

// hasPeople reports whether the room has occupants at the node.
func (r *Replica) hasPeople(n rooms.NodeID) bool {
	s, ok := r.chain.Machine.(*rooms.State)
	if !ok {
		return false
	}
	for _, o := range s.Occupants {
		if slices.Contains(o.Nodes, n) {
			return true
		}
	}
	return false
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

func (s *steward) consented(r *Replica, from rooms.NodeID, c consent) {
	if s.change == nil || c.C.Node != from || c.Since != s.change.since || !slices.Contains(s.change.target, from) || !c.C.OK(r.id, c.Since) {
		return
	}
	if _, ok := s.change.consents[from]; !ok {
		s.change.consents[from] = c.C
		r.stew.last = time.Time{} // go on at once
	}
}

// recruited takes the leader's wish that this node control the room.
func (r *Replica) recruited(from rooms.NodeID, now time.Time) {
	if !slices.Contains(r.controllers(), from) {
		// The copy here may be old: learn from the one who asks, and decide at the next asking.
		if slices.Contains(r.informed(), from) {
			r.catchUp(from)
		}
		return
	}
	if r.recruit == nil {
		r.recruit = &recruitment{by: from}
	}
	r.recruit.by, r.recruit.last = from, now
	r.recruitStep(from)
}

// recruitStep consents when this node holds all that the room had when it was last asked.
func (r *Replica) recruitStep(from rooms.NodeID) {
	if r.recruit == nil || r.pull.under() {
		return
	}
	if !r.recruit.caughtUp {
		if !r.recruit.asking {
			r.recruit.asking = true
			r.sync(&syncWait{as: r.as, done: r.recruitReady, gone: &atomic.Bool{}})
		}
		return
	}
	if r.ctl == nil {
		r.control(false)
	}
	if r.ctl != nil {
		since := r.chain.Machine.Base().Since
		c := consent{Since: since, C: rooms.MakeConsent(r.id, since, r.chain.Height, r.h.cfg.Key)}
		r.tell(from, frameConsent, rooms.Marshal(c))
	}
}

// recruitReady marks the recruitment as caught up, once this node has what the leader had.
func (r *Replica) recruitReady(err error) {
	if r.recruit == nil {
		return
	}
	r.recruit.asking = false
	if err == nil && !r.recruit.caughtUp {
		r.recruit.caughtUp = true
		r.recruitStep(r.recruit.by)
	}
}

// tickRecruit forgets a recruitment that the leader no longer asks for.
func (r *Replica) tickRecruit(now time.Time) {
	if r.recruit == nil {
		return
	}
	if slices.Contains(r.controllers(), r.h.self) {
		r.recruit = nil
		return
	}
	if now.Sub(r.recruit.last) > 2*changeGiveUp {
		r.recruit = nil
		if r.ctl != nil && r.ctl.Status().Role <= order.Learner {
			r.dropController() // a learner that was not wanted in the end: nobody counts on its vote
		}
	}
}

// reconfigured follows a certified change of controllers.
func (r *Replica) reconfigured() {
	r.stew.change, r.stew.weighedAt = nil, time.Time{}
	if r.ctl != nil && r.leads {
		r.ctl.SetLearners()
	}
	r.control(false)
	r.asked = time.Time{}
	r.stew.told = time.Time{}
}

// tickImports tells the directory what it must know of this room and does not yet: each change of controllers, in order, whether it is secret, and its end. It is
// asked again and again until the directory shows it, so a leader that dies in between is no loss.
func (r *Replica) tickImports(now time.Time) {
	if r.directory || r.stew.telling.Load() || now.Sub(r.stew.told) < importEvery {
		return
	}
	r.stew.told = now
	var rec rooms.RoomRecord
	known := false
	r.h.Directory(func(d *rooms.Directory) { rec, known = d.Rooms[r.id] })
	if !known {
		return
	}
	bodies := r.imports(rec)
	if st := r.chain.Machine.(*rooms.State); st.Closed {
		if d := r.findClose(); d != nil {
			bodies = append(bodies, &rooms.DropRoom{Room: r.id, Decision: rooms.Marshal(d)})
		}
	}
	if st := r.chain.Machine.(*rooms.State); len(rec.Members) == 0 && !st.Closed && st.Set.Secret != rec.Secret {
		bodies = append(bodies, &rooms.HideRoom{Room: r.id, Secret: st.Set.Secret})
	}
	if len(bodies) > 0 {
		r.tellDirectory(bodies)
	}
}

// imports returns what the directory lacks of the room's changes of controllers, in order.
func (r *Replica) imports(rec rooms.RoomRecord) (bodies []rooms.Body) {
	for since := r.chain.Machine.Base().Since; since > rec.Since; {
		list, err := r.decisions(since, since)
		if err != nil || len(list) == 0 {
			return nil
		}
		rc, ok := soleBody[*rooms.Reconfigure](&list[0])
		if !ok {
			return nil
		}
		bodies = append([]rooms.Body{&rooms.Witness{Room: r.id, Decision: rooms.Marshal(&list[0])}}, bodies...)
		since = rc.Since
	}
	return bodies
}

// soleBody returns the body of a decision's only request, if it is a B.
func soleBody[B rooms.Body](d *rooms.Decision) (b B, ok bool) {
	if len(d.Batch.Requests) != 1 {
		return b, false
	}
	body, err := d.Batch.Requests[0].Decode()
	b, ok = body.(B)
	return b, ok && err == nil
}

// findClose returns the decision that closed the room: one of the last, since a closed room orders only refusals. How many of them there are
// is up to those who keep asking.
func (r *Replica) findClose() *rooms.Decision {
	for high := r.chain.Height; high > 0; {
		low := high - min(high-1, historyStep-1)
		list, err := r.decisions(low, high)
		if err != nil {
			return nil
		}
		for i := range list {
			if _, ok := soleBody[*rooms.Close](&list[i]); ok && list[i].Verdicts.At(0) == errs.OK {
				return &list[i]
			}
		}
		high = low - 1
	}
	return nil
}

// tellDirectory orders imports in the directory, in the background.
func (r *Replica) tellDirectory(bodies []rooms.Body) {
	r.stew.telling.Store(true)
	r.h.wg.Go(func() {
		defer r.stew.telling.Store(false)
		ctx, cancel := context.WithTimeout(r.h.ctx, importTime)
		defer cancel()
		for _, b := range bodies {
			if err := r.h.Order(ctx, b); err != nil {
				r.h.log.Info("the directory did not take a room's import", "room", r.id.Short(), "err", err)
				break
			}
		}
	})
}

// tickGone ends the presence of occupants whose node has not been heard for the lease.
func (r *Replica) tickGone(now time.Time) {
	if r.directory {
		return
	}
	st := r.chain.Machine.(*rooms.State)
	dead := map[rooms.NodeID]bool{}
	for _, o := range st.Occupants {
		for _, n := range o.Nodes {
			if up, since := r.h.cfg.Net.Alive(n); n != r.h.self && !up && now.Sub(since) >= r.h.cfg.Lease {
				dead[n] = true
			}
		}
	}
	for n := range r.stew.gone {
		if !dead[n] {
			delete(r.stew.gone, n)
		}
	}
	for n := range dead {
		p := r.stew.gone[n]
		if p == nil {
			body := &rooms.NodeGone{Node: n}
			p = &petition{kind: rooms.KindNodeGone, body: body, thing: body.Thing(), got: map[rooms.NodeID]rooms.Endorsement{}, begun: now}
			if r.stew.gone == nil {
				r.stew.gone = map[rooms.NodeID]*petition{}
			}
			r.stew.gone[n] = p
		}
		r.petition(p)
	}
}

func (r *Replica) tickClose() {
	st, ok := r.chain.Machine.(*rooms.State)
	if !ok || r.stew.closed || !st.Expired(r.h.Now()) {
		return
	}
	r.stew.closed = true
	r.submit("", "", &rooms.Close{}, nil, func(o Outcome) { r.stew.closed = o.Err == nil })
}
