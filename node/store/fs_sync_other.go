//go:build !linux

package store

import "os"

// datasync is the nearest that other systems have to fdatasync(2).
func datasync(f *os.File) error { return f.Sync() }
