package placement

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"warren/rooms"
)

func nodes(t *rapid.T) []rooms.NodeRecord {
	n := rapid.IntRange(0, 12).Draw(t, "nodes")
	out := make([]rooms.NodeRecord, n)
	for i := range out {
		out[i] = rooms.NodeRecord{
			ID: rooms.NodeID{byte(i), 1}, Sponsor: rapid.SampledFrom([]string{"", "alice", "bob", "carol"}).Draw(t, "sponsor"),
			Label: rapid.SampledFrom([]string{"", "alice", "home", "work"}).Draw(t, "label"),
			By:    rooms.NodeID{rapid.ByteRange(0, 3).Draw(t, "by")},
		}
	}
	return out
}

func ids(rs []rooms.NodeRecord) (out []rooms.NodeID) {
	for _, r := range rs {
		out = append(out, r.ID)
	}
	return out
}

func all(rooms.NodeID) bool { return true }

func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rs := nodes(t)
		room := rooms.RoomID{rapid.Byte().Draw(t, "room")}
		odd := func(n rooms.NodeID) bool { return n[0]%2 == 1 }
		before := slices.Clone(rs)
		got := Order(room, rs, odd)
		if !slices.Equal(rs, before) {
			t.Fatal("the list it was asked with is changed")
		}
		if again := Order(room, rapid.Permutation(rs).Draw(t, "permuted"), odd); !slices.Equal(got, again) {
			t.Fatal("another order of nodes gives another result")
		}
		sorted := ids(got)
		rooms.SortNodes(sorted)
		if !slices.Equal(sorted, ids(rs)) {
			t.Fatal("not a permutation of the nodes")
		}
		if !slices.IsSortedFunc(got, func(a, b rooms.NodeRecord) int { return int(a.ID[0]%2) - int(b.ID[0]%2) }) {
			t.Fatal("who is shunned does not come last")
		}
	})
}

// TestChooseFillsUp: as many as wanted, of those who can; and relieving what was chosen never makes it worse.
func TestChooseFillsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rs := nodes(t)
		want := rapid.SampledFrom([]int{1, 3, 4, 7}).Draw(t, "want")
		dead := rapid.Byte().Draw(t, "dead")
		able := func(n rooms.NodeID) bool { return n[0] != dead }
		got := Choose(nil, Order(rooms.RoomID{}, rs, nil), want, nil, able)
		if slices.ContainsFunc(got, func(n rooms.NodeID) bool { return !able(n) }) {
			t.Fatal("one who cannot is chosen")
		}
		alive := 0
		for _, r := range rs {
			if able(r.ID) {
				alive++
			}
		}
		if len(got) != min(want, alive) {
			t.Fatalf("%d chosen of %d, wanted %d", len(got), alive, want)
		}
		if len(got) < want {
			return
		}
		limitless := Crowd(got, rs, want)
		if better := Relieve(got, rs, rooms.NodeID{}, able); Crowd(better, rs, want) > limitless {
			t.Fatal("relieving makes it worse")
		}
	})
}

func TestRelieve(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rs := nodes(t)
		if len(rs) < 4 {
			return
		}
		now := ids(rapid.Permutation(rs).Draw(t, "now")[:4])
		rooms.SortNodes(now)
		held := rapid.SampledFrom(now).Draw(t, "held")
		for n := 0; ; n++ {
			next := Relieve(now, rs, held, all)
			if slices.Equal(next, now) {
				break
			}
			if Crowd(next, rs, 4) >= Crowd(now, rs, 4) || !slices.Contains(next, held) || !slices.IsSortedFunc(next, func(a, b rooms.NodeID) int { return slices.Compare(a[:], b[:]) }) {
				t.Fatalf("from %v to %v", now, next)
			}
			gone := 0
			for _, m := range now {
				if !slices.Contains(next, m) {
					gone++
				}
			}
			if gone != 1 || len(next) != 4 {
				t.Fatalf("%d exchanged at once", gone)
			}
			if now = next; n > 20 {
				t.Fatal("it never rests")
			}
		}
	})
}

