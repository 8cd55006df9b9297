package index

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"warren/search/query"
)

// model is the index without an index.
type model map[[2]string]query.Item

func (m model) find(e query.Expr, limit int) []query.Item {
	var found []query.Item
	for _, it := range m {
		if e.Match(it) {
			found = append(found, it)
		}
	}
	slices.SortFunc(found, func(a, b query.Item) int {
		return cmp.Or(strings.Compare(a.Room, b.Room), strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	return found[:min(len(found), limit)]
}

func (m model) tags() []TagCount {
	counts := map[string]int{}
	for _, it := range m {
		for _, t := range it.Tags {
			counts[t]++
		}
	}
	var all []TagCount
	for t, n := range counts {
		all = append(all, TagCount{t, n})
	}
	slices.SortFunc(all, func(a, b TagCount) int { return cmp.Or(b.Count-a.Count, strings.Compare(a.Tag, b.Tag)) })
	return all
}

var (
	rooms = rapid.SampledFrom([]string{"#a", "#b", "#c"})
	ids   = rapid.SampledFrom([]string{"1", "2", "3", "4"})
	tags  = rapid.SampledFrom([]string{"t", "u", "v", "w"})
	exprs = rapid.SampledFrom([]string{
		"t", "t u", "t OR u OR v", "t -u", "-t", "(t OR u) (v OR w)", "kind:room", "t OR kind:exit", "room:#a* -w", "-(-t -u)", "missing", "missing OR t",
	})
)

func TestIndexAgreesWithAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, m := New(), model{}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				it := query.Item{
					Room: rooms.Draw(t, "room"), ID: ids.Draw(t, "id"),
					Kind: rapid.SampledFrom(query.Kinds()).Draw(t, "kind"),
					Name: rapid.SampledFrom([]string{"", "n", "o"}).Draw(t, "name"),
					Tags: rapid.SliceOfN(tags, 0, 4).Draw(t, "tags"),
				}
				x.Put(it)
				it.Tags = slices.Compact(slices.Sorted(slices.Values(it.Tags)))
				m[[2]string{it.Room, it.ID}] = it
			},
			"remove": func(t *rapid.T) {
				room, id := rooms.Draw(t, "room"), ids.Draw(t, "id")
				_, want := m[[2]string{room, id}]
				if got := x.Remove(room, id); got != want {
					t.Fatalf("Remove(%s, %s) = %v, want %v", room, id, got, want)
				}
				delete(m, [2]string{room, id})
			},
			"remove room": func(t *rapid.T) {
				room, want := rooms.Draw(t, "room"), 0
				for k := range m {
					if k[0] == room {
						delete(m, k)
						want++
					}
				}
				if got := x.RemoveRoom(room); got != want {
					t.Fatalf("RemoveRoom(%s) = %d, want %d", room, got, want)
				}
			},
			"find": func(t *rapid.T) {
				e, err := query.Parse(exprs.Draw(t, "expr"))
				if err != nil {
					t.Fatal(err)
				}
				limit := rapid.IntRange(0, 15).Draw(t, "limit")
				if diff := gocmp.Diff(x.Find(e, limit), m.find(e, limit), cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("Find(%s, %d): %s", e, limit, diff)
				}
			},
			"find what may be read": func(t *rapid.T) {
				e, err := query.Parse(exprs.Draw(t, "expr"))
				if err != nil {
					t.Fatal(err)
				}
				limit, hidden := rapid.IntRange(0, 8).Draw(t, "limit"), rooms.Draw(t, "hidden")
				readable := model{}
				for k, it := range m {
					if it.Room != hidden {
						readable[k] = it
					}
				}
				got := x.FindFunc(e, limit, func(it query.Item) bool { return it.Room != hidden })
				if diff := gocmp.Diff(got, readable.find(e, limit), cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("FindFunc(%s, %d) without %s: %s", e, limit, hidden, diff)
				}
			},
			"": func(t *rapid.T) {
				if x.Len() != len(m) {
					t.Fatalf("Len = %d, want %d", x.Len(), len(m))
				}
				if diff := gocmp.Diff(x.Tags(), m.tags(), cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("Tags: %s", diff)
				}
			},
		})
	})
}

func TestPutKeepsItsOwnListOfTags(t *testing.T) {
	x := New()
	mine := []string{"b", "a", "b"}
	x.Put(query.Item{Room: "#r", ID: "1", Tags: mine})
	mine[0] = "z"
	got, ok := x.Get("#r", "1")
	if want := []string{"a", "b"}; !ok || !slices.Equal(got.Tags, want) {
		t.Errorf("got %q, want %q", got.Tags, want)
	}
	if _, ok := x.Get("#r", "2"); ok {
		t.Error("found an item that was never put")
	}
}

// fill makes 100,000 items in 1,000 rooms: one tag that all hold, 100 that each hold one in 100, 10,000 rare ones.
func fill(b *testing.B) *Index {
	b.Helper()
	x := New()
	for i := range 100_000 {
		x.Put(benchItem(i))
	}
	return x
}

func benchItem(i int) query.Item {
	return query.Item{
		Room: fmt.Sprintf("#room%d", i%1000), ID: fmt.Sprint(i), Kind: "document", Name: fmt.Sprintf("note %d", i), Owner: "alice",
		Tags: []string{"all", fmt.Sprintf("some%d", i%100), fmt.Sprintf("rare%d", i%10_000)},
	}
}

func BenchmarkFindIn100kItems(b *testing.B) {
	x := fill(b)
	for _, in := range []string{"rare7", "all rare7", "some7 -rare7", "some7 OR some8", "all -some7", "name:*777"} {
		e, err := query.Parse(in)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(in, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x.Find(e, 50)
			}
		})
	}
}

func BenchmarkReplaceIn100kItems(b *testing.B) {
	x := fill(b)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		x.Put(benchItem(i % 100_000))
		i++
	}
}

func BenchmarkTagsOf100kItems(b *testing.B) {
	x := fill(b)
	for b.Loop() {
		x.Tags()
	}
}
