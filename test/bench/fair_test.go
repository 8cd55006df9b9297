package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"warren/rooms/replica"
)

// BenchmarkFair is what a loud room costs the others: several rooms talk quietly, and what a wish in them takes is measured in turns of a span
// without and one with a loud room at the same four nodes, so that other load on the machine falls on both alike. Each operation is a turn.
func BenchmarkFair(b *testing.B) {
	const (
		quiet = 8                      // rooms
		each  = 40 * time.Millisecond  // between two wishes in one of them
		loud  = 2 * time.Millisecond   // between two wishes in the loud room: 500 a second
		span  = 4 * time.Second        // without the loud room, then with it
		pause = 500 * time.Millisecond // between spans: what was under way ends
	)
	w := newNetwork(b, 4)
	noisy := w.room(b, "loud", 4, 4)
	var others []seat
	for i := range quiet {
		list := w.room(b, fmt.Sprint("quiet", i), 4, 4)
		others = append(others, list[i%len(list)])
	}
	var times [2][]time.Duration
	var used, spent [2]time.Duration // of processors, and of time
	said, refused := 0, 0
	before, _ := noisy[0].r.Head()
	for b.Loop() {
		for with := range 2 {
			cpu, began := cpuTime(), time.Now()
			ctx, cancel := context.WithTimeout(b.Context(), span)
			var mu sync.Mutex
			var talk sync.WaitGroup
			for i, s := range others {
				talk.Go(func() {
					time.Sleep(each * time.Duration(i) / quiet)
					for t := time.NewTicker(each); ; {
						select {
						case <-ctx.Done():
							t.Stop()
							return
						case <-t.C:
						}
						begin := time.Now()
						if _, err := s.r.Ask(b.Context(), "", s.nick, line()); err != nil {
							b.Error(err)
							return
						}
						took := time.Since(begin)
						mu.Lock()
						times[with] = append(times[with], took)
						mu.Unlock()
					}
				})
			}
			if with == 1 {
				// As many as the time that has gone by says: a ticker loses ticks on a loaded machine.
				for began, n := time.Now(), 0; ctx.Err() == nil; time.Sleep(loud) {
					for ; n < int(time.Since(began)/loud); n++ {
						s := noisy[n%len(noisy)]
						s.r.Submit("", s.nick, line(), nil, func(o replica.Outcome) {
							mu.Lock()
							defer mu.Unlock()
							if said++; o.Err != nil {
								refused++
							}
						})
					}
				}
			}
			talk.Wait()
			cancel()
			used[with] += cpuTime() - cpu
			spent[with] += time.Since(began)
			time.Sleep(pause)
		}
	}
	p99 := func(l []time.Duration) float64 {
		slices.Sort(l)
		return float64(l[len(l)*99/100].Microseconds()) / 1000
	}
	median := func(l []time.Duration) float64 { return float64(l[len(l)/2].Microseconds()) / 1000 }
	calm, busy := p99(times[0]), p99(times[1])
	b.ReportMetric(calm, "calm-p99-ms")
	b.ReportMetric(busy, "loud-p99-ms")
	b.ReportMetric(busy/calm, "loud/calm")
	b.ReportMetric(median(times[0]), "calm-p50-ms")
	b.ReportMetric(median(times[1]), "loud-p50-ms")
	after, _ := noisy[0].r.Head()
	b.ReportMetric(float64(said)/float64(after-before), "loud-msg/batch")
	b.ReportMetric(float64(used[0])/float64(spent[0]), "calm-processors")
	b.ReportMetric(float64(used[1])/float64(spent[1]), "loud-processors")
	b.ReportMetric(float64(said)/(float64(b.N)*span.Seconds()), "loud-msg/s")
	b.ReportMetric(float64(refused), "refused")
}
