// Package rooms is the room itself: what it is made of, how it changes, and what proves it.
//
// A [Request] is a signed wish. A [Batch] is what a leading controller puts in order. A [Chain] runs batches over a [Machine]: the state of a
// room ([State]) or of the directory ([Directory]). What comes of a batch is a [Header]; a quorum of controllers signs it ([Certificate]);
// header, batch, verdicts and certificate are a [Decision]. Whoever holds the genesis can check all of it.
//
// Everything here is a pure function of bytes: no clock, network, disk or goroutine, and no map order in any output. How requests come to be
// ordered is rooms/order's subject; disk, net and time are rooms/replica's; how people see it is the bridge's. None of that may come in.
//
// Read in this order: ids.go, request.go, ops.go, decision.go, chain.go, state.go, directory.go.
package rooms
