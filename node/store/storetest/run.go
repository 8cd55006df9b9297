package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"warren/node/store"
)

// An Opener opens one and the same directory again and again.
type Opener struct {
	// Open opens the directory with o, in which it sets FS and OpenBase.
	Open func(o store.Options) (*store.Store, error)
	// Disk is what the directory's log is on, nil if it cannot lose power.
	Disk *Disk
	// BaseOnDisk says that what lies under the log is on Disk too.
	BaseOnDisk bool
}

// Run is the conformance suite. Each call of open gives a new, empty directory.
func Run(t *testing.T, open func(t *testing.T) Opener) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Opener)
	}{
		{"a value is there, replaced, gone", testGet},
		{"ranges are the same in every layer", testRangeLayers},
		{"a range has two ends and a limit", testRangeEnds},
		{"an open end deletes the rest of a bucket only", testDeleteFrom},
		{"memory is not shared", testMemory},
		{"asynchronous commits are read at once and answered in order", testAsync},
		{"everything is there after reopening", testReopen},
		{"a second opening is refused", testInUse},
		{"bad batches change nothing", testBadBatch},
		{"a closed store says so", testClosed},
		{"an empty commit waits", testEmptyCommit},
		{"checkpoints remove the log", testCheckpointTrims},
		{"a range sees whole batches only", testRangeAtomic},
		{"many committers", testParallel},
		{"closing amid commits", testCloseAmid},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
	if open(t).Disk == nil {
		return
	}
	t.Run("the power fails at every step", func(t *testing.T) { testCrashPoints(t, open) })
	t.Run("a failed write is final", func(t *testing.T) { testSticky(t, open) })
}

