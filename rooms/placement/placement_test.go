package placement

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"warren/rooms"
)

func nodes(t *rapid.T) []rooms.NodeRecord {
	n := rapid.IntRange(0, 20).Draw(t, "nodes")
	out := make([]rooms.NodeRecord, n)
	for i := range out {
		out[i] = rooms.NodeRecord{
			ID: rooms.NodeID{byte(i), 1}, Sponsor: rapid.SampledFrom([]string{"", "alice", "bob", "carol"}).Draw(t, "sponsor"),
			Label: rapid.SampledFrom([]string{"", "alice", "home", "work"}).Draw(t, "label"),
		}
	}
	return out
}

func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := nodes(t)
		room := rooms.RoomID{rapid.Byte().Draw(t, "room")}
		want := rapid.SampledFrom([]int{1, 3, 4, 7}).Draw(t, "want")
		before := slices.Clone(all)
		got := Order(room, all, want)
		if !slices.Equal(all, before) {
			t.Fatal("the list it was asked with is changed")
		}
		if again := Order(room, rapid.Permutation(all).Draw(t, "permuted"), want); !slices.Equal(got, again) {
			t.Fatal("another order of nodes gives another result")
		}
		sorted := slices.Clone(got)
		rooms.SortNodes(sorted)
		var ids []rooms.NodeID
		for _, n := range all {
			ids = append(ids, n.ID)
		}
		if !slices.Equal(sorted, ids) {
			t.Fatal("not a permutation of the nodes")
		}
		capped(t, all, got, max(1, rooms.Faults(want)))
	})
}

// capped checks that whoever would be one too many of a sponsor or label comes behind everybody who would not.
func capped(t *rapid.T, all []rooms.NodeRecord, got []rooms.NodeID, limit int) {
	record := map[rooms.NodeID]rooms.NodeRecord{}
	for _, n := range all {
		record[n.ID] = n
	}
	sponsors, labels, over := map[string]int{}, map[string]int{}, false
	for _, id := range got {
		n := record[id]
		if tooMany := n.Sponsor != "" && sponsors[n.Sponsor] >= limit || n.Label != "" && labels[n.Label] >= limit; tooMany {
			over = true
			continue
		}
		if over {
			t.Fatalf("a node of others comes behind more than %d of one sponsor or label", limit)
		}
		sponsors[n.Sponsor]++
		labels[n.Label]++
	}
}

func TestWant(t *testing.T) {
	for n, want := range map[int]int{0: 1, 1: 1, 2: 1, 3: 3, 4: 4, 100: 4} {
		if got := Want(n); got != want {
			t.Errorf("of %d nodes %d control a room, want %d", n, got, want)
		}
	}
}

func TestRoomsAreSpreadOverNodes(t *testing.T) {
	all := make([]rooms.NodeRecord, 8)
	for i := range all {
		all[i] = rooms.NodeRecord{ID: rooms.NodeID{byte(i)}, Sponsor: fmt.Sprint(i)}
	}
	first := map[rooms.NodeID]int{}
	for i := range 800 {
		first[Order(rooms.PlacementSeed(fmt.Sprint(i)), all, 4)[0]]++
	}
	for _, n := range all {
		if first[n.ID] < 60 || first[n.ID] > 140 {
			t.Errorf("%s comes first for %d of 800 rooms", n.ID.Short(), first[n.ID])
		}
	}
}

func TestChoose(t *testing.T) {
	n := func(bs ...byte) (out []rooms.NodeID) {
		for _, b := range bs {
			out = append(out, rooms.NodeID{b})
		}
		return out
	}
	not := func(bad ...byte) func(rooms.NodeID) bool {
		return func(id rooms.NodeID) bool { return !slices.Contains(bad, id[0]) }
	}
	tests := map[string]struct {
		now, candidates []rooms.NodeID
		want            int
		keep, able      func(rooms.NodeID) bool
		got             []rooms.NodeID
	}{
		"a new room takes the first":               {nil, n(4, 2, 3, 1), 3, nil, not(), n(2, 3, 4)},
		"who cannot is passed over":                {nil, n(4, 2, 3, 1), 3, nil, not(2), n(1, 3, 4)},
		"fewer than wanted when there are no more": {nil, n(2), 3, nil, not(), n(2)},
		"who stays, stays":                         {n(7, 8), n(1, 2, 3, 7, 8), 3, not(), not(), n(1, 7, 8)},
		"who is away is replaced":                  {n(7, 8), n(8, 1, 2, 7), 2, not(7), not(7), n(1, 8)},
		"never fewer than stay":                    {n(5, 6, 7), n(1), 1, not(), not(), n(5, 6, 7)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Choose(tt.now, tt.candidates, tt.want, tt.keep, tt.able); !slices.Equal(got, tt.got) {
				t.Errorf("got %v, want %v", got, tt.got)
			}
		})
	}
}

func BenchmarkOrder1000Nodes(b *testing.B) {
	all := make([]rooms.NodeRecord, 1000)
	for i := range all {
		all[i] = rooms.NodeRecord{ID: rooms.NodeID{byte(i), byte(i >> 8)}, Sponsor: fmt.Sprint(i % 50)}
	}
	b.ReportAllocs()
	for b.Loop() {
		Order(rooms.RoomID{1}, all, 4)
	}
}
