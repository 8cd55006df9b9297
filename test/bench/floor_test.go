package bench

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	streams "github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// What no ordering can go below on this machine, in this session: the machine is shared, so a figure means something only beside these.
const (
	floorFrame = 400     // bytes: about a message on its way
	floorWrite = 4 << 10 // bytes: about what a step of the order stores
	floorTimes = 400
)

// floors are medians.
type floors struct {
	delay time.Duration // of one message over an open libp2p stream: half a round trip
	sync  time.Duration // of one write in place and its fdatasync
}

// measureFloors measures both with nothing of this project's own in between.
func measureFloors(b *testing.B) floors {
	b.Helper()
	return floors{delay: floorDelay(b), sync: floorSync(b)}
}

// times returns what f takes in the median.
func medianOf(b *testing.B, f func() error) time.Duration {
	b.Helper()
	list := make([]time.Duration, floorTimes)
	for i := range list {
		begin := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		list[i] = time.Since(begin)
	}
	slices.Sort(list)
	return list[len(list)/2]
}

func floorDelay(b *testing.B) time.Duration {
	b.Helper()
	const echo = "/floor/1"
	x, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = x.Close() }()
	y, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = y.Close() }()
	y.SetStreamHandler(echo, func(s streams.Stream) {
		buf := make([]byte, floorFrame)
		for {
			if _, err := io.ReadFull(s, buf); err != nil {
				_ = s.Reset()
				return
			}
			if _, err := s.Write(buf); err != nil {
				return
			}
		}
	})
	ctx, cancel := context.WithTimeout(b.Context(), ready)
	defer cancel()
	if err := x.Connect(ctx, peer.AddrInfo{ID: y.ID(), Addrs: y.Addrs()}); err != nil {
		b.Fatal(err)
	}
	s, err := x.NewStream(ctx, y.ID(), echo)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Reset() }()
	buf := make([]byte, floorFrame)
	return medianOf(b, func() error {
		if _, err := s.Write(buf); err != nil {
			return err
		}
		_, err := io.ReadFull(s, buf)
		return err
	}) / 2
}

func floorSync(b *testing.B) time.Duration {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "floor"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	buf := make([]byte, floorWrite)
	if _, err := f.WriteAt(make([]byte, floorWrite*floorTimes), 0); err != nil {
		b.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	at := int64(0)
	return medianOf(b, func() error {
		_, err := f.WriteAt(buf, at)
		if err == nil {
			err = syscall.Fdatasync(int(f.Fd()))
		}
		at += floorWrite
		return err
	})
}

// BenchmarkFloor tells the floors alone.
func BenchmarkFloor(b *testing.B) {
	var f floors
	for b.Loop() {
		f = measureFloors(b)
	}
	b.ReportMetric(float64(f.delay.Microseconds()), "delay-µs")
	b.ReportMetric(float64(f.sync.Microseconds()), "sync-µs")
}

// path is the way of one wish from a client to another node: so many delays and syncs one after the other.
type path struct{ delays, syncs int }

// floor is what the path takes at least.
func (p path) floor(f floors) time.Duration {
	return time.Duration(p.delays)*f.delay + time.Duration(p.syncs)*f.sync
}
