// Package replica is a copy of a room at this node: it drives rooms/order with disk, net and time.
//
// A [Host] holds all copies of one node. A [Replica] is one: one goroutine owns it, takes frames, wishes and ticks from a bounded inbox, and
// applies certified decisions, whether its own controller made them or another node sent them. What it needs of disk and net stands in
// config.go as small interfaces. Protocols, sockets, libp2p and bbolt may not come in.
//
// Read in this order: config.go, host.go, replica.go, apply.go, outbox.go, control.go, follow.go, steward.go, care.go, park.go, rest.go, wake.go, wire.go.
package replica
