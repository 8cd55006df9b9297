package store

import (
	"bytes"
	"math/rand/v2"
)

// maxLevel suits some 4^12 = 16 million keys, far more than a memtable holds.
const maxLevel = 12

// skiplist is an ordered map from keys to V. It keeps the key slices it is
// given. Readers may work at the same time as each other, not as a writer.
type skiplist[V any] struct {
	head node[V]
	n    int
}

type node[V any] struct {
	key  []byte
	val  V
	next []*node[V]
}

func newSkiplist[V any]() *skiplist[V] {
	l := &skiplist[V]{}
	l.head.next = make([]*node[V], maxLevel)
	return l
}

// path fills prev with the last node before key at each level.
func (l *skiplist[V]) path(key []byte, prev *[maxLevel]*node[V]) {
	x := &l.head
	for i := maxLevel - 1; i >= 0; i-- {
		for x.next[i] != nil && bytes.Compare(x.next[i].key, key) < 0 {
			x = x.next[i]
		}
		prev[i] = x
	}
}

// set inserts or replaces.
func (l *skiplist[V]) set(key []byte, val V) {
	var prev [maxLevel]*node[V]
	l.path(key, &prev)
	if x := prev[0].next[0]; x != nil && bytes.Equal(x.key, key) {
		x.key, x.val = key, val // the new key, so that the old batch's memory goes
		return
	}
	level := 1
	for r := rand.Uint32(); level < maxLevel && r&3 == 0; r >>= 2 {
		level++
	}
	x := &node[V]{key: key, val: val, next: make([]*node[V], level)}
	for i := range level {
		x.next[i], prev[i].next[i] = prev[i].next[i], x
	}
	l.n++
}

// ceil returns the first node with a key >= key, or nil.
func (l *skiplist[V]) ceil(key []byte) *node[V] {
	x := &l.head
	for i := maxLevel - 1; i >= 0; i-- {
		for x.next[i] != nil && bytes.Compare(x.next[i].key, key) < 0 {
			x = x.next[i]
		}
	}
	return x.next[0]
}

// below returns the last node with a key < key (the last of all for nil), or nil.
func (l *skiplist[V]) below(key []byte) *node[V] {
	x := &l.head
	for i := maxLevel - 1; i >= 0; i-- {
		for x.next[i] != nil && (key == nil || bytes.Compare(x.next[i].key, key) < 0) {
			x = x.next[i]
		}
	}
	if x == &l.head {
		return nil
	}
	return x
}

// get returns the node of exactly this key, or nil.
func (l *skiplist[V]) get(key []byte) *node[V] {
	if x := l.ceil(key); x != nil && bytes.Equal(x.key, key) {
		return x
	}
	return nil
}

// removeRange unlinks all keys in [from, to); nil to means the end.
func (l *skiplist[V]) removeRange(from, to []byte) {
	var prev [maxLevel]*node[V]
	l.path(from, &prev)
	for x := prev[0].next[0]; x != nil && beforeEnd(x.key, to); x = x.next[0] {
		l.n--
	}
	for i := range maxLevel {
		x := prev[i].next[i]
		for x != nil && beforeEnd(x.key, to) {
			x = x.next[i]
		}
		prev[i].next[i] = x
	}
}

// beforeEnd reports whether key lies below the exclusive end to; nil is no end.
func beforeEnd(key, to []byte) bool { return to == nil || bytes.Compare(key, to) < 0 }
