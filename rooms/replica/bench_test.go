package replica

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"warren/rooms"
)

// BenchmarkIdleRooms tells what a thousand rooms cost in which nothing happens, on one node that controls them alone: CPU time for each second
// and room.
func BenchmarkIdleRooms(b *testing.B) {
	w := newWorld(b)
	w.start("n1")
	for i := range 1000 {
		w.found("", "ann", rooms.CreateRoom{Name: fmt.Sprint("room", i), Temporary: true})
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

// manyRooms makes rooms on one node in the names of as many accounts as their quotas need.
func manyRooms(b *testing.B, w *world, h *Host, n int) []rooms.RoomID {
	b.Helper()
	var ids []rooms.RoomID
	account := ""
	for i := range n {
		if i%rooms.MaxRoomsOfAccount == 0 {
			account = fmt.Sprint("user", i)
			w.registered(h, account)
		}
		ids = append(ids, w.found(account, account, rooms.CreateRoom{Name: fmt.Sprint("room", i)}))
	}
	return ids
}

// park waits, in real time, until no room but the directory is in memory.
func park(b *testing.B, h *Host) {
	b.Helper()
	for end := time.Now().Add(2 * time.Minute); len(h.Replicas()) > 1; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("%d rooms are still in memory", len(h.Replicas())-1)
		}
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// BenchmarkParkedRooms tells what each of ten thousand parked rooms costs a node in memory, all that the node knows of it together (its entry, the
// directory's record of it, twice where the node controls the directory), and how many goroutines there are; then how long one takes to wake. The
// disk is one in memory here, and not counted.
func BenchmarkParkedRooms(b *testing.B) {
	const n = 10_000
	w := newWorld(b)
	w.adapt = func(c *Config) { c.Rest = time.Millisecond }
	h := w.start("n1")
	idle, goroutines := heap(), runtime.NumGoroutine()
	ids := manyRooms(b, w, h, n)
	park(b, h)
	used := heap() - w.stores["n1"].size() - idle
	more := runtime.NumGoroutine() - goroutines
	next := 0
	for b.Loop() {
		w.open("n1", ids[next%n], "ann")
		next++
	}
	b.ReportMetric(float64(used)/n, "B/room")
	b.ReportMetric(float64(more), "goroutines")
}
