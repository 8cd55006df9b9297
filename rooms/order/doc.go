// Package order is one controller of one room as a step machine: requests, messages and ticks go in; records to store, messages to send and
// certified decisions come out.
//
// etcd raft (RawNode) puts batches of requests in order. Each controller runs a committed batch on its tentative [rooms.Chain], records
// durably that it signs the header that comes of it, and signs it once. Signatures of a quorum of the room's controllers are the
// certificate; only certified decisions leave. So raft carries the order in honest times, and signatures carry the truth in all times.
//
//	Submit ─┐                 ┌─ Records   to store in one commit, then call Stored
//	Step   ─┼─► Controller ───┼─ Early     messages that need not wait for the disk
//	Tick   ─┘     Ready()     ├─ Messages  to send after Stored
//	                          └─ Decisions certified, in height order
//
// # Who is who
//
// A [Member] is a node with an incarnation: the number that says which life of its raft state this is. A controller that has lost or
// dropped its raft state comes back as another member, never as the old one with a short memory, since raft stays safe only when nobody forgets a
// vote. Membership of the chain (Base().Controllers) decides whose signatures count; raft's own configuration decides who votes. The leader
// makes the second follow the certified state of the first.
//
// # Rules that hold
//
//   - No two headers are signed for one (epoch, height), across restarts: the [Signed] record is durable before the signature leaves, and
//     stays until a decision at that height is durable.
//   - Who has ended an epoch, durably, signs no header in it any more. What is of another epoch is refused, and its raft state is void.
//   - An entry gives a height, or not, by its bytes and its place in the log alone, so all controllers count alike.
//   - Knowledge that an entry is committed is stored with the next entries, so a configuration is never forgotten by who acted on it.
//   - A step above a change of controllers is run only when that change is certified.
//   - What comes from others is bounded in size and number before it is kept, and checked before etcd raft sees it, which panics on some
//     nonsense; should it panic all the same, the controller reports itself broken and must be made anew.
//
// # Who cheats
//
// Each controller judges what the others do (judge.go, vouch.go, censor.go) by what it sees itself, counts it in a [Ledger], tells the others when
// it has a complaint against the leader (accuse.go), and votes against a living leader only with grounds of its own (forced.go). misdeed.go has the
// list, with limits.
//
// Nothing here reads a clock, the network, the disk or global randomness, and there is no goroutine. Not safe for concurrent use. Disk, network
// and time are rooms/replica's subject. etcd raft may be imported here alone.
//
// Read in this order: config.go, record.go, ready.go, apply.go, certify.go, members.go, epoch.go, wire.go.
package order
