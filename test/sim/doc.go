// Command sim runs rooms and rooms/order against faults, by the thousand, each schedule exactly reproducible from its seed.
//
//	go run ./test/sim -runs 10000 -seed 1
//
// prints one summary line last and exits with 1 when a schedule violated something; the failing seed is printed, and
// `go run ./test/sim -runs 1 -seed N -v` tells its story.
//
// A world has 1 to 5 nodes. Its network loses, delays, reorders, doubles and partitions (one way too); its disks forget what was not
// synced when a node crashes, before or after the store; controllers grow 1→3→4 and are replaced; the directory reaches nodes late; clients
// submit through any node, resend, change their minds and number anew until what they said is acknowledged.
//
// Then all heals, and what must hold is checked: all replicas hold the same headers, batches, verdicts and state; every certificate is
// of the controllers in force at its height, and each of their signatures was durable promise before it left; nobody signed two headers at
// one height; what was acknowledged is there exactly once, counters in order; and the world came to rest with everything done.
//
// Does it catch mistakes? Tried by hand, each change in rooms/order alone:
//
//   - sign whatever comes of a batch, without looking at what was signed before, and forget to store entries before the vote: see the
//     tests of rooms/order for the cuts; here "two headers at height" or "diverged" within some hundred seeds;
//   - form a certificate from one signature too few: "certificate: fewer valid signatures" at once.
package main
