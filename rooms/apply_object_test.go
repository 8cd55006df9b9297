package rooms

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"warren/perms"
	"warren/rooms/errs"
)

func TestPut(t *testing.T) {
	w := newWorld(t)
	w.refused(errs.NotHere, bob, &Put{Kind: Document, Name: "plan"})
	w.in(alice, bob, carol, zed)
	w.refused(errs.Denied, zed, &Put{Kind: Document, Name: "plan"})
	for name, b := range map[string]Put{
		"no kind":                 {Name: "x"},
		"an unknown kind":         {Kind: "cat", Name: "x"},
		"no name":                 {Kind: Document},
		"a name of two lines":     {Kind: Document, Name: "a\nb"},
		"a NUL in the type":       {Kind: Document, Name: "x", Type: "\x00"},
		"a long type":             {Kind: Document, Name: "x", Type: strings.Repeat("x", 129)},
		"a document that leads":   {Kind: Document, Name: "x", Target: "lab"},
		"an exit to nowhere":      {Kind: Exit, Name: "x"},
		"an exit that says words": {Kind: Exit, Name: "x", Target: "lab", Text: []byte("x")},
	} {
		if kind, _ := w.do(w.room, bob, &b); kind != errs.Invalid {
			t.Errorf("%s: got %v", name, kind)
		}
	}
	w.refused(errs.TooLarge, bob, &Put{Kind: Document, Name: "x", Text: make([]byte, MaxDocument+1)})
	w.refused(errs.NotFound, bob, &Put{ID: "none", Kind: Document, Name: "x"})
	o := w.must(w.room, bob, &Put{Kind: Document, Name: "Plan", Text: []byte("one"), Type: "text/plain"}).Object
	if len(o.ID) != 13 || o.Owner != "bob" || o.Rev != 1 || o.By != "bob" || w.state().Bytes != 3 {
		t.Errorf("object %+v, %d bytes", o, w.state().Bytes)
	}
	w.refused(errs.Exists, bob, &Put{Kind: Document, Name: "PLAN"})
	w.must(w.room, bob, &Put{Kind: Exit, Name: "plan", Target: "garden"})
	w.refused(errs.Invalid, bob, &Put{ID: o.ID, Kind: Exit, Name: "way", Target: "garden"})
	w.refused(errs.Denied, carol, &Put{ID: o.ID, Kind: Document, Name: "Plan"})
	w.refused(errs.Stale, bob, &Put{ID: o.ID, Kind: Document, Name: "Plan", Rev: 7})
	w.must(w.room, bob, &Put{ID: o.ID, Kind: Document, Name: "plan B", Text: []byte("three"), Rev: 1})
	w.must(w.room, alice, &Put{ID: o.ID, Kind: Document, Name: "plan B", Text: []byte("four")})
	if got := w.state().Objects[o.ID]; got.Rev != 3 || got.Owner != "bob" || got.By != "alice" || w.state().Bytes != 4 || string(o.Text) != "one" {
		t.Errorf("object %+v, %d bytes, the first event's text %q", got, w.state().Bytes, o.Text)
	}
	other := w.must(w.room, bob, &Put{Kind: Document, Name: "other"}).Object
	w.refused(errs.Exists, bob, &Put{ID: other.ID, Kind: Document, Name: "Plan b"})
	w.ban("bob", perms.Write|perms.Insert|perms.Delete)
	w.refused(errs.Banned, bob, &Put{ID: o.ID, Kind: Document, Name: "plan B"})
	w.refused(errs.Banned, bob, &Put{Kind: Document, Name: "new"})
	w.refused(errs.Banned, bob, &Remove{ID: o.ID})
}

func TestDocumentsHaveALimitTogether(t *testing.T) {
	w := newWorld(t).in(bob)
	for i := range MaxObjectBytes / MaxDocument {
		if v, _ := w.run(w.room, w.request(w.room, bob, &Put{Kind: Document, Name: fmt.Sprint("d", i), Text: make([]byte, MaxDocument)})); v.At(0) != errs.OK {
			t.Fatal(v.At(0))
		}
	}
	w.refused(errs.Quota, bob, &Put{Kind: Document, Name: "drop", Text: []byte("x")})
	o, _ := w.state().ObjectNamed(Document, "d0")
	w.must(w.room, bob, &Put{ID: o.ID, Kind: Document, Name: "d0", Text: make([]byte, MaxDocument-1)})
	w.must(w.room, bob, &Put{Kind: Document, Name: "drop", Text: []byte("x")})
	w.must(w.room, bob, &Remove{ID: o.ID})
	for i := len(w.state().Objects); i < MaxObjects; i++ {
		n := fmt.Sprint("e", i)
		w.state().Objects[n] = Object{ID: n, Kind: Exit, Name: n, Owner: "bob"}
	}
	w.refused(errs.Quota, bob, &Put{Kind: Document, Name: "one more"})
}

