package replica

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

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
