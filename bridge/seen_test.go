package bridge_test

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"warren/bridge"
	"warren/bridge/bridgetest"
	"warren/rooms"
)

// archive is a bridge.Archive that outlives hubs, as the disk of a node does.
type archive struct {
	mu sync.Mutex
	m  map[string]map[rooms.RoomID]uint64
}

func (a *archive) Seen(account string, room rooms.RoomID) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.m[account][room]
}

func (a *archive) See(account string, room rooms.RoomID, seq uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.m == nil {
		a.m = map[string]map[rooms.RoomID]uint64{}
	}
	if a.m[account] == nil {
		a.m[account] = map[rooms.RoomID]uint64{}
	}
	a.m[account][room] = seq
}

func (a *archive) Forget(room rooms.RoomID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.m {
		delete(m, room)
	}
}

// away is alice, who comes and goes at two nodes, and bob, who talks to her from a third.
type away struct {
	t   *testing.T
	bob *bridge.Session
	n   [2]*bridgetest.Node
	a   [2]*archive
}

func newAway(t *testing.T) *away {
	net := bridgetest.New(t)
	w := &away{t: t, n: [2]*bridgetest.Node{net.Node(t, "n1"), net.Node(t, "n2")}, a: [2]*archive{{}, {}}}
	w.n[0].Register(t, "alice")
	w.n[1].AddDevice(t, "alice")
	n3 := net.Node(t, "n3")
	n3.Register(t, "bob")
	h3 := bridge.New(bridge.Config{World: n3, Wire: n3})
	t.Cleanup(h3.Close)
	var err error
	if w.bob, err = h3.Attach(newRecorder(), bridge.Person{Account: "bob", Nick: "bob"}); err != nil {
		t.Fatal(err)
	}
	return w
}

// hub starts the bridge of a node with what its disk holds.
func (w *away) hub(i int) *bridge.Hub {
	h := bridge.New(bridge.Config{World: w.n[i], Wire: w.n[i], Archive: w.a[i]})
	w.t.Cleanup(h.Close)
	return h
}

func (w *away) login(h *bridge.Hub, p bridge.Person) (*bridge.Session, *recorder) {
	w.t.Helper()
	p.Account, p.Nick = "alice", "alice"
	r := newRecorder()
	s, err := h.Attach(r, p)
	if err != nil {
		w.t.Fatal(err)
	}
	return s, r
}

func (w *away) tell(texts ...string) {
	w.t.Helper()
	for _, text := range texts {
		if err := w.bob.Tell(w.t.Context(), "alice", rooms.Say{Text: text}, nil); err != nil {
			w.t.Fatal(err)
		}
	}
	for now := w.n[0].Now(); w.n[0].Now() < now+2; { // the clock has ms
		runtime.Gosched()
	}
}

// heard says "mark", waits until r has it, and returns what it was told, in order; "(…)" is what was missed.
func (w *away) heard(r *recorder, mark string) []string {
	w.t.Helper()
	w.tell(mark)
	r.wait(w.t, mark, says(mark))
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, d := range r.got {
		if d.Kind != bridge.DirectEvent {
			continue
		}
		text := d.Event.Body.(*rooms.Say).Text
		if d.Quiet {
			text = "(" + text + ")"
		}
		out = append(out, text)
	}
	return out
}

func (w *away) want(what string, got []string, want ...string) {
	w.t.Helper()
	if !slices.Equal(got, want) {
		w.t.Errorf("%s: heard %q, want %q", what, got, want)
	}
}

func TestWhatWasMissedIsShownOnceWhateverRestarts(t *testing.T) {
	w := newAway(t)
	h := w.hub(0)
	s, r := w.login(h, bridge.Person{})
	w.tell("here")
	w.want("at the keyboard", w.heard(r, "1"), "here", "1")
	s.Close("")
	w.tell("away")
	h.Close()
	h = w.hub(0)
	w.tell("away again")
	s, r = w.login(h, bridge.Person{})
	w.want("after a restart of the node", w.heard(r, "2"), "(away)", "(away again)", "2")
	_, second := w.login(h, bridge.Person{})
	w.want("another client", w.heard(second, "3"), "3")
	s.Close("")
}

