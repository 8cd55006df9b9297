// Package world declares people on nodes in a few lines, for tests and simulations in virtual time.
//
//	synctest.Test(t, func(t *testing.T) {
//		w := world.New(t, world.Nodes(4), world.Loss(0.01))
//		alice := w.User("alice").On("n3").Join("lobby").Say("hello")
//		w.Partition("n1", "n2")
//		...
//		w.Heal()
//		w.Settle(time.Minute)
//		w.Check()
//	})
//
// All of it is real but the cables, the disks and the clock: each node is warren/node with libp2p over QUIC, its rooms and its store, on a
// [github.com/marcopolo/simnet] network with delays, losses and partitions and on a storetest.Disk that forgets what was not synced. There
// are no sockets and no files: they would stop the clock of testing/synctest. People act on rooms/replica, below the bridges.
//
// A run is not reproducible to the bit (keys of QUIC, goroutines, maps): tests assert what must always hold, and generous bounds.
//
// Read in this order: world.go, node.go, user.go, seat.go, check.go, cables.go.
package world
