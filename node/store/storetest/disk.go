package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"

	"warren/node/store"
)

// ErrCrashed is what a store gets from a Disk after Crash or Kill.
var ErrCrashed = errors.New("storetest: crashed")

// sector is the unit that a torn write keeps or loses as a whole.
const sector = 512

// A Disk is a disk in memory that keeps what was written apart from what was
// synced. Each call of Options mounts it; Crash ends that mount. It is safe
// for concurrent use.
type Disk struct {
	mu      sync.Mutex
	mount   int               // changes with every crash; handles of older mounts are dead
	live    map[string]*inode // names as a running process sees them
	durable map[string]*inode // names that survive
	locks   map[string]bool
	base    *memState

	ops      int // changing operations so far
	crashAt  int // crash during this operation; 0 never
	rng      *rand.Rand
	killOnly bool   // the crash is a Kill
	failOp   string // the next operation of this name fails
	failErr  error
}

// inode is the content of one file.
type inode struct {
	synced  []byte  // survives
	pending []write // since, in order
}

// write is one WriteAt.
type write struct {
	off  int64
	data []byte
}

func (w write) apply(to []byte) []byte {
	if end := int(w.off) + len(w.data); end > len(to) {
		to = append(to, make([]byte, end-len(to))...)
	}
	copy(to[w.off:], w.data)
	return to
}

// content is what a running process reads.
func (n *inode) content() []byte {
	data := append([]byte(nil), n.synced...)
	for _, w := range n.pending {
		data = w.apply(data)
	}
	return data
}

// NewDisk returns an empty disk.
func NewDisk() *Disk {
	return &Disk{live: map[string]*inode{}, durable: map[string]*inode{}, locks: map[string]bool{}, base: &memState{}}
}

// Options mounts the disk: a store opened with them, in any directory name,
// has its log and what lies under it on the disk. Another mount works beside
// it, as another process would.
func (d *Disk) Options() store.Options {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := &mounted{disk: d, mount: d.mount}
	return store.Options{FS: m, OpenBase: func(string) (store.Base, error) { return newMemBase(m) }}
}

// Crash takes the power away. Without rng everything that was not synced is
// gone. With it, of each file a random part of what was written since the last
// sync stays: some writes whole, one torn at random sectors or bytes, none of
// the later ones; and each unsynced creation or removal of a name is kept or
// lost. Stores on the disk get ErrCrashed from now on and should be closed.
func (d *Disk) Crash(rng *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crash(rng)
}

// Kill ends the process, as it were, and not the power: stores on the disk get
// ErrCrashed from now on, but nothing is lost that was written, nor is it synced.
func (d *Disk) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unmount()
}

func (d *Disk) unmount() {
	d.mount++
	d.crashAt, d.failOp = 0, ""
	d.locks = map[string]bool{}
}

func (d *Disk) crash(rng *rand.Rand) {
	d.unmount()
	names := map[string]*inode{}
	for name, n := range d.durable {
		if _, still := d.live[name]; still || rng == nil || rng.IntN(2) == 0 {
			names[name] = n
		}
	}
	for name, n := range d.live {
		if d.durable[name] != n && rng != nil && rng.IntN(2) == 0 {
			names[name] = n
		}
	}
	d.live, d.durable = map[string]*inode{}, map[string]*inode{}
	for name, n := range names {
		kept := &inode{synced: append([]byte(nil), n.synced...)}
		if rng != nil && len(n.pending) > 0 {
			whole := rng.IntN(len(n.pending) + 1)
			for _, w := range n.pending[:whole] {
				kept.synced = w.apply(kept.synced)
			}
			if whole < len(n.pending) {
				kept.synced = tear(rng, n.pending[whole], kept.synced)
			}
		}
		d.live[name], d.durable[name] = kept, kept
	}
}

// tear applies a part of w: a prefix, or random sectors of it.
func tear(rng *rand.Rand, w write, to []byte) []byte {
	if rng.IntN(2) == 0 {
		return write{off: w.off, data: w.data[:rng.IntN(len(w.data)+1)]}.apply(to)
	}
	for at := 0; at < len(w.data); {
		n := min(sector-int(w.off+int64(at))%sector, len(w.data)-at)
		if rng.IntN(2) == 0 {
			to = write{off: w.off + int64(at), data: w.data[at : at+n]}.apply(to)
		}
		at += n
	}
	return to
}

// KillDuring is CrashDuring with a Kill; what the operation does may be done or not.
func (d *Disk) KillDuring(n int, rng *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crashAt, d.rng, d.killOnly = d.ops+n, rng, true
}

// CrashDuring makes the disk crash, as Crash(rng), during the n-th changing
// operation from now (n >= 1): a write, sync, creation, removal, directory
// sync, or transaction of what lies under the log.
func (d *Disk) CrashDuring(n int, rng *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crashAt, d.rng, d.killOnly = d.ops+n, rng, false
}

// Fail makes the next operation named op ("write", "sync", "create", "remove",
// "syncdir", "apply") fail with err, without effect.
func (d *Disk) Fail(op string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failOp, d.failErr = op, err
}

// Ops returns how many changing operations there were.
func (d *Disk) Ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

// Names returns the files a running process would see in dir.
func (d *Disk) Names(dir string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.list(dir)
}

func (d *Disk) list(dir string) (names []string) {
	for name := range d.live {
		if filepath.Dir(name) == dir {
			names = append(names, filepath.Base(name))
		}
	}
	return names
}

// Damage changes a file as a broken disk would: f gets its durable content and
// returns the new one. It panics when there is no such file.
func (d *Disk) Damage(name string, f func([]byte) []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.live[name]
	if n == nil {
		panic("storetest: damage: no file " + name)
	}
	n.synced, n.pending = f(n.content()), nil
}

// op does one changing operation: f changes the disk; torn, if not nil, is
// done instead of f when the power goes just then.
func (d *Disk) op(mount int, name string, f, torn func()) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if mount != d.mount {
		return ErrCrashed
	}
	if d.failOp == name {
		d.failOp = ""
		return fmt.Errorf("%s: %w", name, d.failErr)
	}
	d.ops++
	if d.ops == d.crashAt {
		switch {
		case torn != nil && !d.killOnly:
			torn()
		case d.rng != nil && d.rng.IntN(2) == 0:
			f() // it took effect, but nobody was told
		}
		if d.killOnly {
			d.unmount()
		} else {
			d.crash(d.rng)
		}
		return ErrCrashed
	}
	f()
	return nil
}
