package overlay

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	ds "github.com/ipfs/go-datastore"
)

func TestBoundedStoreCountsWhatItHolds(t *testing.T) {
	ctx := t.Context()
	b := newBoundedStore(3 * cost(ds.NewKey("/a"), 10))
	put := func(k string, n int) error { return b.Put(ctx, ds.NewKey(k), make([]byte, n)) }
	for _, k := range []string{"/a", "/b", "/c", "/c"} {
		if err := put(k, 10); err != nil {
			t.Fatalf("put %s: %v", k, err)
		}
	}
	if err := put("/d", 1); !errors.Is(err, errStoreFull) {
		t.Errorf("got %v, want errStoreFull", err)
	}
	if err := put("/a", 11); !errors.Is(err, errStoreFull) {
		t.Errorf("an entry grown over the limit: got %v", err)
	}
	if err := b.Delete(ctx, ds.NewKey("/a")); err != nil {
		t.Fatal(err)
	}
	batch, err := b.Batch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"/d", "/e"} {
		if err := batch.Put(ctx, ds.NewKey(k), make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Commit(ctx); !errors.Is(err, errStoreFull) {
		t.Errorf("a batch over the limit: got %v", err)
	}
	for _, k := range []string{"/a", "/b", "/c", "/d", "/e"} {
		if err := b.Delete(ctx, ds.NewKey(k)); err != nil {
			t.Fatal(err)
		}
	}
	if b.bytes != 0 {
		t.Errorf("an empty store counts %d bytes", b.bytes)
	}
}

// In a large network a node dials some members only, and others when there is something to say.
func TestLargeNetworksAreNoFullMesh(t *testing.T) {
	o, err := New(Config{Key: testKey(1), Listen: []string{}, Admitted: func(NodeID) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close() // not started: nobody dials
	p := o.peer(keyID(2))
	if wait, due := p.delay(); wait < minRedial || wait > maxRedial || !due {
		t.Errorf("a member of which no address is known: wait %v, due %v", wait, due)
	}
	if strangers := o.addKnown([]string{"/ip4/127.0.0.1/tcp/9/p2p/" + p.pid.String()}); len(strangers) > 0 {
		t.Fatal("a member is a stranger")
	}
	if wait, due := p.delay(); wait != 0 || !due {
		t.Errorf("in a small network: wait %v, due %v", wait, due)
	}
	for i := range byte(fullMesh) {
		o.peer(keyID(i + 3))
	}
	if wait, due := p.delay(); wait != 0 || !due {
		t.Errorf("in a large network with too few links: wait %v, due %v", wait, due)
	}
	for i := range byte(minConnected) {
		o.peer(keyID(i + 3)).linked.Store(true)
	}
	if wait, due := p.delay(); wait < minRedial || wait > maxRedial || due {
		t.Errorf("in a large network: wait %v, due %v", wait, due)
	}
	if err := p.attempt(); !errors.Is(err, errUnwanted) || o.Stats().Dials != 0 {
		t.Errorf("when its turn has come, with links enough: %v, %d dials", err, o.Stats().Dials)
	}
	if !o.Send(p.id, nil) {
		t.Fatal("frame not taken")
	}
	if wait, due := p.delay(); wait != 0 || !due {
		t.Errorf("with a frame waiting: wait %v, due %v", wait, due)
	}
	for fails := int32(1); fails < 20; fails++ {
		p.fails.Store(fails)
		if wait, due := p.delay(); wait < firstRedial/2 || wait > maxRedial+time.Second || !due {
			t.Errorf("after %d failures: wait %v, due %v", fails, wait, due)
		}
	}
}

func TestPortInUseIsSaid(t *testing.T) {
	a := newNode(t, 1, members(1), func(c *Config) { c.Listen = append(slices.Clone(onTCP), onQUIC...) })
	for _, s := range a.Addrs() {
		listen, _, _ := strings.Cut(s, "/p2p/")
		_, err := New(Config{Key: testKey(2), Listen: []string{"/ip4/127.0.0.1/tcp/0", listen}})
		if err == nil || !strings.Contains(err.Error(), "in use") || !strings.Contains(err.Error(), listen) {
			t.Errorf("a second node on %s: got %v", listen, err)
		}
	}
	for _, bad := range []string{"/ip4/127.0.0.1/tcp/99999", "localhost:4067", "/ip4/192.0.2.250/tcp/0"} {
		if o, err := New(Config{Key: testKey(2), Listen: []string{bad}}); err == nil {
			t.Errorf("listening on %s: no error", bad)
			_ = o.Close()
		}
	}
	if _, err := New(Config{}); err == nil {
		t.Error("a missing key: no error")
	}
	if _, err := New(Config{Key: testKey(2), Bootstrap: []string{"/ip4/127.0.0.1/tcp/1"}}); !errors.Is(err, errNoPeerID) {
		t.Errorf("a bootstrap address without peer id: got %v", err)
	}
}
