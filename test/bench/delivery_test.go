package bench

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	streams "github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"warren/rooms"
)

// Sizes and times of a delivery.
const (
	deliverySize  = 860 // bytes: the decision of one message, and its frame
	deliveryPause = 5 * time.Millisecond
	deliveryBurst = 64
)

// BenchmarkDelivery is what it takes both nodes to bring one decision of a message from one to the other: from Send to the receiver's
// handler, with all of libp2p in between, and nothing of what is done with it there. What both take at rest is taken off.
func BenchmarkDelivery(b *testing.B) {
	for _, bench := range []struct {
		name  string
		count int // at once
	}{{"one-by-one", 1}, {"under-load", deliveryBurst}} {
		b.Run(bench.name, func(b *testing.B) {
			w := newNetwork(b, 2)
			from, to := w.nodes[0], w.nodes[1]
			got := make(chan struct{}, deliveryBurst)
			defer to.Wire().Receive(func(rooms.NodeID, []byte) { got <- struct{}{} })()
			deliver(b, bench.count, got, func() { from.Wire().Send(to.ID(), make([]byte, deliverySize)) })
		})
	}
}

// BenchmarkDeliveryFloor is the same without anything of this project's: one write to a socket, and one to an open libp2p stream, each read by a
// goroutine that waits for it. What is above the first is libp2p's; what BenchmarkDelivery is above the second is ours.
func BenchmarkDeliveryFloor(b *testing.B) {
	for _, bench := range []struct {
		name string
		pair func(b *testing.B) (io.Writer, io.Reader)
	}{{"tcp", tcpPair}, {"libp2p", streamPair}} {
		for _, count := range []int{1, deliveryBurst} {
			name := map[int]string{1: "one-by-one", deliveryBurst: "under-load"}[count]
			b.Run(bench.name+"/"+name, func(b *testing.B) {
				w, r := bench.pair(b)
				got := make(chan struct{}, deliveryBurst)
				go func() {
					for buf := make([]byte, deliverySize); ; got <- struct{}{} {
						if _, err := io.ReadFull(r, buf); err != nil {
							return // the pair is closed
						}
					}
				}()
				deliver(b, count, got, func() {
					if _, err := w.Write(make([]byte, deliverySize)); err != nil {
						b.Error(err)
					}
				})
			})
		}
	}
}

// deliver sends count at once, and waits until all have come; one by one there is a pause after each, in which threads go to sleep.
func deliver(b *testing.B, count int, got <-chan struct{}, send func()) {
	cpu, began := cpuTime(), time.Now()
	for time.Since(began) < 200*deliveryPause {
		time.Sleep(deliveryPause) // its own wake-ups belong to rest
	}
	rest := float64(cpuTime()-cpu) / float64(time.Since(began))
	cpu, began = cpuTime(), time.Now()
	n := 0
	for b.Loop() {
		for range count {
			send()
			n++
		}
		for range count {
			<-got
		}
		if count == 1 {
			time.Sleep(deliveryPause)
		}
	}
	if count > 1 {
		rest = 0 // there are no pauses
	}
	used := float64(cpuTime()-cpu) - rest*float64(time.Since(began))
	b.ReportMetric(used/float64(n)/1000, "cpu-µs/delivery")
}

// tcpPair returns both ends of a connection over loopback.
func tcpPair(b *testing.B) (io.Writer, io.Reader) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	from, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = from.Close() })
	to, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = to.Close() })
	return from, to
}

// streamPair returns both ends of a libp2p stream over TCP and loopback.
func streamPair(b *testing.B) (io.Writer, io.Reader) {
	b.Helper()
	var list []io.Closer
	b.Cleanup(func() {
		for _, c := range list {
			_ = c.Close()
		}
	})
	x, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"))
	if err != nil {
		b.Fatal(err)
	}
	list = append(list, x)
	y, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"))
	if err != nil {
		b.Fatal(err)
	}
	list = append(list, y)
	in := make(chan streams.Stream, 1)
	y.SetStreamHandler("/delivery/1", func(s streams.Stream) { in <- s })
	if err := x.Connect(b.Context(), peer.AddrInfo{ID: y.ID(), Addrs: y.Addrs()}); err != nil {
		b.Fatal(err)
	}
	s, err := x.NewStream(b.Context(), y.ID(), "/delivery/1")
	if err != nil {
		b.Fatal(err)
	}
	hello := make([]byte, deliverySize)
	if _, err := s.Write(hello); err != nil { // a stream is opened with its first bytes
		b.Fatal(err)
	}
	to := <-in
	if _, err := io.ReadFull(to, hello); err != nil {
		b.Fatal(err)
	}
	return s, to
}
