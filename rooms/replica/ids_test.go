package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"warren/rooms"
	"warren/rooms/errs"
)

// An id is found however long ago its message was said, by the index: without reading the log between.
func TestEveryIDIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start("n1")
		ctx := t.Context()
		id := w.found("", "ann", rooms.CreateRoom{Name: "lobby"})
		r := w.open("n1", id, "ann")
		if _, err := r.Find(ctx, rooms.Hash{}.MsgID()); !errors.Is(err, errs.NotFound) {
			t.Errorf("in an empty log: %v", err)
		}
		w.do(r, "", "ann", &rooms.Enter{})
		said := []rooms.Hash{}
		for i := range 2*idSegment + 10 {
			msg, err := r.Ask(ctx, "", "ann", &rooms.Say{Text: fmt.Sprint(i)})
			if err != nil {
				t.Fatal(err)
			}
			said = append(said, msg)
		}
		find := func(what string, i int) {
			t.Helper()
			e, err := r.Find(ctx, said[i].MsgID())
			if err != nil || e.ID != said[i] || e.Body.(*rooms.Say).Text != fmt.Sprint(i) {
				t.Errorf("%s: message %d: %+v, %v", what, i, e, err)
			}
		}
		for _, i := range []int{0, 1, idSegment - 2, idSegment - 1, idSegment, 2*idSegment - 2, 2*idSegment - 1, len(said) - 1} {
			find("whole", i)
		}
		for _, none := range []string{"", "nonsense", rooms.Hash{1}.MsgID(), id.String()} {
			if _, err := r.Find(ctx, none); !errors.Is(err, errs.NotFound) {
				t.Errorf("%q: %v", none, err)
			}
		}
		st := w.stores["n1"]
		kept := slices.Clone(st.m[Ids])
		if len(kept) != 2 {
			t.Fatalf("%d segments are indexed, want 2", len(kept))
		}
		// A log from before there was an index.
		st.WriteLater([]Change{{Table: Ids, Key: id[:], To: after(id)}})
		find("without an index", 3)
		synctest.Wait()
		if len(st.m[Ids]) != 2 || !slices.Equal(st.m[Ids][0].Value, kept[0].Value) {
			t.Errorf("the index was not mended: %d segments", len(st.m[Ids]))
		}
		// Of the first segment only the decision that the message lies in is left: nothing else is read.
		at, err := r.Find(ctx, said[3].MsgID())
		if err != nil {
			t.Fatal(err)
		}
		st.WriteLater([]Change{
			{Table: Decisions, Key: roomKey(id, 1), To: roomKey(id, at.Height)}, {Table: Decisions, Key: roomKey(id, at.Height+1), To: roomKey(id, 2*idSegment)},
		})
		find("by the index", 3)
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := r.Find(gone, said[3].MsgID()); !errors.Is(err, context.Canceled) {
			t.Errorf("for somebody who has gone: %v", err)
		}
	})
}
