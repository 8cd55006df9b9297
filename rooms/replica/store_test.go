package replica

import (
	"bytes"
	"errors"
	"slices"
	"sync"
)

// memStore is a Store in memory: everything is durable at once.
type memStore struct {
	mu     sync.Mutex
	m      map[Table][]Entry
	reads  map[Table]int // calls of Range
	broken bool
}

func (s *memStore) Write(cs []Change) error {
	s.mu.Lock()
	broken := s.broken
	s.mu.Unlock()
	if broken {
		return errors.New("no space left")
	}
	s.WriteLater(cs)
	return nil
}

func (s *memStore) WriteLater(cs []Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range cs {
		c.Key, c.Value = slices.Clone(c.Key), slices.Clone(c.Value) // nothing of the callers' is kept
		l := s.m[c.Table]
		i, found := slices.BinarySearchFunc(l, c.Key, func(e Entry, k []byte) int { return bytes.Compare(e.Key, k) })
		switch {
		case c.To != nil:
			j, _ := slices.BinarySearchFunc(l, c.To, func(e Entry, k []byte) int { return bytes.Compare(e.Key, k) })
			l = slices.Delete(l, i, max(i, j))
		case c.Value == nil && found:
			l = slices.Delete(l, i, i+1)
		case c.Value == nil:
		case found:
			l[i] = Entry{c.Key, c.Value}
		default:
			l = slices.Insert(l, i, Entry{c.Key, c.Value})
		}
		s.m[c.Table] = l
	}
}

func (s *memStore) Get(t Table, key []byte) ([]byte, error) {
	l, _ := s.Range(t, key, append(slices.Clone(key), 0), 1, false)
	if len(l) == 0 {
		return nil, nil
	}
	return l[0].Value, nil
}

func (s *memStore) Range(t Table, from, to []byte, limit int, reverse bool) ([]Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reads == nil {
		s.reads = map[Table]int{}
	}
	s.reads[t]++
	at := func(key []byte) int {
		i, _ := slices.BinarySearchFunc(s.m[t], key, func(e Entry, k []byte) int { return bytes.Compare(e.Key, k) })
		return i
	}
	i, j := at(from), len(s.m[t])
	if to != nil {
		j = max(i, at(to))
	}
	if reverse {
		out := slices.Clone(s.m[t][max(i, j-limit):j])
		slices.Reverse(out)
		return out, nil
	}
	return slices.Clone(s.m[t][i:min(j, i+limit)]), nil
}

// size returns about how much memory it takes, in bytes.
func (s *memStore) size() (n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.m {
		n += uint64(cap(l)) * 48
		for _, e := range l {
			n += uint64(cap(e.Key) + cap(e.Value))
		}
	}
	return n
}

// full makes writes fail.
func (s *memStore) full(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = yes
}

func (s *memStore) clone() *memStore {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &memStore{m: map[Table][]Entry{}}
	for t, l := range s.m {
		c.m[t] = slices.Clone(l)
	}
	return c
}

// readsOf returns how often a table was read.
func (s *memStore) readsOf(t Table) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads[t]
}
