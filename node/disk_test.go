package node

import (
	"errors"
	"testing"

	"warren/node/store"
	"warren/node/store/storetest"
	"warren/rooms/replica"
)

func TestAFailingDiskIsTold(t *testing.T) {
	hardware := storetest.NewDisk()
	s, err := store.Open("/x", hardware.Options())
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{broken: make(chan error, 1)}
	d := disk{s, n.diskFailed}
	change := []replica.Change{{Table: replica.Decisions, Key: []byte("k"), Value: []byte("v")}}
	if err := d.Write(change); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("no space left")
	hardware.Fail("sync", broken)
	if err := d.Write(change); !errors.Is(err, broken) {
		t.Fatalf("a write that failed: %v", err)
	}
	select {
	case err := <-n.Broken():
		if !errors.Is(err, broken) {
			t.Errorf("told %v", err)
		}
	default:
		t.Error("nobody was told")
	}
	_ = s.Close()
}
