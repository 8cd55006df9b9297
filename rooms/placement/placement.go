// Package placement says who should control a room: a pure order of the directory's nodes, the same for everybody who asks.
//
// Nothing that waits or measures may come in: who is alive is told by the caller.
package placement

import (
	"crypto/sha256"
	"slices"

	"warren/rooms"
)

// Want returns how many controllers a room has in a network of n nodes: 1 of 1–2, 3 of 3, 4 of more.
func Want(n int) int {
	switch {
	case n < 3:
		return 1
	case n == 3:
		return 3
	}
	return 4
}

// Order returns all nodes in the order in which they are asked to control the room: by the distance of hashes, but of one sponsor or one
// label at most f = Faults(want) come before the nodes of others, while there are others. The result is the same for every order of nodes.
func Order(room rooms.RoomID, nodes []rooms.NodeRecord, want int) []rooms.NodeID {
	type placed struct {
		far [32]byte
		rooms.NodeRecord
	}
	sorted := make([]placed, len(nodes))
	for i, n := range nodes {
		sorted[i] = placed{distance(room, n.ID), n}
	}
	slices.SortFunc(sorted, func(a, b placed) int { return slices.Compare(a.far[:], b.far[:]) })
	limit := max(1, rooms.Faults(want))
	count := map[string]int{}
	var first, later []rooms.NodeID
	for _, n := range sorted {
		sponsor, label := "s"+n.Sponsor, "l"+n.Label
		if n.Label != "" && count[label] >= limit || n.Sponsor != "" && count[sponsor] >= limit {
			later = append(later, n.ID)
			continue
		}
		count[label]++
		count[sponsor]++
		first = append(first, n.ID)
	}
	return append(first, later...)
}

func distance(room rooms.RoomID, n rooms.NodeID) [32]byte {
	return sha256.Sum256(append(append([]byte("warren/placement/1\x00"), room[:]...), n[:]...))
}

// Choose returns the controllers that the room should have: those of now that stay (keep reports which), filled up in the order of
// candidates that can (able reports which), sorted. It never returns fewer than stay.
func Choose(now, candidates []rooms.NodeID, want int, keep, able func(rooms.NodeID) bool) []rooms.NodeID {
	var out []rooms.NodeID
	for _, n := range now {
		if keep(n) {
			out = append(out, n)
		}
	}
	for _, n := range candidates {
		if len(out) < want && able(n) && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	rooms.SortNodes(out)
	return out
}
