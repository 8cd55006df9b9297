package storetest

import (
	"io"
	"io/fs"

	"warren/node/store"
)

// mounted is a Disk as one process sees it, until the next crash.
type mounted struct {
	disk  *Disk
	mount int
}

var _ store.FS = (*mounted)(nil)

// look does something that changes nothing durable.
func (m *mounted) look(f func(d *Disk) error) error {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	if m.mount != m.disk.mount {
		return ErrCrashed
	}
	return f(m.disk)
}

func (m *mounted) MkdirAll(string) error { return m.look(func(*Disk) error { return nil }) }

func (m *mounted) Lock(name string) (io.Closer, error) {
	err := m.look(func(d *Disk) error {
		if d.locks[name] {
			return store.ErrInUse
		}
		d.locks[name] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	return unlock{m, name}, nil
}

type unlock struct {
	m    *mounted
	name string
}

func (u unlock) Close() error {
	return u.m.look(func(d *Disk) error {
		delete(d.locks, u.name)
		return nil
	})
}

func (m *mounted) Create(name string) (store.File, error) {
	n := &inode{}
	err := m.disk.op(m.mount, "create", func() { m.disk.live[name] = n }, nil)
	if err != nil {
		return nil, err
	}
	return &file{m: m, n: n}, nil
}

func (m *mounted) OpenWrite(name string) (store.File, error) {
	f := &file{m: m}
	err := m.look(func(d *Disk) error {
		if f.n = d.live[name]; f.n == nil {
			return fs.ErrNotExist
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (m *mounted) ReadFile(name string) (data []byte, err error) {
	err = m.look(func(d *Disk) error {
		n := d.live[name]
		if n == nil {
			return fs.ErrNotExist
		}
		data = n.content()
		return nil
	})
	return data, err
}

func (m *mounted) Remove(name string) error {
	return m.disk.op(m.mount, "remove", func() { delete(m.disk.live, name) }, nil)
}

func (m *mounted) SyncDir(string) error {
	return m.disk.op(m.mount, "syncdir", func() {
		m.disk.durable = map[string]*inode{}
		for name, n := range m.disk.live {
			m.disk.durable[name] = n
		}
	}, nil)
}

func (m *mounted) List(dir string) (names []string, err error) {
	err = m.look(func(d *Disk) error {
		names = d.list(dir)
		return nil
	})
	return names, err
}

// file is an open file of a Disk.
type file struct {
	m *mounted
	n *inode
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	w := write{off: off, data: append([]byte(nil), p...)}
	add := func() { f.n.pending = append(f.n.pending, w) }
	if err := f.m.disk.op(f.m.mount, "write", add, add); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f *file) Sync() error {
	return f.m.disk.op(f.m.mount, "sync", func() {
		for _, w := range f.n.pending {
			f.n.synced = w.apply(f.n.synced)
		}
		f.n.pending = nil
	}, nil)
}

func (f *file) Close() error { return f.m.look(func(*Disk) error { return nil }) }
