package replica

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// parkedEverywhere waits until no node has the room in memory.
func (w *world) parkedEverywhere(id rooms.RoomID) {
	w.t.Helper()
	w.eventually("the room is parked on all nodes", 2*time.Minute, func() bool {
		for _, h := range w.hosts {
			if h.Get(id) != nil || slices.Contains(h.controllersOf(id), h.self) && !h.isParked(id) {
				return false
			}
		}
		return true
	})
}

func (h *Host) controllersOf(id rooms.RoomID) []rooms.NodeID {
	rec, _ := h.record(id)
	return rec.Now
}

func (w *world) led(id rooms.RoomID) string {
	for _, h := range w.hosts {
		if f, ok := h.Facts(id); ok && !f.Leader.IsZero() {
			return w.name(f.Leader)
		}
	}
	w.t.Fatal("nobody led the room")
	return ""
}

func TestAnEmptyRoomIsAnEntryAndWakesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		w.lan.slow(time.Millisecond)
		n5 := w.join("n5", id)
		for name, want := range map[string]func(leader, backup *Host) error{
			"a wish at its leader": func(l, _ *Host) error { return w.say(l, id, "one") },
			"a wish at a backup":   func(_, b *Host) error { return w.say(b, id, "two") },
			"a wish elsewhere":     func(_, _ *Host) error { return w.say(n5, id, "three") },
			"a reader": func(_, _ *Host) error {
				_, err := n5.Open(t.Context(), id, "", "eve")
				return err
			},
			"a pull": func(_, b *Host) error {
				data, err := b.ServePull(t.Context(), n5.self, rooms.Marshal(pull{Room: id}))
				var p pulled
				if err != nil || rooms.Unmarshal(data, &p) != nil || p.Unknown {
					return fmt.Errorf("pulled: %+v %w", p, err)
				}
				return nil
			},
			"a controller's message": func(l, b *Host) error {
				b.Frame(l.self, rooms.Marshal(frame{Room: id, Kind: frameOrder, Data: []byte{1}}))
				for b.Get(id) == nil {
					time.Sleep(time.Millisecond)
				}
				return nil
			},
		} {
			if r := n5.Get(id); r != nil {
				r.cancel() // its copy asks for news for a while
				<-r.done
			}
			w.parkedEverywhere(id)
			leader := w.led(id)
			began := time.Now()
			if err := want(w.hosts[leader], w.hosts[w.other(leader)]); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if d := time.Since(began); d > 50*time.Millisecond {
				t.Errorf("%s woke it after %v", name, d)
			}
		}
	})
}

// say enters the room at a node, says something and leaves.
func (w *world) say(h *Host, id rooms.RoomID, text string) error {
	r, err := h.Open(w.t.Context(), id, "", "bob")
	if err != nil {
		return err
	}
	for _, b := range []rooms.Body{&rooms.Enter{}, &rooms.Say{Text: text}, &rooms.Leave{}} {
		if _, err := r.Ask(w.t.Context(), "", "bob", b); err != nil {
			return err
		}
	}
	return nil
}

func TestAParkedRoomElectsOnlyWhenSomethingWantsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		w.parkedEverywhere(id)
		leader := w.led(id)
		survivor := w.hosts[w.other(leader)]
		w.kill(leader)
		for range 120 {
			time.Sleep(time.Second)
			if survivor.Get(id) != nil {
				t.Fatal("it woke because its leader's node went down")
			}
		}
		began := time.Now()
		if err := w.say(survivor, id, "anybody?"); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d > time.Second {
			t.Errorf("answered after %v", d)
		}
	})
}

func TestAParkedRoomGrowsWithTheNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h1 := w.start("n1")
		id := w.found("", "ann", rooms.CreateRoom{Name: "lobby"})
		w.parkedEverywhere(id)
		w.grow("n2", "n3", "n4")
		w.eventually("it has four controllers", 3*time.Minute, func() bool { return len(h1.controllersOf(id)) == 4 })
		w.parkedEverywhere(id)
	})
}

func TestAfterARestartParkedRoomsStayOnDiskAndAreKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := w.start("n1")
		ids := map[string]rooms.RoomID{}
		for _, n := range []string{"tagged", "plain", "busy"} {
			id := w.found("", "ann", rooms.CreateRoom{Name: n, Temporary: true})
			ids[n] = id
			r := w.enter("n1", id, "ann")
			w.do(r, "", "ann", &rooms.Subject{Text: "all about " + n})
			if n == "tagged" {
				w.do(r, "", "ann", &rooms.Tag{Add: []string{"physics"}})
			}
			if n != "busy" {
				w.do(r, "", "ann", &rooms.Leave{})
			}
		}
		w.eventually("two are parked", time.Minute, func() bool { return h.isParked(ids["tagged"]) && h.isParked(ids["plain"]) })
		w.kill("n1")
		var mu sync.Mutex
		var shown []rooms.RoomID
		w.adapt = func(c *Config) {
			c.Opened = func(id rooms.RoomID) {
				mu.Lock()
				defer mu.Unlock()
				shown = append(shown, id)
			}
		}
		h = w.start("n1")
		synctest.Wait()
		if len(h.Replicas()) != 2 || h.Get(ids["busy"]) == nil {
			t.Errorf("%d rooms were loaded, want the directory and the one that was awake", len(h.Replicas()))
		}
		mu.Lock()
		if !slices.Contains(shown, ids["tagged"]) || slices.Contains(shown, ids["plain"]) {
			t.Error("the index must be told of parked rooms that hold tags, and of no others")
		}
		mu.Unlock()
		tags := 0
		if !h.View(ids["tagged"], func(st *rooms.State) { tags = len(st.Tags) }) || tags != 1 || h.Get(ids["tagged"]) != nil {
			t.Errorf("a parked room shows %d tags, or was woken for it", tags)
		}
		f, ok := h.Facts(ids["plain"])
		if !ok || !f.Parked || f.Subject != "all about plain" || f.Height == 0 || f.Leader != h.self || !f.Open || f.Hidden {
			t.Errorf("known of it: %+v", f)
		}
		w.eventually("an empty temporary room ends when its time has come", 12*time.Minute, func() bool {
			_, err := h.record(ids["plain"])
			return errors.Is(err, errs.NotFound)
		})
	})
}

