package replica

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
)

// closedRoom is a parked room of four controllers that nobody but its maker may read, and a fifth node.
func closedRoom(t *testing.T) (w *world, id rooms.RoomID, outside *Host) {
	t.Helper()
	w, id = newWorld(t).four("lobby")
	outside = w.join("n5", id)
	w.do(w.enter("n1", id, "ann"), "", "ann", &rooms.Grant{Who: perms.Everyone, Deny: perms.Read | perms.Enter}, &rooms.Leave{})
	w.parkedEverywhere(id)
	return w, id, outside
}

func TestAParkedRoomWakesOnlyForWhoMayHaveToDoWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id, h5 := closedRoom(t)
		eve := reader{Nick: "eve"}
		req := rooms.NewRequest(id, "", "eve", &rooms.Say{Text: "let me in"})
		req.Counter = 1
		req.Sign(key("n5"))
		h := w.hosts["n2"]
		for kind, body := range map[uint8]any{
			frameSubmit:    &req,
			frameSubscribe: subscribe{For: eve},
			frameAskHead:   askHead{For: reader{Nick: "ann"}}, // a guest of another node
			frameAskState:  askState{Epoch: 1, For: "ann"},
			framePush:      rooms.Decision{},
			frameRecruit:   nil,
			frameAsk:       ask{},
			frameRescue:    rooms.Rescue{},
		} {
			h.Frame(node("n5"), rooms.Marshal(frame{Room: id, Kind: kind, Data: rooms.Marshal(body)}))
			synctest.Wait()
			if h.Get(id) != nil {
				t.Errorf("a frame of kind %d by somebody without any right woke it", kind)
			}
		}
		if _, err := h5.Open(t.Context(), id, "", "eve"); !errors.Is(err, errs.Denied) {
			t.Errorf("opened by somebody without the right: %v", err)
		}
		data, err := h.ServePull(t.Context(), node("n5"), rooms.Marshal(pull{Room: id, For: eve}))
		var p pulled
		if err != nil || rooms.Unmarshal(data, &p) != nil || !p.Denied {
			t.Errorf("pulled by somebody without the right: %+v, %v", p, err)
		}
		for n, h := range w.hosts {
			if n != "n5" && h.Get(id) != nil {
				t.Errorf("%s has it in memory", n)
			}
		}
		synctest.Wait()
		if n := len(h.load.by); n > 0 {
			t.Errorf("frames of %d nodes that went are still counted", n)
		}
		if _, err := w.hosts["n1"].Open(t.Context(), id, "", "ann"); err != nil {
			t.Errorf("its maker: %v", err)
		}
	})
}

func TestANodeMayHaveSoManyRoomsReadAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id, _ := closedRoom(t)
		h, st := w.hosts["n2"], w.stores["n2"]
		ask := func(n int) (read int) {
			before := st.readsOf(Snapshots)
			for range n {
				h.Frame(node("n5"), rooms.Marshal(frame{Room: id, Kind: frameAskHead, Data: rooms.Marshal(askHead{})}))
				synctest.Wait()
			}
			return st.readsOf(Snapshots) - before
		}
		if n := ask(2 * wakeBurst); n != wakeBurst {
			t.Errorf("read %d times for one node at once, want %d", n, wakeBurst)
		}
		if _, err := h.ServePull(t.Context(), node("n5"), rooms.Marshal(pull{Room: id})); !errors.Is(err, errs.Busy) {
			t.Errorf("a pull after that: %v", err)
		}
		time.Sleep(time.Second)
		if n := ask(2 * wakeRate); n != wakeRate {
			t.Errorf("read %d times a second later, want %d", n, wakeRate)
		}
		// What another node wants is not held up by that.
		h.Frame(node("n3"), rooms.Marshal(frame{Room: id, Kind: frameAskHead, Data: rooms.Marshal(askHead{})}))
		synctest.Wait()
		if h.Get(id) == nil {
			t.Error("a controller did not wake it")
		}
	})
}

