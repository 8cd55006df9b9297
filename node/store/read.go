package store

import "fmt"

// KV is a key and its value.
type KV struct{ Key, Value []byte }

// Get returns the value of key, or nil, nil when there is none; a stored empty
// value is empty and not nil. The memory is the caller's.
func (s *Store) Get(bucket Bucket, key []byte) ([]byte, error) {
	if !bucket.known() {
		return nil, fmt.Errorf("%w: bucket %q is not in the schema", ErrBatch, bucket)
	}
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return nil, ErrClosed
	}
	e, known := s.active.get(bucket, key)
	frozen := s.frozen
	s.mu.RUnlock()
	if !known && frozen != nil {
		e, known = frozen.get(bucket, key)
	}
	if known {
		if e.gone {
			return nil, nil
		}
		return clone(e.val), nil
	}
	snap, err := s.base.Snapshot()
	if err != nil {
		return nil, err
	}
	var v []byte
	if raw := snap.Get(bucket, key); raw != nil {
		v = clone(raw)
	}
	return v, snap.Close()
}

// clone copies; unlike bytes.Clone the result is never nil.
func clone(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }

// Range returns the first limit keys in [from, to) with their values, in
// ascending order, as of one moment: a batch is seen as a whole or not at all. A
// nil to is the end of the bucket; a limit <= 0 means all, which the caller
// knows to be few. The memory is the caller's.
func (s *Store) Range(bucket Bucket, from, to []byte, limit int) ([]KV, error) {
	return s.scan(bucket, from, to, limit, false)
}

// RangeReverse is Range from the other end: the last limit keys in [from, to),
// in descending order.
func (s *Store) RangeReverse(bucket Bucket, from, to []byte, limit int) ([]KV, error) {
	return s.scan(bucket, from, to, limit, true)
}

func (s *Store) scan(bucket Bucket, from, to []byte, limit int, descending bool) ([]KV, error) {
	if !bucket.known() {
		return nil, fmt.Errorf("%w: bucket %q is not in the schema", ErrBatch, bucket)
	}
	if !beforeEnd(from, to) {
		return nil, nil
	}
	for {
		s.mu.RLock()
		if s.closed {
			s.mu.RUnlock()
			return nil, ErrClosed
		}
		top := s.active.part(bucket, from, to, limit, descending)
		frozen, freezes := s.frozen, s.freezes.Load()
		s.mu.RUnlock()
		snap, err := s.base.Snapshot()
		if err != nil {
			return nil, err
		}
		if s.freezes.Load() != freezes {
			// The base may hold a part of what came after top was gathered.
			if err := snap.Close(); err != nil {
				return nil, err
			}
			continue
		}
		src := pairs(func(yield func(k, v []byte) bool) { snap.Scan(bucket, from, to, descending, yield) })
		if frozen != nil {
			src = frozen.whole(bucket, from, to, descending).over(src, descending)
		}
		kvs := collect(top.over(src, descending), limit)
		return kvs, snap.Close()
	}
}
