package replica

import (
	"slices"
	"sync/atomic"
	"time"

	"warren/rooms"
	"warren/rooms/order"
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
	silence   *petition // of the directory: that controllers of some room are not heard, for a recovery at this node
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
		sight := r.h.sight(r.id, base.Controllers, r.askedFor(), r.h.nodes(), r.h.cfg.Away)
		sight.People, sight.Unfit = r.hasPeople, r.wantsOut(now)
		target := sight.Target()
		if slices.Equal(target, base.Controllers) {
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
		s.change.petition = r.newPetition(rooms.KindReconfigure, body.Thing(), body, func(list []rooms.Endorsement) { body.Endorsed = list }, nil)
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
	return ok && occupied(s, n)
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

// tickGone ends the presence of occupants whose node has left: see Host.left.
func (r *Replica) tickGone(now time.Time) {
	if r.directory {
		return
	}
	st := r.chain.Machine.(*rooms.State)
	dead := map[rooms.NodeID]bool{}
	for _, o := range st.Occupants {
		for _, n := range o.Nodes {
			if !dead[n] && r.h.left(n, false) {
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
			p = r.newPetition(rooms.KindNodeGone, body.Thing(), body, func(list []rooms.Endorsement) { body.Endorsed = list }, func() {
				if r.stew.gone[n] == p {
					delete(r.stew.gone, n) // should it come and go again, that is another matter
				}
			})
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
