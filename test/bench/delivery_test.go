package bench

import (
	"testing"
	"time"

	"warren/rooms"
)

// BenchmarkDelivery is what it takes both nodes to bring one decision of a message from one to the other: from Send to the receiver's
// handler, with all of libp2p in between, and nothing of what is done with it there. What both take at rest is taken off.
func BenchmarkDelivery(b *testing.B) {
	const (
		size  = 860 // bytes: the decision of one message, and its frame
		pause = 5 * time.Millisecond
		burst = 64
	)
	for _, bench := range []struct {
		name  string
		count int // at once
	}{{"one-by-one", 1}, {"under-load", burst}} {
		b.Run(bench.name, func(b *testing.B) {
			w := newNetwork(b, 2)
			from, to := w.nodes[0], w.nodes[1]
			got := make(chan struct{}, burst)
			defer to.Wire().Receive(func(rooms.NodeID, []byte) { got <- struct{}{} })()
			cpu, began := cpuTime(), time.Now()
			time.Sleep(200 * pause)
			rest := float64(cpuTime()-cpu) / float64(time.Since(began))
			cpu, began = cpuTime(), time.Now()
			n := 0
			for b.Loop() {
				for range bench.count {
					from.Wire().Send(to.ID(), make([]byte, size))
					n++
				}
				for range bench.count {
					<-got
				}
				if bench.count == 1 {
					time.Sleep(pause)
				}
			}
			used := float64(cpuTime()-cpu) - rest*float64(time.Since(began))
			b.ReportMetric(used/float64(n)/1000, "cpu-µs/delivery")
		})
	}
}
