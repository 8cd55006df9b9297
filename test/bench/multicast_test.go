package bench

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"warren/node/store"
	"warren/rooms"
)

// BenchmarkMulticast is a room of 4 controllers in which more and more nodes have a member: what a message costs on its way to all of them,
// one at a time. The decision is counted as it is encoded; bytes are those of the frames that nodes send each other, ordering included.
func BenchmarkMulticast(b *testing.B) {
	for _, members := range []int{8, 16, 32, 63, 128} {
		b.Run(fmt.Sprintf("%d-nodes", members), func(b *testing.B) {
			w := newNetwork(b, members+1) // and one that has nothing to do with the room
			list := w.room(b, "bench", 4, members)
			time.Sleep(settle)
			got := make(chan time.Time, members)
			for _, s := range list {
				defer s.r.Watch(func(ev *rooms.Event, _ any) {
					if ev.Op == rooms.OpSay {
						got <- time.Now()
					}
				})()
			}
			times := make([]time.Duration, 0, 1024)
			from, size := list[0], 0
			before, _ := from.r.Head()
			m := w.meter()
			for b.Loop() {
				begin := time.Now()
				if _, err := from.r.Ask(context.Background(), "", from.nick, line()); err != nil {
					b.Fatal(err)
				}
				var last time.Time
				for range list {
					last = <-got
				}
				times = append(times, last.Sub(begin)) // the last one has it
			}
			m.stop(b, len(times))
			after, _ := from.r.Head()
			id := from.r.ID()
			page, err := w.nodes[0].Store().Range(store.Decisions, store.HeightKey(id, before+1), store.HeightKey(id, after+1), int(after-before))
			if err != nil {
				b.Fatal(err)
			}
			for _, kv := range page {
				size += len(kv.Value)
			}
			m.shares(b, len(times), float64(size)/float64(after-before), members)
			latency(b, times, 0)
		})
	}
}

// settle lets nodes find those that push to them.
const settle = 15 * time.Second

// shares reports how evenly the bytes of the span's decisions, of so many bytes each, are spread over the members' nodes: the first ones.
func (m *meter) shares(b *testing.B, decisions int, size float64, members int) {
	var list []float64
	sum := 0.0
	for i, t := range sentBy(m.nodes) {
		sent := float64(t.bytes-m.sent[i].bytes) / float64(decisions)
		if i < members {
			list = append(list, sent)
			sum += sent
		} else {
			b.ReportMetric(sent, "sent-B/msg-by-who-is-no-member")
		}
	}
	mean := sum / float64(members)
	b.ReportMetric(size, "decision-B")
	b.ReportMetric(mean/size, "x-decision/node")
	b.ReportMetric(slices.Max(list)/mean, "most-x-mean")
}
