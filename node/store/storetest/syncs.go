package storetest

import (
	"sync/atomic"

	"warren/node/store"
)

// CountSyncs returns fs, counting in n the syncs of the files that it creates: those of the log.
func CountSyncs(fs store.FS, n *atomic.Int64) store.FS { return countingFS{fs, n} }

type countingFS struct {
	store.FS
	syncs *atomic.Int64
}

type countingFile struct {
	store.File
	syncs *atomic.Int64
}

func (fs countingFS) Create(name string) (store.File, error) {
	f, err := fs.FS.Create(name)
	return countingFile{f, fs.syncs}, err
}

func (f countingFile) Sync() error {
	f.syncs.Add(1)
	return f.File.Sync()
}
