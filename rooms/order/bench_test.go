package order_test

import (
	"fmt"
	"runtime"
	"testing"

	"warren/rooms"
)

// BenchmarkOrdered measures an ordered, certified request over all controllers in one process, without network and disk: signatures of the
// request, the batch and the headers included.
func BenchmarkOrdered(b *testing.B) {
	for _, nodes := range []int{1, 4} {
		for _, batch := range []int{1, 100} {
			b.Run(fmt.Sprintf("controllers=%d/batch=%d", nodes, batch), func(b *testing.B) {
				c := newCluster(b, nodes, nodes)
				c.say(1)
				l := c.leader()
				done := 0
				for b.Loop() {
					l.ctl.Submit(c.now, c.request(0, "zero", &rooms.Say{Text: "two hundred bytes of talk are rare"}))
					if done++; done%batch == 0 {
						c.deliver()
					}
				}
				c.deliver()
			})
		}
	}
}

// BenchmarkIdleController reports the bytes of a controller of a small room with nothing to do, its chain included.
func BenchmarkIdleController(b *testing.B) {
	const n = 200
	var before, after runtime.MemStats
	for b.Loop() {
		cs := make([]*cluster, n)
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range cs {
			cs[i] = newCluster(b, 1, 1)
			cs[i].say(1)
			h := cs[i].hosts[0]
			h.log, h.disk, h.chain, h.signs, cs[i].net = nil, nil, nil, nil, nil
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/controller")
		runtime.KeepAlive(cs)
	}
}
