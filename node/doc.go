// Package node puts a peer together and owns its life.
//
// [Open] reads a data directory (store, key, genesis), or founds a network in an empty one; [Join] makes an empty one a member of a network
// that exists. [Node.Start] brings it up from the bottom (store, overlay, rooms, accounts, search), [Node.Close] takes it down from the top.
// The adapters here (disk.go, net.go) give rooms/replica what it asks for in its own words.
//
// Nothing of IRC, XMPP or the bridge may come in: only cmd knows both.
package node
