package search

import (
	"time"

	"warren/rooms"
	"warren/rooms/rate"
)

// received is a question as it came, with the neighbour who passed it on.
type received struct {
	from rooms.NodeID
	data []byte
}

// heard takes what comes on a tag topic. It does not block: what is too much is dropped, and the asker has other nodes.
func (s *Service) heard(from rooms.NodeID, data []byte) {
	if len(data) > maxQuestion {
		return
	}
	select {
	case s.questions <- received{from, data}:
	default:
		s.cfg.Logger.Debug("a question was dropped: too many wait")
	}
}

// work answers questions, one after the other.
func (s *Service) work() {
	for {
		select {
		case <-s.quit:
			return
		case r := <-s.questions:
			s.consider(r)
		}
	}
}

// consider answers a question if it is new, signed by an admitted node, and within its limits. Cheap checks come first.
func (s *Service) consider(r received) {
	q, e, err := decodeQuestion(r.data)
	if err != nil {
		s.cfg.Logger.Debug("a question was refused", "from", r.from.Short(), "err", err)
		return
	}
	now := s.cfg.Now()
	key := seenKey{q.Asker, q.ID}
	if q.Asker == s.cfg.Self || s.answering.known(key) || age(now, q.Time) > questionAge {
		return
	}
	admitted, believed, size := false, false, 0
	a := asker{nick: q.Nick, node: q.Asker}
	s.cfg.Directory(func(d *rooms.Directory) {
		v := d.Now()
		_, asks := v.Node(q.Asker)
		_, passes := v.Node(r.from)
		admitted, a.groups, size = asks && passes, v, len(d.Nodes)
		believed = q.Account != "" && v.Signs(q.Account, q.Asker)
	})
	if believed {
		a.account = q.Account
	}
	if !admitted || !s.answering.hops.Take(r.from, now, rate.Limit{PerSecond: hopRate, Burst: hopBurst}) || !q.signed() {
		return
	}
	s.answering.remember(key)
	if !s.answering.askers.Take(q.Asker, now, rate.Limit{PerSecond: askerRate, Burst: askerBurst}) {
		s.cfg.Logger.Debug("a node asks too often", "node", q.Asker.Short())
		return
	}
	hits, more := s.local(e, a, maxHits)
	if len(hits) > 0 || size <= politeNodes {
		s.cfg.Sender.Send(q.Asker, encodeAnswer(q.ID, hits, more))
	}
}

func age(now, then int64) time.Duration {
	if then > now {
		now, then = then, now
	}
	if now-then > questionAge.Milliseconds() || then < 0 {
		return questionAge + 1
	}
	return time.Duration(now-then) * time.Millisecond
}
