package store_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"warren/node/store"
	"warren/node/store/storetest"
)

func openDisk(d *storetest.Disk, o store.Options) (*store.Store, error) {
	m := d.Options()
	o.FS, o.OpenBase = m.FS, m.OpenBase
	return store.Open("/data", o)
}

// fill opens d, commits n batches of 300 bytes one by one, and kills the process.
func fill(t *testing.T, d *storetest.Disk, n int, o store.Options) {
	t.Helper()
	s, err := openDisk(d, o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		var b store.Batch
		b.Put(store.Index, fmt.Appendf(nil, "%03d", i), make([]byte, 300))
		if err := s.Commit(&b); err != nil {
			t.Fatal(err)
		}
	}
	d.Kill()
	_ = s.Close()
}

func segments(d *storetest.Disk) (names []string) {
	for _, n := range d.Names("/data") {
		if strings.HasPrefix(n, "wal-") {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

func TestDamagedLog(t *testing.T) {
	const each = 24 + 4 + 8 + 5 + 3 + 300 // a frame of fill
	at := func(frame int) int { return 32 + frame*each }
	flip := func(i int) func([]byte) []byte {
		return func(b []byte) []byte { b[i] ^= 0x40; return b }
	}
	cut := func(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:n] } }
	for _, c := range []struct {
		name    string
		segment int
		change  func([]byte) []byte
		keys    int   // that are there after opening; -1: it does not open
		offset  int64 // named by the error
	}{
		{"the last record is torn", 2, flip(at(3) + 100), 11, 0},
		{"the last record is short", 2, cut(at(3) + 100), 11, 0},
		{"the last record has half a header", 2, cut(at(3) + 10), 11, 0},
		{"the length of the last record is damaged", 2, flip(at(3) + 4), 11, 0},
		{"a record with a good one behind it", 2, flip(at(2) + 100), -1, int64(at(2))},
		{"its length, with a good one behind it", 2, flip(at(1) + 5), -1, int64(at(1))},
		{"a record in the middle", 1, flip(at(1) + 100), -1, int64(at(1))},
		{"the last record of a segment in the middle", 1, flip(at(3) + 200), -1, int64(at(3))},
		{"a segment in the middle is short", 0, cut(at(1)), -1, int64(at(1))},
		{"a header in the middle", 1, flip(9), -1, 0},
		{"the last header, with records behind it", 2, flip(9), -1, 0},
		{"garbage behind the last record", 2, func(b []byte) []byte {
			copy(b[at(4):], b[at(3):at(3)+4]) // begins like a frame
			copy(b[at(4)+4:], "garbage")
			return b
		}, 12, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := storetest.NewDisk()
			fill(t, d, 12, store.Options{SegmentBytes: int64(at(4))})
			names := segments(d)
			if len(names) != 3 {
				t.Fatalf("segments: %v", names)
			}
			path := filepath.Join("/data", names[c.segment])
			d.Damage(path, c.change)
			s, err := openDisk(d, store.Options{})
			if c.keys < 0 {
				var ce *store.CorruptError
				if !errors.As(err, &ce) || !errors.Is(err, store.ErrCorrupt) || ce.File != path || ce.Offset != c.offset {
					t.Fatalf("got %v, want corruption of %s at %d", err, path, c.offset)
				}
				if got := segments(d); !slices.Equal(got, names) {
					t.Errorf("files after the refusal: %v", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			// What comes after the cut must be there next time.
			var b store.Batch
			b.Put(store.Index, []byte("new"), nil)
			if err := s.Commit(&b); err != nil {
				t.Fatal(err)
			}
			d.Crash(nil)
			_ = s.Close()
			if s, err = openDisk(d, store.Options{}); err != nil {
				t.Fatal(err)
			}
			kvs, err := s.Range(store.Index, nil, nil, 0)
			if err != nil || len(kvs) != c.keys+1 {
				t.Errorf("got %d keys, %v, want %d", len(kvs), err, c.keys+1)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestMissingSegment(t *testing.T) {
	for _, gone := range []int{0, 1} {
		d := storetest.NewDisk()
		fill(t, d, 12, store.Options{SegmentBytes: 1000})
		if err := d.Options().FS.Remove(filepath.Join("/data", segments(d)[gone])); err != nil {
			t.Fatal(err)
		}
		if _, err := openDisk(d, store.Options{}); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("segment %d is gone: got %v", gone, err)
		}
	}
}

// TestForgedFrame stores bytes that would be a frame behind a torn one, if the
// checksum did not depend on the segment's salt.
func TestForgedFrame(t *testing.T) {
	d := storetest.NewDisk()
	fill(t, d, 1, store.Options{})
	raw, err := d.Options().FS.ReadFile(filepath.Join("/data", segments(d)[0]))
	if err != nil {
		t.Fatal(err)
	}
	d = storetest.NewDisk()
	s, err := openDisk(d, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	forged := slices.Clone(raw[32:404])
	binary.BigEndian.PutUint64(forged[12:], 99)
	var b store.Batch
	b.Put(store.Peers, []byte("k"), forged)
	if err := s.Commit(&b); err != nil {
		t.Fatal(err)
	}
	d.Kill()
	_ = s.Close()
	d.Damage(filepath.Join("/data", segments(d)[0]), func(b []byte) []byte { b[40] ^= 1; return b })
	if s, err = openDisk(d, store.Options{}); err != nil {
		t.Fatalf("a stored value was taken for a record: %v", err)
	}
	_ = s.Close()
}

// TestManyCrashes checks that log files do not pile up over crashes.
func TestManyCrashes(t *testing.T) {
	d := storetest.NewDisk()
	for range 40 {
		fill(t, d, 1, store.Options{})
	}
	s, err := openDisk(d, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := segments(d); len(n) != 0 {
		t.Errorf("log files after a clean end: %v", n)
	}
}

func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	st, err := os.Stat(dir)
	if err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v, %v", st.Mode(), err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 {
		t.Errorf("files: %v, %v", files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f.Name(), info.Mode(), err)
		}
	}
}

// TestNewerVersion opens a store that a later program made.
func TestNewerVersion(t *testing.T) {
	dir := t.TempDir()
	base, err := store.OpenBolt(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	v := binary.BigEndian.AppendUint64(nil, store.Version+1)
	err = base.Apply(7, []store.Changes{{Bucket: store.Meta, Entries: func(yield func(k, v []byte) bool) {
		yield([]byte(store.VersionKey), v)
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := base.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(dir, store.Options{}); !errors.Is(err, store.ErrNewer) {
		t.Errorf("got %v", err)
	}
}

func TestNotABase(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "base.db"), make([]byte, 1<<16), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(dir, store.Options{}); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

// meddler is a Base that does something when it is about to be read.
type meddler struct {
	store.Base
	before atomic.Pointer[func()]
}

func (m *meddler) Snapshot() (store.Snapshot, error) {
	if f := m.before.Swap(nil); f != nil {
		(*f)()
	}
	return m.Base.Snapshot()
}

// TestRangeDuringCheckpoint commits and checkpoints a batch at the worst
// moment of a range: between its look at memory and that at the base.
func TestRangeDuringCheckpoint(t *testing.T) {
	m := &meddler{}
	s, err := store.Open(t.TempDir(), store.Options{NoSync: true, OpenBase: func(dir string) (_ store.Base, err error) {
		m.Base, err = store.OpenBolt(dir, true)
		return m, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	both := func(v string) {
		var b store.Batch
		b.Put(store.Index, []byte("a"), []byte(v))
		if v != "old" {
			b.Put(store.Index, []byte("b"), []byte(v))
		}
		if err := s.Commit(&b); err != nil {
			t.Error(err)
		}
	}
	both("old")
	f := func() {
		both("new")
		if err := s.Checkpoint(); err != nil {
			t.Error(err)
		}
	}
	m.before.Store(&f)
	kvs, err := s.Range(store.Index, nil, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(kvs) == 2 && string(kvs[0].Value) != string(kvs[1].Value) {
		t.Errorf("a torn batch is seen: %q", kvs)
	}
}
