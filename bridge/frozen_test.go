package bridge_test

import (
	"errors"
	"strings"
	"testing"

	"warren/bridge"
	"warren/bridge/bridgetest"
	"warren/rooms"
	"warren/rooms/errs"
)

// frozen is two nodes with a person each in one room.
type frozen struct {
	n            *bridgetest.Network
	ann, bob     *bridge.Seat
	toAnn, toBob *recorder
	hubs         []*bridge.Hub
}

func newFrozen(t *testing.T) *frozen {
	t.Helper()
	f := &frozen{n: bridgetest.New(t), toAnn: newRecorder(), toBob: newRecorder()}
	for i, name := range []string{"n1", "n2"} {
		w := f.n.Node(t, name)
		h := bridge.New(bridge.Config{World: w, Wire: w})
		t.Cleanup(h.Close)
		f.hubs = append(f.hubs, h)
		s, err := h.Attach([]*recorder{f.toAnn, f.toBob}[i], bridge.Person{Nick: []string{"ann", "bob"}[i]})
		if err != nil {
			t.Fatal(err)
		}
		seat, err := s.Join(t.Context(), "lobby", bridge.JoinOptions{Create: true})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			f.ann = seat
		} else {
			f.bob = seat
		}
	}
	return f
}

func (f *frozen) freeze(is bool) { f.n.Freeze(f.ann.Room().ID(), is) }

// kinds returns in what forms a text was delivered, in order.
func (r *recorder) kinds(text string) (out []bridge.Kind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.got {
		if says(text)(d) {
			out = append(out, d.Kind)
		}
	}
	return out
}

func kind(k bridge.Kind, text string) func(bridge.Delivery) bool {
	return func(d bridge.Delivery) bool { return d.Kind == k && (d.Event == nil || says(text)(d)) }
}

func TestARoomTellsThatItFreezesAndThaws(t *testing.T) {
	f := newFrozen(t)
	for _, c := range []struct {
		frozen bool
		words  []string
	}{{true, []string{"frozen", "quorum", "provisional"}}, {false, []string{"goes on", "quorum"}}} {
		f.freeze(c.frozen)
		d := f.toAnn.wait(t, "change", func(d bridge.Delivery) bool { return d.Kind == bridge.FrozenChange && d.Frozen == c.frozen })
		for _, w := range c.words {
			if !strings.Contains(d.Text, w) {
				t.Errorf("frozen %v: %q does not say %q", c.frozen, d.Text, w)
			}
		}
		if f.ann.Frozen() != c.frozen {
			t.Errorf("frozen %v: the seat says otherwise", c.frozen)
		}
	}
}

