package search_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
	"warren/search"
	"warren/search/query"
)

// find returns what was found as "#room kind name", in order, and how many nodes answered.
func find(t *testing.T, w *node, expr, account, nick string) (got []string, answered int) {
	t.Helper()
	synctest.Wait()
	hits, answered, err := w.Find(context.Background(), expr, account, nick)
	if err != nil {
		t.Fatalf("find %s: %v", expr, err)
	}
	for _, h := range hits {
		got = append(got, h.Room+" "+h.Kind+" "+h.Name)
	}
	return got, answered
}

func expect(t *testing.T, w *node, expr, account, nick string, want ...string) {
	t.Helper()
	got, _ := find(t, w, expr, account, nick)
	if !slices.Equal(got, want) {
		t.Errorf("%s finds for %s/%s at %s: %q, want %q", expr, account, nick, w.name, got, want)
	}
}

func TestFindInTheWholeNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, "n1", "n2", "n3", "n4")
		n1, n2, n3, n4 := n.node("n1"), n.node("n2"), n.node("n3"), n.node("n4")
		n.register(n1, "alice")
		lab := n.room(n1, "alice", "lab", nil, n1, n2)
		hall := n.room(n1, "alice", "hall", nil, n3)
		n.document(lab, n1, "alice", "old plan", "physics")
		time.Sleep(time.Minute)
		n.document(lab, n1, "alice", "plan", "physics", "draft")
		time.Sleep(time.Minute)
		n.document(hall, n1, "alice", "menu", "food", "draft")
		time.Sleep(time.Minute)
		n.order(hall, n1, "alice", "alice", &rooms.Put{Kind: rooms.Exit, Name: "to the lab", Target: "lab"})
		var exit rooms.Object
		n.view(hall)(func(st *rooms.State) { exit, _ = st.ObjectNamed(rooms.Exit, "to the lab") })
		n.order(hall, n1, "alice", "alice", &rooms.Tag{ID: exit.ID, Add: []string{"physics"}})
		n.order(lab, n1, "alice", "alice", &rooms.Tag{Add: []string{"physics"}})

		// From a node that holds nothing: two nodes hold #lab, each thing is there once. The exit is the newest.
		expect(t, n4, "physics", "", "guest", "#hall exit to the lab", "#lab document plan", "#lab room lab", "#lab document old plan")
		expect(t, n4, "physics draft", "", "guest", "#lab document plan")
		expect(t, n4, "physics OR draft", "", "guest", "#lab document plan", "#hall exit to the lab", "#hall document menu", "#lab room lab", "#lab document old plan")
		expect(t, n4, "physics kind:room", "", "guest", "#lab room lab")
		expect(t, n4, "draft -physics", "", "guest", "#hall document menu")
		expect(t, n4, "draft owner:alice room:#hall", "", "guest", "#hall document menu")
		expect(t, n4, "nothing", "", "guest")
		expect(t, n1, "draft", "alice", "alice", "#hall document menu", "#lab document plan")
		expect(t, n3, "physics", "", "guest", "#hall exit to the lab", "#lab document plan", "#lab room lab", "#lab document old plan")

		synctest.Wait()
		hits, answered, err := n4.Find(context.Background(), "kind:exit physics", "", "guest")
		if err != nil || len(hits) != 1 || hits[0].Target != "lab" || hits[0].Owner != "alice" || hits[0].RoomID != hall.Room || answered != 4 {
			t.Errorf("%+v, %d answered, %v", hits, answered, err)
		}
		// What changes is found as it is now.
		n.order(hall, n1, "alice", "alice", &rooms.Remove{ID: exit.ID})
		n.order(lab, n1, "alice", "alice", &rooms.Tag{Drop: []string{"physics"}})
		expect(t, n4, "physics", "", "guest", "#lab document plan", "#lab document old plan")
		n1.RoomClosed(lab.Room)
		n2.RoomClosed(lab.Room)
		expect(t, n4, "physics", "", "guest")
	})
}

// A search ends when nothing new came for 700 ms, and without any answer it takes no longer.
func TestFindTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, "n1", "n2")
		start := time.Now()
		if got, answered := find(t, n.node("n1"), "physics", "", "guest"); len(got) != 0 || answered != 1 {
			t.Errorf("%q, %d", got, answered)
		}
		if d := time.Since(start); d != 700*time.Millisecond {
			t.Errorf("took %v", d)
		}
	})
}

func TestFindErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, "n1")
		w := n.node("n1")
		var syntax *query.SyntaxError
		if _, _, err := w.Find(context.Background(), "(physics", "", "guest"); !errors.As(err, &syntax) {
			t.Errorf("%v", err)
		}
		if _, _, err := w.Find(context.Background(), "NOT physics", "", "guest"); err == nil {
			t.Error("a search without a tag was asked")
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if _, _, err := w.Find(ctx, "physics", "", "guest"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		busy := make(chan error, 100)
		for range 100 {
			go func() { _, _, err := w.Find(context.Background(), "physics", "", "guest"); busy <- err }()
		}
		var refused int
		for range 100 {
			if err := <-busy; errors.Is(err, errs.Busy) {
				refused++
			} else if err != nil {
				t.Error(err)
			}
		}
		if refused < 60 || refused > 80 {
			t.Errorf("%d of 100 searches at once were refused", refused)
		}
		res := make(chan error)
		time.Sleep(time.Minute)
		go func() { _, _, err := w.Find(context.Background(), "physics", "", "guest"); res <- err }()
		synctest.Wait()
		w.Close()
		if err := <-res; !errors.Is(err, errs.Closed) {
			t.Errorf("%v", err)
		}
		if _, _, err := w.Find(context.Background(), "physics", "", "guest"); !errors.Is(err, errs.Closed) {
			t.Errorf("%v", err)
		}
	})
}

// A node listens to the topics of the tags it holds, and leaves them some time after it holds none.
func TestTopicsFollowTags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, "n1", "n2")
		n1, n2 := n.node("n1"), n.node("n2")
		n.register(n1, "alice")
		lab := n.room(n1, "alice", "lab", nil, n1)
		id := n.document(lab, n1, "alice", "plan", "physics", "draft")
		synctest.Wait()
		want := []string{search.TopicOf("draft"), search.TopicOf("physics")}
		slices.Sort(want)
		if got := n.topicsOf(n1); !slices.Equal(got, want) {
			t.Errorf("listens to %q, want %q", got, want)
		}
		if got := n.topicsOf(n2); len(got) != 0 {
			t.Errorf("who holds nothing listens to %q", got)
		}
		n.order(lab, n1, "alice", "alice", &rooms.Tag{ID: id, Drop: []string{"draft"}})
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if got := n.topicsOf(n1); len(got) != 2 {
			t.Errorf("left a topic at once: %q", got)
		}
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if got := n.topicsOf(n1); !slices.Equal(got, []string{search.TopicOf("physics")}) {
			t.Errorf("listens to %q", got)
		}
		// A tag that comes back in time keeps its topic.
		n.order(lab, n1, "alice", "alice", &rooms.Tag{ID: id, Drop: []string{"physics"}})
		time.Sleep(50 * time.Second)
		n.order(lab, n1, "alice", "alice", &rooms.Tag{ID: id, Add: []string{"physics"}})
		time.Sleep(50 * time.Second)
		synctest.Wait()
		if got := n.topicsOf(n1); len(got) != 1 {
			t.Errorf("listens to %q", got)
		}
		// A topic that cannot be had is tried again.
		n.tmu.Lock()
		n.refuse = true
		n.tmu.Unlock()
		n.order(lab, n1, "alice", "alice", &rooms.Tag{ID: id, Add: []string{"chemistry"}})
		synctest.Wait()
		n.tmu.Lock()
		n.refuse = false
		n.tmu.Unlock()
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if got := n.topicsOf(n1); len(got) != 2 {
			t.Errorf("listens to %q", got)
		}
		n1.Close()
		if got := n.topicsOf(n1); len(got) != 0 {
			t.Errorf("after Close it listens to %q", got)
		}
	})
}

func TestOnlyWhatMayBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, "n1", "n2", "n3")
		n1, n2, n3 := n.node("n1"), n.node("n2"), n.node("n3")
		n.register(n1, "alice")
		n.register(n2, "bob")
		lab := n.room(n1, "alice", "lab", nil, n1)
		n.document(lab, n1, "alice", "plan", "physics")
		mine := n.document(lab, n1, "alice", "mine", "physics")
		n.order(lab, n1, "alice", "alice", &rooms.Grant{Object: mine, Who: perms.Everyone, Deny: perms.Read})
		n.order(lab, n1, "alice", "alice", &rooms.Grant{Object: mine, Who: "bob", Allow: perms.Read})
		den := n.room(n1, "alice", "den", []perms.Principal{"alice", "bob"}, n1)
		n.document(den, n1, "alice", "secret plan", "physics")

		all := []string{"#lab document mine", "#lab document plan", "#den document secret plan"}
		ranked := func(names ...string) []string { slices.Sort(names); return names }
		seen := func(w *node, account, nick string) []string {
			got, _ := find(t, w, "physics", account, nick)
			return ranked(got...)
		}
		for _, c := range []struct {
			who           *node
			account, nick string
			want          []string
		}{
			{n1, "alice", "alice", all},
			{n2, "bob", "bob", all},
			{n2, "", "eve", []string{"#lab document plan"}},
			{n3, "bob", "bob", []string{"#lab document plan"}}, // n3 is no device of bob's: a guest who says so
			{n3, "alice", "alice", []string{"#lab document plan"}},
			{n3, "nobody", "nobody", []string{"#lab document plan"}},
		} {
			if got := seen(c.who, c.account, c.nick); !slices.Equal(got, ranked(slices.Clone(c.want)...)) {
				t.Errorf("%s at %s finds %q, want %q", c.nick, c.who.name, got, c.want)
			}
		}
		// A secret room that everybody could read is shown to those who are in it only.
		secret := true
		n.order(lab, n1, "alice", "alice", &rooms.Configure{Secret: &secret})
		if got := seen(n2, "", "eve"); len(got) != 0 {
			t.Errorf("eve sees things of a secret room: %q", got)
		}
		n.order(lab, n2, "", "eve", &rooms.Enter{})
		if got := seen(n2, "", "eve"); len(got) != 1 {
			t.Errorf("eve is in the room and sees %q", got)
		}
		if got := seen(n3, "", "eve"); len(got) != 0 {
			t.Errorf("another eve sees %q", got)
		}
		// The room's state decides, not what the index knew.
		n.order(lab, n1, "alice", "alice", &rooms.Grant{Who: perms.Everyone, Deny: perms.Read})
		if got := seen(n2, "", "eve"); len(got) != 0 {
			t.Errorf("eve may read no more and sees %q", got)
		}
		n.order(lab, n1, "alice", "alice", &rooms.Sanction{Who: "bob", Denies: perms.Read})
		if got := seen(n2, "bob", "bob"); !slices.Equal(got, []string{"#den document secret plan"}) {
			t.Errorf("bob is sanctioned and sees %q", got)
		}
	})
}

// Tags counts only what everybody may read.
func TestTags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, "n1")
		n1 := n.node("n1")
		n.register(n1, "alice")
		lab := n.room(n1, "alice", "lab", nil, n1)
		n.document(lab, n1, "alice", "plan", "physics", "draft")
		mine := n.document(lab, n1, "alice", "mine", "physics", "hidden")
		n.order(lab, n1, "alice", "alice", &rooms.Grant{Object: mine, Who: perms.Everyone, Deny: perms.Read})
		den := n.room(n1, "alice", "den", []perms.Principal{"alice"}, n1)
		n.document(den, n1, "alice", "secret plan", "physics")
		if got := fmt.Sprint(n1.Tags()); got != "map[draft:1 physics:1]" {
			t.Error(got)
		}
		n.document(lab, n1, "alice", "other", "draft")
		time.Sleep(6 * time.Second)
		if got := fmt.Sprint(n1.Tags()); got != "map[draft:2 physics:1]" {
			t.Error(got)
		}
	})
}

// Answers are bounded, and of many things the best are found.
func TestManyThings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, "n1", "n2", "n3")
		n1, n2 := n.node("n1"), n.node("n2")
		n.register(n1, "alice")
		lab := n.room(n1, "alice", "lab", nil, n1)
		hall := n.room(n1, "alice", "hall", nil, n2)
		tags := []string{"physics"}
		for i := range rooms.MaxTags - 2 {
			tags = append(tags, strings.Repeat(string(rune('a'+i%26)), 60)+fmt.Sprint(i))
		}
		for i := range 100 {
			n.document(lab, n1, "alice", fmt.Sprintf("lab %03d", i), tags...)
			n.document(hall, n1, "alice", fmt.Sprintf("hall %03d", i), "physics")
		}
		n.document(lab, n1, "alice", "best", "physics", "draft")
		got, answered := find(t, n.node("n3"), "physics OR draft", "", "guest")
		if len(got) < 80 || len(got) > 128 || got[0] != "#lab document best" || answered != 3 {
			t.Errorf("%d found, first %q, %d answered", len(got), got[0], answered)
		}
		for _, w := range []*node{n1, n2} {
			for _, a := range w.sent {
				if len(a) > 64<<10 {
					t.Errorf("an answer has %d bytes", len(a))
				}
			}
		}
	})
}

func TestTaggedThingsOfParkedRoomsAreFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, "n1", "n2")
		n1, n2 := n.node("n1"), n.node("n2")
		n.register(n1, "alice")
		lab := n.room(n1, "alice", "lab", nil, n1)
		hall := n.room(n1, "alice", "hall", nil, n1)
		n.document(lab, n1, "alice", "plan", "physics")
		for _, c := range []*rooms.Chain{lab, hall} {
			n1.RoomParked(c.Room)
		}
		expect(t, n2, "physics", "", "bob", "#lab document plan")
		if tags := n1.Tags(); tags["physics"] != 1 {
			t.Errorf("tags: %v", tags)
		}
		n1.RoomOpened(hall.Room, n.view(hall)) // it woke
		n.document(hall, n1, "alice", "menu", "food")
		expect(t, n2, "food", "", "bob", "#hall document menu")
	})
}
