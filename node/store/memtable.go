package store

import (
	"bytes"
	"fmt"
	"iter"
)

// A memtable holds the effect of a run of batches that bbolt does not have
// yet. Per bucket it keeps entries (values and tombstones) and holes: disjoint
// ranges that hide everything in the layers below. DeleteRange drops the
// entries in its range and adds a hole; a later Put in a hole is just an entry.
// So a lookup is: entry, else inside a hole, else ask the layer below; and to
// apply a memtable is: empty the holes, then apply the entries. Both may be
// done twice without harm, which is what makes a checkpoint invisible to readers.
//
// Batches' own memory is kept, not copied. The active memtable is guarded by
// Store.mu; a frozen one is never changed.
type memtable struct {
	buckets map[Bucket]*table
	bytes   int64  // what the batches applied can have cost in memory, in bytes
	last    uint64 // sequence number of the last batch applied, 0 when none
}

type table struct {
	entries *skiplist[entry]
	holes   *skiplist[[]byte] // from → to (nil: the end); disjoint, not touching
}

type entry struct {
	val  []byte
	gone bool // a tombstone
}

// nodeBytes is about what an entry or hole takes beside its key and value.
const nodeBytes = 112

func newMemtable() *memtable { return &memtable{buckets: make(map[Bucket]*table)} }

// apply makes the encoded operations of batch seq part of m. On an error,
// which only a damaged log can cause, m is left half-changed.
func (m *memtable) apply(seq uint64, ops []byte) error {
	m.bytes += int64(len(ops))
	m.last = seq
	for rest := ops; len(rest) > 0; m.bytes += nodeBytes {
		o, next, err := decodeOp(rest)
		if err != nil {
			return fmt.Errorf("batch %d: %w", seq, err)
		}
		rest = next
		t := m.buckets[o.bucket]
		if t == nil {
			t = &table{entries: newSkiplist[entry](), holes: newSkiplist[[]byte]()}
			m.buckets[o.bucket] = t
		}
		switch o.kind {
		case opPut:
			t.entries.set(o.key, entry{val: o.val})
		case opDelete:
			t.entries.set(o.key, entry{gone: true})
		case opDeleteRange:
			t.deleteRange(o.key, o.val)
		case opDeleteFrom:
			t.deleteRange(o.key, nil)
		}
	}
	return nil
}

func (t *table) deleteRange(from, to []byte) {
	if !beforeEnd(from, to) {
		return
	}
	t.entries.removeRange(from, to)
	// Unite with every hole that overlaps or touches.
	if h := t.holeAt(from); h != nil {
		from = h.key
		if h.val == nil || to != nil && bytes.Compare(h.val, to) > 0 {
			to = h.val
		}
	}
	if to != nil {
		if h := t.holeAt(to); h != nil {
			to = h.val
		}
		// A hole that begins at exactly to touches; holeAt found it.
	}
	t.holes.removeRange(from, to)
	t.holes.set(from, to)
}

// holeAt returns the hole that contains key or ends at it, or nil.
func (t *table) holeAt(key []byte) *node[[]byte] {
	if h := t.holes.get(key); h != nil {
		return h
	}
	if len(key) == 0 {
		return nil
	}
	h := t.holes.below(key)
	if h != nil && (h.val == nil || bytes.Compare(key, h.val) <= 0) {
		return h
	}
	return nil
}

// hidden reports whether key lies in a hole.
func (t *table) hidden(key []byte) bool {
	h := t.holeAt(key)
	return h != nil && beforeEnd(key, h.val)
}

// get looks key up: known is false when the layers below decide.
func (m *memtable) get(bucket Bucket, key []byte) (e entry, known bool) {
	t := m.buckets[bucket]
	if t == nil {
		return entry{}, false
	}
	if x := t.entries.get(key); x != nil {
		return x.val, true
	}
	return entry{gone: true}, t.hidden(key)
}

// changes gives the content of m in the form that a [Base] applies.
func (m *memtable) changes() []Changes {
	var all []Changes
	for _, b := range Buckets() {
		t := m.buckets[b]
		if t == nil {
			continue
		}
		c := Changes{Bucket: b, Entries: t.all()}
		for h := t.holes.head.next[0]; h != nil; h = h.next[0] {
			c.Holes = append(c.Holes, KeyRange{From: h.key, To: h.val})
		}
		all = append(all, c)
	}
	return all
}

func (t *table) all() iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		for x := t.entries.head.next[0]; x != nil; x = x.next[0] {
			v := x.val.val
			if x.val.gone {
				v = nil
			} else if v == nil {
				v = []byte{}
			}
			if !yield(x.key, v) {
				return
			}
		}
	}
}
