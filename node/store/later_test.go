package store_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"warren/node/store"
	"warren/node/store/storetest"
)

func TestWhatNobodyWaitsForCostsNoSyncOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var syncs, answered atomic.Int64
		o := storetest.NewDisk().Options()
		o.FS = storetest.CountSyncs(o.FS, &syncs)
		s, err := store.Open("/data", o)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		later := func(n uint64) {
			s.CommitLater(benchBatch(n), func(err error) {
				if err != nil {
					t.Error(err)
				}
				answered.Add(1)
			})
		}
		check := func(what string, wantSyncs, wantAnswered int64) {
			t.Helper()
			if got := syncs.Load(); got != wantSyncs {
				t.Errorf("%s: %d syncs, want %d", what, got, wantSyncs)
			}
			if got := answered.Load(); got != wantAnswered {
				t.Errorf("%s: %d answered, want %d", what, got, wantAnswered)
			}
		}
		syncs.Store(0)
		for n := range uint64(5) {
			later(n)
		}
		synctest.Wait()
		check("five that nobody waits for", 0, 0)
		if err := s.Commit(benchBatch(5)); err != nil {
			t.Fatal(err)
		}
		check("with one that somebody waits for", 1, 5)
		later(6)
		time.Sleep(store.LaterDelay)
		synctest.Wait()
		check("one alone, after its time", 2, 6)
		for n := range uint64(5000) { // more than a group: memory is bounded
			later(n)
		}
		synctest.Wait()
		if got := answered.Load(); got < 1000 {
			t.Errorf("%d answered of 5000 large ones, before their time", got)
		}
	})
}
