package placement

import (
	"slices"

	"warren/rooms"
)

// Crowd returns by how many nodes the set goes beyond what those who belong together may have among want controllers: f = Faults(want), at
// least one, of one sponsor, of one admitting node, of one label. 0 is best. What is crowded may fail, or lie, together. records holds the
// records of the nodes; who has none belongs to nobody.
func Crowd(set []rooms.NodeID, records []rooms.NodeRecord, want int) int {
	limit := max(1, rooms.Faults(want))
	type group struct{ kind, name string }
	count := map[group]int{}
	over := 0
	add := func(g group) {
		if count[g]++; count[g] > limit {
			over++
		}
	}
	for _, r := range records {
		if !slices.Contains(set, r.ID) {
			continue
		}
		if r.Sponsor != "" {
			add(group{"sponsor", r.Sponsor})
		}
		if r.Label != "" {
			add(group{"label", r.Label})
		}
		if !r.By.IsZero() {
			add(group{"by", string(r.By[:])})
		}
	}
	return over
}

// Relieve returns now with one node exchanged for a candidate that can, if that makes it less crowded, the best of all such exchanges, sorted;
// now itself if there is none. The node held is not exchanged.
func Relieve(now []rooms.NodeID, candidates []rooms.NodeRecord, held rooms.NodeID, able func(rooms.NodeID) bool) []rooms.NodeID {
	best, least := now, Crowd(now, candidates, len(now))
	if least == 0 {
		return now
	}
	for _, in := range candidates {
		if !able(in.ID) || slices.Contains(now, in.ID) {
			continue
		}
		for i, out := range now {
			if out == held {
				continue
			}
			try := slices.Clone(now)
			try[i] = in.ID
			if c := Crowd(try, candidates, len(now)); c < least {
				best, least = try, c
			}
		}
	}
	best = slices.Clone(best)
	rooms.SortNodes(best)
	return best
}
