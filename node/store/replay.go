package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
)

// replay reads the log in dir over what bbolt has (all batches <= applied)
// and returns a memtable with the rest, the first sequence numbers of the
// segments found, and the last sequence number there is. A torn end of the
// last segment is cut off, by ending before it: the next segment begins with the
// sequence number that the torn frame would have had. What was read is synced
// again, since the process before this one may have died between write and sync.
func replay(fs FS, dir string, applied uint64, noSync bool) (*memtable, []uint64, uint64, error) {
	names, err := fs.List(dir)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("store: list %s: %w", dir, err)
	}
	var segments []uint64
	for _, name := range names {
		if first, ok := parseSegmentName(name); ok {
			segments = append(segments, first)
		}
	}
	slices.Sort(segments)
	r := replayer{mem: newMemtable(), applied: applied, last: applied}
	for i, first := range segments {
		r.path = filepath.Join(dir, segmentName(first))
		r.data, err = fs.ReadFile(r.path)
		if err != nil {
			return nil, nil, 0, fmt.Errorf("store: read log: %w", err)
		}
		final := i == len(segments)-1
		var next uint64 // first sequence number of the segment behind
		if !final {
			next = segments[i+1]
		}
		if err := r.segment(first, next, final); err != nil {
			return nil, nil, 0, err
		}
		if final && !noSync {
			if err := resync(fs, dir, r.path); err != nil {
				return nil, nil, 0, err
			}
		}
	}
	return r.mem, segments, r.last, nil
}

// resync makes durable what was read.
func resync(fs FS, dir, path string) error {
	f, err := fs.OpenWrite(path)
	if err != nil {
		return fmt.Errorf("store: open log: %w", err)
	}
	err = f.Sync()
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = fs.SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("store: sync log: %w", err)
	}
	return nil
}

type replayer struct {
	mem     *memtable
	applied uint64 // bbolt has these
	last    uint64 // the last batch known, in bbolt or in mem
	path    string
	data    []byte
}

func (r *replayer) corrupt(at int, format string, args ...any) error {
	return &CorruptError{File: r.path, Offset: int64(at), Reason: fmt.Sprintf(format, args...)}
}

// segment takes over the frames of one segment.
func (r *replayer) segment(name, next uint64, final bool) error {
	if !final && next <= r.applied+1 {
		return nil // a checkpoint covers it; it died before the removal
	}
	if name > r.last+1 {
		return r.corrupt(0, "batches %d to %d are missing before this file", r.last+1, name-1)
	}
	first, salt, ok := decodeSegmentHeader(r.data)
	if !ok || first != name {
		if final && empty(r.data) {
			return nil // it died while making the file, before any use
		}
		return r.corrupt(0, "bad segment header")
	}
	at, expect := segmentHeader, first
	for {
		f, err := decodeFrame(r.data[at:], salt)
		if errors.Is(err, errTorn) {
			break
		}
		if err != nil {
			return r.corrupt(at, "%v", err)
		}
		if f.first != expect {
			return r.corrupt(at, "batch %d where %d should be", f.first, expect)
		}
		for i, ops := range f.batches {
			if err := r.batch(f.first+uint64(i), ops); err != nil {
				return r.corrupt(at, "%v", err)
			}
		}
		expect += uint64(len(f.batches))
		at += f.size
	}
	switch {
	case !final && expect != next:
		return r.corrupt(at, "damaged record: batches %d to %d cannot be read, later ones can", expect, next-1)
	case final:
		if n := frameBehind(r.data[at:], salt, expect); n >= 0 {
			return r.corrupt(at, "damaged record: batch %d cannot be read, a later one at offset %d can", expect, at+n)
		}
	}
	return nil
}

func (r *replayer) batch(seq uint64, ops []byte) error {
	if seq <= r.applied {
		return nil
	}
	r.last = seq
	return r.mem.apply(seq, ops)
}

// empty reports whether a segment was never written beyond its header.
func empty(data []byte) bool {
	for _, b := range data[min(segmentHeader, len(data)):] {
		if b != 0 {
			return false
		}
	}
	return true
}
