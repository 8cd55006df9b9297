package main

import (
	"slices"

	"warren/rooms"
	"warren/rooms/order"
)

// grow does what replicas do to change the set of controllers: newcomers follow as learners, then a quorum endorses, and the leader's node
// asks for the reconfiguration.
func (w *world) grow() {
	if w.growing = w.stage < len(w.plan.stages)-1 || w.plan.lies != ""; !w.growing {
		return
	}
	w.after(300, w.grow)
	if w.replaceLiar(); w.stage >= len(w.plan.stages)-1 {
		return
	}
	now := w.ids(w.plan.stages[w.stage])
	next := w.ids(w.plan.stages[w.stage+1])
	if w.now < int64(w.stage+1)*chaosMS/int64(len(w.plan.stages)+1) {
		return
	}
	for _, n := range w.nodes {
		if slices.Equal(n.chain.Machine.Base().Controllers, next) && n.chain.Epoch == w.town.now().Epoch() {
			w.stage++
			for _, p := range w.nodes {
				p.newcomer = false
			}
			w.tr.say(w.now, "stage %d is reached", w.stage+1)
			return
		}
	}
	for _, n := range w.nodes {
		if !n.up || n.ctl == nil || n.liar != nil || n.apart || !slices.Equal(n.chain.Machine.Base().Controllers, now) {
			continue
		}
		s := n.ctl.Status()
		if s.Role != order.Leader {
			continue
		}
		n.reconfigure(s, now, next)
	}
}

func (n *node) reconfigure(s order.Status, now, next []rooms.NodeID) {
	w := n.w
	var newcomers []rooms.NodeID
	for _, id := range next {
		if !slices.Contains(now, id) {
			newcomers = append(newcomers, id)
			w.byID[id].newcomer = true
		}
	}
	n.ctl.SetLearners(newcomers...)
	level := 0
	for _, m := range s.Members {
		if m.Level && slices.Contains(newcomers, m.Node) {
			level++
		}
	}
	if level < len(newcomers) || slices.ContainsFunc(n.outbox, func(s *wish) bool { _, ok := s.body.(*rooms.Reconfigure); return ok }) {
		return
	}
	body := &rooms.Reconfigure{Since: n.chain.Machine.Base().Since, Controllers: next}
	for _, p := range w.nodes {
		if p.up && slices.Contains(now, p.id) && w.endorses(p) {
			body.Endorsed = append(body.Endorsed, rooms.Endorse(w.room, rooms.KindReconfigure, body.Thing(), p.clock(), keys[p.i]))
		}
		if slices.Contains(newcomers, p.id) {
			body.Consents = append(body.Consents, rooms.MakeConsent(w.room, body.Since, p.chain.Height, keys[p.i]))
		}
	}
	if len(body.Endorsed) < rooms.Quorum(len(now)) {
		return
	}
	w.tr.say(w.now, "node %d asks for stage %d", n.i, w.stage+2)
	n.outbox = append(n.outbox, &wish{n: n, body: body})
	n.sendWishes()
}
