package placement

import (
	"slices"

	"warren/rooms"
)

// kin is what nodes may have in common: who has it in common may fail, or lie, together.
type kin struct {
	sponsor, label string
	by             rooms.NodeID
}

func kinOf(r rooms.NodeRecord) kin { return kin{r.Sponsor, r.Label, r.By} }

// Crowd returns by how many nodes the set goes beyond what those who belong together may have among want controllers: f = Faults(want), at
// least one, of one sponsor, of one admitting node, of one label. 0 is best. records holds the records of the nodes; who has none belongs to nobody.
func Crowd(set []rooms.NodeID, records []rooms.NodeRecord, want int) int {
	var list []kin
	for _, r := range records {
		if slices.Contains(set, r.ID) {
			list = append(list, kinOf(r))
		}
	}
	return crowd(list, want)
}

func crowd(list []kin, want int) (over int) {
	limit := max(1, rooms.Faults(want))
	for i, k := range list {
		sponsor, label, by := 0, 0, 0
		for _, o := range list[:i+1] {
			sponsor += one(k.sponsor != "" && o.sponsor == k.sponsor)
			label += one(k.label != "" && o.label == k.label)
			by += one(!k.by.IsZero() && o.by == k.by)
		}
		over += one(sponsor > limit) + one(label > limit) + one(by > limit)
	}
	return over
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// Relieve returns now with one node exchanged for a candidate that can, if that makes it less crowded, the best of all such exchanges, sorted;
// now itself if there is none. The node held is not exchanged. candidates holds the records of all nodes.
func Relieve(now []rooms.NodeID, candidates []rooms.NodeRecord, held rooms.NodeID, able func(rooms.NodeID) bool) []rooms.NodeID {
	kins := map[rooms.NodeID]kin{}
	for _, r := range candidates {
		if slices.Contains(now, r.ID) {
			kins[r.ID] = kinOf(r)
		}
	}
	best, least := now, Crowd(now, candidates, len(now))
	if least == 0 {
		return now
	}
	tried := map[kin]bool{} // another one of the same kin helps as much
	for _, in := range candidates {
		if tried[kinOf(in)] || slices.Contains(now, in.ID) || !able(in.ID) {
			continue
		}
		tried[kinOf(in)] = true
		for i, out := range now {
			if out == held {
				continue
			}
			list := []kin{kinOf(in)}
			for _, n := range now {
				if k, known := kins[n]; known && n != out {
					list = append(list, k)
				}
			}
			if c := crowd(list, len(now)); c < least {
				best, least = slices.Clone(now), c
				best[i] = in.ID
			}
		}
	}
	best = slices.Clone(best)
	rooms.SortNodes(best)
	return best
}
