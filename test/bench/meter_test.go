package bench

import (
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"warren/node"
)

// meter reads what a span of a benchmark costs all nodes together. The nodes share this process, so its processor time is theirs: other load
// on the machine lengthens the span and leaves the processor time nearly as it is.
type meter struct {
	nodes  []*node.Node
	syncs  *atomic.Int64
	began  time.Time
	cpu    time.Duration
	synced int64
	sent   []traffic // of each node, when the span began
}

// traffic is what one node has sent.
type traffic struct{ frames, bytes uint64 }

// cpuTime is the time that processors have worked for this process, the kernel on its behalf included.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func sentBy(nodes []*node.Node) []traffic {
	out := make([]traffic, len(nodes))
	for i, n := range nodes {
		t := n.Traffic()
		out[i] = traffic{t.SentFrames, t.SentBytes}
	}
	return out
}

func (w *network) meter() *meter {
	return &meter{nodes: w.nodes, syncs: &w.syncs, began: time.Now(), cpu: cpuTime(), synced: w.syncs.Load(), sent: sentBy(w.nodes)}
}

// stop ends the span in which so many messages were ordered, and reports what each has cost.
func (m *meter) stop(b *testing.B, messages int) {
	n := float64(messages)
	b.ReportMetric(n/time.Since(m.began).Seconds(), "msg/s")
	b.ReportMetric(float64((cpuTime()-m.cpu).Microseconds())/n, "cpu-µs/msg")
	b.ReportMetric(float64(m.syncs.Load()-m.synced)/n, "syncs/msg")
	frames, bytes := uint64(0), uint64(0)
	for i, t := range sentBy(m.nodes) {
		frames += t.frames - m.sent[i].frames
		bytes += t.bytes - m.sent[i].bytes
	}
	b.ReportMetric(float64(frames)/n, "frames/msg")
	b.ReportMetric(float64(bytes)/n, "sent-B/msg")
}

// latency reports the median and the 99th percentile, in ms, and what multiple of the floor the median is (floor 0: nothing of it).
func latency(b *testing.B, times []time.Duration, floor time.Duration) {
	slices.Sort(times)
	median := times[len(times)/2]
	b.ReportMetric(float64(median.Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
	if floor > 0 {
		b.ReportMetric(float64(floor.Microseconds())/1000, "floor-ms")
		b.ReportMetric(float64(median)/float64(floor), "x-floor")
	}
}
