// Package bridge is the one local view of rooms that every protocol shows: who is connected here, where they sit, what is delivered to them.
//
// A [Hub] holds the [Session]s of one node. A session takes a [Seat] in a room; what happens in the room comes to it as [Delivery] values,
// in the room's order. Lines and stanzas become the same requests, and the same events become lines and stanzas: rules that both protocols
// need stand here or below, never in a protocol's package. It asks perms only to hide what would be refused, and for reads; rooms decides.
//
// Nothing of IRC, XMPP, libp2p or bbolt may come in. Read in this order: world.go (what the bridge needs of the node), delivery.go, hub.go,
// session.go, seat.go, direct.go, presence.go.
package bridge
