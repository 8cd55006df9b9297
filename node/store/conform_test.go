package store_test

import (
	"testing"

	"go.uber.org/goleak"

	"warren/node/store"
	"warren/node/store/storetest"
)

func TestMain(m *testing.M) {
	runChild()
	goleak.VerifyTestMain(m)
}

// The three ways to put a store on something.
func openers() map[string]func(t *testing.T) storetest.Opener {
	return map[string]func(t *testing.T) storetest.Opener{
		"os": func(t *testing.T) storetest.Opener {
			dir := t.TempDir()
			return storetest.Opener{Open: func(o store.Options) (*store.Store, error) { return store.Open(dir, o) }}
		},
		"disk": func(t *testing.T) storetest.Opener {
			d := storetest.NewDisk()
			return storetest.Opener{Disk: d, BaseOnDisk: true, Open: func(o store.Options) (*store.Store, error) {
				m := d.Options()
				o.FS, o.OpenBase = m.FS, m.OpenBase
				return store.Open("/data", o)
			}}
		},
		"disk with bbolt": func(t *testing.T) storetest.Opener {
			d, dir := storetest.NewDisk(), t.TempDir()
			return storetest.Opener{Disk: d, Open: func(o store.Options) (*store.Store, error) {
				// A crash of d is a kill for bbolt, which needs no sync.
				o.OpenBase = func(dir string) (store.Base, error) { return store.OpenBolt(dir, true) }
				o.FS = d.Options().FS
				return store.Open(dir, o)
			}}
		},
	}
}

func TestConformance(t *testing.T) {
	for name, open := range openers() {
		t.Run(name, func(t *testing.T) { storetest.Run(t, open) })
	}
}
