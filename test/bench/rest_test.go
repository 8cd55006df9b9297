package bench

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"warren/node"
	"warren/node/overlay"
)

// BenchmarkAtRest is what nodes cost until they have found each other and sit in one room, and what they cost from then on while nobody says anything:
// the heap and goroutines of one, its share of a processor, what it sends. What one process takes from the system is measured with a process: see
// docs/BENCH.md.
func BenchmarkAtRest(b *testing.B) {
	for _, nodes := range []int{4, 8, 16, 32, 64, 128} {
		b.Run(fmt.Sprintf("%d-nodes", nodes), func(b *testing.B) {
			cpu, began := cpuTime(), time.Now()
			w := newNetwork(b, nodes)
			took, worked, up := time.Since(began), cpuTime()-cpu, carried(w.nodes)
			w.room(b, "bench", 4, nodes)
			time.Sleep(settle)
			cpu, began = cpuTime(), time.Now()
			rest := carried(w.nodes)
			for b.Loop() {
				time.Sleep(time.Second)
			}
			b.ReportMetric(took.Seconds(), "up-s")
			b.ReportMetric(worked.Seconds(), "up-cpu-s")
			b.ReportMetric(float64(up.OwnFrames)/float64(nodes), "up-own-frames/node")
			b.ReportMetric(float64(up.Dials)/float64(nodes), "up-dials/node")
			b.ReportMetric(float64(up.Lookups)/float64(nodes), "up-lookups/node")
			now, each := carried(w.nodes), time.Since(began).Seconds()*float64(nodes)
			b.ReportMetric(100*(cpuTime()-cpu).Seconds()/each, "cpu-%/node")
			b.ReportMetric(float64(now.OwnFrames-rest.OwnFrames)/each, "own-frames/s/node")
			b.ReportMetric(float64(now.SentFrames-rest.SentFrames)/each, "frames/s/node")
			b.ReportMetric(float64(now.OwnBytes-rest.OwnBytes+now.SentBytes-rest.SentBytes)/each, "sent-B/s/node")
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.HeapAlloc)/float64(nodes)/(1<<20), "heap-MiB/node")
			b.ReportMetric(float64(runtime.NumGoroutine())/float64(nodes), "goroutines/node")
		})
	}
}

// carried is what all nodes have sent and tried, together.
func carried(nodes []*node.Node) (sum overlay.Stats) {
	for _, n := range nodes {
		t := n.Traffic()
		sum.OwnFrames += t.OwnFrames
		sum.OwnBytes += t.OwnBytes
		sum.SentFrames += t.SentFrames
		sum.SentBytes += t.SentBytes
		sum.Dials += t.Dials
		sum.Lookups += t.Lookups
	}
	return sum
}
