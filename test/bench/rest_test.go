package bench

import (
	"runtime"
	"testing"
	"time"
)

// BenchmarkAtRest is what nodes cost while nobody says anything: the heap and goroutines of one, and its share of a processor. What one
// process takes from the system is measured with a process: see docs/BENCH.md.
func BenchmarkAtRest(b *testing.B) {
	const nodes = 4
	w := newNetwork(b, nodes)
	w.room(b, "bench", nodes, nodes)
	for b.Loop() {
		cpu, began := cpuTime(), time.Now()
		time.Sleep(time.Second)
		b.ReportMetric(100*float64(cpuTime()-cpu)/float64(time.Since(began))/nodes, "cpu-%/node")
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc)/nodes/(1<<20), "heap-MiB/node")
	b.ReportMetric(float64(runtime.NumGoroutine())/nodes, "goroutines/node")
}
