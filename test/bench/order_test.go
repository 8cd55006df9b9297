package bench

import (
	"context"
	"slices"
	"testing"
	"time"

	"warren/rooms"
	"warren/rooms/replica"
)

func (s seat) say(b *testing.B) {
	if _, err := s.r.Ask(context.Background(), "", s.nick, &rooms.Say{Text: "a line of talk, about as long as people's lines are"}); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkOrderedOneByOne is the time from a client's wish to the event at the same node: signed, ordered, durable, certified, applied. One
// wish is under way at a time.
func BenchmarkOrderedOneByOne(b *testing.B) {
	for _, bench := range []struct {
		name  string
		nodes int
		at    int
	}{{"1-controller", 1, 0}, {"4-controllers/at-the-leader", 4, 0}, {"4-controllers/at-a-backup", 4, 1}} {
		b.Run(bench.name, func(b *testing.B) {
			s := seats(b, bench.nodes)[bench.at]
			times := make([]time.Duration, 0, 4096)
			for b.Loop() {
				begin := time.Now()
				s.say(b)
				times = append(times, time.Since(begin))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

// BenchmarkOrderedTogether keeps as many wishes of each node under way as a node sends ahead.
func BenchmarkOrderedTogether(b *testing.B) {
	const ahead = 128
	for _, bench := range []struct {
		name  string
		nodes int
	}{{"1-controller", 1}, {"4-controllers", 4}} {
		b.Run(bench.name, func(b *testing.B) {
			all := seats(b, bench.nodes)
			slots := make(chan struct{}, ahead*len(all))
			failed := make(chan error, cap(slots))
			say := &rooms.Say{Text: "a line of talk, about as long as people's lines are"}
			begin := time.Now()
			for i := 0; b.Loop(); i++ {
				slots <- struct{}{}
				s := all[i%len(all)]
				s.r.Submit("", s.nick, say, nil, func(o replica.Outcome) {
					if o.Err != nil {
						failed <- o.Err
					}
					<-slots
				})
			}
			for range cap(slots) {
				slots <- struct{}{} // all are done
			}
			b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "requests/s")
			select {
			case err := <-failed:
				b.Fatal(err)
			default:
			}
		})
	}
}
