package store_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"warren/node/store"
	"warren/node/store/storetest"
)

// slowBase is a Base whose transactions wait for a gate.
type slowBase struct {
	store.Base
	gate chan struct{}
}

func (b slowBase) Apply(seq uint64, changes []store.Changes) error {
	<-b.gate
	return b.Base.Apply(seq, changes)
}

// TestStall commits more than bbolt can take: memory stays bounded, and all
// goes on when bbolt does.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, batches = 10_000, 1000
		o := storetest.NewDisk().Options()
		inner, gate := o.OpenBase, make(chan struct{})
		o.CheckpointBytes = limit
		o.OpenBase = func(dir string) (store.Base, error) {
			b, err := inner(dir)
			return slowBase{b, gate}, err
		}
		var s *store.Store
		opened := make(chan error)
		go func() {
			var err error
			s, err = store.Open("/data", o)
			opened <- err
		}()
		gate <- struct{}{} // the version is written
		if err := <-opened; err != nil {
			t.Fatal(err)
		}
		var called, answered atomic.Int64
		go func() {
			for n := range uint64(batches) {
				s.CommitAsync(benchBatch(n), func(err error) {
					if err != nil {
						t.Error(err)
					}
					answered.Add(1)
				})
				called.Add(1)
			}
		}()
		synctest.Wait()
		if got := called.Load(); got == batches || got == 0 {
			t.Fatalf("%d batches are taken though bbolt stands still", got)
		}
		if got := answered.Load(); got != called.Load() {
			t.Errorf("%d batches taken, %d durable", called.Load(), got)
		}
		// One memtable frozen, one active, each up to the limit of the stall.
		if got := s.Stats().Pending; got > 2*(4*limit+1000) {
			t.Errorf("%d bytes pending", got)
		}
		close(gate)
		synctest.Wait()
		if got := answered.Load(); got != batches {
			t.Errorf("%d of %d batches durable", got, batches)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
