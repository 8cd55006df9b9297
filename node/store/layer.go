package store

import (
	"bytes"
	"slices"
)

// A layer is a memtable's part of a scan, in the scan's order.
type layer struct {
	next  func() (item, bool) // the entries, one by one
	holes []KeyRange          // disjoint
}

type item struct {
	key []byte
	entry
}

// part gathers what lies in [from, to) of the active memtable, which will
// change under the scan. It stops after limit values (not tombstones): nothing
// lies above the active memtable, so a scan never gets further. It shares keys
// and values with the memtable, which never change, but no nodes.
func (m *memtable) part(bucket Bucket, from, to []byte, limit int, descending bool) layer {
	t := m.buckets[bucket]
	if t == nil {
		return layer{next: func() (item, bool) { return item{}, false }}
	}
	var items []item
	walk := t.walk(from, to, descending)
	for live := 0; limit <= 0 || live < limit; {
		it, ok := walk()
		if !ok {
			break
		}
		items = append(items, it)
		if !it.gone {
			live++
		}
	}
	return layer{
		holes: t.holesIn(from, to, descending),
		next: func() (it item, ok bool) {
			if len(items) > 0 {
				it, ok, items = items[0], true, items[1:]
			}
			return it, ok
		},
	}
}

// whole is part of a frozen memtable, read as the scan goes on.
func (m *memtable) whole(bucket Bucket, from, to []byte, descending bool) layer {
	t := m.buckets[bucket]
	if t == nil {
		return layer{next: func() (item, bool) { return item{}, false }}
	}
	return layer{next: t.walk(from, to, descending), holes: t.holesIn(from, to, descending)}
}

// walk returns a function that returns the entries in [from, to) one by one.
func (t *table) walk(from, to []byte, descending bool) func() (item, bool) {
	if descending {
		x := t.entries.below(to)
		return func() (item, bool) {
			if x == nil || bytes.Compare(x.key, from) < 0 {
				return item{}, false
			}
			it := item{key: x.key, entry: x.val}
			x = t.entries.below(x.key)
			return it, true
		}
	}
	x := t.entries.ceil(from)
	return func() (item, bool) {
		if x == nil || !beforeEnd(x.key, to) {
			return item{}, false
		}
		it := item{key: x.key, entry: x.val}
		x = x.next[0]
		return it, true
	}
}

// holesIn returns the holes that overlap [from, to).
func (t *table) holesIn(from, to []byte, descending bool) (holes []KeyRange) {
	h := t.holeAt(from)
	if h == nil {
		h = t.holes.ceil(from)
	}
	for ; h != nil && beforeEnd(h.key, to); h = h.next[0] {
		holes = append(holes, KeyRange{From: h.key, To: h.val})
	}
	if descending {
		slices.Reverse(holes)
	}
	return holes
}

// pairs calls its argument for keys and values in a scan's order until that
// returns false.
type pairs func(yield func(k, v []byte) bool)

// over returns what is seen of src through the layer.
func (l layer) over(src pairs, descending bool) pairs {
	before := func(a, b []byte) bool {
		if descending {
			a, b = b, a
		}
		return bytes.Compare(a, b) < 0
	}
	return func(yield func(k, v []byte) bool) {
		holes, more := l.holes, true
		it, have := l.next()
		emit := func() {
			if !it.gone {
				more = yield(it.key, it.val)
			}
			it, have = l.next()
		}
		src(func(k, v []byte) bool {
			for more && have && before(it.key, k) {
				emit()
			}
			if !more {
				return false
			}
			if have && bytes.Equal(it.key, k) {
				emit()
				return more
			}
			for len(holes) > 0 && holes[0].passed(k, descending) {
				holes = holes[1:]
			}
			if len(holes) == 0 || !holes[0].contains(k) {
				more = yield(k, v)
			}
			return more
		})
		for more && have {
			emit()
		}
	}
}

func (r KeyRange) contains(k []byte) bool {
	return bytes.Compare(k, r.From) >= 0 && beforeEnd(k, r.To)
}

// passed reports whether a scan that is at k has the range behind it.
func (r KeyRange) passed(k []byte, descending bool) bool {
	if descending {
		return bytes.Compare(k, r.From) < 0
	}
	return !beforeEnd(k, r.To)
}

// collect copies the first limit pairs.
func collect(src pairs, limit int) []KV {
	var kvs []KV
	src(func(k, v []byte) bool {
		kvs = append(kvs, KV{Key: clone(k), Value: clone(v)})
		return limit <= 0 || len(kvs) < limit
	})
	return kvs
}
