package replica

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"warren/rooms"
)

// BenchmarkIdleRooms tells what a thousand rooms cost in which nothing happens, on one node that controls them alone: CPU time for each second
// and room.
func BenchmarkIdleRooms(b *testing.B) {
	w := newWorld(b)
	defer w.close()
	h := w.start("n1")
	for i := range 1000 {
		if _, err := h.Create(b.Context(), "", "ann", rooms.CreateRoom{Name: fmt.Sprint("room", i), Temporary: true}); err != nil {
			b.Fatal(err)
		}
	}
	time.Sleep(4 * parkAfter) // real time: what is measured is the machine's
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	n := 0
	for b.Loop() {
		time.Sleep(time.Second)
		n++
	}
	b.ReportMetric(float64((used()-before).Nanoseconds())/float64(n)/1000, "cpu-ns/room/s")
}
