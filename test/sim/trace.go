package main

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
)

// trace digests all that happens, so that two runs of one seed can be compared to the byte.
type trace struct {
	h       hash.Hash
	verbose bool
}

func newTrace(verbose bool) *trace { return &trace{h: sha256.New(), verbose: verbose} }

// add puts an event into the digest.
func (t *trace) add(at int64, what byte, a, b int, data []byte) {
	var head [29]byte
	binary.BigEndian.PutUint64(head[0:], uint64(at))
	head[8] = what
	binary.BigEndian.PutUint32(head[9:], uint32(a))
	binary.BigEndian.PutUint32(head[13:], uint32(b))
	binary.BigEndian.PutUint64(head[17:], uint64(len(data)))
	t.h.Write(head[:])
	t.h.Write(data)
}

// say prints a line of the story when it was asked for.
func (t *trace) say(at int64, format string, args ...any) {
	if t.verbose {
		fmt.Printf("%9.3f  %s\n", float64(at)/1000, fmt.Sprintf(format, args...))
	}
}

func (t *trace) sum() [32]byte { return [32]byte(t.h.Sum(nil)) }

// stats counts what schedules exercised.
type stats struct {
	acked, decisions, crashes, cuts, partitions, restarts, catchUps, snapshots, takeovers, reconfigurations, lost, doubled, forgotten, broken, saboteurs, noticed, replaced int
	epochs, statements, proposals, carried, unclear, below, recovered, back, forgone                                                                                        int // see String
	ticks, packs, unpacked, refused                                                                                                                                         int
}

func (s *stats) add(o stats) {
	s.acked += o.acked
	s.decisions += o.decisions
	s.crashes += o.crashes
	s.cuts += o.cuts
	s.partitions += o.partitions
	s.restarts += o.restarts
	s.catchUps += o.catchUps
	s.snapshots += o.snapshots
	s.takeovers += o.takeovers
	s.reconfigurations += o.reconfigurations
	s.lost += o.lost
	s.forgotten += o.forgotten
	s.broken += o.broken
	s.doubled += o.doubled
	s.saboteurs += o.saboteurs
	s.noticed += o.noticed
	s.replaced += o.replaced
	s.epochs += o.epochs
	s.statements += o.statements
	s.proposals += o.proposals
	s.carried += o.carried
	s.unclear += o.unclear
	s.below += o.below
	s.recovered += o.recovered
	s.back += o.back
	s.forgone += o.forgone
	s.ticks += o.ticks
	s.packs += o.packs
	s.unpacked += o.unpacked
	s.refused += o.refused
}

func (s stats) String() string {
	return fmt.Sprintf("%d acknowledged in %d decisions, %d crashes (%d lost a write), %d losses of raft state, %d controllers stopped by lying disks, %d partitions, %d lost and %d doubled messages, "+
		"%d changes of leader, %d reconfigurations, %d snapshot marks, %d catch-ups, %d saboteurs (%d noticed, %d replaced; %d decisions of theirs refused), "+
		"%d ticks (%d packs of them made, %d taken from others), "+
		"%d epochs (%d by people, %d of them from unclear statements, %d below what the directory had witnessed; %d statements, %d proposals, %d headers carried over; %d times a node went back, %d acknowledgements that only lost nodes held)",
		s.acked, s.decisions, s.crashes, s.cuts, s.forgotten, s.broken, s.partitions, s.lost, s.doubled, s.takeovers, s.reconfigurations, s.snapshots, s.catchUps,
		s.saboteurs, s.noticed, s.replaced, s.refused, s.ticks, s.packs, s.unpacked, s.epochs, s.recovered, s.unclear, s.below, s.statements, s.proposals, s.carried, s.back, s.forgone)
}
