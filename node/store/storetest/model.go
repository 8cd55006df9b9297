package storetest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"warren/node/store"
)

// Model runs random work on a store and on a map, with checkpoints,
// reopenings and, where there is a Disk, loss of power at any moment; and
// compares. After a crash the store must hold a prefix of the batches that
// contains all acknowledged ones.
func Model(t *testing.T, open func(t *testing.T) Opener) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{o: open(t), state: content{}}
		m.history = []content{m.state}
		m.open(rt)
		defer func() { _ = m.s.Close() }()
		actions := map[string]func(*rapid.T){
			"commit":     m.commit,
			"async":      m.async,
			"get":        m.get,
			"range":      m.scan,
			"checkpoint": m.checkpoint,
			"reopen":     m.reopen,
		}
		if m.o.Disk != nil {
			actions["crash"] = m.crash
			actions["kill"] = m.kill
			actions["crash soon"] = m.crashSoon
		}
		rt.Repeat(actions)
		m.reopen(rt)
		m.compare(rt)
	})
}

// content is what all buckets hold. A content is not changed once made.
type content map[store.Bucket]map[string][]byte

type model struct {
	o       Opener
	s       *store.Store
	state   content
	history []content // history[n] is the state after batch n

	mu    sync.Mutex
	acked int  // all batches up to this one were acknowledged
	died  bool // a commit failed because the power went
}

func modelBuckets() []store.Bucket {
	return []store.Bucket{store.Decisions, store.Raft, store.Index}
}

// counterKey, in Meta, holds the number of the last batch.
const counterKey = "batches"

func (m *model) open(t *rapid.T) {
	if err := m.tryOpen(); err != nil {
		t.Fatalf("open: %v", err)
	}
}

func (m *model) tryOpen() error {
	s, err := m.o.Open(store.Options{CheckpointBytes: 1500, SegmentBytes: 1000, NoSync: m.o.Disk == nil})
	if err == nil {
		m.s = s
	}
	return err
}

func keys() *rapid.Generator[[]byte] {
	return rapid.SliceOfN(rapid.SampledFrom([]byte{0, 'a', 'b', 0xff}), 1, 3)
}

// ends generates ends of ranges: also empty, and nil.
func ends() *rapid.Generator[[]byte] {
	return rapid.OneOf(keys(), keys(), rapid.SampledFrom([][]byte{nil, {}}))
}

// batch makes a random batch and the state after it.
func (m *model) batch(t *rapid.T) *store.Batch {
	next := content{}
	for b, kv := range m.state {
		next[b] = maps.Clone(kv)
	}
	var b store.Batch
	for range rapid.IntRange(0, 5).Draw(t, "operations") {
		bucket := rapid.SampledFrom(modelBuckets()).Draw(t, "bucket")
		if next[bucket] == nil {
			next[bucket] = map[string][]byte{}
		}
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		default:
			k := keys().Draw(t, "key")
			v := make([]byte, rapid.SampledFrom([]int{0, 1, 5, 300, 700}).Draw(t, "size"))
			for i := range v {
				v[i] = byte(len(m.history))
			}
			b.Put(bucket, k, v)
			next[bucket][string(k)] = v
		case 3:
			k := keys().Draw(t, "key")
			b.Delete(bucket, k)
			delete(next[bucket], string(k))
		case 4, 5:
			from, to := ends().Draw(t, "from"), ends().Draw(t, "to")
			b.DeleteRange(bucket, from, to)
			maps.DeleteFunc(next[bucket], func(k string, _ []byte) bool { return inRange(k, from, to) })
		}
	}
	n := binary.BigEndian.AppendUint64(nil, uint64(len(m.history)))
	b.Put(store.Meta, []byte(counterKey), n)
	next[store.Meta] = map[string][]byte{counterKey: n}
	m.state = next
	m.history = append(m.history, next)
	return &b
}

// answer takes the answer for batch n.
func (m *model) answer(n int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case err != nil:
		m.died = true
	case m.died || n != m.acked+1:
		panic(fmt.Sprintf("batch %d is acknowledged after %d, died %t", n, m.acked, m.died))
	default:
		m.acked = n
	}
}

func (m *model) async(t *rapid.T) {
	n := len(m.history)
	m.s.CommitAsync(m.batch(t), func(err error) { m.answer(n, err) })
}

func (m *model) commit(t *rapid.T) {
	n := len(m.history)
	answered := make(chan error, 1)
	m.s.CommitAsync(m.batch(t), func(err error) { m.answer(n, err); answered <- err })
	m.after(t, <-answered)
}

