// Package bootstrap is how a node comes to its first peers: a network found nearby, an invitation, or somebody
// inside who lets it in.
//
// It holds what is decided there and what is said at the door, and no transport: node/overlay finds networks
// (mDNS) and carries the requests (admission protocol). In reading order:
//
//   - Pick: which of the networks found nearby is meant.
//   - Request, Answer: what a newcomer says to a member and hears back.
//   - Code: the short text by which people on both sides make sure they talk of the same newcomer.
//   - Waiting: the newcomers that knocked and wait for `warren admit`.
//   - invite/: the link that needs nobody to be awake.
//
// What may not come in: libp2p, rooms' state, who may invite or admit. Those are asked of the directory by the
// node that answers.
package bootstrap
