package replica

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"warren/perms"
	"warren/rooms"
)

// TestRecoveryWithoutRightChangesNothing: the directory made a new epoch by the will of somebody who does not manage the room, since its controllers
// were misled. Every copy keeps what it has, before and after a restart, and the room goes on in its old epoch.
func TestRecoveryWithoutRightChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h1 := w.nodes(2)
		h2 := w.hosts["n2"]
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		w.registered(h1, "alice")
		w.registered(h2, "eve")
		id := w.found("alice", "", rooms.CreateRoom{Name: "hall"})
		r1 := w.openAs("n1", id, "alice", "")
		w.do(r1, "alice", "alice", &rooms.Enter{}, &rooms.Say{Text: "before"})
		w.knows(h2, id)
		w.openAs("n2", id, "eve", "")
		rec, err := h2.record(id)
		if err != nil {
			t.Fatal(err)
		}
		for name, tt := range map[string]struct {
			b    silentBody
			from rooms.NodeID
			want bool
		}{
			"by who manages":        {silentBody{Room: id, Epoch: 1, For: "alice", Nodes: rec.Now}, h1.Self(), true},
			"by who does not":       {silentBody{Room: id, Epoch: 1, For: "eve", Nodes: rec.Now}, h2.Self(), false},
			"by nobody":             {silentBody{Room: id, Epoch: 1, Nodes: rec.Now}, h2.Self(), false},
			"in another's name":     {silentBody{Room: id, Epoch: 1, For: "alice", Nodes: rec.Now}, h2.Self(), false},
			"of another epoch":      {silentBody{Room: id, Epoch: 2, For: "alice", Nodes: rec.Now}, h1.Self(), false},
			"of no room":            {silentBody{Epoch: 1, For: "alice", Nodes: rec.Now}, h1.Self(), false},
			"of who does not order": {silentBody{Room: id, Epoch: 1, For: "alice", Nodes: []rooms.NodeID{node("n9")}}, h1.Self(), false},
			"of one twice":          {silentBody{Room: id, Epoch: 1, For: "alice", Nodes: []rooms.NodeID{rec.Now[0], rec.Now[0]}}, h1.Self(), false},
		} {
			if got := h1.mayEndEpoch(tt.from, &tt.b); got != tt.want {
				t.Errorf("an end of the epoch %s: %v", name, got)
			}
		}
		body := &rooms.NewEpoch{Room: id, Epoch: 2}
		thing := rooms.SilentThing(id, 1, "eve", rec.Now, false)
		for _, c := range h1.Dir().Status().Controllers {
			body.Silent = append(body.Silent, rooms.Endorse(h1.Dir().id, rooms.KindSilent, thing, h1.Now(), key(w.name(c))))
		}
		if _, err := h2.Dir().Ask(ctx, "eve", "", body); err != nil {
			t.Fatal(err)
		}
		want := []string{"before"}
		same := func(when string) {
			t.Helper()
			w.eventually("both copies are the same "+when, time.Minute, func() bool {
				a, b := w.hosts["n1"].Get(id), w.hosts["n2"].Get(id)
				return a != nil && b != nil && a.Status().Head == b.Status().Head
			})
			for name, h := range w.hosts {
				r := h.Get(id)
				if r.Status().Epoch != 1 || !slices.Equal(said(t, r), want) {
					t.Fatalf("%s: %s holds %q in epoch %d, want %q", when, name, said(t, r), r.Status().Epoch, want)
				}
			}
		}
		w.eventually("the directory shows it everywhere", time.Minute, func() bool {
			a, _ := h1.record(id)
			b, _ := h2.record(id)
			return a.Epoch() == 2 && b.Epoch() == 2
		})
		w.do(r1, "alice", "alice", &rooms.Say{Text: "after"})
		want = append(want, "after")
		same("after the recovery")
		for _, n := range []string{"n2", "n1"} {
			w.kill(n)
			h := w.start(n)
			as := map[string]string{"n1": "alice", "n2": "eve"}[n]
			if _, err := h.Open(ctx, id, as, ""); err != nil && n == "n1" {
				t.Fatal(err)
			}
		}
		same("after a restart")
		w.do(w.hosts["n1"].Get(id), "alice", "alice", &rooms.Enter{}, &rooms.Say{Text: "on"})
		want = append(want, "on")
		same("at the end")
	})
}

// TestACopyWithoutHistoryJudgesNoRecovery: eve manages the room by now, but did not where she has it begin anew. Who lacks the log down to there does
// not know, and waits until it does: it takes nothing back, and comes to the same as all others.
func TestACopyWithoutHistoryJudgesNoRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Hour)
		defer cancel()
		w, id, r1 := longRoom(t)
		w.registered(w.hosts["n2"], "eve")
		if _, err := r1.Ask(ctx, "", "ann", &rooms.Grant{Who: perms.Account("eve"), Allow: perms.Manage}); err != nil {
			t.Fatal(err)
		}
		hold := make(chan struct{})
		w.lan.onPull = func(ctx context.Context, from, to rooms.NodeID, req []byte, serve server) ([]byte, error) {
			var q pull
			if rooms.Unmarshal(req, &q) == nil && q.Room == id && q.Want == wantLog && q.Upto > 0 {
				select {
				case <-hold:
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
			return serve(ctx, from, req)
		}
		h5 := w.join("n5", id)
		r5, err := h5.Open(ctx, id, "", "bob")
		if err != nil {
			t.Fatal(err)
		}
		stop := r5.Watch(func(*rooms.Event, any) {})
		before, _ := r5.Head()
		if low, _ := r5.reach(); low < jump {
			t.Fatalf("its log begins at %d", low)
		}
		list, err := r1.decisions(100, 100)
		if err != nil || len(list) != 1 {
			t.Fatal(err)
		}
		rec, err := h5.record(id)
		if err != nil {
			t.Fatal(err)
		}
		body := &rooms.NewEpoch{Room: id, Epoch: 2, Header: &list[0].Header, Cert: list[0].Cert}
		thing := rooms.SilentThing(id, 1, "eve", rec.Now, false)
		for _, c := range h5.Dir().Status().Controllers {
			body.Silent = append(body.Silent, rooms.Endorse(h5.Dir().id, rooms.KindSilent, thing, h5.Now(), key(w.name(c))))
		}
		if _, err := w.hosts["n2"].Dir().Ask(ctx, "eve", "", body); err != nil {
			t.Fatal(err)
		}
		if _, err := r1.Ask(ctx, "", "ann", &rooms.Say{Text: "still here"}); err != nil {
			t.Fatal(err)
		}
		want, head := r1.Head()
		waits := func(when string) {
			t.Helper()
			time.Sleep(20 * time.Second)
			r := w.hosts["n5"].Get(id)
			if at, _ := r.Head(); at != before || r.Status().Epoch != 1 || r.Status().Broken != nil {
				t.Fatalf("%s it stands at %d in epoch %d (%v), it was at %d", when, at, r.Status().Epoch, r.Status().Broken, before)
			}
		}
		waits("with the recovery in the directory")
		stop()
		w.kill("n5")
		h5 = w.start("n5")
		if r5, err = h5.hold(id); err != nil {
			t.Fatal(err)
		}
		defer r5.Watch(func(*rooms.Event, any) {})()
		waits("after a restart")
		close(hold)
		w.eventually("it knows, and goes on", 2*time.Minute, func() bool {
			at, h := r5.Head()
			return at == want && h == head
		})
	})
}
