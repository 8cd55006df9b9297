// Command sim runs rooms and rooms/order against faults, by the thousand, each schedule exactly reproducible from its seed.
//
//	go run ./test/sim -runs 10000 -seed 1
//
// prints one summary line last and exits with 1 when a schedule violated something; the failing seed is printed, and
// `go run ./test/sim -runs 1 -seed N -v` tells its story.
//
// `-tier net` runs whole nodes over real libp2p in virtual time instead (package test/sim/net), each schedule in a process of its own: there the
// seed fixes the faults, not each message. It too prints one summary line last.
//
// A world has 1 to 5 nodes. Its network loses, delays, reorders, doubles and partitions (one way too); its disks forget what was not
// synced when a node crashes, before or after the store; controllers grow 1→3→4 and are replaced; the directory reaches nodes late; clients
// submit through any node, resend, change their minds and number anew until what they said is acknowledged.
//
// Then all heals, and what must hold is checked: all replicas hold the same headers, batches, verdicts and state; every certificate is
// of the controllers in force at its height, and each of their signatures was durable promise before it left; nobody signed two headers at
// one height; what was acknowledged is there exactly once, counters in order; and the world came to rest with everything done.
//
// The directory (town.go) is the real reducer in hands that never fail, and epochs are made by the rules of rooms/order (epoch.go): a height that
// cannot be certified ends in statements of the controllers and a new epoch. In half of the worlds controllers are so impatient that many epochs
// begin while messages get lost, nodes crash and two of them ask at once. Checked as well: who gave a statement signs nothing more in that
// epoch, whatever it forgets; whatever anybody ever took for certified is in the end in every log; and the room's own log tells of each epoch
// what the directory has of it.
//
// In one world in six most of the controllers are lost on one day (recover.go): some for ever, with their disks, some until later, or they go on by
// themselves on the other side of a cut. The manager has the room begin anew at one of the nodes that are left. Nothing that a node held which could
// be reached then may be lost; who comes back with more goes back, and follows. The manager also decides where statements leave it open what was
// certified.
//
// In one world in four the room asks for ticks for some seconds (ticks.go): they are ordered between everything else, packed at checkpoints (log.go) and given
// to others packed; a crash leaves any part of what was written and not synced. Every log holds each height once, and packed there is nothing but ticks that
// were ordered as ticks, all of them at nodes that never were restarted (check_log.go).
//
// One world in eight has disks that lie about what they have synced: raft forgets votes and entries, which it cannot bear. Nothing is asked of
// the room's liveness there, but that no two headers are certified or signed at one height: signatures carry the truth whatever raft does. No epochs begin there.
//
// One world in four has a saboteur among four controllers (classes.go and saboteur_ticks.go have the classes, -saboteur forces one): a node whose controller gets a
// dishonest part, and which says what it likes, at the end of an epoch too. All of the above must hold on the honest nodes; no honest node may want another
// one replaced; and the room must go on, with the saboteur deposed or replaced.
//
// Does it catch mistakes? Tried by hand on 22 Nov 2026, each change to rooms/order alone, seeds from 1:
//
//   - a certificate from one signature too few (settle): "fewer valid signatures of distinct controllers than a quorum" at seed 4;
//   - the promise is not stored before the signature leaves (sign): "signed height 1 without a durable promise" at seed 4;
//   - another header than the promised one is signed (sign, no check): with lying disks in every world, "signed height 1 without a durable
//     promise" at seed 30 and twice more in 150; TestPromiseHoldsAcrossRestart in rooms/order fails at once;
//   - records are dropped when an answer waits for the disk (store): "the stored raft state is damaged", rooms stuck, within 26 seeds.
//
// And of epochs, the same day, seeds from 1; with `-saboteur statement-hides` where it says so, false-beginning in the last:
//
//   - a statement leaves before its promise is on disk (Ended): "signs at height 1 in epoch 3, at whose end it gave a statement" at seed 40;
//   - who has ended an epoch signs on (sign): "signs at height 17 in epoch 1, which it has ended" at seed 11;
//   - decisions above the start of an epoch are not cut off (Overrun): "does not follow the head" at seed 44;
//   - n−f−1 statements are enough (Tally.Enough): "LOST: height 4 of epoch 4 was certified, and is in no log" at seed 6, statement-hides;
//   - nobody lies in statements (Tally.May): the same at seed 27, statement-hides;
//   - any Begin begins an epoch (begins): "the room's log does not tell that epoch 3 began" at seed 4, false-beginning.
//
// And of ticks, 23 Nov 2026, with `-saboteur` as named, seeds from 9000:
//
//   - packed ticks are not checked (checkTicks), pack-wrong: "certified, but this node's own result differs" at seed 9002;
//   - what is here is stored again out of another's pack (no Above), pack-own: "height 12 comes where height 11 belongs" at seed 9004;
//   - a leader's time may be anything (inspect), tick-time: "the room's time is 3599 s ahead" at seed 9000;
//   - a pack's certificate is not looked at (CheckBy), pack-wrong: "FORK: node 4 holds another header" at seed 9007;
//   - a checkpoint is packed as any tick (Pack), ticks always, from 1: "the tick at height 63 is not packed" at seed 22;
//   - ticks of two epochs are packed together (Pack), the same: "the ticks below it are not those that the header names" at seed 176;
//   - ticks that nobody asked for, or none, are not counted (judgeBeat, tickBeat): TestSaboteurs says that nobody notices.
package main
