package replica

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
)

func TestAReaderWithoutRightsGetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h1 := w.start("n1")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		w.registered(h1, "alice")
		id := w.found("alice", "alice", rooms.CreateRoom{Name: rooms.InventoryName("alice"), Members: []perms.Principal{"alice"}})
		r1 := w.openAs("n1", id, "alice", "alice")
		w.do(r1, "alice", "alice", &rooms.Put{Kind: rooms.Document, Name: "diary", Text: []byte("secret")})
		h2 := w.join("n2", id)
		short, stop := context.WithTimeout(ctx, 3*time.Second)
		defer stop()
		// n2 claims to read for alice, whose device it is not; then for a guest; then asks the disk directly.
		if _, err := h2.Open(short, id, "alice", "alice"); !errors.Is(err, errs.Denied) {
			t.Errorf("open in alice's name from a node that is not hers: %v", err)
		}
		if _, err := h2.Open(short, id, "", "mallory"); !errors.Is(err, errs.Denied) {
			t.Errorf("open as a guest: %v", err)
		}
		for _, as := range []reader{{}, {Account: "alice", Nick: "alice"}, {Nick: "alice"}} {
			data, err := h1.ServePull(ctx, node("n2"), rooms.Marshal(pull{Room: id, For: as}))
			var p pulled
			if err != nil || rooms.Unmarshal(data, &p) != nil || !p.Denied || len(p.Decisions) > 0 {
				t.Errorf("pull as %+v: %v %+v", as, err, p)
			}
		}
		if h, _ := h2.Get(id).Head(); h != 0 {
			t.Errorf("n2 holds %d decisions of a room it may not read", h)
		}
	})
}

func TestARoomIsReadForWhoMayReadItOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h1 := w.nodes(2)
		h2 := w.hosts["n2"]
		w.registered(h1, "alice")
		w.registered(h2, "bob")
		w.registered(h2, "carol")
		members := []perms.Principal{"alice", "bob"}
		id := w.found("alice", "alice", rooms.CreateRoom{Name: rooms.DirectName("alice", "bob"), Members: members})
		w.knows(h2, id)
		// Both ask from the same node at once: the right of one opens nothing for the other.
		var wg sync.WaitGroup
		for range 10 {
			for who, want := range map[string]error{"bob": nil, "carol": errs.Denied} {
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
					defer cancel()
					if _, err := h2.Open(ctx, id, who, who); !errors.Is(err, want) {
						t.Errorf("%s: %v", who, err)
					}
				})
			}
		}
		wg.Wait()
	})
}

func TestWhoMayNotReadAnyMoreGetsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		w.join("n5", id)
		r5 := w.open("n5", id, "eve")
		r1 := w.enter("n1", id, "ann")
		time.Sleep(5 * time.Second)
		want, _ := r1.Head()
		if got, _ := r5.Head(); got != want {
			t.Fatalf("the copy of who may read is at %d, the room at %d", got, want)
		}
		w.do(r1, "", "ann", &rooms.Grant{Who: perms.Everyone, Deny: perms.Read | perms.Enter})
		time.Sleep(100 * time.Millisecond)
		before, _ := r5.Head()
		w.do(r1, "", "ann", &rooms.Say{Text: "among us"})
		time.Sleep(20 * time.Second)
		if got, _ := r5.Head(); got != before {
			t.Errorf("the copy of who may not read went from %d to %d", before, got)
		}
	})
}
