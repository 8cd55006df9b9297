package store

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// defaultCheckpointBytes makes the work of a checkpoint, and what Open has
	// to replay, some 10 ms.
	defaultCheckpointBytes = 8 << 20
	// stallFactor times CheckpointBytes is when committers are made to wait
	// for the checkpointer, so that memory stays bounded.
	stallFactor = 4
	// maxSegmentsAtOpen is how many log files may pile up (one for each start
	// after a crash) before Open has them checkpointed.
	maxSegmentsAtOpen = 8
	// maxGroupBytes ends a group of batches written together: beyond it the
	// sync is cheap against the write, and waiting longer only adds delay.
	maxGroupBytes = 1 << 20

	// LaterDelay is how long a batch of CommitLater waits for company at most:
	// what a crash may take of it. Where a message comes a few times a second,
	// as to the members of a room in which people talk, a sync for each would
	// be most of what it costs the disk.
	LaterDelay = 500 * time.Millisecond

	lockName = "LOCK"
)

// Options change how a store works; the zero value is right for a node.
type Options struct {
	FS     FS           // the log's file system; OS{} when nil
	Logger *slog.Logger // says what was replayed and what failed; discards when nil

	// OpenBase opens what lies under the log in dir; bbolt when nil. Tests
	// pass another one together with another FS.
	OpenBase func(dir string) (Base, error)

	// SegmentBytes is the size in bytes at which a log file is ended; 8 MiB when 0.
	SegmentBytes int64
	// CheckpointBytes is about the memory in bytes that the batches not yet in
	// bbolt may take before they are moved there; 8 MiB when 0.
	CheckpointBytes int64
	// NoSync leaves out every fsync: a crash of the machine may then lose or
	// damage anything. For tests and throw-away nodes.
	NoSync bool
}

func (o *Options) defaults() {
	if o.FS == nil {
		o.FS = OS{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.OpenBase == nil {
		noSync := o.NoSync
		o.OpenBase = func(dir string) (Base, error) { return OpenBolt(dir, noSync) }
	}
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = defaultCheckpointBytes
	}
	if o.CheckpointBytes <= 0 {
		o.CheckpointBytes = defaultCheckpointBytes
	}
}

// A Store is an open data directory. All methods are safe for concurrent use.
type Store struct {
	opts Options
	log  *slog.Logger
	lock io.Closer
	base Base
	wal  *wal

	wake     chan struct{}  // to the writer, capacity 1: there is something to do
	frozenCh chan *memtable // writer → checkpointer, capacity 1
	writer   sync.WaitGroup
	ckpt     sync.WaitGroup

	closeOnce sync.Once
	closeErr  error

	// freezes counts how often the active memtable was replaced: a reader
	// that sees it unchanged knows that nothing newer than the memtables it
	// read can be in the base. Changed under mu.
	freezes atomic.Uint64

	mu         sync.RWMutex
	changed    *sync.Cond // on mu; a checkpoint ended, the store failed or is closing
	active     *memtable
	frozen     *memtable   // being checkpointed, or nil
	queue      []*request  // not yet taken by the writer, in order
	later      *time.Timer // kicks the writer for a queue that nobody waits for
	laterBytes int         // of the queue
	seq        uint64      // of the last batch accepted
	applied    uint64      // of the last batch in base
	force      bool        // checkpoint even if small
	err        error       // sticky: the first error of disk
	closed     bool
}

// Open opens the store in dir, which it makes if need be, and brings it to the
// state of the last commit. It fails at once, with an error that matches
// ErrInUse, when somebody else has it open; with one that matches ErrCorrupt
// when synced data cannot be read; with ErrNewer when a newer program wrote it.
// Nothing is deleted in any of these cases.
func Open(dir string, o Options) (*Store, error) {
	o.defaults()
	if err := o.FS.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("store: make data directory: %w", err)
	}
	lock, err := o.FS.Lock(filepath.Join(dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("store: lock %s: %w", dir, err)
	}
	s := &Store{
		opts: o, log: o.Logger, lock: lock,
		wake: make(chan struct{}, 1), frozenCh: make(chan *memtable, 1),
	}
	s.changed = sync.NewCond(&s.mu)
	s.later = time.AfterFunc(LaterDelay, s.kick)
	s.later.Stop()
	if err := s.load(dir); err != nil {
		if s.wal != nil {
			_ = s.wal.close(false)
		}
		if s.base != nil {
			_ = s.base.Close()
		}
		_ = lock.Close()
		return nil, err
	}
	s.writer.Go(s.write)
	s.ckpt.Go(s.checkpointer)
	if s.force {
		s.kick()
	}
	return s, nil
}

// load opens the base and replays the log.
func (s *Store) load(dir string) (err error) {
	if s.base, err = s.opts.OpenBase(dir); err != nil {
		return err
	}
	version, err := checkVersion(s.base, Version)
	if err != nil {
		return err
	}
	if s.applied, err = s.base.Applied(); err != nil {
		return err
	}
	mem, segments, last, err := replay(s.opts.FS, dir, s.applied, s.opts.NoSync)
	if err != nil {
		return err
	}
	if version < Version { // migrations see everything in the base
		if err := s.base.Apply(last, mem.changes()); err != nil {
			return fmt.Errorf("store: checkpoint: %w", err)
		}
		s.applied, mem = last, newMemtable()
		if err := migrate(s.base, version, Version, migrations()); err != nil {
			return err
		}
	}
	s.active, s.seq = mem, last
	s.force = mem.bytes >= s.opts.CheckpointBytes || len(segments) > maxSegmentsAtOpen
	s.wal = &wal{fs: s.opts.FS, dir: dir, noSync: s.opts.NoSync, segments: segments}
	if err := s.wal.rotate(last + 1); err != nil {
		return err
	}
	s.log.Debug("store opened", "dir", dir, "version", version, "applied", s.applied, "last", last, "segments", len(segments))
	return s.wal.drop(s.applied)
}

// Close waits for what was committed, moves everything into bbolt and gives
// the directory free. Commits that came before it are answered; later calls
// get ErrClosed. It returns the store's sticky error, if any; then the log is
// left as it is, for the next Open.
func (s *Store) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Store) close() error {
	s.mu.Lock()
	s.closed = true
	s.later.Stop()
	s.changed.Broadcast()
	s.mu.Unlock()
	s.kick()
	s.writer.Wait()
	close(s.frozenCh)
	s.ckpt.Wait()

	s.mu.RLock() // the goroutines are gone, readers may still be there
	last, err := s.active, s.err
	s.mu.RUnlock()
	if err == nil && last.last > s.applied {
		if err = s.base.Apply(last.last, last.changes()); err != nil {
			err = fmt.Errorf("store: checkpoint: %w", err)
		}
	}
	err = errors.Join(err, s.wal.close(err == nil), s.base.Close(), s.lock.Close())
	return err
}

// kick tells the writer that there is something to do.
func (s *Store) kick() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// fail makes err sticky; the first one stays.
func (s *Store) fail(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
		s.log.Error("store failed: nothing more is acknowledged; free or replace the disk and start the node again", "err", err)
	}
	s.changed.Broadcast()
	return s.err
}
