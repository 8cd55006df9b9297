package bench

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	streams "github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// A bare round is the floor with everything shared that nodes on one machine share: as many hosts, in this process, that send each other the
// same messages and sync as often as the controllers of a room do for one message, and do nothing else: no signature, no state, no encoding.

// The steps of a round.
const (
	stepWish   byte = iota // to the leader
	stepAppend             // to the backups, who sync
	stepStored             // to the leader
	stepCommit             // to the backups, who sync
	stepSigned             // to the leader
	stepCert               // to the backups
)

const roundProtocol = "/round/1"

// bare is one host of a round. The first one leads.
type bare struct {
	h     host.Host
	index int
	quota int // acknowledgements that the leader waits for, its own included
	peers []*bare
	file  *os.File
	at    int64

	mu   sync.Mutex
	out  map[int]streams.Stream
	got  [stepCert + 1]int // acknowledgements of this round
	done chan time.Time    // it has the certificate
	fail func(error)
}

// send never fails a round silently.
func (n *bare) send(to int, step byte) {
	frame := make([]byte, floorFrame)
	frame[0] = step
	if _, err := n.out[to].Write(frame); err != nil {
		n.fail(err)
	}
}

func (n *bare) toBackups(step byte) {
	for _, p := range n.peers {
		if p != n {
			n.send(p.index, step)
		}
	}
}

func (n *bare) store() {
	_, err := n.file.WriteAt(make([]byte, floorWrite), n.at)
	if err == nil {
		err = syscall.Fdatasync(int(n.file.Fd()))
	}
	if n.at += floorWrite; n.at >= floorWrite*floorTimes {
		n.at = 0
	}
	if err != nil {
		n.fail(err)
	}
}

// acknowledged counts one; true: it makes the quota full.
func (n *bare) acknowledged(step byte) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.got[step]++
	return n.got[step] == n.quota
}

// take does what a step asks for.
func (n *bare) take(step byte) {
	switch step {
	case stepWish:
		n.mu.Lock()
		clear(n.got[:])
		n.mu.Unlock()
		n.toBackups(stepAppend)
		go func() { // the leader's own disk works while the backups' do
			n.store()
			n.take(stepStored)
		}()
	case stepAppend:
		n.store()
		n.send(0, stepStored)
	case stepStored:
		if n.acknowledged(step) {
			n.toBackups(stepCommit)
			go func() {
				n.store()
				n.take(stepSigned)
			}()
		}
	case stepCommit:
		n.store()
		n.send(0, stepSigned)
	case stepSigned:
		if n.acknowledged(step) {
			n.toBackups(stepCert)
		}
	case stepCert:
		n.done <- time.Now()
	}
}

func (n *bare) serve(s streams.Stream) {
	buf := make([]byte, floorFrame)
	for {
		if _, err := io.ReadFull(s, buf); err != nil {
			_ = s.Reset()
			return
		}
		n.take(buf[0])
	}
}

// newRound connects count hosts.
func newRound(b *testing.B, count, quota int) []*bare {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), ready)
	defer cancel()
	var all []*bare
	for i := range count {
		h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"))
		if err != nil {
			b.Fatal(err)
		}
		f, err := os.Create(filepath.Join(b.TempDir(), "log"))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			_ = h.Close()
			_ = f.Close()
		})
		if _, err := f.WriteAt(make([]byte, floorWrite*floorTimes), 0); err != nil {
			b.Fatal(err)
		}
		n := &bare{h: h, index: i, quota: quota, file: f, out: map[int]streams.Stream{}, done: make(chan time.Time, 1), fail: func(err error) { b.Error(err) }}
		h.SetStreamHandler(roundProtocol, n.serve)
		all = append(all, n)
	}
	for _, n := range all {
		n.peers = all
		for _, p := range all {
			if p == n || p.index != 0 && n.index != 0 {
				continue
			}
			if err := n.h.Connect(ctx, peer.AddrInfo{ID: p.h.ID(), Addrs: p.h.Addrs()}); err != nil {
				b.Fatal(err)
			}
			s, err := n.h.NewStream(ctx, p.h.ID(), roundProtocol)
			if err != nil {
				b.Fatal(err)
			}
			n.out[p.index] = s
		}
	}
	return all
}

// bareRound returns what a round of so many hosts takes in the median, from a wish at one backup to the certificate at another.
func bareRound(b *testing.B, count, quota int) time.Duration {
	b.Helper()
	all := newRound(b, count, quota)
	times := make([]time.Duration, floorTimes)
	for i := range times {
		begin := time.Now()
		all[1].send(0, stepWish)
		times[i] = (<-all[2].done).Sub(begin)
		for _, n := range all[1:] {
			if n.index != 2 {
				<-n.done
			}
		}
	}
	slices.Sort(times)
	return times[len(times)/2]
}

// BenchmarkBareRound tells what a round of 3, 4 and 7 takes and costs.
func BenchmarkBareRound(b *testing.B) {
	for _, c := range []struct{ count, quota int }{{3, 2}, {4, 3}, {7, 5}} {
		b.Run(string(rune('0'+c.count))+"-hosts", func(b *testing.B) {
			cpu := cpuTime()
			var median time.Duration
			n := 0
			for b.Loop() {
				median = bareRound(b, c.count, c.quota)
				n += floorTimes
			}
			b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(n), "cpu-µs/round")
			b.ReportMetric(float64(median.Microseconds())/1000, "p50-ms")
		})
	}
}
