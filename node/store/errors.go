package store

import (
	"errors"
	"fmt"
)

// Errors that callers test with errors.Is.
var (
	// ErrClosed is returned by every method after Close was called.
	ErrClosed = errors.New("store: closed")
	// ErrInUse is returned by Open when another process (or another Store of
	// this one) has the directory open.
	ErrInUse = errors.New("in use by another warren: stop that one first, or choose another --data directory")
	// ErrCorrupt is matched by every error about bytes on disk that were once
	// synced and can no longer be read. See [CorruptError].
	ErrCorrupt = errors.New("store: corrupt")
	// ErrNewer is returned by Open for a store written by a newer program.
	ErrNewer = errors.New("store: written by a newer warren: upgrade this program")
	// ErrBatch is matched by the error of a batch that breaks a limit or names
	// an unknown bucket. Such a batch changes nothing and does no harm.
	ErrBatch = errors.New("store: bad batch")
)

// A CorruptError says where the log is damaged.
type CorruptError struct {
	File   string // path of the segment
	Offset int64  // of the first byte that does not make sense, in bytes
	Reason string // one line
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("store: corrupt: %s at offset %d: %s: restore the data directory from a copy, or let this node join anew", e.File, e.Offset, e.Reason)
}

// Is makes errors.Is(err, ErrCorrupt) true.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }
