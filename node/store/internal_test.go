package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMigrate(t *testing.T) {
	base, err := OpenBolt(t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = base.Close() }()
	if v, err := checkVersion(base, 1); v != 1 || err != nil {
		t.Fatalf("new base: %d, %v", v, err)
	}
	if err := base.Apply(5, []Changes{{Bucket: Peers, Entries: one([]byte("p"), []byte("1"))}}); err != nil {
		t.Fatal(err)
	}
	grow := func(snap Snapshot) ([]Changes, error) {
		v := append(bytes.Clone(snap.Get(Peers, []byte("p"))), '+')
		return []Changes{{Bucket: Peers, Entries: one([]byte("p"), v)}}, nil
	}
	broken := errors.New("broken")
	steps := []migration{grow, grow, func(Snapshot) ([]Changes, error) { return nil, broken }}
	if err := migrate(base, 1, 4, steps); !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
	snap, err := base.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if got := string(snap.Get(Peers, []byte("p"))); got != "1++" {
		t.Errorf("after two steps: %q", got)
	}
	if err := snap.Close(); err != nil {
		t.Fatal(err)
	}
	seq, err := base.Applied()
	v, verr := readVersion(base)
	if seq != 5 || v != 3 || err != nil || verr != nil {
		t.Errorf("applied %d, version %d, %v, %v", seq, v, err, verr)
	}
	if _, err := checkVersion(base, 2); !errors.Is(err, ErrNewer) {
		t.Errorf("an older program: %v", err)
	}
}

func TestMigrationsReachVersion(t *testing.T) {
	if got := uint64(len(migrations())) + 1; got != Version {
		t.Errorf("migrations lead to version %d, the schema has %d", got, Version)
	}
}

func TestBucketsAreKnown(t *testing.T) {
	seen := map[Bucket]bool{}
	for _, b := range Buckets() {
		if !b.known() || seen[b] || b == boltBucket || bucketOf([]byte(b)) != b {
			t.Errorf("bucket %q", b)
		}
		seen[b] = true
	}
	if Bucket("").known() || Bucket(boltBucket).known() {
		t.Error("a bucket is known that is none")
	}
}

func TestKeys(t *testing.T) {
	room := [32]byte{31: 7}
	lo, hi := HeightKey(room, 255), HeightKey(room, 256)
	if bytes.Compare(lo, hi) >= 0 || len(lo) != 40 {
		t.Errorf("keys %x, %x", lo, hi)
	}
	if n, ok := KeyNumber(hi); n != 256 || !ok {
		t.Errorf("number %d, %t", n, ok)
	}
	if _, ok := KeyNumber(hi[:7]); ok {
		t.Error("a number in 7 bytes")
	}
}

func TestSegmentName(t *testing.T) {
	for _, name := range []string{"wal-0000000000000001.log", segmentName(1 << 63)} {
		if first, ok := parseSegmentName(name); !ok || segmentName(first) != name {
			t.Errorf("%s: %d, %t", name, first, ok)
		}
	}
	for _, name := range []string{"", "LOCK", "base.db", "wal-1.log", "wal-00000000000000AB.log", "wal-0000000000000001.log~", "wal--000000000000001.log"} {
		if _, ok := parseSegmentName(name); ok {
			t.Errorf("%q passes for a segment", name)
		}
	}
}

const fuzzSalt = 'W'<<56 | 'R'<<48 | 'E'<<40 | 'C'<<32 | 42

func seedFrame() []byte {
	var a, b Batch
	a.Put(Raft, []byte("key"), []byte("value"))
	a.Delete(Index, []byte("gone"))
	b.DeleteRange(Decisions, []byte("a"), []byte("b"))
	b.DeleteRange(Outbox, []byte("a"), nil)
	return appendFrame(nil, fuzzSalt, 7, [][]byte{a.buf, b.buf, nil})
}

// FuzzFrame decodes anything as a frame. What decodes, encodes to the same
// bytes, and its operations do too or are refused.
func FuzzFrame(f *testing.F) {
	f.Add(seedFrame(), false)
	f.Add(append(seedFrame(), "WREC and more"...), false)
	f.Add(seedFrame()[:30], false)
	f.Add(seedFrame()[frameHeader:], true)
	f.Fuzz(func(t *testing.T, data []byte, dress bool) {
		const salt = fuzzSalt
		if dress { // give it a good head, so that the body is reached
			head := appendFrame(nil, salt, 1, [][]byte{nil})[:frameHeader]
			data = append(head, data...)
			binary.BigEndian.PutUint32(data[4:], uint32(len(data)-frameHeader))
			if len(data) > frameHeader {
				binary.BigEndian.PutUint32(data[16:], uint32(data[frameHeader]))
				data = append(data[:frameHeader], data[frameHeader+1:]...)
				binary.BigEndian.PutUint32(data[4:], uint32(len(data)-frameHeader))
			}
			binary.BigEndian.PutUint32(data[8:], frameChecksum(salt, data))
		}
		frameBehind(data, salt, 0)
		fr, err := decodeFrame(data, salt)
		if err != nil {
			return
		}
		again := appendFrame(nil, salt, fr.first, fr.batches)
		if !bytes.Equal(again, data[:fr.size]) {
			t.Fatalf("decoded %x, encoded %x", data[:fr.size], again)
		}
		for i, ops := range fr.batches {
			mem := newMemtable()
			applied := mem.apply(fr.first+uint64(i), ops) == nil
			var enc []byte
			for rest := ops; len(rest) > 0; {
				o, next, err := decodeOp(rest)
				if (err != nil) && applied {
					t.Fatalf("apply takes what does not decode: %v", err)
				}
				if err != nil {
					return
				}
				enc, rest = appendOp(enc, o), next
			}
			if diff := cmp.Diff(enc, append([]byte(nil), ops...)); diff != "" {
				t.Fatalf("operations differ:\n%s", diff)
			}
		}
	})
}
