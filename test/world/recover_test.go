package world

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

// Four nodes control everything. Three are gone: the recovery key brings the directory back, and who manages the room brings that back, from what the
// one that is left holds. One of the three comes back after all, with more than that; it drops it and joins.
func TestThreeOfFourAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(t, Nodes(4))
		alice := w.User("alice").WithAccount().On("n1").Join("hall")
		alice.Say("before")
		id := alice.ID()
		bob := w.User("bob").On("n2").Join("hall")
		w.Crash("n1")
		if err := bob.TryAsk(&rooms.Say{Text: "lost"}); err != nil {
			t.Fatal(err)
		}
		for _, n := range []string{"n2", "n3", "n4"} {
			w.Crash(n)
		}
		w.Restart("n1")
		h := w.Node("n1").Host()
		time.Sleep(time.Minute)
		ctx, cancel := w.patience()
		defer cancel()
		if done, err := h.Rescue(ctx, w.Node("n1").key); err != nil || done.Epoch != 2 || len(done.Silent) != 3 {
			t.Fatalf("rescue: %+v, %v", done, err)
		}
		if done, err := h.Recover(ctx, id, "alice"); err != nil || done.Epoch != 2 || len(done.Silent) != 3 {
			t.Fatalf("recover: %+v, %v", done, err)
		}
		again := w.User("alice").On("n1").Join("hall")
		again.Say("after")
		if texts := again.Heard(); !slices.Contains(texts, "after") {
			t.Errorf("heard %q", texts)
		}
		w.Restart("n2")
		w.Eventually("who was believed lost joins", 3*time.Minute, func() bool {
			here, there := w.Node("n1").Room("hall"), w.Node("n2").Room("hall")
			return here != nil && there != nil && here.Status().Epoch == 2 && here.Status().Head == there.Status().Head &&
				w.Node("n2").Host().Dir().Status().Epoch == 2
		})
		list := w.read(w.Node("n2"), id)
		for i := range list {
			for _, ev := range list[i].TalkEvents() {
				if s, ok := ev.Body.(*rooms.Say); ok && s.Text == "lost" {
					t.Error("it has kept what is in no epoch")
				}
			}
		}
		w.Settle(3 * time.Minute)
		for _, l := range w.Check() {
			if !slices.ContainsFunc(l.Events, func(ev rooms.Event) bool { return ev.Op == rooms.OpBegin }) {
				t.Errorf("%s does not tell that it began anew", l.Name)
			}
		}
	})
}
