package store

import "fmt"

// handOver begins a new log segment behind the frozen memtable, so that the
// older ones can go with it, and gives it to the checkpointer.
func (s *Store) handOver(frozen *memtable) {
	if s.sticky() != nil {
		return
	}
	if err := s.wal.rotate(frozen.last + 1); err != nil {
		_ = s.fail(err)
		return
	}
	s.frozenCh <- frozen // never blocks: only one memtable is frozen at a time
}

// checkpointer is the goroutine that moves frozen memtables into the base.
func (s *Store) checkpointer() {
	for m := range s.frozenCh {
		if err := s.base.Apply(m.last, m.changes()); err != nil {
			_ = s.fail(fmt.Errorf("store: checkpoint: %w", err))
			continue
		}
		s.mu.Lock()
		s.frozen, s.applied = nil, m.last
		s.changed.Broadcast()
		s.mu.Unlock()
		s.kick() // the active one may have filled up meanwhile
		if err := s.wal.drop(m.last); err != nil {
			_ = s.fail(err)
		}
		s.log.Debug("store checkpoint", "applied", m.last, "bytes", m.bytes)
	}
}

// Checkpoint moves everything committed so far into bbolt and waits for it.
// Nobody needs to call it for safety; it makes the next Open faster and a copy
// of base.db complete.
func (s *Store) Checkpoint() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for target := s.seq; s.applied < target; s.changed.Wait() {
		switch {
		case s.err != nil:
			return s.err
		case s.closed:
			return ErrClosed
		}
		if s.frozen == nil || s.frozen.last < target {
			s.force = true
			s.kick()
		}
	}
	return s.err
}

// Stats are figures for operators.
type Stats struct {
	Last     uint64 // sequence number of the last batch accepted
	Applied  uint64 // of the last batch in bbolt
	Pending  int64  // about the bytes of memory of what is not in bbolt yet
	Segments int    // log files
}

// Stats returns the present figures.
func (s *Store) Stats() Stats {
	s.mu.RLock()
	st := Stats{Last: s.seq, Applied: s.applied, Pending: s.active.bytes}
	if s.frozen != nil {
		st.Pending += s.frozen.bytes
	}
	s.mu.RUnlock()
	s.wal.mu.Lock()
	st.Segments = len(s.wal.segments)
	s.wal.mu.Unlock()
	return st
}
