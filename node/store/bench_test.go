package store_test

import (
	"encoding/binary"
	"sync"
	"testing"

	"warren/node/store"
)

// The figures of docs/BENCH.md: go test -bench . -benchmem ./node/store

func benchStore(b *testing.B) *store.Store {
	b.Helper()
	s, err := store.Open(b.TempDir(), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	b.ReportAllocs()
	return s
}

func benchBatch(n uint64) *store.Batch {
	var b store.Batch
	b.Put(store.Raft, store.HeightKey([32]byte{byte(n)}, n), make([]byte, 200))
	return &b
}

// BenchmarkCommit is one committer, 200 bytes: the latency of a lone sync.
func BenchmarkCommit(b *testing.B) {
	s := benchStore(b)
	for n := uint64(0); b.Loop(); n++ {
		if err := s.Commit(benchBatch(n)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommitParallel is 100 committers, each waiting for its own batches.
func BenchmarkCommitParallel(b *testing.B) {
	s := benchStore(b)
	work := make(chan uint64, 100)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			for n := range work {
				if err := s.Commit(benchBatch(n)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for n := uint64(0); b.Loop(); n++ {
		work <- n
	}
	close(work)
	wg.Wait()
}

// BenchmarkCommitAsync is one goroutine with at most 1000 batches under way.
func BenchmarkCommitAsync(b *testing.B) {
	s := benchStore(b)
	underWay := make(chan struct{}, 1000)
	done := func(err error) {
		if err != nil {
			b.Error(err)
		}
		<-underWay
	}
	for n := uint64(0); b.Loop(); n++ {
		underWay <- struct{}{}
		s.CommitAsync(benchBatch(n), done)
	}
	if err := s.Commit(&store.Batch{}); err != nil {
		b.Fatal(err)
	}
}

// benchFill puts 10,000 decisions of 200 bytes into one room, half of them in
// bbolt and half in memory.
func benchFill(b *testing.B, s *store.Store) (room [32]byte) {
	b.Helper()
	for n := range uint64(10_000) {
		var bt store.Batch
		bt.Put(store.Decisions, store.HeightKey(room, n^1), make([]byte, 200))
		s.CommitAsync(&bt, func(err error) {
			if err != nil {
				b.Error(err)
			}
		})
		if n == 5000 {
			if err := s.Checkpoint(); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := s.Commit(&store.Batch{}); err != nil {
		b.Fatal(err)
	}
	return room
}

func BenchmarkGet(b *testing.B) {
	for name, base := range map[string]uint64{"bbolt": 0, "memory": 5002} {
		b.Run(name, func(b *testing.B) {
			s := benchStore(b)
			room := benchFill(b, s)
			for n := uint64(0); b.Loop(); n++ {
				v, err := s.Get(store.Decisions, store.HeightKey(room, base+n%4990))
				if err != nil || len(v) != 200 {
					b.Fatal(len(v), err)
				}
			}
		})
	}
}

// BenchmarkRange reads 100 decisions, across bbolt and memory.
func BenchmarkRange(b *testing.B) {
	for name, down := range map[string]bool{"first 100": false, "latest 100": true} {
		b.Run(name, func(b *testing.B) {
			s := benchStore(b)
			room := benchFill(b, s)
			from, to := store.HeightKey(room, 4950), binary.BigEndian.AppendUint64(room[:], 5050)
			f := s.Range
			if down {
				f = s.RangeReverse
			}
			for b.Loop() {
				kvs, err := f(store.Decisions, from, to, 100)
				if err != nil || len(kvs) != 100 {
					b.Fatal(len(kvs), err)
				}
			}
		})
	}
}

// BenchmarkOpen opens and closes a small store with some records in its log.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	for n := uint64(0); b.Loop(); n++ {
		s, err := store.Open(dir, store.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Commit(benchBatch(n)); err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
