package world

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"warren/node/store"
	"warren/rooms"
)

// How many nodes have a member in the room; 8,32,63 takes some minutes.
var members = flag.String("members", "8,16", "sizes of rooms for TestWhatADecisionCosts")

// What a decision costs on its way does not depend on how many follow the room, nobody carries it for all, and who is no member carries nothing.
// The bounds are those of the design.
func TestWhatADecisionCosts(t *testing.T) {
	var each []float64
	for _, field := range strings.Split(*members, ",") {
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { each = append(each, decisionCosts(t, n)) })
		})
	}
	if t.Failed() {
		return
	}
	if low, high := slices.Min(each), slices.Max(each); high > 1.1*low {
		t.Errorf("a node sends %.2f times the decision in one room and %.2f times in another", low, high)
	}
}

// decisionCosts returns what a node with a member sends for one decision, as a multiple of its encoding.
func decisionCosts(t *testing.T, members int) float64 {
	const count = 100
	w := New(t, Nodes(members+1), Delay(time.Millisecond, 5*time.Millisecond))
	first := w.User("u1").On("n1").Join("square")
	for i := 2; i <= members; i++ {
		w.User(fmt.Sprint("u", i)).On(fmt.Sprint("n", i)).Join("square")
	}
	w.Settle(time.Minute)
	time.Sleep(15 * time.Second) // old places are given up
	sent := func() (out []float64) {
		for _, n := range w.Nodes() {
			out = append(out, float64(n.running().Traffic().SentBytes))
		}
		return out
	}
	room := w.Node("n1").Room("square")
	from, _ := room.Head()
	before := sent()
	for i := range count {
		if err := first.TryAsk(&rooms.Say{Text: fmt.Sprint("a line of talk, about as long as people's lines are ", i)}); err != nil {
			t.Fatal(err)
		}
	}
	to, _ := room.Head()
	after := sent()
	size := 0
	list, err := w.Node("n1").running().Store().Range(store.Decisions, store.HeightKey(room.ID(), from+1), store.HeightKey(room.ID(), to+1), count)
	if err != nil || len(list) != count {
		t.Fatalf("%d decisions, want %d: %v", len(list), count, err)
	}
	for _, kv := range list {
		size += len(kv.Value)
	}
	var shares []float64
	sum, outside := 0.0, 0.0
	controllers := room.Status().Controllers
	for i, n := range w.Nodes() {
		share := (after[i] - before[i]) / float64(size)
		if i == members && !slices.Contains(controllers, n.ID) { // placement may have chosen it
			outside = share
			continue
		}
		shares = append(shares, share)
		sum += share
	}
	mean, most := sum/float64(len(shares)), slices.Max(shares)
	t.Logf("%d nodes: %.3f times the decision (%d bytes) on average, %.1f times the average at most, %.3f times for who is no member", members, mean, size/count, most/mean, outside)
	if mean > 2 || most > 8*mean || outside > 0.05 {
		t.Errorf("want at most 2, 8 and 0")
	}
	return mean
}