// TestWhatIsPutAsideIsCounted: frames that wait for a leader are bounded like all that wait, and go when the copy fails.
func TestWhatIsPutAsideIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		h := w.hosts["n1"]
		r := w.open("n1", id, "ann")
		from := node("n9") // sends nothing else meanwhile
		fit := inFrame{from, frame{Room: id, Kind: frameSubmit, Data: make([]byte, 1000)}}
		long := inFrame{from, frame{Room: id, Kind: frameSubmit, Data: make([]byte, rooms.MaxRequest+1)}}
		waiting := func() int {
			h.load.mu.Lock()
			defer h.load.mu.Unlock()
			return h.load.by[from]
		}
		r.wait(func() {
			wake := func() {
				r.leads, r.waking = false, &waking{until: time.Now().Add(time.Minute), first: h.self}
			}
			before := waiting()
			wake()
			if r.frame(long); len(r.waking.aside) > 0 {
				t.Error("a wish that is too long for any room is put aside")
			}
			if r.frame(fit); len(r.waking.aside) != 1 || waiting() != before+fit.cost() {
				t.Errorf("%d put aside, %d bytes counted, want %d", len(r.waking.aside), waiting()-before, fit.cost())
			}
			h.load.add(from, senderBytes-waiting())
			if r.frame(fit); len(r.waking.aside) != 1 {
				t.Error("more is put aside than may wait of one sender")
			}
			h.load.add(from, before+fit.cost()-senderBytes)
			ctl := r.ctl
			r.ctl = nil
			if r.tick(time.Now()); r.waking != nil || waiting() != before {
				t.Errorf("without a controller it waits for its leader still; %d bytes counted", waiting()-before)
			}
			r.ctl = ctl
			wake()
			r.frame(fit)
			if r.fail(errors.New("the test says so")); r.waking != nil || waiting() != before {
				t.Errorf("a copy that has failed waits for its leader still; %d bytes counted", waiting()-before)
			}
		})
	})
}

// TestAWakeIsNotLostWhileARoomIsShown: what wants a parked room while the index is told of it gets it afterwards.
func TestAWakeIsNotLostWhileARoomIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := w.start("n1")
		id, err := h.Create(t.Context(), "", "ann", rooms.CreateRoom{Name: "lab"})
		if err != nil {
			t.Fatal(err)
		}
		w.do(w.enter("n1", id, "ann"), "", "ann", &rooms.Tag{Add: []string{"physics"}}, &rooms.Leave{})
		w.parkedEverywhere(id)
		w.kill("n1")
		hold, showing := make(chan struct{}), make(chan struct{})
		first := true
		w.adapt = func(c *Config) {
			c.Opened = func(rooms.RoomID) {
				if first { // Start shows one room
					first = false
					close(showing)
					<-hold
				}
			}
		}
		h = w.start("n1")
		<-showing
		h.wake(id)
		close(hold)
		synctest.Wait()
		if h.Get(id) == nil {
			t.Error("the room sleeps on")
		}
	})
}

func TestWhoOnlyLooksReadsAParkedRoomOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		w.parkedEverywhere(id)
		h, st := w.hosts["n2"], w.stores["n2"]
		before := st.readsOf(Snapshots)
		for range 100 {
			if !h.View(id, func(s *rooms.State) {}) {
				t.Fatal("it cannot be seen")
			}
		}
		if n := st.readsOf(Snapshots) - before; n != 1 {
			t.Errorf("read %d times for 100 looks", n)
		}
		// It was awake meanwhile: what is shown is new.
		if err := w.say(w.hosts["n1"], id, "news"); err != nil {
			t.Fatal(err)
		}
		want := uint64(0)
		for _, h := range w.hosts {
			if r := h.Get(id); r != nil {
				at, _ := r.Head()
				want = max(want, at)
			}
		}
		w.parkedEverywhere(id)
		seq := uint64(0)
		h.look(id, func(c *rooms.Chain) { seq = c.Height })
		if seq != want {
			t.Errorf("a look shows height %d, want %d", seq, want)
		}
		// The places of those who read are taken: who looks waits.
		for range viewersAtOnce {
			h.views.reading <- struct{}{}
		}
		h.views.mu.Lock()
		h.views.list = nil
		h.views.mu.Unlock()
		seen := make(chan bool, 1)
		go func() { seen <- h.View(id, func(*rooms.State) {}) }()
		synctest.Wait()
		if len(seen) > 0 {
			t.Error("more are read at once than may be")
		}
		for range viewersAtOnce {
			<-h.views.reading
		}
		if !<-seen {
			t.Error("it cannot be seen")
		}
	})
}

func TestOnlySomeViewsAreKept(t *testing.T) {
	v := newViews()
	entries := make([]*resting, 2*maxViews)
	for i := range entries {
		entries[i] = &resting{}
		v.put(viewed{entries[i], 0, rooms.NewChain(rooms.RoomID{byte(i)}, &rooms.State{})})
		v.get(entries[0], 0) // asked for again and again
	}
	if len(v.list) != maxViews || v.get(entries[0], 0) == nil || v.get(entries[1], 0) != nil {
		t.Errorf("%d are kept", len(v.list))
	}
	if v.get(entries[0], 1) != nil {
		t.Error("an old one is shown, though the room has a new epoch")
	}
	big := &resting{}
	v.put(viewed{big, 0, rooms.NewChain(rooms.RoomID{99}, &rooms.State{Bytes: viewBytes + 1})})
	if slices.ContainsFunc(v.list, func(o viewed) bool { return o.of == big }) {
		t.Error("a large one is kept")
	}
}