func TestWhoWasAwayGetsWhatAParkedRoomHasForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		w.parkedEverywhere(id)
		leader := w.led(id)
		away := w.other(leader)
		w.kill(away)
		if err := w.say(w.hosts[leader], id, "you missed it"); err != nil {
			t.Fatal(err)
		}
		w.parkedEverywhere(id)
		f, _ := w.hosts[leader].Facts(id)
		h := w.start(away)
		w.eventually("it has the rest", time.Minute, func() bool {
			mine, ok := h.Facts(id)
			return ok && mine.Height == f.Height
		})
		w.parkedEverywhere(id)
	})
}

func TestARoomThatTheDiskDoesNotGiveIsNotReadForEachFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		w.parkedEverywhere(id)
		h := w.hosts["n2"]
		st := w.stores["n2"]
		if err := w.say(w.hosts["n1"], id, "x"); err != nil {
			t.Fatal(err)
		}
		w.parkedEverywhere(id)
		st.mu.Lock()
		st.m[Snapshots] = slices.DeleteFunc(slices.Clone(st.m[Snapshots]), func(e Entry) bool { return string(e.Key[:32]) == string(id[:]) })
		st.m[Snapshots] = append(st.m[Snapshots], Entry{roomKey(id, 9), []byte("junk")})
		slices.SortFunc(st.m[Snapshots], func(a, b Entry) int { return slices.Compare(a.Key, b.Key) })
		reads := st.reads[Snapshots]
		st.mu.Unlock()
		for range 100 {
			h.Frame(node("n1"), rooms.Marshal(frame{Room: id, Kind: frameOrder, Data: []byte{1}}))
			synctest.Wait()
		}
		st.mu.Lock()
		defer st.mu.Unlock()
		if n := st.reads[Snapshots] - reads; n != 1 {
			t.Errorf("it was read %d times for 100 frames", n)
		}
		if len(h.load.by) > 0 {
			t.Error("frames that went are still counted")
		}
	})
}

func TestARoomForWhichSomethingWaitsIsNotParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := w.start("n1")
		id := w.found("", "ann", rooms.CreateRoom{Name: "lobby", Temporary: true})
		r := w.open("n1", id, "ann")
		parked := make(chan bool, 2)
		r.call(func() {
			rest := &resting{Height: r.chain.Height}
			r.put(inFrame{node("n2"), frame{Room: id, Kind: frameAskHead}})
			h.park(r, rest)
			parked <- r.parked
			r.call(func() { h.park(r, rest); parked <- r.parked }) // the frame is gone now
		})
		if <-parked || !<-parked {
			t.Error("parked when it must not be, or not parked when it can be")
		}
	})
}

// Rooms park after no time at all here, so waking, frames, wishes and the ends of hosts meet parking as often as can be.
func TestWakingMeetsParking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.adapt = func(c *Config) { c.Rest = time.Nanosecond }
		w, first := w.four("lobby")
		ids := []rooms.RoomID{first}
		for i := range 3 {
			id, err := w.hosts["n2"].Create(t.Context(), "", "ann", rooms.CreateRoom{Name: fmt.Sprint("room", i)})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		w.join("n5", first)
		said := make([]map[string]int, len(ids))
		for i := range said {
			said[i] = map[string]int{}
		}
		var mu sync.Mutex
		var users sync.WaitGroup
		for u := range 10 {
			h := w.hosts[fmt.Sprint("n", 1+u%5)]
			rng := rand.New(rand.NewPCG(uint64(u), 7))
			users.Go(func() {
				nick := fmt.Sprint("user", u)
				for n := range 8 {
					// About as long as a room takes to be parked by its backups, or its leader, and just when the ticks come.
					time.Sleep(time.Duration(rng.IntN(14*20)) * 50 * time.Millisecond)
					at := rng.IntN(len(ids))
					ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
					r, err := h.Open(ctx, ids[at], "", nick)
					if err == nil {
						text := fmt.Sprint(u, "/", n)
						for _, b := range []rooms.Body{&rooms.Enter{}, &rooms.Say{Text: text}, &rooms.Leave{}} {
							if _, err = r.Ask(ctx, "", nick, b); err != nil {
								break
							}
						}
						mu.Lock()
						said[at][text]++
						mu.Unlock()
					}
					cancel()
					if err != nil {
						t.Errorf("%s at %s: %v", nick, h.self.Short(), err)
						return
					}
				}
			})
		}
		users.Wait()
		for i, id := range ids {
			w.parkedEverywhere(id)
			r := w.open("n1", id, "ann")
			evs, err := r.Events(t.Context(), Query{Limit: 1000, Ops: []rooms.Op{rooms.OpSay}})
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]int{}
			for _, e := range evs {
				got[e.Body.(*rooms.Say).Text]++
			}
			for text := range said[i] {
				if got[text] != 1 {
					t.Errorf("room %d: %q was said once and is there %d times", i, text, got[text])
				}
			}
		}
	})
}
