package overlay

import (
	"context"
	"errors"
	"sync"

	ds "github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
)

// entryCost is what an entry takes beside its key and value, in bytes, about.
const entryCost = 128

var errStoreFull = errors.New("this node's part of the dht is full")

// boundedStore keeps a part of the DHT in memory: what other members store here, up to a number of bytes. It
// is forgotten with the process; who stored it repeats it.
type boundedStore struct {
	*dssync.MutexDatastore

	mu    sync.Mutex // guards bytes and keeps them in step with the entries
	bytes int
	limit int
}

func newBoundedStore(limit int) *boundedStore {
	return &boundedStore{MutexDatastore: dssync.MutexWrap(ds.NewMapDatastore()), limit: limit}
}

// size is what the entry takes, 0 when there is none. Guarded by mu.
func (b *boundedStore) size(ctx context.Context, k ds.Key) int {
	n, err := b.GetSize(ctx, k)
	if err != nil {
		return 0
	}
	return cost(k, n)
}

func cost(k ds.Key, value int) int { return len(k.String()) + value + entryCost }

func (b *boundedStore) Put(ctx context.Context, k ds.Key, v []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	grown := b.bytes - b.size(ctx, k) + cost(k, len(v))
	if grown > b.limit && grown > b.bytes {
		return errStoreFull
	}
	if err := b.MutexDatastore.Put(ctx, k, v); err != nil {
		return err
	}
	b.bytes = grown
	return nil
}

func (b *boundedStore) Delete(ctx context.Context, k ds.Key) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.size(ctx, k)
	if err := b.MutexDatastore.Delete(ctx, k); err != nil {
		return err
	}
	b.bytes -= old
	return nil
}

// Batch writes one by one through Put and Delete, so that they count.
func (b *boundedStore) Batch(context.Context) (ds.Batch, error) { return ds.NewBasicBatch(b), nil }
