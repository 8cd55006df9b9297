// Package rate bounds how often something may be done: token buckets over a clock that is passed in.
package rate

import "warren/rooms"

// Limit lets through PerSecond things a second, and Burst at once.
type Limit struct{ PerSecond, Burst float64 }

// Bucket counts against a limit. The zero value is full. Not safe for concurrent use.
type Bucket struct {
	used float64
	at   int64 // ms
}

// Take takes a token at a time (ms); false: there is none.
func (b *Bucket) Take(now int64, l Limit) bool {
	if now > b.at {
		b.used = max(0, b.used-l.PerSecond*float64(now-b.at)/1000)
	}
	b.at = now
	if b.used+1 > l.Burst {
		return false
	}
	b.used++
	return true
}

// Nodes holds a bucket for each node. The zero value is ready. It is for nodes that the directory has admitted, of which there are
// rooms.MaxNodes at most. Not safe for concurrent use.
type Nodes struct {
	of map[rooms.NodeID]*Bucket
}

// Take takes a token of the node's bucket; see Bucket.Take.
func (n *Nodes) Take(id rooms.NodeID, now int64, l Limit) bool {
	if n.of == nil {
		n.of = map[rooms.NodeID]*Bucket{}
	}
	b := n.of[id]
	if b == nil {
		b = &Bucket{}
		n.of[id] = b
	}
	return b.Take(now, l)
}
