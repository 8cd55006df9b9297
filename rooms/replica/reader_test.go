package replica

import (
	"context"
	"crypto/ed25519"
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
		defer w.close()
		h1 := w.start("n1")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		accKey := key("alice")
		pub := rooms.NodeOf(accKey.Public().(ed25519.PublicKey))
		reg := &rooms.Register{Name: "alice", Key: pub, Device: node("n1")}
		reg.Sig = ed25519.Sign(accKey, rooms.AccountDigest(w.genesis.Directory(), "register", "alice", pub, node("n1"), 0))
		if err := h1.Order(ctx, reg); err != nil {
			t.Fatal(err)
		}
		id, err := h1.Create(ctx, "alice", "alice", rooms.CreateRoom{Name: rooms.InventoryName("alice"), Members: []perms.Principal{"alice"}})
		if err != nil {
			t.Fatal(err)
		}
		r1, err := h1.Open(ctx, id, "alice", "alice")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r1.Ask(ctx, "alice", "alice", &rooms.Put{Kind: rooms.Document, Name: "diary", Text: []byte("secret")}); err != nil {
			t.Fatal(err)
		}
		w.admit("n2")
		h2 := w.start("n2")
		w.eventually("the room is known at n2", 10*time.Second, func() bool {
			known := false
			h2.Directory(func(d *rooms.Directory) { _, known = d.Rooms[id] })
			return known
		})
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
		defer w.close()
		h1 := w.start("n1")
		w.admit("n2")
		h2 := w.start("n2")
		register := func(h *Host, name string) {
			k := key(name)
			pub := rooms.NodeOf(k.Public().(ed25519.PublicKey))
			reg := &rooms.Register{Name: name, Key: pub, Device: h.Self()}
			reg.Sig = ed25519.Sign(k, rooms.AccountDigest(w.genesis.Directory(), "register", name, pub, h.Self(), 0))
			if err := h.Order(t.Context(), reg); err != nil {
				t.Fatal(err)
			}
		}
		register(h1, "alice")
		register(h2, "bob")
		register(h2, "carol")
		members := []perms.Principal{"alice", "bob"}
		id, err := h1.Create(t.Context(), "alice", "alice", rooms.CreateRoom{Name: rooms.DirectName("alice", "bob"), Members: members})
		if err != nil {
			t.Fatal(err)
		}
		w.eventually("n2 knows it", 10*time.Second, func() bool { _, err := h2.record(id); return err == nil })
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
		defer w.close()
		h := w.join("n5", id)
		r5, err := h.Open(t.Context(), id, "", "eve")
		if err != nil {
			t.Fatal(err)
		}
		r1, err := w.hosts["n1"].Open(t.Context(), id, "", "ann")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r1.Ask(t.Context(), "", "ann", &rooms.Enter{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		acl := &rooms.Grant{Who: perms.Everyone, Deny: perms.Read | perms.Enter}
		if _, err := r1.Ask(t.Context(), "", "ann", acl); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		before, _ := r5.Head()
		if _, err := r1.Ask(t.Context(), "", "ann", &rooms.Say{Text: "among us"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if got, _ := r5.Head(); got != before {
			t.Errorf("the copy of who may not read went from %d to %d", before, got)
		}
	})
}