func TestRemove(t *testing.T) {
	w := newWorld(t).in(bob, carol)
	o := w.must(w.room, bob, &Put{Kind: Document, Name: "plan", Text: []byte("x")}).Object
	w.refused(errs.NotFound, bob, &Remove{ID: "none"})
	w.refused(errs.Denied, carol, &Remove{ID: o.ID})
	w.refused(errs.NotHere, who{"bob", "", "n2"}, &Remove{ID: o.ID})
	if ev := w.must(w.room, bob, &Remove{ID: o.ID}); ev.Object.Name != "plan" || w.state().Bytes != 0 {
		t.Errorf("event %+v, %d bytes", ev, w.state().Bytes)
	}
	o = w.must(w.room, bob, &Put{Kind: Document, Name: "plan"}).Object
	w.must(w.room, alice, &Remove{ID: o.ID})
}

func TestTag(t *testing.T) {
	w := newWorld(t).in(bob, zed)
	o := w.must(w.room, bob, &Put{Kind: Document, Name: "plan"}).Object
	w.refused(errs.NotHere, carol, &Tag{Add: []string{"x"}})
	w.refused(errs.NotFound, bob, &Tag{ID: "none", Add: []string{"x"}})
	for _, b := range []Tag{{}, {Add: []string{""}}, {Add: []string{"ok", "Upper"}}, {Add: []string{"a\nb"}}, {Add: []string{strings.Repeat("x", MaxTag+1)}}} {
		w.refused(errs.Invalid, bob, &b)
	}
	w.must(w.room, zed, &Tag{ID: o.ID, Add: []string{"b", "a", "b"}})
	before := w.state().Objects[o.ID].Tags
	ev := w.must(w.room, zed, &Tag{ID: o.ID, Add: []string{"c"}, Drop: []string{"a", "none"}})
	if !slices.Equal(ev.Object.Tags, []string{"b", "c"}) || !slices.Equal(before, []string{"a", "b"}) {
		t.Errorf("tags %v, before %v", ev.Object.Tags, before)
	}
	w.must(w.room, zed, &Tag{Add: []string{"science"}})
	var many []string
	for i := range MaxTags {
		many = append(many, fmt.Sprint("t", i))
	}
	w.refused(errs.Quota, zed, &Tag{Add: many})
	w.must(w.room, zed, &Tag{Add: many, Drop: []string{"science"}})
	w.ban(guest("zed", "n3"), perms.Annotate)
	w.refused(errs.Banned, zed, &Tag{Add: []string{"x"}})
}

func TestThousandsOfTagsAreRefused(t *testing.T) {
	w := newWorld(t).in(bob)
	var many []string
	for i := range 20_000 {
		many = append(many, fmt.Sprintf("%x", i))
	}
	w.refused(errs.Quota, bob, &Tag{Add: many})
}

func TestListAndNamesAreTheSameEverywhere(t *testing.T) {
	w := newWorld(t).in(bob)
	w.must(w.room, bob, &Put{Kind: Exit, Name: "b", Target: "x"})
	w.must(w.room, bob, &Put{Kind: Document, Name: "B"})
	w.must(w.room, bob, &Put{Kind: Document, Name: "a"})
	var got []string
	for _, o := range w.state().List("") {
		got = append(got, o.Name)
	}
	if len(got) != 3 || got[0] != "a" || len(w.state().List(Exit)) != 1 {
		t.Errorf("list %v", got)
	}
	first, _ := w.state().ObjectNamed("", "b")
	for range 50 {
		if o, ok := w.state().ObjectNamed("", "B"); !ok || o.ID != first.ID {
			t.Fatal("of two things with one name it is now this one, now that")
		}
	}
	if _, ok := w.state().ObjectNamed(Exit, "a"); ok {
		t.Error("a document was taken for an exit")
	}
}
