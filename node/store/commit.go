package store

// request is one batch on its way to the disk.
type request struct {
	seq  uint64 // 0: nothing to write, only to wait for what came before
	ops  []byte
	done func(error)
}

// Commit makes the batch visible to readers, and returns when it is durable,
// together with all that was committed before. Batches that wait at the same
// moment share one write and one sync. It blocks for that time, and longer
// when the disk cannot follow. On an error from the disk it is unknown whether
// the batch is there after the next Open; the store takes no more commits.
// Commit of an empty batch waits for everything before it.
//
// The batch is empty afterwards, except when it was refused (ErrBatch, ErrClosed).
func (s *Store) Commit(b *Batch) error {
	ch := make(chan error, 1)
	s.CommitAsync(b, func(err error) { ch <- err })
	return <-ch
}

// CommitAsync is Commit without the wait: done is called once with the result,
// from the writer goroutine and in the order of the calls. It must be quick
// and must not commit, checkpoint or close; reading is fine. For a refused
// batch (ErrBatch, ErrClosed) it is called before CommitAsync returns.
//
// CommitAsync itself blocks only when four checkpoints' worth of batches wait
// for bbolt.
func (s *Store) CommitAsync(b *Batch, done func(error)) { s.commit(b, done, true) }

// CommitLater is CommitAsync for what nobody waits for: it is written together
// with the next batch that somebody waits for, and after LaterDelay at the
// latest, so that it costs no sync of its own while there is work.
func (s *Store) CommitLater(b *Batch, done func(error)) { s.commit(b, done, false) }

func (s *Store) commit(b *Batch, done func(error), now bool) {
	if b.err != nil {
		done(b.err)
		return
	}
	s.mu.Lock()
	for s.active.bytes >= stallFactor*s.opts.CheckpointBytes && s.err == nil && !s.closed {
		s.changed.Wait()
	}
	if s.closed {
		s.mu.Unlock()
		done(ErrClosed)
		return
	}
	r := &request{ops: b.buf, done: done}
	b.buf, b.n = nil, 0
	if len(r.ops) > 0 && s.err == nil {
		s.seq++
		r.seq = s.seq
		if err := s.active.apply(r.seq, r.ops); err != nil {
			panic("store: a batch of our own making does not decode: " + err.Error())
		}
	}
	s.queue = append(s.queue, r)
	s.laterBytes += len(r.ops)
	// Whoever waits already is served by this kick too.
	now = now || s.laterBytes >= maxGroupBytes || s.active.bytes >= s.opts.CheckpointBytes || s.err != nil
	if !now && len(s.queue) == 1 {
		s.later.Reset(LaterDelay)
	}
	s.mu.Unlock()
	if now {
		s.kick()
	}
}

// write is the writer goroutine. It owns the log.
func (s *Store) write() {
	for range s.wake {
		for {
			queue, frozen, over := s.take()
			s.writeAll(queue)
			if frozen != nil {
				s.handOver(frozen)
			}
			if over {
				return
			}
			if len(queue) == 0 {
				break
			}
		}
	}
}

// take takes what waits, and freezes the active memtable when it is time: all
// batches in it are then in the queue taken or already durable.
func (s *Store) take() (queue []*request, frozen *memtable, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue, s.queue, s.laterBytes = s.queue, nil, 0
	full := s.force || s.active.bytes >= s.opts.CheckpointBytes
	if full && s.frozen == nil && s.err == nil && s.active.last > s.applied {
		s.force = false
		frozen, s.frozen, s.active = s.active, s.active, newMemtable()
		s.freezes.Add(1)
		s.changed.Broadcast() // there is room again
	}
	return queue, frozen, s.closed
}

// writeAll writes the queue in frames of bounded size and answers.
func (s *Store) writeAll(queue []*request) {
	for len(queue) > 0 {
		n, size := 0, 0
		first := uint64(0)
		var batches [][]byte
		for n < len(queue) && (n == 0 || size < maxGroupBytes) {
			if r := queue[n]; r.seq != 0 {
				if first == 0 {
					first = r.seq
				}
				batches = append(batches, r.ops)
				size += len(r.ops) + 4
			}
			n++
		}
		err := s.sticky()
		if err == nil && len(batches) > 0 {
			err = s.writeFrame(first, batches)
		}
		for _, r := range queue[:n] {
			r.done(err)
		}
		queue = queue[n:]
	}
}

func (s *Store) writeFrame(first uint64, batches [][]byte) error {
	if s.wal.off >= s.opts.SegmentBytes {
		if err := s.wal.rotate(first); err != nil {
			return s.fail(err)
		}
	}
	if err := s.wal.write(first, batches); err != nil {
		return s.fail(err)
	}
	return nil
}

// sticky returns the store's error.
func (s *Store) sticky() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.err
}