// Who sees her leave a room knows that she is gone: what is said then is missed, also while the rest of her session is being closed.
func TestWhatIsSaidToWhoIsLeavingIsMissed(t *testing.T) {
	w := newAway(t)
	h := w.hub(0)
	w.hub(1)
	dens := make([]string, 40) // to leave them all takes a moment
	left := make(chan struct{}, len(dens))
	for i := range dens {
		dens[i] = fmt.Sprint("den", i)
		seat, err := w.bob.Join(t.Context(), dens[i], bridge.JoinOptions{Create: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(seat.Room().Watch(func(ev *rooms.Event, _ any) {
			if ev.Op == rooms.OpLeave {
				left <- struct{}{}
			}
		}))
	}
	for i := range 5 {
		s, r := w.login(h, bridge.Person{})
		w.heard(r, fmt.Sprint("mark ", i))
		for _, den := range dens {
			if _, err := s.Join(t.Context(), den, bridge.JoinOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			s.Close("")
		}()
		<-left
		w.tell("gone")
		<-closed
		for range dens[1:] {
			<-left
		}
		s, r = w.login(h, bridge.Person{})
		w.want(fmt.Sprint("at the next login, time ", i), w.heard(r, "back"), "(gone)", "back")
		s.Close("")
	}
}

func TestWhatWasSeenAtOneNodeIsNotMissedAtAnother(t *testing.T) {
	w := newAway(t)
	h1, h2 := w.hub(0), w.hub(1)
	s, r := w.login(h1, bridge.Person{})
	w.want("at n1", w.heard(r, "1"), "1")
	s.Close("")
	w.tell("away")
	s, r = w.login(h2, bridge.Person{})
	w.want("at n2", w.heard(r, "2"), "(away)", "2")
	// n1 is told at once; n2 did not run when it was told, and asks.
	var id rooms.RoomID
	w.n[0].Directory(func(d *rooms.Directory) { id = d.RoomIDs()[0] })
	for w.a[0].Seen("alice", id) != 3 {
		runtime.Gosched()
	}
	s.Close("")
	h2.Close()
	s, r = w.login(h1, bridge.Person{})
	w.want("at n1 again", w.heard(r, "3"), "3")
	for w.a[0].Seen("alice", id) != 4 { // it is noted right after it was shown
		runtime.Gosched()
	}
	h2 = w.hub(1)
	for h2.UsersOf("alice") == nil {
		runtime.Gosched()
	}
	_, r = w.login(h2, bridge.Person{})
	w.want("at n2 again", w.heard(r, "4"), "4")
	s.Close("")
}

func TestClientsThatRecallAreNotShownWhatTheyMissed(t *testing.T) {
	w := newAway(t)
	h := w.hub(0)
	w.tell("away")
	s, r := w.login(h, bridge.Person{Recalls: true})
	w.want("with history", w.heard(r, "1"), "1")
	s.Close("")
	_, r = w.login(h, bridge.Person{})
	w.want("another client", w.heard(r, "2"), "2")
}

// A conversation that begins between the two steps of listening is heard already: nothing of it is shown again.
func TestWhatIsHeardBeforeTheCatchUpIsShownOnce(t *testing.T) {
	w := newAway(t)
	s, r := w.login(w.hub(0), bridge.Person{Deaf: true})
	s.Listen(false)
	w.tell("first")
	r.wait(t, "what comes", says("first"))
	s.CatchUp(t.Context())
	w.want("once", w.heard(r, "1"), "first", "1")
}

func TestADeafSessionHearsWhenItListens(t *testing.T) {
	w := newAway(t)
	h := w.hub(0)
	w.tell("away")
	s, r := w.login(h, bridge.Person{Deaf: true})
	w.tell("deaf")
	if d := r.wait(t, "what comes", says("deaf")); d.Heard {
		t.Error("it counts as heard")
	}
	s.Listen(false)
	s.CatchUp(t.Context())
	w.want("listens", w.heard(r, "1"), "deaf", "(away)", "(deaf)", "1")
	s.Deafen()
	w.tell("deaf again")
	if d := r.wait(t, "what comes", says("deaf again")); d.Heard {
		t.Error("it counts as heard")
	}
	s.Close("")
	_, r = w.login(h, bridge.Person{})
	w.want("another client", w.heard(r, "2"), "(deaf again)", "2")
}

func TestTheNewestOfWhatWasMissed(t *testing.T) {
	w := newAway(t)
	h := w.hub(0)
	for i := range 210 {
		if err := w.bob.Tell(t.Context(), "alice", rooms.Say{Text: fmt.Sprint(i)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	w.tell("last")
	_, r := w.login(h, bridge.Person{})
	r.wait(t, "the newest", says("last"))
	got := w.heard(r, "end")
	if len(got) != 201 || got[0] != "(11)" || got[199] != "(last)" {
		t.Errorf("%d messages, from %s", len(got), got[0])
	}
}

// Only nodes of the account are believed and answered.
func TestStrangersDoNotMoveMarks(t *testing.T) {
	w := newAway(t)
	h := w.hub(0)
	w.tell("away")
	var id rooms.RoomID
	w.n[0].Directory(func(d *rooms.Directory) { id = d.RoomIDs()[0] })
	mallory := w.bob.Hub().World().(*bridgetest.Node)
	type mark struct {
		_    struct{} `cbor:",toarray"`
		Room rooms.RoomID
		Seq  uint64
	}
	type seen struct {
		_         struct{} `cbor:",toarray"`
		Account   string
		Ask, Last bool
		Marks     []mark
	}
	type news struct {
		_         struct{} `cbor:",toarray"`
		Ask, Full bool
		Seq       uint64
		List      []bridge.User
		Call      *struct{}
		Seen      *seen
		Hint      *struct{}
	}
	mallory.Send(w.n[0].Self(), rooms.Marshal(news{Seen: &seen{Account: "alice", Marks: []mark{{Room: id, Seq: 99}}}}))
	_, r := w.login(h, bridge.Person{})
	w.want("believed a stranger", w.heard(r, "1"), "(away)", "1")
	asked := make(chan struct{})
	var once sync.Once
	stop := mallory.Receive(func(_ rooms.NodeID, data []byte) {
		var m news
		if rooms.Unmarshal(data, &m) == nil && m.Seen != nil {
			once.Do(func() { close(asked) })
		}
	})
	defer stop()
	mallory.Send(w.n[0].Self(), rooms.Marshal(news{Seen: &seen{Account: "alice", Ask: true}})) // answered before Send returns, if at all
	select {
	case <-asked:
		t.Error("a stranger learned what alice reads")
	default:
	}
}
