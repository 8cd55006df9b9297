package bench

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"warren/rooms"
	"warren/rooms/replica"
)

// BenchmarkTicks is what a room costs in which nothing happens but the most ticks that it may ask for, 20 per second, with 4 controllers: all nodes
// together, and on one node's disk, log and database, each as large as it has become. Give it 1000x at least: the disk grows in steps.
func BenchmarkTicks(b *testing.B) {
	const nodes = 4
	w := newNetwork(b, nodes)
	seats := w.room(b, "bench", nodes, nodes)
	ctx, cancel := context.WithTimeout(context.Background(), ready)
	defer cancel()
	r := w.nodes[0].Host().Get(seats[0].r.ID())
	ticks := make(chan replica.Tick, 64)
	defer r.WatchTicks(func(k replica.Tick) {
		select {
		case ticks <- k:
		default:
		}
	})()
	if _, err := r.Ask(ctx, "", "maker", &rooms.Configure{Ticks: new(uint8(rooms.MaxTicks))}); err != nil {
		b.Fatal(err)
	}
	for range 2 * rooms.MaxTicks {
		<-ticks
	}
	before, began := w.onDisk(b), time.Now()
	m := w.meter()
	first := <-ticks
	last := first
	for b.Loop() {
		last = <-ticks
	}
	n := int(last.Height - first.Height)
	m.stop(b, n)
	b.ReportMetric(float64(n)/time.Since(began).Seconds(), "ticks/s")
	b.ReportMetric(float64(w.onDisk(b)-before)/float64(n)/nodes, "disk-B/tick")
}

// onDisk returns the bytes of all files of all nodes.
func (w *network) onDisk(b *testing.B) (sum int64) {
	b.Helper()
	for _, dir := range w.dirs {
		err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			info, err := e.Info()
			if os.IsNotExist(err) {
				return nil // the log has just been folded into the database
			}
			sum += info.Size()
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return sum
}
