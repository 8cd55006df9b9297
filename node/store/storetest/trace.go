package storetest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"warren/node/store"
)

// A Trace stands between a store and its file system and what lies under the log, and records in one order what the store asks of them and what
// the store's users were told. [Trace.Check] then says whether each acknowledgement came after the sync that it stands for.
//
// Batches are told apart by marks ([Mark]) in their values. It is safe for concurrent use.
type Trace struct {
	mu  sync.Mutex
	ops []traced
}

// traced is one step of a trace. A write or a sync has a step for its begin and one for its end: only a sync that began after the write had ended
// covers it.
type traced struct {
	step  step
	file  string   // path; of syncs of a directory, the directory
	marks []uint64 // that a write, an apply or an acknowledgement is about
}

type step int

const (
	created step = iota
	written      // has ended
	syncBegins
	synced
	dirSyncBegins
	dirSynced
	removed
	applied // in what lies under the log, durably
	acked
)

// markPrefix is what no value of a test contains but in a mark.
const markPrefix = "\x00<mark>\x00"

// Mark returns bytes for the value of the batch with this number; each batch has its own.
func Mark(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte(markPrefix), n) }

// marksIn returns all marks in data.
func marksIn(data []byte) (out []uint64) {
	for {
		i := bytes.Index(data, []byte(markPrefix))
		if i < 0 || len(data) < i+len(markPrefix)+8 {
			return out
		}
		data = data[i+len(markPrefix):]
		out = append(out, binary.BigEndian.Uint64(data))
	}
}

func (t *Trace) add(s step, file string, marks ...uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ops = append(t.ops, traced{s, file, marks})
}

// Acked records that somebody was told that the batch with this mark is durable.
func (t *Trace) Acked(mark uint64) { t.add(acked, "", mark) }

// Options returns o with everything led through the trace. Its FS and OpenBase must be set.
func (t *Trace) Options(o store.Options) store.Options {
	inner := o.OpenBase
	o.FS = tracedFS{o.FS, t}
	o.OpenBase = func(dir string) (store.Base, error) {
		b, err := inner(dir)
		return tracedBase{b, t}, err
	}
	return o
}

// place is where the mark of a batch has come to.
type place struct {
	file    string
	written int // when its write ended
	synced  bool
}

// Check returns an error for each acknowledgement that came too early, and for each log file that was removed too early; it counts the
// acknowledgements that were in order. An acknowledged batch must be in a write that had ended when a sync of its file began that has ended, and
// the name of that file must be durable in the same way. A log file may go only when what was acknowledged of it is under the log.
func (t *Trace) Check() (good int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var bad []error
	at, under, told := map[uint64]*place{}, map[uint64]bool{}, map[uint64]bool{}
	named := map[string]int{}     // file → step of its creation; negative: durable
	beginning := map[string]int{} // file or directory → begin of the last sync
	for i, op := range t.ops {
		switch op.step {
		case created:
			named[op.file] = i
		case written:
			for _, m := range op.marks {
				at[m] = &place{file: op.file, written: i}
			}
		case syncBegins, dirSyncBegins:
			beginning[op.file] = i
		case synced:
			for _, p := range at {
				p.synced = p.synced || p.file == op.file && p.written < beginning[op.file]
			}
		case dirSynced:
			for f, when := range named {
				if filepath.Dir(f) == op.file && when < beginning[op.file] {
					named[f] = -1
				}
			}
		case removed:
			for m, p := range at {
				if p.file == op.file && told[m] && !under[m] {
					bad = append(bad, fmt.Errorf("step %d: %s is removed, but batch %d is not under the log yet", i, filepath.Base(op.file), m))
				}
			}
		case applied:
			for _, m := range op.marks {
				under[m] = true
			}
		case acked:
			m := op.marks[0]
			told[m] = true
			switch p := at[m]; {
			case p == nil:
				bad = append(bad, fmt.Errorf("step %d: batch %d is acknowledged and was never written", i, m))
			case !p.synced:
				bad = append(bad, fmt.Errorf("step %d: batch %d is acknowledged before its write was synced", i, m))
			case named[p.file] >= 0:
				bad = append(bad, fmt.Errorf("step %d: batch %d is acknowledged before the name of %s was durable", i, m, filepath.Base(p.file)))
			default:
				good++
			}
		}
	}
	return good, errors.Join(bad...)
}

// tracedFS records what changes files of the log.
type tracedFS struct {
	store.FS
	t *Trace
}

func (f tracedFS) Create(name string) (store.File, error) {
	file, err := f.FS.Create(name)
	if err == nil {
		f.t.add(created, name)
	}
	return tracedFile{file, name, f.t}, err
}

func (f tracedFS) OpenWrite(name string) (store.File, error) {
	file, err := f.FS.OpenWrite(name)
	return tracedFile{file, name, f.t}, err
}

func (f tracedFS) Remove(name string) error {
	f.t.add(removed, name) // before it happens: the worst case
	return f.FS.Remove(name)
}

func (f tracedFS) SyncDir(dir string) error {
	f.t.add(dirSyncBegins, dir)
	err := f.FS.SyncDir(dir)
	if err == nil {
		f.t.add(dirSynced, dir)
	}
	return err
}

type tracedFile struct {
	store.File
	name string
	t    *Trace
}

func (f tracedFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	if err == nil {
		f.t.add(written, f.name, marksIn(p)...)
	}
	return n, err
}

func (f tracedFile) Sync() error {
	f.t.add(syncBegins, f.name)
	err := f.File.Sync()
	if err == nil {
		f.t.add(synced, f.name)
	}
	return err
}

type tracedBase struct {
	store.Base
	t *Trace
}

func (b tracedBase) Apply(seq uint64, changes []store.Changes) error {
	var marks []uint64
	seen := make([]store.Changes, len(changes))
	for i, c := range changes {
		seen[i] = c
		if c.Entries != nil {
			seen[i].Entries = func(yield func(k, v []byte) bool) {
				for k, v := range c.Entries {
					marks = append(marks, marksIn(v)...)
					if !yield(k, v) {
						return
					}
				}
			}
		}
	}
	err := b.Base.Apply(seq, seen)
	if err == nil {
		b.t.add(applied, "", marks...)
	}
	return err
}
