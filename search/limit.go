package search

import "warren/rooms"

// bucket lets through rate things a second, and burst at once. The zero value is full. Not safe for concurrent use.
type bucket struct {
	used float64
	at   int64 // ms
}

func (b *bucket) take(now int64, rate, burst float64) bool {
	if now > b.at {
		b.used = max(0, b.used-rate*float64(now-b.at)/1000)
	}
	b.at = now
	if b.used+1 > burst {
		return false
	}
	b.used++
	return true
}

// guard bounds what others make this node do. Only the goroutine that answers uses it. Its maps hold at most one entry for each node that the
// directory ever admitted, and maxSeen questions.
type guard struct {
	askers map[rooms.NodeID]*bucket
	hops   map[rooms.NodeID]*bucket
	seen   map[seenKey]struct{}
	order  []seenKey // oldest first
}

type seenKey struct {
	asker rooms.NodeID
	id    questionID
}

func take(m *map[rooms.NodeID]*bucket, n rooms.NodeID, now int64, rate, burst float64) bool {
	if *m == nil {
		*m = map[rooms.NodeID]*bucket{}
	}
	b := (*m)[n]
	if b == nil {
		b = &bucket{}
		(*m)[n] = b
	}
	return b.take(now, rate, burst)
}

// known reports whether a question was already taken up.
func (g *guard) known(k seenKey) bool {
	_, ok := g.seen[k]
	return ok
}

// remember keeps a question, and forgets the oldest when there are too many.
func (g *guard) remember(k seenKey) {
	if g.seen == nil {
		g.seen = map[seenKey]struct{}{}
	}
	if len(g.order) >= maxSeen {
		delete(g.seen, g.order[0])
		g.order = g.order[1:]
	}
	g.seen[k] = struct{}{}
	g.order = append(g.order, k)
}
