// Package overlay is a node's connection to the other nodes of its network: one libp2p host, kept-open
// frame streams with liveness, requests, topics, a DHT, admission and discovery, behind small types.
//
// It is the only package that imports libp2p. Nothing of libp2p shows above it: a node is a NodeID (its raw
// Ed25519 public key), an address is a multiaddr as text that ends in the node's peer id. What may not come
// in: rooms, decisions, accounts, disk. Bytes go in and out; who is a member is asked through
// Config.Admitted; addresses are remembered through PeerStore.
//
// In reading order:
//
//   - Config, New, Overlay.Run: make and run it.
//   - Overlay.Send, Config.OnFrame: small frames, at most once, in order while a stream lives (link.go,
//     inbound.go, frame.go).
//   - Config.OnPeer, Overlay.Alive, Overlay.Peers: who is there (liveness.go).
//   - Overlay.Clock: whether this node's clock is right, by the others' (clock.go).
//   - Overlay.Request, Overlay.Handle: one stream per question, for bulk and rare things.
//   - Overlay.Join, Topic: multicast. A hint, never the truth: gossipsub drops silently.
//   - Overlay.Provide, FindProviders, PutValue, GetValue: the DHT.
//   - Overlay.Admit, Overlay.HandleAdmission, Stranger: how somebody from outside comes in.
//
// # The gate
//
// Peers that are not admitted may connect, within bounds, and reach identify, ping and the admission
// protocol, nothing else. This is enforced at three places: gatedHost (given to pubsub, DHT and our own
// protocols), the resource manager (sees every stream that libp2p itself handles, in both directions), and
// the filters of pubsub and DHT.
//
// # Limits of what Close waits for
//
// Close waits for all goroutines but one of libp2p's: where addresses other than loopback are listened on, its
// search for a router's port mapping ends by itself within 5 s.
//
// # Frames on the wire
//
// Protocol /warren/<network>/frames/1, one stream per direction; <network> is the first 8 bytes of the
// network id in hex. A frame is
//
//	kind (1 byte) | length (3 bytes, big endian, at most 1 MiB) | payload
//
// The first frame of a stream is a hello; kinds are listed in frame.go.
package overlay
