package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"warren/node/store"
)

// crashOptions make a few batches go through segments and checkpoints.
func crashOptions() store.Options { return store.Options{CheckpointBytes: 900, SegmentBytes: 600} }

// counted is batch n of the crash tests: it says n in two keys and deletes what
// batch n-8 wrote.
func counted(n int) *store.Batch {
	b := put("count", fmt.Sprint(n), fmt.Sprintf("n%06d", n), strings.Repeat("x", n%5*40))
	if n > 7 {
		b.DeleteRange(store.Index, fmt.Appendf(nil, "n%06d", n-8), fmt.Appendf(nil, "n%06d", n-7))
	}
	return b
}

// wantCounted checks that the store holds exactly the first n batches of
// counted, for an n of at least acked and at most tried, and returns n.
func wantCounted(t *testing.T, s *store.Store, acked, tried int) int {
	t.Helper()
	n := 0
	v, err := s.Get(store.Index, []byte("count"))
	if err != nil {
		t.Fatal(err)
	}
	if v != nil {
		if _, err := fmt.Sscan(string(v), &n); err != nil {
			t.Fatal(err)
		}
	}
	if n < acked || n > tried {
		t.Fatalf("the store holds %d batches; %d were acknowledged, %d tried", n, acked, tried)
	}
	var want []string
	if n > 0 {
		want = append(want, fmt.Sprintf("count=%d", n))
	}
	for i := max(1, n-7); i <= n; i++ {
		want = append(want, fmt.Sprintf("n%06d=%s", i, strings.Repeat("x", i%5*40)))
	}
	kvs, err := s.Range(store.Index, nil, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := line(kvs), strings.Join(want, " "); got != want {
		t.Fatalf("after %d batches:\ngot  %s\nwant %s", n, got, want)
	}
	return n
}

// testCrashPoints loses power during the first, second, ... operation of a
// fixed piece of work, each time with nothing and with some of what was not
// synced kept, and once more while recovering from that.
func testCrashPoints(t *testing.T, open func(t *testing.T) Opener) {
	const batches = 24
	for point, through := 1, false; !through; point++ {
		for seed := range uint64(4) {
			rng := rand.New(rand.NewPCG(seed, uint64(point)))
			if seed == 0 {
				rng = nil
			}
			o := open(t)
			o.Disk.CrashDuring(point, rng)
			acked, tried := 0, 0
			s, err := o.Open(crashOptions())
			for err == nil && tried < batches {
				tried++
				if err = s.Commit(counted(tried)); err == nil {
					acked = tried
				}
			}
			if s != nil {
				closed := s.Close()
				through = err == nil && closed == nil
			}
			if err != nil && !errors.Is(err, ErrCrashed) {
				t.Fatalf("point %d seed %d: %v", point, seed, err)
			}
			// A second crash while it recovers, then for good.
			o.Disk.Crash(rng)
			o.Disk.CrashDuring(1+int(seed)+point%3, rng)
			if s, err := o.Open(crashOptions()); err == nil {
				_ = s.Close()
			} else if !errors.Is(err, ErrCrashed) {
				t.Fatalf("point %d seed %d: open after the crash: %v", point, seed, err)
			}
			o.Disk.Crash(rng)
			s, err = o.Open(crashOptions())
			if err != nil {
				t.Fatalf("point %d seed %d: open: %v", point, seed, err)
			}
			n := wantCounted(t, s, acked, tried)
			if err := s.Commit(counted(n + 1)); err != nil {
				t.Fatalf("point %d seed %d: %v", point, seed, err)
			}
			if err := s.Close(); err != nil {
				t.Fatalf("point %d seed %d: %v", point, seed, err)
			}
			if s, err = o.Open(crashOptions()); err != nil {
				t.Fatalf("point %d seed %d: %v", point, seed, err)
			}
			wantCounted(t, s, n+1, n+1)
			_ = s.Close()
		}
	}
}

// testSticky checks that nothing is acknowledged after a failed operation,
// and that what was before it is there afterwards.
func testSticky(t *testing.T, open func(t *testing.T) Opener) {
	full := errors.New("no space left on device")
	for _, op := range []string{"write", "sync", "create", "syncdir", "remove", "apply"} {
		o := open(t)
		if op == "apply" && !o.BaseOnDisk {
			continue
		}
		s, err := o.Open(crashOptions())
		if err != nil {
			t.Fatal(err)
		}
		acked := 0
		for acked < 5 {
			acked++
			commit(t, s, counted(acked))
		}
		o.Disk.Fail(op, full)
		tried := acked
		for err == nil {
			if tried++; tried > 200 {
				t.Fatalf("%s: its failure is never noticed", op)
			}
			if err = s.Commit(counted(tried)); err == nil {
				acked = tried
			}
		}
		if !errors.Is(err, full) {
			t.Errorf("%s: got %v", op, err)
		}
		for range 3 {
			if again := s.Commit(counted(tried)); !errors.Is(again, full) {
				t.Errorf("%s: commit after the failure: got %v", op, again)
			}
		}
		if err := s.Checkpoint(); !errors.Is(err, full) {
			t.Errorf("%s: checkpoint after the failure: got %v", op, err)
		}
		if err := s.Close(); !errors.Is(err, full) {
			t.Errorf("%s: close: got %v", op, err)
		}
		s, err = o.Open(crashOptions())
		if err != nil {
			t.Fatalf("%s: open: %v", op, err)
		}
		wantCounted(t, s, acked, tried)
		_ = s.Close()
	}
}
