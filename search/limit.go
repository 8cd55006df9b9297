package search

import (
	"warren/rooms"
	"warren/rooms/rate"
)

// guard bounds what others make this node do. Only the goroutine that answers uses it. It holds maxSeen questions.
type guard struct {
	askers rate.Nodes
	hops   rate.Nodes
	seen   map[seenKey]struct{}
	order  []seenKey // oldest first
}

type seenKey struct {
	asker rooms.NodeID
	id    questionID
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
