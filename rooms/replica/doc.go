// Package replica is a copy of a room at this node: it drives rooms/order with disk, net and time.
//
// A [Host] holds all copies of one node. A [Replica] is one: one goroutine owns it, takes frames, wishes and ticks from a bounded inbox, and
// applies certified decisions, whether its own controller made them or another node sent them. What it needs of disk and net stands in
// config.go as small interfaces. Protocols, sockets, libp2p and bbolt may not come in.
//
// Read in this order:
//
//   - the copies of a node: config.go, host.go, load.go, directory.go
//   - one copy: replica.go, inbox.go, wire.go, frame.go, apply.go, outbox.go, verdict.go, watch.go, sync.go
//   - its controller: control.go, record.go, submit.go, campaign.go, ledger.go
//   - care for the room: steward.go, care.go, petition.go, recruit.go, witness.go, leave.go
//   - how decisions come: relay.go, follow.go, serve.go, fetch.go, jump.go, gap.go; what is asked of them later: history.go, ids.go
//   - rest: park.go, rest.go, wake.go
//   - bad days: frozen.go, provisional.go, rumour.go; epoch.go, statement.go, recover.go, silence.go, rescue.go
//   - files: export.go, import.go
package replica