// after deals with an error that a loss of power may have caused.
func (m *model) after(t *rapid.T, err error) {
	switch {
	case err == nil:
	case errors.Is(err, ErrCrashed):
		m.recover(t)
	default:
		t.Fatalf("got %v", err)
	}
}

func (m *model) checkpoint(t *rapid.T) { m.after(t, m.s.Checkpoint()) }

func (m *model) reopen(t *rapid.T) {
	if err := m.s.Close(); err != nil {
		m.after(t, err)
		return
	}
	m.after(t, m.tryOpen())
}

func (m *model) crash(t *rapid.T) {
	m.o.Disk.Crash(source(t))
	m.recover(t)
}

// source draws what a crash keeps: nil is nothing.
func source(t *rapid.T) *rand.Rand {
	seed := rapid.Uint64Range(0, 50).Draw(t, "kept")
	if seed == 0 {
		return nil
	}
	return rand.New(rand.NewPCG(seed, 1))
}

func (m *model) crashSoon(t *rapid.T) {
	n := rapid.IntRange(1, 12).Draw(t, "operations until the crash")
	if rapid.Bool().Draw(t, "only a kill") {
		m.o.Disk.KillDuring(n, source(t))
		return
	}
	m.o.Disk.CrashDuring(n, source(t))
}

func (m *model) kill(t *rapid.T) {
	m.o.Disk.Kill()
	m.recover(t)
}

// recover opens the store after a crash and takes its state for the model's,
// if it is an allowed one.
func (m *model) recover(t *rapid.T) {
	_ = m.s.Close() // from now on nothing more is answered
	if err := m.tryOpen(); err != nil {
		if !errors.Is(err, ErrCrashed) { // one crash may have been ordered after one that nobody noticed
			t.Fatalf("open after a crash: %v", err)
		}
		m.open(t)
	}
	v, err := m.s.Get(store.Meta, []byte(counterKey))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if v != nil {
		n = int(binary.BigEndian.Uint64(v))
	}
	if n < m.acked || n >= len(m.history) {
		t.Fatalf("after a crash the store holds %d batches; %d were acknowledged, %d made", n, m.acked, len(m.history)-1)
	}
	m.mu.Lock()
	m.acked, m.died = n, false
	m.mu.Unlock()
	m.history = m.history[:n+1]
	m.state = m.history[n]
	m.compare(t)
}

// power reports whether err comes from a crash that nobody noticed yet, and
// recovers then.
func (m *model) power(t *rapid.T, err error) bool {
	if errors.Is(err, ErrCrashed) {
		m.recover(t)
		return true
	}
	if err != nil {
		t.Fatal(err)
	}
	return false
}

func (m *model) get(t *rapid.T) {
	bucket, key := rapid.SampledFrom(modelBuckets()).Draw(t, "bucket"), keys().Draw(t, "key")
	got, err := m.s.Get(bucket, key)
	if m.power(t, err) {
		return
	}
	want, ok := m.state[bucket][string(key)]
	if ok != (got != nil) || !bytes.Equal(got, want) {
		t.Fatalf("get %s %q: got %x, want %x (there: %t)", bucket, key, got, want, ok)
	}
}

func (m *model) scan(t *rapid.T) {
	bucket := rapid.SampledFrom(modelBuckets()).Draw(t, "bucket")
	from, to := ends().Draw(t, "from"), ends().Draw(t, "to")
	m.same(t, bucket, from, to, rapid.IntRange(0, 6).Draw(t, "limit"), rapid.Bool().Draw(t, "descending"))
}

func (m *model) same(t *rapid.T, bucket store.Bucket, from, to []byte, limit int, descending bool) {
	f := m.s.Range
	if descending {
		f = m.s.RangeReverse
	}
	got, err := f(bucket, from, to, limit)
	if m.power(t, err) {
		return
	}
	want := sortedKeys(m.state[bucket], from, to, descending)
	if limit > 0 && len(want) > limit {
		want = want[:limit]
	}
	if len(got) != len(want) {
		t.Fatalf("range %s [%q,%q) limit %d descending %t: got %d pairs, want keys %q", bucket, from, to, limit, descending, len(got), want)
	}
	for i, kv := range got {
		if string(kv.Key) != want[i] || !bytes.Equal(kv.Value, m.state[bucket][want[i]]) {
			t.Fatalf("range %s: pair %d: got %q, want key %q", bucket, i, kv, want[i])
		}
	}
}

// compare compares everything.
func (m *model) compare(t *rapid.T) {
	for _, b := range modelBuckets() {
		m.same(t, b, nil, nil, 0, false)
		m.same(t, b, nil, nil, 0, true)
	}
}