func TestCrowd(t *testing.T) {
	rec := func(id byte, sponsor, label string, by byte) rooms.NodeRecord {
		return rooms.NodeRecord{ID: rooms.NodeID{id}, Sponsor: sponsor, Label: label, By: rooms.NodeID{by}}
	}
	rs := []rooms.NodeRecord{rec(1, "a", "", 0), rec(2, "a", "", 0), rec(3, "b", "x", 9), rec(4, "c", "x", 9), rec(5, "", "", 0), rec(6, "", "", 0)}
	set := func(bs ...byte) (out []rooms.NodeID) {
		for _, b := range bs {
			out = append(out, rooms.NodeID{b})
		}
		return out
	}
	for name, tt := range map[string]struct {
		set        []rooms.NodeID
		want, over int
	}{
		"nobody":                                 {nil, 4, 0},
		"all of different people":                {set(1, 3, 5, 6), 4, 0},
		"two of one sponsor":                     {set(1, 2, 5, 6), 4, 1},
		"two of one label, let in by one":        {set(3, 4), 4, 2},
		"seven bear two of each":                 {set(1, 2, 3, 4, 5, 6), 7, 0},
		"who is not in the directory counts not": {set(77, 78), 4, 0},
	} {
		if got := Crowd(tt.set, rs, tt.want); got != tt.over {
			t.Errorf("%s: %d, want %d", name, got, tt.over)
		}
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
	rs := make([]rooms.NodeRecord, 8)
	for i := range rs {
		rs[i] = rooms.NodeRecord{ID: rooms.NodeID{byte(i)}, Sponsor: fmt.Sprint(i)}
	}
	first := map[rooms.NodeID]int{}
	for i := range 800 {
		first[Order(rooms.PlacementSeed(fmt.Sprint(i)), rs, nil)[0].ID]++
	}
	for _, n := range rs {
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
	// Those above 10 are of one sponsor, those above 20 of one label.
	record := func(bs ...byte) (out []rooms.NodeRecord) {
		for _, b := range bs {
			r := rooms.NodeRecord{ID: rooms.NodeID{b}}
			if b > 10 {
				r.Sponsor = "alice"
			}
			if b > 20 {
				r.Sponsor, r.Label = "", "home"
			}
			out = append(out, r)
		}
		return out
	}
	tests := map[string]struct {
		now        []rooms.NodeID
		candidates []rooms.NodeRecord
		want       int
		keep, able func(rooms.NodeID) bool
		got        []rooms.NodeID
	}{
		"a new room takes the first":               {nil, record(4, 2, 3, 1), 3, nil, not(), n(2, 3, 4)},
		"who cannot is passed over":                {nil, record(4, 2, 3, 1), 3, nil, not(2), n(1, 3, 4)},
		"fewer than wanted when there are no more": {nil, record(2), 3, nil, not(), n(2)},
		"who stays, stays":                         {n(7, 8), record(1, 2, 3, 7, 8), 3, not(), not(), n(1, 7, 8)},
		"who is away is replaced":                  {n(7, 8), record(8, 1, 2, 7), 2, not(7), not(7), n(1, 8)},
		"never fewer than stay":                    {n(5, 6, 7), record(1, 5, 6, 7), 1, not(), not(), n(5, 6, 7)},
		"one of a sponsor while there are others":  {nil, record(11, 12, 1, 2, 13, 3), 4, nil, not(), n(1, 2, 3, 11)},
		"more of a sponsor than a room without":    {nil, record(11, 12, 1, 13), 4, nil, not(), n(1, 11, 12, 13)},
		"who stays counts":                         {n(11, 1, 2), record(12, 11, 1, 2, 3), 4, not(), not(), n(1, 2, 3, 11)},
		"one of a label":                           {n(21), record(22, 23, 11, 1, 21), 3, not(), not(), n(1, 11, 21)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Choose(tt.now, tt.candidates, tt.want, tt.keep, tt.able); !slices.Equal(got, tt.got) {
				t.Errorf("got %v, want %v", got, tt.got)
			}
		})
	}
}

func BenchmarkChoose1000Nodes(b *testing.B) {
	rs := make([]rooms.NodeRecord, 1000)
	for i := range rs {
		rs[i] = rooms.NodeRecord{ID: rooms.NodeID{byte(i), byte(i >> 8)}, Sponsor: fmt.Sprint(i % 50)}
	}
	b.ReportAllocs()
	for b.Loop() {
		Choose(nil, Order(rooms.RoomID{1}, rs, nil), 4, nil, all)
	}
}

func TestAsked(t *testing.T) {
	for _, c := range []struct{ nodes, asked, want, bound int }{
		{1, 7, 1, 7}, {2, 7, 1, 7}, {3, 7, 3, 7}, {5, 7, 5, 7}, {8, 7, 7, 7}, {8, 3, 3, 3}, {8, 0, 4, 4}, {3, 0, 3, 4},
	} {
		if got, bound := Asked(c.nodes, c.asked), Bound(c.asked); got != c.want || bound != c.bound {
			t.Errorf("%d asked for among %d nodes: %d, at most %d", c.asked, c.nodes, got, bound)
		}
	}
}
