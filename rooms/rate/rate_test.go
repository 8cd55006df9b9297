package rate_test

import (
	"testing"

	"pgregory.net/rapid"

	"warren/rooms"
	"warren/rooms/rate"
)

func TestABucketLetsThroughNoMoreThanItsLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := rate.Limit{PerSecond: rapid.Float64Range(0.1, 50).Draw(t, "rate"), Burst: float64(rapid.IntRange(1, 20).Draw(t, "burst"))}
		var b rate.Bucket
		now, taken := int64(1_000_000), 0.0
		begun := now
		for _, step := range rapid.SliceOfN(rapid.Int64Range(0, 500), 1, 200).Draw(t, "steps") {
			now += step
			if b.Take(now, l) {
				taken++
			}
			if most := l.Burst + l.PerSecond*float64(now-begun)/1000 + 1e-6; taken > most {
				t.Fatalf("%v let through within %d ms, at most %v may be", taken, now-begun, most)
			}
		}
	})
}

func TestABucketFillsAgainAndEachNodeHasItsOwn(t *testing.T) {
	var n rate.Nodes
	l := rate.Limit{PerSecond: 2, Burst: 3}
	a, b := rooms.NodeID{1}, rooms.NodeID{2}
	for i := range 3 {
		if !n.Take(a, 0, l) {
			t.Fatalf("token %d of the burst is missing", i)
		}
	}
	if n.Take(a, 499, l) || !n.Take(b, 499, l) {
		t.Error("one node's tokens are another's")
	}
	if !n.Take(a, 500, l) || n.Take(a, 500, l) {
		t.Error("half a second gives one token")
	}
	if n.Take(a, 400, l) || !n.Take(a, 1000, l) {
		t.Error("a clock that goes back gives tokens, or takes them for good")
	}
}
