package node

import (
	"crypto/ed25519"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"warren/node/overlay"
	"warren/rooms"
)

// afar is a node's far, and what became of it.
type afar struct {
	*far
	linkedTo  map[rooms.NodeID]bool
	published [][]byte
	frames    []string

	mu   sync.Mutex
	lost []rooms.NodeID
}

func (a *afar) allLost() []rooms.NodeID {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.lost)
}

func newAfar(t *testing.T, life uint64, seed byte, members int) *afar {
	t.Helper()
	a := &afar{linkedTo: map[rooms.NodeID]bool{}}
	a.far = &far{
		network: [32]byte{1}, key: ed25519.NewKeyFromSeed(slices.Repeat([]byte{seed}, ed25519.SeedSize)), life: life, nodes: map[rooms.NodeID]farNode{},
		log:     slog.New(slog.DiscardHandler),
		members: func() int { return members },
		inside:  func(id rooms.NodeID) bool { return id != rooms.NodeID{} },
		linked:  func(id rooms.NodeID) bool { return a.linkedTo[id] },
		join: func(func(rooms.NodeID, []byte)) (farPub, error) {
			return func(b []byte) error { a.published = append(a.published, b); return nil }, nil
		},
		heard: func(_ rooms.NodeID, f []byte) { a.frames = append(a.frames, string(f)) },
		gone: func(id rooms.NodeID) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.lost = append(a.lost, id)
		},
	}
	return a
}

func (a *afar) id() rooms.NodeID { return rooms.NodeOf(a.key.Public().(ed25519.PublicKey)) }

// hears gives all that from has published to a.
func (a *afar) hears(from *afar) {
	for _, b := range from.published {
		a.hear(rooms.NodeID{}, b)
	}
}

const many = overlay.FullMesh + 1

func TestOnlyWhoHasNoLinkIsToldAfar(t *testing.T) {
	for _, c := range []struct {
		members, linked, want int
	}{{overlay.FullMesh, 3, 0}, {many, many - 1, 0}, {many, 16, 1}} {
		a := newAfar(t, 1, 1, c.members)
		if a.tell([]byte("x"), c.linked); len(a.published) != c.want {
			t.Errorf("%d of %d nodes linked: %d messages", c.linked, c.members, len(a.published))
		}
	}
}

func TestWhatIsHeardFromAfar(t *testing.T) {
	a, b := newAfar(t, 5, 1, many), newAfar(t, 5, 2, many)
	b.tell([]byte("one"), 0)
	b.tell([]byte("two"), 0)
	a.hears(b)
	a.hears(b) // what is replayed counts once
	if !slices.Equal(a.frames, []string{"one", "two"}) {
		t.Fatalf("heard %q", a.frames)
	}
	forged := newAfar(t, 5, 3, many)
	m := farMessage{Node: b.id(), Life: 6, Stamp: 9, Frame: []byte("forged")}
	m.Sig = ed25519.Sign(forged.key, m.signed(forged.network))
	forged.published = [][]byte{rooms.Marshal(m)}
	a.hears(forged)
	other := newAfar(t, 6, 2, many)
	other.network = [32]byte{2}
	other.tell([]byte("of another network"), 0)
	a.hears(other)
	a.inside = func(rooms.NodeID) bool { return false }
	stranger := newAfar(t, 1, 4, many)
	stranger.tell([]byte("a stranger's"), 0)
	a.hears(stranger)
	if len(a.frames) != 2 || len(a.allLost()) != 0 {
		t.Errorf("heard %q, lost %d", a.frames, len(a.allLost()))
	}
}

func TestWhoIsLinkedTellsOverTheLink(t *testing.T) {
	a, b := newAfar(t, 1, 1, many), newAfar(t, 1, 2, many)
	a.linkedTo[b.id()] = true
	b.tell([]byte("x"), 0)
	a.hears(b)
	if len(a.frames) != 0 {
		t.Errorf("heard %q twice", a.frames)
	}
}

func TestANewLifeForgetsWhatTheOldOneTold(t *testing.T) {
	a := newAfar(t, 1, 1, many)
	old, young := newAfar(t, 10, 2, many), newAfar(t, 11, 2, many)
	old.tell([]byte("old"), 0)
	young.tell([]byte("young"), 0)
	a.hears(old)
	a.hears(young)
	a.hears(old)
	if !slices.Equal(a.frames, []string{"old", "young"}) || !slices.Equal(a.allLost(), []rooms.NodeID{old.id()}) {
		t.Errorf("heard %q, lost %d", a.frames, len(a.allLost()))
	}
}

// Who says nothing any more is gone after a while, unless there is a link that tells better.
func TestWhoIsSilentAfarIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := newAfar(t, 1, 1, many), newAfar(t, 1, 2, many), newAfar(t, 1, 3, many)
		var again atomic.Int32
		b.tell([]byte("x"), 0)
		c.tell([]byte("y"), 0)
		a.hears(b)
		a.hears(c)
		a.linkedTo[c.id()] = true
		go a.run(t.Context(), func() { again.Add(1) })
		time.Sleep(farGone - farEvery/8)
		synctest.Wait()
		if len(a.allLost()) != 0 {
			t.Error("gone too early")
		}
		time.Sleep(farEvery + farEvery/4)
		synctest.Wait()
		if !slices.Equal(a.allLost(), []rooms.NodeID{b.id()}) || again.Load() < 3 {
			t.Errorf("lost %d, told again %d times", len(a.allLost()), again.Load())
		}
	})
}
