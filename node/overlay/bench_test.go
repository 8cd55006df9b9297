package overlay

import (
	"crypto/ed25519"
	"testing"
	"time"
)

// benchPair returns two connected nodes; b answers each frame when echo is set, and says so on got.
func benchPair(b *testing.B, listen []string, echo bool) (x, y *Overlay, got chan struct{}) {
	r := members(1, 2)
	got = make(chan struct{}, 1<<16)
	up := make(chan struct{}, 10)
	make1 := func(key ed25519.PrivateKey, onFrame func(NodeID, []byte)) *Overlay {
		o, err := New(Config{Key: key, Network: [32]byte{1}, Listen: listen, Admitted: r.has, OnFrame: onFrame,
			OnPeer: func(_ NodeID, isUp bool) {
				if isUp {
					up <- struct{}{}
				}
			}})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = o.Close() })
		return o
	}
	x = make1(testKey(1), func(NodeID, []byte) { got <- struct{}{} })
	y = make1(testKey(2), func(from NodeID, f []byte) {
		if echo {
			y.Send(from, f)
		} else {
			got <- struct{}{}
		}
	})
	for _, o := range []*Overlay{x, y} {
		if err := o.Start(); err != nil {
			b.Fatal(err)
		}
	}
	if err := x.Connect(b.Context(), y.Addrs()...); err != nil {
		b.Fatal(err)
	}
	<-up
	<-up
	return x, y, got
}

func BenchmarkFrameRoundTrip(b *testing.B) {
	for name, listen := range map[string][]string{"tcp": onTCP, "quic": onQUIC} {
		b.Run(name, func(b *testing.B) {
			x, y, got := benchPair(b, listen, true)
			b.ReportAllocs()
			for b.Loop() {
				x.Send(y.id, make([]byte, 200))
				<-got
			}
		})
	}
}

// BenchmarkSend keeps up to 1024 frames under way and counts those that arrive.
func BenchmarkSend(b *testing.B) {
	for name, listen := range map[string][]string{"tcp": onTCP, "quic": onQUIC} {
		b.Run(name, func(b *testing.B) {
			x, y, got := benchPair(b, listen, false)
			b.SetBytes(200)
			b.ReportAllocs()
			under := 0
			for b.Loop() {
				for under >= 1024 || !x.Send(y.id, make([]byte, 200)) {
					<-got
					under--
				}
				under++
			}
			for ; under > 0; under-- {
				<-got
			}
		})
	}
}

// BenchmarkStart is a loopback node from nothing to listening, and its end.
func BenchmarkStart(b *testing.B) {
	listen := append(append([]string(nil), onTCP...), onQUIC...)
	var starting time.Duration
	for b.Loop() {
		began := time.Now()
		o, err := New(Config{Key: testKey(1), Network: [32]byte{1}, Listen: listen})
		if err != nil {
			b.Fatal(err)
		}
		if err := o.Start(); err != nil {
			b.Fatal(err)
		}
		starting += time.Since(began)
		if err := o.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(starting.Milliseconds())/float64(b.N), "start-ms/op")
}