func TestProvisionalTalkIsShownOnceAndConfirmed(t *testing.T) {
	f := newFrozen(t)
	f.freeze(true)
	outcomes := make(chan bridge.Outcome, 2)
	f.ann.Do(&rooms.Say{Text: "still here"}, "cookie", func(o bridge.Outcome) { outcomes <- o })
	o := <-outcomes
	if o.Err != nil || !o.Provisional {
		t.Fatalf("talk while frozen: %+v", o)
	}
	d := f.toAnn.wait(t, "echo", kind(bridge.ProvisionalEvent, "still here"))
	if d.Cookie != "cookie" || !d.Mine || !d.Self || d.Event.ID != o.ID {
		t.Errorf("echo: %+v", d)
	}
	if d := f.toBob.wait(t, "message", kind(bridge.ProvisionalEvent, "still here")); d.Event.ID != o.ID || d.Self || d.Mine {
		t.Errorf("bob: %+v", d)
	}
	// Somebody who comes while the talk is provisional is shown it when it is ordered.
	late := newRecorder()
	evs, err := f.ann.History(t.Context(), bridge.HistoryQuery{Ops: []rooms.Op{rooms.OpSay}})
	if err != nil || len(evs) > 0 {
		t.Errorf("history holds what is not ordered: %v %v", evs, err)
	}
	s, err := f.hubs[1].Attach(late, bridge.Person{Nick: "eve"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Join(t.Context(), "lobby", bridge.JoinOptions{}); !errors.Is(err, errs.Frozen) {
		t.Errorf("entering a frozen room: %v", err)
	}
	f.freeze(false)
	for who, r := range map[string]*recorder{"ann": f.toAnn, "bob": f.toBob} {
		d := r.wait(t, "confirmation", kind(bridge.Confirmed, "still here"))
		if d.Event.Seq == 0 || d.Event.ID != o.ID || d.Cookie != nil {
			t.Errorf("%s: %+v", who, d)
		}
		if said := bridge.Fate(d); (said == `confirmed: "still here"`) != (who == "ann") {
			t.Errorf("%s reads %q", who, said)
		}
		if k := r.kinds("still here"); len(k) != 2 {
			t.Errorf("%s was delivered %v", who, k)
		}
	}
	if len(outcomes) > 0 {
		t.Error("a second outcome")
	}
}

func TestProvisionalTalkThatIsRefusedIsWithdrawn(t *testing.T) {
	f := newFrozen(t)
	f.freeze(true)
	f.ann.Do(&rooms.Say{Text: "gone"}, nil, nil)
	f.toBob.wait(t, "message", kind(bridge.ProvisionalEvent, "gone"))
	if err := f.ann.Leave(t.Context(), "off", nil); err != nil { // it waits; its author is out of the room at once
		t.Fatal(err)
	}
	f.toAnn.wait(t, "own leave", func(d bridge.Delivery) bool { return d.Last && d.Self })
	f.bob.Do(&rooms.Say{Kind: 99, Text: "nonsense"}, nil, nil)
	f.toBob.wait(t, "echo", kind(bridge.ProvisionalEvent, "nonsense"))
	f.freeze(false)
	d := f.toBob.wait(t, "withdrawal", kind(bridge.Withdrawn, "nonsense"))
	if said := bridge.Fate(d); !strings.Contains(said, "withdrawn") || !strings.Contains(said, "nonsense") || !strings.Contains(said, errs.Invalid.Error()) {
		t.Errorf("bob reads %q", said)
	}
	f.toBob.wait(t, "confirmation", kind(bridge.Confirmed, "gone"))
	f.toBob.wait(t, "ann's leave", func(d bridge.Delivery) bool {
		return d.Event != nil && d.Event.Op == rooms.OpLeave && d.Event.Nick == "ann"
	})
}

func TestWhatIsNotTalkIsRefusedWhileFrozen(t *testing.T) {
	f := newFrozen(t)
	f.freeze(true)
	for _, b := range []rooms.Body{&rooms.Subject{Text: "x"}, &rooms.Kick{Nick: "bob"}, &rooms.Put{Kind: rooms.Document, Name: "d"}} {
		if err := f.ann.Wait(t.Context(), b, nil); !errors.Is(err, errs.Frozen) {
			t.Errorf("%T: %v", b, err)
		}
	}
}

func TestAClientThatComesToAFrozenRoomIsTold(t *testing.T) {
	n := bridgetest.New(t)
	w := n.Node(t, "n1")
	w.Register(t, "alice")
	h := bridge.New(bridge.Config{World: w})
	defer h.Close()
	person := bridge.Person{Account: "alice", Nick: "alice"}
	a, err := h.Attach(newRecorder(), person)
	if err != nil {
		t.Fatal(err)
	}
	seat, err := a.Join(t.Context(), "lobby", bridge.JoinOptions{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	n.Freeze(seat.Room().ID(), true)
	r := newRecorder()
	b, err := h.Attach(r, person)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Join(t.Context(), "lobby", bridge.JoinOptions{}); err != nil { // shares the seat: nothing is ordered
		t.Fatal(err)
	}
	r.wait(t, "the news", func(d bridge.Delivery) bool { return d.Kind == bridge.FrozenChange && d.Frozen })
	if r.got[0].Kind != bridge.RoomEvent {
		t.Errorf("the first delivery is of kind %d", r.got[0].Kind)
	}
}

func TestAConversationOfTwoGoesOnWhileFrozen(t *testing.T) {
	f := newFrozen(t)
	ann := f.ann.Session()
	if err := ann.Tell(t.Context(), "bob", rooms.Say{Text: "one"}, nil); err != nil {
		t.Fatal(err)
	}
	d := f.toBob.wait(t, "message", says("one"))
	f.n.Freeze(d.Event.Room, true)
	if err := ann.Tell(t.Context(), "bob", rooms.Say{Text: "two"}, "cookie"); err != nil {
		t.Fatal(err)
	}
	if d := f.toAnn.wait(t, "echo", kind(bridge.ProvisionalEvent, "two")); d.Seat != nil || d.Cookie != "cookie" || !d.Self || d.Peer.Nick != "bob" {
		t.Errorf("echo: %+v", d)
	}
	f.n.Freeze(d.Event.Room, false)
	f.toAnn.wait(t, "confirmation", kind(bridge.Confirmed, "two"))
	f.toBob.wait(t, "confirmation", kind(bridge.Confirmed, "two"))
	if k := f.toBob.kinds("two"); len(k) != 2 {
		t.Errorf("bob was delivered %v", k)
	}
}
