// Package placement says who should control a room: a pure order of the directory's nodes, the same for everybody who asks, and the rules by which one of
// the controllers proposes the next step ([Sight.Target]) and the others judge it ([Sight.Allows]).
//
// Nothing that waits or measures may come in: who is alive is told by the caller.
package placement

import (
	"crypto/sha256"
	"slices"

	"warren/rooms"
)

// most is how many controllers a room has that asks for no number.
const most = 4

// Asked returns how many controllers a room has in a network of n nodes that asks for a number of them (0: it does not, see Want). There are
// never more than nodes, and never two, which bear no fault and freeze sooner than one.
func Asked(n, asked int) int {
	if asked == 0 || n < 3 {
		return Want(n)
	}
	return min(asked, n)
}

// Bound returns how many controllers a room may keep that has asked for a number of them (0: it has not): one with more gives some up. A room does
// not shrink because nodes are away or gone, only because it is asked to.
func Bound(asked int) int {
	if asked == 0 {
		return most
	}
	return asked
}

// Want returns how many controllers a room has in a network of n nodes: 1 of 1–2, 3 of 3, 4 of more.
func Want(n int) int {
	switch {
	case n < 3:
		return 1
	case n == 3:
		return 3
	}
	return most
}

// Order returns all nodes in the order in which they are asked to control the room: by the distance of hashes, and those that shun says last. The
// result is the same for every order of nodes. shun may be nil.
func Order(room rooms.RoomID, nodes []rooms.NodeRecord, shun func(rooms.NodeID) bool) []rooms.NodeRecord {
	type placed struct {
		far [32]byte
		rooms.NodeRecord
	}
	sorted := make([]placed, len(nodes))
	for i, n := range nodes {
		sorted[i] = placed{distance(room, n.ID), n}
	}
	slices.SortFunc(sorted, func(a, b placed) int { return slices.Compare(a.far[:], b.far[:]) })
	var first, last []rooms.NodeRecord
	for _, n := range sorted {
		if shun != nil && shun(n.ID) {
			last = append(last, n.NodeRecord)
		} else {
			first = append(first, n.NodeRecord)
		}
	}
	return append(first, last...)
}

func distance(room rooms.RoomID, n rooms.NodeID) [32]byte {
	return sha256.Sum256(append(append([]byte("warren/placement/1\x00"), room[:]...), n[:]...))
}

// Choose returns the controllers that the room should have, sorted: those of now that stay (keep reports which), filled up to want with
// candidates that can (able reports which), in their order, but those who would crowd the room (see Crowd) only when there is nobody else. It
// never returns fewer than stay. candidates holds the records of all nodes, those of now too.
func Choose(now []rooms.NodeID, candidates []rooms.NodeRecord, want int, keep, able func(rooms.NodeID) bool) []rooms.NodeID {
	var out []rooms.NodeID
	for _, n := range now {
		if keep(n) {
			out = append(out, n)
		}
	}
	for len(out) < want {
		var next rooms.NodeID
		crowd := Crowd(out, candidates, want)
		for _, n := range candidates {
			if !able(n.ID) || slices.Contains(out, n.ID) {
				continue
			}
			if Crowd(append(slices.Clone(out), n.ID), candidates, want) <= crowd {
				next = n.ID
				break
			}
			if next.IsZero() {
				next = n.ID
			}
		}
		if next.IsZero() {
			break
		}
		out = append(out, next)
	}
	rooms.SortNodes(out)
	return out
}
