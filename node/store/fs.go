package store

import "io"

// FS is what the log needs of a file system. [OS] is the real one;
// storetest.Disk has one that can lose power. Names are paths as made by
// filepath.Join. An FS is safe for concurrent use.
type FS interface {
	// MkdirAll makes dir and its parents with mode 0700, durably.
	MkdirAll(dir string) error
	// Lock takes an exclusive lock on the file name, which it makes, until
	// the returned value is closed or the process ends. It does not wait: it
	// returns an error that matches ErrInUse when somebody else has the lock.
	Lock(name string) (io.Closer, error)
	// Create makes an empty file with mode 0600, open for writing. An
	// existing one is emptied. The directory entry is durable after SyncDir.
	Create(name string) (File, error)
	// OpenWrite opens an existing file for writing.
	OpenWrite(name string) (File, error)
	// ReadFile returns the content of a file.
	ReadFile(name string) ([]byte, error)
	// Remove removes a file. The removal is durable after SyncDir.
	Remove(name string) error
	// SyncDir makes the creations and removals in dir durable.
	SyncDir(dir string) error
	// List returns the names (not paths) in dir, in any order.
	List(dir string) ([]string, error)
}

// File is a file open for writing. One goroutine uses it at a time.
type File interface {
	io.WriterAt
	// Sync makes what was written durable, with its length (fdatasync).
	Sync() error
	io.Closer
}
