package store

import (
	"encoding/binary"
	"fmt"
	"iter"
)

// A migration turns the content of version n into that of version n+1. It
// reads a snapshot and returns the changes, which are applied in one
// transaction together with the new version: a crash leaves either version.
// It runs before anybody else sees the store, with the log applied.
type migration func(Snapshot) ([]Changes, error)

// migrations holds the step from version n to n+1 at index n-1. Version 1 is
// the first, so there is none yet.
func migrations() []migration { return nil }

// readVersion returns the version of what is in base, 0 for a new base.
func readVersion(base Base) (uint64, error) {
	snap, err := base.Snapshot()
	if err != nil {
		return 0, err
	}
	v := snap.Get(Meta, []byte(VersionKey))
	n := uint64(0)
	if len(v) == 8 {
		n = binary.BigEndian.Uint64(v)
	}
	if err := snap.Close(); err != nil {
		return 0, err
	}
	if v != nil && n == 0 {
		return 0, &CorruptError{File: boltName, Reason: "the version is not a number above 0"}
	}
	return n, nil
}

// checkVersion refuses what is newer than known and marks a new base.
func checkVersion(base Base, known uint64) (uint64, error) {
	v, err := readVersion(base)
	switch {
	case err != nil:
		return 0, err
	case v > known:
		return 0, fmt.Errorf("%w (it has version %d, this program knows up to %d)", ErrNewer, v, known)
	case v > 0:
		return v, nil
	}
	seq, err := base.Applied()
	if err != nil {
		return 0, err
	}
	if seq != 0 {
		return 0, &CorruptError{File: boltName, Reason: "the version is missing"}
	}
	return known, base.Apply(0, []Changes{versionChange(known)})
}

// migrate takes base from version to version by steps, one transaction each.
func migrate(base Base, from, to uint64, steps []migration) error {
	for v := from; v < to; v++ {
		seq, err := base.Applied()
		if err != nil {
			return err
		}
		snap, err := base.Snapshot()
		if err != nil {
			return err
		}
		changes, err := steps[v-1](snap)
		if err == nil {
			// Apply may have to wait for open snapshots to grow the file, so
			// a step returns copies, not the snapshot's memory.
			err = snap.Close()
		} else {
			_ = snap.Close()
		}
		if err == nil {
			err = base.Apply(seq, append(changes, versionChange(v+1)))
		}
		if err != nil {
			return fmt.Errorf("store: migrate from version %d: %w", v, err)
		}
	}
	return nil
}

func versionChange(v uint64) Changes {
	return Changes{Bucket: Meta, Entries: one([]byte(VersionKey), binary.BigEndian.AppendUint64(nil, v))}
}

func one(k, v []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) { yield(k, v) }
}
