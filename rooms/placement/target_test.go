package placement

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"warren/rooms"
)

// sight draws a room in a network of which some nodes are dead, away for long, or cheat. Who looks is a living controller.
func sight(t *rapid.T) *Sight {
	rs := rapid.Custom(nodes).Filter(func(rs []rooms.NodeRecord) bool { return len(rs) > 0 }).Draw(t, "network")
	set := func(name string) func(rooms.NodeID) bool {
		mask := rapid.Uint16().Draw(t, name) & rapid.Uint16().Draw(t, name+" thinned out") // one in four
		return func(n rooms.NodeID) bool { return mask>>n[0]&1 == 1 }
	}
	s := &Sight{
		Room: rooms.RoomID{rapid.Byte().Draw(t, "room")}, Nodes: rs, Asked: rapid.SampledFrom([]int{0, 0, 3, 5, 7}).Draw(t, "asked"),
		Unfit: set("unfit"), People: set("people"),
	}
	s.Now = ids(rapid.Permutation(rs).Draw(t, "now")[:rapid.SampledFrom([]int{1, 3, 4, 5, 7}).Filter(func(n int) bool { return n == 1 || n <= len(rs) }).Draw(t, "controllers")])
	if rapid.Bool().Draw(t, "one has left the network") {
		s.Now = append(s.Now, rooms.NodeID{15, 1})
	}
	s.Self = s.Now[0]
	rooms.SortNodes(s.Now)
	dead, away := set("dead"), set("away")
	s.Alive = func(n rooms.NodeID) bool { return n == s.Self || !dead(n) }
	s.Away = func(n rooms.NodeID) bool { return !s.Alive(n) && away(n) }
	return s
}

// TestTarget: a step is none, or one that every controller allows which sees the same; it never puts out who proposes it, nor more than one, unless the
// room asks for fewer.
func TestTarget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := sight(t)
		next := s.Target()
		if slices.Equal(next, s.Now) {
			return
		}
		if !s.Allows(next, all) {
			t.Fatalf("%v is proposed and not allowed", next)
		}
		gone := slices.DeleteFunc(slices.Clone(s.Now), func(n rooms.NodeID) bool { return slices.Contains(next, n) })
		come := slices.DeleteFunc(slices.Clone(next), func(n rooms.NodeID) bool { return slices.Contains(s.Now, n) })
		switch fewer := len(s.Now) > Bound(s.Asked); {
		case !slices.Contains(next, s.Self):
			t.Fatal("who proposes is put out")
		case len(next) == 2:
			t.Fatal("two controllers")
		case !fewer && len(gone) > 1:
			t.Fatalf("%d are put out at once", len(gone))
		case !fewer && len(next) < len(s.Now), fewer && (len(next) != Bound(s.Asked) || len(come) > 0):
			t.Fatalf("from %d to %d", len(s.Now), len(next))
		case !slices.IsSortedFunc(next, func(a, b rooms.NodeID) int { return slices.Compare(a[:], b[:]) }):
			t.Fatal("not sorted")
		}
		for _, n := range come {
			if !s.Alive(n) || s.Unfit(n) {
				t.Fatalf("%s comes, which is dead or unfit", n.Short())
			}
		}
	})
}

// TestAllows: nobody who is alive, fit and inside is put out for the worse, no matter what is proposed; nobody comes who is dead, a stranger, or does not
// want to.
func TestAllows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := sight(t)
		next := rapid.SliceOfNDistinct(rapid.Map(rapid.ByteRange(0, 15), func(b byte) rooms.NodeID { return rooms.NodeID{b, 1} }), 0, 8, rapid.ID[rooms.NodeID]).Draw(t, "next")
		if rapid.Bool().Draw(t, "a step of one") { // most others are none
			next = slices.Clone(s.Now)
			next[rapid.IntRange(0, len(next)-1).Draw(t, "who")] = rooms.NodeID{rapid.ByteRange(0, 15).Draw(t, "for whom"), 1}
		}
		rooms.SortNodes(next)
		shy := rapid.Byte().Draw(t, "shy")
		if !s.Allows(next, func(n rooms.NodeID) bool { return n[0] != shy }) {
			return
		}
		for _, n := range next {
			if !slices.Contains(s.Now, n) && (!s.Alive(n) || n[0] == shy || !slices.Contains(ids(s.Nodes), n)) {
				t.Fatalf("%s may come", n.Short())
			}
		}
		for _, n := range s.Now {
			if slices.Contains(next, n) || !s.Alive(n) || s.Unfit(n) || !slices.Contains(ids(s.Nodes), n) || len(s.Now) > Bound(s.Asked) {
				continue
			}
			if Crowd(next, s.Nodes, len(next)) >= Crowd(s.Now, s.Nodes, len(s.Now)) {
				t.Fatalf("%s may be put out", n.Short())
			}
		}
		if len(next) < min(len(s.Now), Bound(s.Asked)) {
			t.Fatalf("from %d to %d", len(s.Now), len(next))
		}
	})
}

// TestWhoMisbehavedDoesNotRelieve: a crowded room takes a stranger in, but not one that was put out for what it did.
func TestWhoMisbehavedDoesNotRelieve(t *testing.T) {
	var rs []rooms.NodeRecord
	for i, sponsor := range []string{"alice", "alice", "alice", "bob", "carol"} {
		rs = append(rs, rooms.NodeRecord{ID: rooms.NodeID{byte(i)}, Sponsor: sponsor})
	}
	stranger := rs[4].ID
	s := &Sight{Self: rs[0].ID, Now: ids(rs[:4]), Nodes: rs, Alive: all, Away: func(rooms.NodeID) bool { return false }}
	if got := s.Target(); !slices.Contains(got, stranger) {
		t.Errorf("the room stays crowded: %v", got)
	}
	s.Unfit = func(n rooms.NodeID) bool { return n == stranger }
	if got := s.Target(); !slices.Equal(got, s.Now) {
		t.Errorf("who misbehaved is back: %v", got)
	}
}

// BenchmarkTarget tells what a node does for each of its parked rooms when it looks who should control them: in a large network in which one person
// let everybody in, so that each room is crowded and nothing helps.
func BenchmarkTarget(b *testing.B) {
	var rs []rooms.NodeRecord
	for i := range 63 {
		rs = append(rs, rooms.NodeRecord{ID: rooms.NodeID{byte(i)}, Sponsor: "alice", By: rooms.NodeID{byte(i % 5)}})
	}
	s := &Sight{Self: rs[0].ID, Now: ids(rs[:4]), Nodes: rs, Alive: all, Away: func(rooms.NodeID) bool { return false }}
	b.ReportAllocs()
	for b.Loop() {
		s.Target()
	}
}