// start opens the directory and closes it at the end of the test.
func start(t *testing.T, o Opener, opts store.Options) *store.Store {
	t.Helper()
	s, err := o.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func put(pairs ...string) *store.Batch {
	b := &store.Batch{}
	for i := 0; i < len(pairs); i += 2 {
		b.Put(store.Index, []byte(pairs[i]), []byte(pairs[i+1]))
	}
	return b
}

func commit(t *testing.T, s *store.Store, b *store.Batch) {
	t.Helper()
	if err := s.Commit(b); err != nil {
		t.Fatal(err)
	}
}

func checkpoint(t *testing.T, s *store.Store) {
	t.Helper()
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
}

func wantGet(t *testing.T, s *store.Store, key, want string) {
	t.Helper()
	got, err := s.Get(store.Index, []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	if want == "-" && got != nil || want != "-" && (got == nil || string(got) != want) {
		t.Errorf("get %q: got %q (nil: %t), want %q", key, got, got == nil, want)
	}
}

// line writes a range result as "k=v k=v".
func line(kvs []store.KV) string {
	var words []string
	for _, kv := range kvs {
		words = append(words, fmt.Sprintf("%s=%s", kv.Key, kv.Value))
	}
	return strings.Join(words, " ")
}

func wantRange(t *testing.T, s *store.Store, from, to string, limit int, want string) {
	t.Helper()
	for _, down := range []bool{false, true} {
		f, want := s.Range, want
		if down {
			if limit > 0 {
				continue
			}
			words := strings.Fields(want)
			for i, j := 0, len(words)-1; i < j; i, j = i+1, j-1 {
				words[i], words[j] = words[j], words[i]
			}
			f, want = s.RangeReverse, strings.Join(words, " ")
		}
		kvs, err := f(store.Index, []byte(from), end(to), limit)
		if err != nil {
			t.Fatal(err)
		}
		if got := line(kvs); got != want {
			t.Errorf("range [%s,%s) limit %d descending %t: got %q, want %q", from, to, limit, down, got, want)
		}
	}
}

// end gives nil for "".
func end(to string) []byte {
	if to == "" {
		return nil
	}
	return []byte(to)
}

func testGet(t *testing.T, o Opener) {
	s := start(t, o, store.Options{})
	for _, settle := range []func(){func() {}, func() { checkpoint(t, s) }} {
		wantGet(t, s, "a", "-")
		commit(t, s, put("a", "1", "b", ""))
		settle()
		wantGet(t, s, "a", "1")
		wantGet(t, s, "b", "")
		wantGet(t, s, "ab", "-")
		commit(t, s, put("a", "2"))
		settle()
		wantGet(t, s, "a", "2")
		b := put("c", "3")
		b.Delete(store.Index, []byte("a"))
		b.Delete(store.Index, []byte("never there"))
		b.Put(store.Index, []byte("c"), []byte("4"))
		commit(t, s, b)
		settle()
		wantGet(t, s, "a", "-")
		wantGet(t, s, "c", "4")
	}
	if v, err := s.Get(store.Roster, []byte("c")); v != nil || err != nil {
		t.Errorf("another bucket has the key too: %q, %v", v, err)
	}
	if v, err := s.Get(store.Index, nil); v != nil || err != nil {
		t.Errorf("get of an empty key: %q, %v", v, err)
	}
	if _, err := s.Get("nonsense", []byte("a")); err == nil {
		t.Error("get from an unknown bucket: no error")
	}
}

func testRangeLayers(t *testing.T, o Opener) {
	s := start(t, o, store.Options{})
	steps := []struct {
		b    func() *store.Batch
		want string
	}{
		{func() *store.Batch { return put("a", "1", "b", "1", "c", "1", "d", "1", "e", "1") }, "a=1 b=1 c=1 d=1 e=1"},
		{func() *store.Batch {
			b := put("f", "2", "b", "2")
			b.DeleteRange(store.Index, []byte("b"), []byte("d"))
			b.Put(store.Index, []byte("c"), []byte("3"))
			return b
		}, "a=1 c=3 d=1 e=1 f=2"},
		{func() *store.Batch {
			b := &store.Batch{}
			b.DeleteRange(store.Index, []byte("d"), []byte("e")) // touches the hole before
			b.DeleteRange(store.Index, nil, []byte("b"))         // and this one too
			b.DeleteRange(store.Index, []byte("x"), []byte("x"))
			b.DeleteRange(store.Index, []byte("y"), []byte("c")) // upside down: nothing
			return b
		}, "c=3 e=1 f=2"},
		{func() *store.Batch { return put("b", "9", "aa", "8") }, "aa=8 b=9 c=3 e=1 f=2"},
	}
	for mask := range 1 << len(steps) { // checkpoint after these steps
		var b store.Batch
		b.DeleteRange(store.Index, nil, nil)
		commit(t, s, &b)
		for i, step := range steps {
			commit(t, s, step.b())
			wantRange(t, s, "", "", 0, step.want)
			if mask&(1<<i) != 0 {
				checkpoint(t, s)
				wantRange(t, s, "", "", 0, step.want)
			}
		}
	}
}

func testRangeEnds(t *testing.T, o Opener) {
	s := start(t, o, store.Options{})
	commit(t, s, put("a", "1", "c", "1", "e", "1"))
	checkpoint(t, s)
	commit(t, s, put("b", "2", "d", "2"))
	wantRange(t, s, "b", "d", 0, "b=2 c=1")
	wantRange(t, s, "bb", "dd", 0, "c=1 d=2")
	wantRange(t, s, "d", "", 0, "d=2 e=1")
	wantRange(t, s, "x", "", 0, "")
	wantRange(t, s, "b", "b", 0, "")
	wantRange(t, s, "d", "b", 0, "")
	wantRange(t, s, "", "", 2, "a=1 b=2")
	for _, c := range []struct {
		to    string
		limit int
		want  string
	}{{"", 2, "e=1 d=2"}, {"d", 1, "c=1"}, {"d", 9, "c=1 b=2 a=1"}, {"a", 1, ""}} {
		kvs, err := s.RangeReverse(store.Index, nil, end(c.to), c.limit)
		if got := line(kvs); err != nil || got != c.want {
			t.Errorf("latest %d before %q: got %q, %v, want %q", c.limit, c.to, got, err, c.want)
		}
	}
}

func testDeleteFrom(t *testing.T, o Opener) {
	s := start(t, o, store.Options{})
	b := put("a", "1", "b", "1", "\xff\xff", "1")
	b.Put(store.Roster, []byte("b"), []byte("1"))
	commit(t, s, b)
	checkpoint(t, s)
	b = &store.Batch{}
	b.DeleteRange(store.Index, []byte("b"), nil)
	commit(t, s, b)
	for range 2 {
		wantRange(t, s, "", "", 0, "a=1")
		if v, err := s.Get(store.Roster, []byte("b")); string(v) != "1" || err != nil {
			t.Errorf("other bucket: got %q, %v", v, err)
		}
		checkpoint(t, s)
	}
}

func testMemory(t *testing.T, o Opener) {
	s := start(t, o, store.Options{})
	k, v := []byte("key"), []byte("val")
	var b store.Batch
	b.Put(store.Index, k, v)
	copy(k, "xxx")
	copy(v, "xxx")
	commit(t, s, &b)
	if b.Len() != 0 || b.Size() != 0 {
		t.Errorf("batch after commit: %d operations, %d bytes", b.Len(), b.Size())
	}
	b.Put(store.Index, []byte("kex"), []byte("other"))
	commit(t, s, &b)
	for range 2 {
		wantGet(t, s, "key", "val")
		got, err := s.Get(store.Index, []byte("key"))
		if err != nil {
			t.Fatal(err)
		}
		copy(got, "yyy")
		kvs, err := s.Range(store.Index, nil, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, kv := range kvs {
			copy(kv.Key, "zzz")
			copy(kv.Value, "zzz")
		}
		wantRange(t, s, "", "", 0, "kex=other key=val")
		checkpoint(t, s)
	}
}

func testAsync(t *testing.T, o Opener) {
	s := start(t, o, store.Options{CheckpointBytes: 4000})
	const n = 500
	var mu sync.Mutex
	var got, want []int
	for i := range n {
		k := fmt.Sprintf("%04d", i)
		s.CommitAsync(put(k, "v"), func(err error) {
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			got = append(got, i)
		})
		wantGet(t, s, k, "v")
		want = append(want, i)
	}
	commit(t, s, &store.Batch{})
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("order of answers (-got +want):\n%s", diff)
	}
}

func testReopen(t *testing.T, o Opener) {
	want := ""
	for i := range 12 {
		s, err := o.Open(store.Options{CheckpointBytes: 700})
		if err != nil {
			t.Fatal(err)
		}
		wantRange(t, s, "", "", 0, strings.TrimSpace(want))
		for j := range i {
			k := fmt.Sprintf("%02d%02d", i, j)
			commit(t, s, put(k, "v"))
			want += " " + k + "=v"
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func testInUse(t *testing.T, o Opener) {
	s := start(t, o, store.Options{})
	_, err := o.Open(store.Options{})
	if !errors.Is(err, store.ErrInUse) || !strings.Contains(err.Error(), "in use by another warren") {
		t.Fatalf("second open: got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := start(t, o, store.Options{}).Close(); err != nil {
		t.Fatal(err)
	}
}

func testBadBatch(t *testing.T, o Opener) {
	s := start(t, o, store.Options{})
	long := make([]byte, store.MaxKeyBytes+1)
	for name, f := range map[string]func(b *store.Batch){
		"unknown bucket":   func(b *store.Batch) { b.Put("nonsense", []byte("k"), nil) },
		"empty key":        func(b *store.Batch) { b.Put(store.Index, nil, nil) },
		"empty delete":     func(b *store.Batch) { b.Delete(store.Index, nil) },
		"long key":         func(b *store.Batch) { b.Put(store.Index, long, nil) },
		"long range":       func(b *store.Batch) { b.DeleteRange(store.Index, nil, long) },
		"too many bytes":   func(b *store.Batch) { b.Put(store.Index, []byte("k"), make([]byte, store.MaxBatchBytes)) },
		"version put":      func(b *store.Batch) { b.Put(store.Meta, []byte(store.VersionKey), nil) },
		"version range":    func(b *store.Batch) { b.DeleteRange(store.Meta, []byte("v"), []byte("w")) },
		"version open end": func(b *store.Batch) { b.DeleteRange(store.Meta, nil, nil) },
	} {
		b := put("bad", "1")
		f(b)
		b.Put(store.Index, []byte("bad2"), nil)
		if err := s.Commit(b); !errors.Is(err, store.ErrBatch) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	wantRange(t, s, "", "", 0, "")
	edge := bytes.Repeat([]byte("k"), store.MaxKeyBytes)
	var b store.Batch
	b.Put(store.Index, edge, []byte("v"))
	commit(t, s, &b)
	checkpoint(t, s)
	wantGet(t, s, string(edge), "v")
}

func testClosed(t *testing.T, o Opener) {
	s := start(t, o, store.Options{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, getErr := s.Get(store.Index, []byte("a"))
	_, rangeErr := s.Range(store.Index, nil, nil, 0)
	for name, err := range map[string]error{
		"commit": s.Commit(put("a", "1")), "get": getErr, "range": rangeErr,
	} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func testEmptyCommit(t *testing.T, o Opener) {
	s := start(t, o, store.Options{})
	commit(t, s, &store.Batch{})
	answered := false
	s.CommitAsync(put("a", "1"), func(error) { answered = true })
	commit(t, s, &store.Batch{})
	if !answered {
		t.Error("an empty commit came back before an earlier one")
	}
	if got := s.Stats().Last; got != 1 {
		t.Errorf("empty batches have sequence numbers: last is %d, want 1", got)
	}
}

func testCheckpointTrims(t *testing.T, o Opener) {
	s := start(t, o, store.Options{SegmentBytes: 1000})
	for i := range 40 {
		commit(t, s, put(fmt.Sprint(i), strings.Repeat("v", 100)))
	}
	if n := s.Stats().Segments; n < 4 {
		t.Errorf("segments before a checkpoint: got %d, want some", n)
	}
	checkpoint(t, s)
	commit(t, s, &store.Batch{})
	checkpoint(t, s)
	st := s.Stats()
	if st.Applied != 40 || st.Last != 40 || st.Pending != 0 {
		t.Errorf("after a checkpoint: %+v", st)
	}
}

// testRangeAtomic has writers set all keys to one value per batch while
// checkpoints go on; no range may see two values.
func testRangeAtomic(t *testing.T, o Opener) {
	s := start(t, o, store.Options{CheckpointBytes: 20_000, NoSync: true})
	const keys, batches = 20, 1500
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			for i := range batches {
				var b store.Batch
				if i%3 == 0 {
					b.DeleteRange(store.Index, nil, nil)
				}
				for k := range keys {
					b.Put(store.Index, fmt.Appendf(nil, "%02d", k), fmt.Appendf(nil, "%d/%d", w, i))
				}
				s.CommitAsync(&b, func(err error) {
					if err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
	commit(t, s, put("00", "x"))
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for n, stop := 0, false; !stop; n++ {
		select {
		case <-done:
			stop = true
		default:
		}
		f := s.Range
		if n%2 == 1 {
			f = s.RangeReverse
		}
		kvs, err := f(store.Index, nil, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, kv := range kvs {
			if len(kvs) > 1 && len(kvs) != keys || !bytes.Equal(kv.Value, kvs[len(kvs)/2].Value) && string(kv.Value) != "x" {
				t.Fatalf("a torn batch is seen: %s", line(kvs))
			}
		}
	}
	<-done
}

func testParallel(t *testing.T, o Opener) {
	const writers, each = 20, 25
	func() {
		s := start(t, o, store.Options{CheckpointBytes: 3000, SegmentBytes: 2000})
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					k := fmt.Sprintf("%02d.%02d", w, i)
					if err := s.Commit(put(k, "v")); err != nil {
						t.Error(err)
					}
					if v, err := s.Get(store.Index, []byte(k)); err != nil || string(v) != "v" {
						t.Errorf("get %s: %q, %v", k, v, err)
					}
				}
			})
		}
		wg.Wait()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	kvs, err := start(t, o, store.Options{}).Range(store.Index, nil, nil, 0)
	if err != nil || len(kvs) != writers*each {
		t.Fatalf("after reopening: %d keys, %v, want %d", len(kvs), err, writers*each)
	}
}

// testCloseAmid closes the store while others commit: each commit is either
// acknowledged and there, or refused with ErrClosed and not there.
func testCloseAmid(t *testing.T, o Opener) {
	const writers = 6
	s := start(t, o, store.Options{CheckpointBytes: 2000})
	var wg sync.WaitGroup
	var acked [writers]int
	going := make(chan struct{}, writers*50)
	for w := range writers {
		wg.Go(func() {
			for {
				err := s.Commit(put(fmt.Sprintf("%d.%06d", w, acked[w]), "v"))
				if errors.Is(err, store.ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				acked[w]++
				select {
				case going <- struct{}{}:
				default:
				}
				if _, err := s.RangeReverse(store.Index, nil, nil, 3); err != nil && !errors.Is(err, store.ErrClosed) {
					t.Error(err)
				}
			}
		})
	}
	for range writers * 20 {
		<-going
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	s = start(t, o, store.Options{})
	for w := range writers {
		kvs, err := s.Range(store.Index, fmt.Appendf(nil, "%d.", w), fmt.Appendf(nil, "%d/", w), 0)
		if err != nil || len(kvs) != acked[w] {
			t.Errorf("writer %d: %d acknowledged, %d there, %v", w, acked[w], len(kvs), err)
		}
	}
}
