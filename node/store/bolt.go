package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	boltName    = "base.db"
	boltBucket  = "store"   // of this file alone; no name of the schema
	boltApplied = "applied" // key in boltBucket, uint64 BE

	// boltLockWait is how long to wait for bbolt's own lock. DIR/LOCK is
	// taken before, so that only a foreign tool can hold it.
	boltLockWait = 100 * time.Millisecond
	// deleteChunk is how many keys of a hole are gathered before they are deleted.
	deleteChunk = 1024
)

// boltBase is the Base on bbolt.
type boltBase struct{ db *bolt.DB }

// OpenBolt opens DIR/base.db. A new one is made under another name and then
// renamed, so that a crash never leaves half a file under the right one. It is
// what Open uses when Options.OpenBase is nil; noSync is for tests whose
// crashes are not those of the machine.
func OpenBolt(dir string, noSync bool) (Base, error) {
	path := filepath.Join(dir, boltName)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := createBolt(path, noSync); err != nil {
			return nil, fmt.Errorf("store: create %s: %w", path, err)
		}
	}
	db, err := boltAt(path, noSync)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("store: open %s: %w", path, ErrInUse)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return nil, &CorruptError{File: path, Reason: err.Error()}
	case err != nil:
		return nil, fmt.Errorf("store: open %s: %w", path, err)
	}
	return &boltBase{db: db}, nil
}

func boltAt(path string, noSync bool) (*bolt.DB, error) {
	return bolt.Open(path, 0o600, &bolt.Options{
		Timeout:      boltLockWait,
		FreelistType: bolt.FreelistMapType,
		NoSync:       noSync,
		NoGrowSync:   noSync,
		NoStatistics: true,
	})
}

func createBolt(path string, noSync bool) error {
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	db, err := boltAt(fresh, noSync)
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil || noSync {
		return err
	}
	return OS{}.SyncDir(filepath.Dir(path))
}

func (b *boltBase) Close() error { return b.db.Close() }

func (b *boltBase) Applied() (seq uint64, err error) {
	err = b.db.View(func(tx *bolt.Tx) error {
		own := tx.Bucket([]byte(boltBucket))
		if own == nil {
			return nil
		}
		v := own.Get([]byte(boltApplied))
		if len(v) != 8 {
			return &CorruptError{File: b.db.Path(), Reason: "no sequence number in bucket " + boltBucket}
		}
		seq = binary.BigEndian.Uint64(v)
		return nil
	})
	return seq, err
}

func (b *boltBase) Apply(seq uint64, changes []Changes) error {
	return b.db.Update(func(tx *bolt.Tx) error {
		for _, c := range changes {
			if err := applyBolt(tx, c); err != nil {
				return fmt.Errorf("bucket %s: %w", c.Bucket, err)
			}
		}
		own, err := tx.CreateBucketIfNotExists([]byte(boltBucket))
		if err != nil {
			return err
		}
		return own.Put([]byte(boltApplied), binary.BigEndian.AppendUint64(nil, seq))
	})
}

func applyBolt(tx *bolt.Tx, c Changes) error {
	name := []byte(c.Bucket)
	bucket := tx.Bucket(name)
	if bucket != nil {
		for _, hole := range c.Holes {
			if err := emptyHole(bucket, hole); err != nil {
				return err
			}
		}
	}
	var err error
	for k, v := range c.Entries {
		if v == nil {
			if bucket != nil {
				err = bucket.Delete(k)
			}
		} else {
			if bucket == nil {
				if bucket, err = tx.CreateBucket(name); err != nil {
					return err
				}
			}
			err = bucket.Put(k, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// emptyHole deletes the keys of a range. It gathers some keys before it
// deletes them, because a bbolt cursor is not to be moved over what changes.
func emptyHole(bucket *bolt.Bucket, hole KeyRange) error {
	from := hole.From
	for {
		keys := make([][]byte, 0, 64)
		c := bucket.Cursor()
		for k, _ := c.Seek(from); k != nil && beforeEnd(k, hole.To) && len(keys) < deleteChunk; k, _ = c.Next() {
			keys = append(keys, bytes.Clone(k))
		}
		for _, k := range keys {
			if err := bucket.Delete(k); err != nil {
				return err
			}
		}
		if len(keys) < deleteChunk {
			return nil
		}
		from = keys[len(keys)-1]
	}
}

func (b *boltBase) Snapshot() (Snapshot, error) {
	tx, err := b.db.Begin(false)
	if err != nil {
		if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
			return nil, ErrClosed
		}
		return nil, err
	}
	return boltSnapshot{tx}, nil
}

type boltSnapshot struct{ tx *bolt.Tx }

func (s boltSnapshot) Close() error { return s.tx.Rollback() }

func (s boltSnapshot) Get(bucket Bucket, key []byte) []byte {
	b := s.tx.Bucket([]byte(bucket))
	if b == nil || len(key) == 0 {
		return nil
	}
	v := b.Get(key)
	return v
}

func (s boltSnapshot) Scan(bucket Bucket, from, to []byte, descending bool, fn func(k, v []byte) bool) {
	b := s.tx.Bucket([]byte(bucket))
	if b == nil {
		return
	}
	c := b.Cursor()
	if !descending {
		for k, v := c.Seek(from); k != nil && beforeEnd(k, to); k, v = c.Next() {
			if !fn(k, v) {
				return
			}
		}
		return
	}
	k, v := lastBelow(c, to)
	for ; k != nil && bytes.Compare(k, from) >= 0; k, v = c.Prev() {
		if !fn(k, v) {
			return
		}
	}
}

// lastBelow moves c to the last key below to, nil being the end.
func lastBelow(c *bolt.Cursor, to []byte) (k, v []byte) {
	if to != nil {
		if k, _ := c.Seek(to); k != nil {
			return c.Prev()
		}
	}
	return c.Last()
}
