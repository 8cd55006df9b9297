package store_test

import (
	"strings"
	"sync"
	"testing"

	"warren/node/store"
	"warren/node/store/storetest"
)

// traceLoad lets several committers work on a store in a real directory, some waiting for each batch and some with many under way, through
// several log files and checkpoints, and returns the trace and how many batches were acknowledged.
func traceLoad(t *testing.T, o store.Options) (*storetest.Trace, int) {
	t.Helper()
	const committers, batches = 8, 150
	trace := &storetest.Trace{}
	noSync := o.NoSync
	o.FS, o.OpenBase = store.OS{}, func(dir string) (store.Base, error) { return store.OpenBolt(dir, noSync) }
	o.CheckpointBytes, o.SegmentBytes = 16<<10, 8<<10
	s, err := store.Open(t.TempDir(), trace.Options(o))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for c := range uint64(committers) {
		wg.Go(func() {
			for i := range uint64(batches) {
				n := c*batches + i
				var b store.Batch
				b.Put(store.Decisions, childKey(int(c), i), append(storetest.Mark(n), strings.Repeat("x", int(n%7)*20)...))
				done := make(chan struct{})
				s.CommitAsync(&b, func(err error) {
					defer close(done)
					if err != nil {
						t.Errorf("batch %d: %v", n, err)
						return
					}
					trace.Acked(n) // as early as anybody can know
				})
				if c%2 == 0 {
					<-done
				}
			}
		})
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return trace, committers * batches
}

// TestSyncComesBeforeTheAcknowledgement reads the trace of a store under load on real files.
func TestSyncComesBeforeTheAcknowledgement(t *testing.T) {
	trace, want := traceLoad(t, store.Options{})
	if good, err := trace.Check(); err != nil || good != want {
		t.Errorf("%d of %d acknowledgements are in order:\n%v", good, want, err)
	}
}

// TestTheTraceShowsAMissingSync sees the check above fail when the store does not sync.
func TestTheTraceShowsAMissingSync(t *testing.T) {
	trace, _ := traceLoad(t, store.Options{NoSync: true})
	if good, err := trace.Check(); good != 0 || err == nil || !strings.Contains(err.Error(), "acknowledged before its write was synced") {
		t.Errorf("without any sync %d acknowledgements count as in order: %v", good, err)
	}
}
