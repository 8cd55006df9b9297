package storetest

import (
	"slices"

	"warren/node/store"
)

// memState is one state of a memBase; it never changes.
type memState struct {
	applied uint64
	buckets map[store.Bucket]map[string][]byte
}

// memBase is a store.Base on a Disk. Each Apply makes a new state by copying
// the buckets it changes, which is fine for the sizes of tests.
type memBase struct{ m *mounted }

var _ store.Base = (*memBase)(nil)

func newMemBase(m *mounted) (store.Base, error) {
	if err := m.look(func(*Disk) error { return nil }); err != nil {
		return nil, err
	}
	return &memBase{m: m}, nil
}

func (b *memBase) state() (s *memState, err error) {
	err = b.m.look(func(d *Disk) error {
		s = d.base
		return nil
	})
	return s, err
}

func (b *memBase) Applied() (uint64, error) {
	s, err := b.state()
	if err != nil {
		return 0, err
	}
	return s.applied, nil
}

func (b *memBase) Apply(seq uint64, changes []store.Changes) error {
	old, err := b.state()
	if err != nil {
		return err
	}
	next := &memState{applied: seq, buckets: map[store.Bucket]map[string][]byte{}}
	for name, bucket := range old.buckets {
		next.buckets[name] = bucket
	}
	for _, c := range changes {
		bucket := map[string][]byte{}
		for k, v := range old.buckets[c.Bucket] {
			if !slices.ContainsFunc(c.Holes, func(h store.KeyRange) bool { return inRange(k, h.From, h.To) }) {
				bucket[k] = v
			}
		}
		for k, v := range c.Entries {
			if v == nil {
				delete(bucket, string(k))
			} else {
				bucket[string(k)] = append([]byte{}, v...)
			}
		}
		next.buckets[c.Bucket] = bucket
	}
	return b.m.disk.op(b.m.mount, "apply", func() { b.m.disk.base = next }, nil)
}

func inRange(k string, from, to []byte) bool {
	return k >= string(from) && (to == nil || k < string(to))
}

func (b *memBase) Snapshot() (store.Snapshot, error) {
	s, err := b.state()
	if err != nil {
		return nil, err
	}
	return memSnapshot{s}, nil
}

func (b *memBase) Close() error { return nil }

type memSnapshot struct{ s *memState }

func (s memSnapshot) Get(bucket store.Bucket, key []byte) []byte {
	return s.s.buckets[bucket][string(key)]
}

func (s memSnapshot) Scan(bucket store.Bucket, from, to []byte, descending bool, fn func(k, v []byte) bool) {
	b := s.s.buckets[bucket]
	for _, k := range sortedKeys(b, from, to, descending) {
		if !fn([]byte(k), b[k]) {
			return
		}
	}
}

func (memSnapshot) Close() error { return nil }

// sortedKeys returns the keys of b in [from, to) in a scan's order.
func sortedKeys(b map[string][]byte, from, to []byte, descending bool) (keys []string) {
	for k := range b {
		if inRange(k, from, to) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	if descending {
		slices.Reverse(keys)
	}
	return keys
}
