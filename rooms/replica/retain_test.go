package replica

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
	"warren/rooms/archive"
	"warren/rooms/errs"
	"warren/rooms/order"
)

// slowly gives the next hosts fewer ticks: these tests take days.
func (w *world) slowly() *world {
	w.adapt = func(c *Config) {
		c.Jump, c.Tick, c.Heartbeat, c.Election = jump, time.Second, 2*time.Second, 10*time.Second
	}
	return w
}

// heights returns the heights of a room's decisions on a node's disk.
func (w *world) heights(name string, id rooms.RoomID) (out []uint64) {
	w.t.Helper()
	list, err := w.stores[name].Range(Decisions, id[:], after(id), 1<<20, false)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range list {
		out = append(out, binary.BigEndian.Uint64(e.Key[len(id):]))
	}
	return out
}

// ordered returns the lowest height of a batch among a controller's entries on the disk.
func (w *world) ordered(name string, id rooms.RoomID) uint64 {
	w.t.Helper()
	list, err := w.stores[name].Range(Raft, raftKey(id, kindEntry, 0), raftKey(id, kindHard, 0), 1<<20, false)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range list {
		var rec order.Record
		var b rooms.Batch
		if err := rooms.Unmarshal(e.Value, &rec); err != nil {
			w.t.Fatal(err)
		}
		if rooms.Unmarshal(rec.Entry.Data, &b) == nil {
			return b.Height
		}
	}
	return 0
}

// floorOf returns the floor that a node's disk tells.
func floorOf(t *testing.T, h *Host, id rooms.RoomID) uint64 {
	t.Helper()
	log, err := h.loadGap(id)
	if err != nil {
		t.Fatal(err)
	}
	return log.Floor
}

// retain has ann ask that the room keeps its log for so many days.
func (w *world) retain(r *Replica, days uint16) {
	w.t.Helper()
	w.do(r, "", "ann", &rooms.Configure{Retention: &days})
}

// more has ann say n lines more.
func (w *world) more(r *Replica, word string, n int) {
	w.t.Helper()
	for i := range n {
		w.do(r, "", "ann", &rooms.Say{Text: fmt.Sprint(word, i)})
	}
}

// single starts a network of one node with a room.
func (w *world) single() rooms.RoomID {
	w.t.Helper()
	w.start("n1")
	return w.found("", "ann", rooms.CreateRoom{Name: "lab"})
}

// within waits in virtual time for what takes hours, and looks now and then.
func (w *world) within(what string, d time.Duration, f func() bool) {
	w.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(30 * time.Second) {
		if f() {
			return
		}
	}
	w.t.Fatalf("not within %v: %s", d, what)
}

const days = 25 * time.Hour // one day, and some time to see to it

func TestARoomLetsGoWhatIsOlderThanItKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).slowly()
		id := w.single()
		r := w.talk("n1", id, "early ", 600)
		old, err := r.Events(t.Context(), Query{Limit: 300})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(days)
		if list := w.heights("n1", id); list[0] != 1 || len(list) < 600 {
			t.Fatalf("a room that keeps everything has %d decisions from %d on", len(list), list[0])
		}
		w.retain(r, 1)
		const floor = 2 * snapshotEvery
		w.within("what is older is gone", time.Hour, func() bool { list := w.heights("n1", id); return list[0] == floor })
		if n := w.ordered("n1", id); n != 0 && n < floor {
			t.Errorf("the controller's own log still has height %d", n)
		}
		if list, _ := w.stores["n1"].Range(Ids, id[:], roomKey(id, segmentOf(floor)), 10, false); len(list) > 0 {
			t.Errorf("%d stretches of ids of what is gone", len(list))
		}
		began := time.Now()
		list, err := r.Events(t.Context(), Query{Limit: 5})
		if err != nil || len(list) != 5 || list[0].Height != floor {
			t.Errorf("the oldest events: %d, %v", len(list), err)
		}
		if _, err := r.Find(t.Context(), old[10].ID.MsgID()); !errors.Is(err, errs.NotFound) {
			t.Errorf("what is gone is found: %v", err)
		}
		if ev, err := r.Find(t.Context(), list[2].ID.MsgID()); err != nil || ev.ID != list[2].ID {
			t.Errorf("what is kept is not found: %v", err)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %v to say so", took)
		}
		// What is young stays, and goes in its turn.
		w.more(r, "late ", 300)
		time.Sleep(days - 3*time.Hour)
		if now := w.heights("n1", id)[0]; now != floor {
			t.Errorf("the log begins at %d before a day is over", now)
		}
		w.within("the rest has grown old too", 4*time.Hour, func() bool { return w.heights("n1", id)[0] == 3*snapshotEvery })
		// Who wants to keep everything again keeps what there is.
		w.retain(r, 0)
		w.more(r, "kept ", 300)
		time.Sleep(3 * days)
		w.kill("n1")
		h := w.start("n1")
		if got := w.heights("n1", id)[0]; got != 3*snapshotEvery || floorOf(t, h, id) != got {
			t.Errorf("the log begins at %d", got)
		}
	})
}

// TestSweepingIsInterrupted: a node that goes down while it deletes goes on with that when it comes back, and what it shows meanwhile begins at the floor.
func TestSweepingIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).slowly()
		id := w.single()
		h := w.hosts["n1"]
		r := w.talk("n1", id, "early ", 5*snapshotEvery+20)
		w.retain(r, 1)
		const floor = 5 * snapshotEvery
		time.Sleep(24*time.Hour - time.Minute)
		stops := 0
		for end := time.Now().Add(10 * time.Minute); ; {
			if time.Now().After(end) {
				t.Fatal("it is never done")
			}
			list := w.heights("n1", id)
			if list[0] == floor {
				break
			}
			if f := floorOf(t, h, id); f == floor && stops < 6 {
				stops++
				w.kill("n1") // nothing of what it has in memory survives
				if got := w.heights("n1", id); !slices.Contains(got, uint64(floor)) {
					t.Fatalf("stop %d: the floor itself is gone", stops)
				}
				h = w.start("n1")
				r, err := h.Open(t.Context(), id, "", "ann")
				if err != nil {
					t.Fatal(err)
				}
				if list, err := r.Events(t.Context(), Query{Limit: 1}); err != nil || len(list) != 1 || list[0].Height < floor {
					t.Errorf("stop %d: the log shows %v, %v", stops, list, err)
				}
			}
			time.Sleep(100 * time.Millisecond)
		}
		if stops < 2 {
			t.Errorf("it was interrupted %d times", stops)
		}
		w.exported(h, id)
	})
}

// TestAParkedRoomLetsGo: it wakes for that, and rests again.
func TestAParkedRoomLetsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).slowly()
		id := w.single()
		h := w.hosts["n1"]
		r := w.talk("n1", id, "x", 600)
		w.retain(r, 2)
		if _, err := r.Ask(t.Context(), "", "ann", &rooms.Leave{}); err != nil {
			t.Fatal(err)
		}
		parked := func() bool { f, ok := h.Facts(id); return ok && f.Parked }
		w.eventually("the room is parked", 5*time.Minute, parked)
		time.Sleep(days)
		if !parked() || w.heights("n1", id)[0] != 1 {
			t.Fatal("it woke, or let go, too early")
		}
		w.within("it has let go", days, func() bool { return w.heights("n1", id)[0] == 2*snapshotEvery })
		w.eventually("it is parked again", 5*time.Minute, parked)
		moved := w.stores["n1"].reads[Decisions]
		time.Sleep(2 * days)
		if !parked() || w.stores["n1"].reads[Decisions] != moved {
			t.Error("it woke for nothing")
		}
	})
}

// TestWhoWasAwayForLonger: copies that lack what nobody keeps any more take the state over: a newcomer, a controller, and one that people watch.
func TestWhoWasAwayForLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).slowly().four("lab")
		r := w.talk("n1", id, "early ", 10)
		w.eventually("four controllers", time.Minute, func() bool { return len(r.Status().Controllers) == 4 })
		h5 := w.join("n5", id)
		c5 := w.enter("n5", id, "bob")
		var mu sync.Mutex
		var gone, came []string
		defer c5.Watch(func(ev *rooms.Event, _ any) {
			mu.Lock()
			defer mu.Unlock()
			for _, o := range ev.Gone {
				gone = append(gone, o.Nick)
			}
			if ev.Op == rooms.OpEnter {
				came = append(came, ev.Nick)
			}
		})()
		away := w.name(r.Status().Controllers[0])
		if away == "n1" {
			away = w.name(r.Status().Controllers[1])
		}
		w.kill(away)
		w.lan.set(node("n5"), false)
		r = w.open("n1", id, "ann")
		w.do(r, "", "carol", &rooms.Enter{})
		w.more(r, "line ", long)
		w.retain(r, 1)
		const floor = 3 * snapshotEvery
		time.Sleep(days)
		for name := range w.hosts {
			if name != "n5" {
				w.within("it is let go everywhere", time.Hour, func() bool {
					list := w.heights(name, id)
					return len(list) > 0 && !slices.ContainsFunc(list, func(n uint64) bool { return n < floor && n > 20 })
				})
			}
		}
		// The controller comes back: it controls again.
		ha := w.start(away)
		w.eventually("the controller has caught up", 10*time.Minute, func() bool {
			want, head := r.Head()
			c := ha.Get(id)
			if c == nil {
				return false
			}
			n, at := c.Head()
			return n == want && at == head
		})
		w.eventually("it signs again", 10*time.Minute, func() bool {
			_, _ = r.Ask(t.Context(), "", "ann", &rooms.Say{Text: "again"})
			return slices.Contains(r.Status().Signers, node(away))
		})
		// Who is watched comes back: people see what is different.
		w.lan.set(node("n5"), true)
		w.eventually("the watched copy has caught up", 10*time.Minute, func() bool {
			want, _ := r.Head()
			n, _ := c5.Head()
			return n >= want
		})
		mu.Lock()
		if !slices.Contains(gone, "bob") || !slices.Contains(came, "carol") {
			t.Errorf("who watches was told that %v left and %v came", gone, came)
		}
		mu.Unlock()
		// A newcomer gets what there is, and knows that this is all.
		asked := 0
		w.lan.onPull = func(ctx context.Context, from, to rooms.NodeID, req []byte, serve server) ([]byte, error) {
			var q pull
			if rooms.Unmarshal(req, &q) == nil && q.Room == id && q.Want == wantLog && q.Upto > q.After+1 && q.Upto < floor {
				mu.Lock()
				asked++
				mu.Unlock()
			}
			return serve(ctx, from, req)
		}
		h6 := w.join("n6", id)
		c6 := w.open("n6", id, "dan")
		w.eventually("the newcomer has all there is", 5*time.Minute, func() bool { low, moved := c6.reach(); return low == floor && moved == nil })
		time.Sleep(time.Hour)
		mu.Lock()
		if asked > fetchWindow {
			t.Errorf("the newcomer asked %d times for what nobody has", asked)
		}
		mu.Unlock()
		for _, h := range []*Host{h5, h6, ha, w.hosts["n1"]} {
			w.within("the log ends at the floor", time.Hour, func() bool {
				r, err := h.Open(t.Context(), id, "", "ann")
				if err != nil {
					return false
				}
				_, moved := r.reach()
				return moved == nil
			})
			w.exported(h, id)
		}
	})
}

// TestNobodyCanSayThatTheLogIsGone: in a room that keeps everything, whoever says that it has let go is not believed.
func TestNobodyCanSayThatTheLogIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id, _ := longRoom(t)
		liars := []rooms.NodeID{node("n1"), node("n3")}
		w.lan.onPull = func(ctx context.Context, from, to rooms.NodeID, req []byte, serve server) ([]byte, error) {
			var q pull
			if rooms.Unmarshal(req, &q) != nil || q.Room != id || !slices.Contains(liars, to) || q.Want != wantLog || q.Upto == 0 {
				return serve(ctx, from, req)
			}
			return rooms.Marshal(pulled{Height: long, Floor: q.After + 100}), nil
		}
		h := w.join("n5", id)
		if _, err := h.Open(t.Context(), id, "", "bob"); err != nil {
			t.Fatal(err)
		}
		w.whole(h, id)
	})
}

// TestARoomWithoutItsBeginningIsExportedAndBroughtBack: into a disk that was left behind, and into one that has everything.
func TestARoomWithoutItsBeginningIsExportedAndBroughtBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).slowly()
		id := w.single()
		stop := func(r *Replica) *memStore { // nobody is in the room: its only controller decides nothing when it comes back
			t.Helper()
			w.do(r, "", "ann", &rooms.Leave{})
			w.kill("n1")
			return w.stores["n1"].clone()
		}
		old := stop(w.talk("n1", id, "early ", 20))
		w.start("n1")
		r := w.talk("n1", id, "x", 2*snapshotEvery)
		w.retain(r, 1)
		time.Sleep(24*time.Hour - time.Minute)
		w.more(r, "y", snapshotEvery+20)
		full := stop(r)
		if n, err := full.Range(Decisions, id[:], after(id), 1000, false); err != nil || len(n) < 3*snapshotEvery {
			t.Fatalf("%d decisions are left, before their time: %v", len(n), err)
		}
		h := w.start("n1")
		w.within("it has let go", 2*time.Hour, func() bool { return w.heights("n1", id)[0] == 2*snapshotEvery })
		file := w.exported(h, id)
		rep, err := archive.Verify(bytes.NewReader(file), w.genesis.ID())
		if err != nil || rep.From != 2*snapshotEvery || rep.Base != 3*snapshotEvery {
			t.Errorf("the archive runs from %d, with a past from %d: %v", rep.Base, rep.From, err)
		}
		for name, disk := range map[string]*memStore{"left behind": old, "complete": full} {
			w.kill("n1")
			w.stores["n1"] = disk
			h = w.start("n1")
			if _, err := h.Import(t.Context(), bytes.NewReader(file)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if r, err = h.Open(t.Context(), id, "", "ann"); err != nil {
				t.Fatal(err)
			}
			if n, at := r.Head(); n < rep.Height || n == rep.Height && at != rep.Head {
				t.Errorf("%s: the copy is at %d, %s; the file at %d, %s", name, n, at.Short(), rep.Height, rep.Head.Short())
			}
			if list := w.heights("n1", id); !slices.Contains(list, 2*snapshotEvery+1) {
				t.Errorf("%s: what the file has of the past is not there", name)
			}
			w.within("the log is as it should be", 2*time.Hour, func() bool { low, moved := r.reach(); return low == 2*snapshotEvery && moved == nil })
			w.exported(h, id)
		}
		// While it is written to a file, the log stays as it is.
		done := h.keeping.keep(id)
		time.Sleep(days)
		if got := w.heights("n1", id)[0]; got != 2*snapshotEvery {
			t.Errorf("the log begins at %d, while it is being exported", got)
		}
		done()
		w.within("it has let go of more", 2*time.Hour, func() bool { return w.heights("n1", id)[0] == 3*snapshotEvery })
	})
}

// TestWhatMarksHistoryStays: changes of controllers and beginnings of epochs are not swept, however old they are; in pieces of any size.
func TestWhatMarksHistoryStays(t *testing.T) {
	store := &memStore{m: map[Table][]Entry{}}
	h, id := &Host{cfg: Config{Store: store}}, rooms.RoomID{1}
	marks := map[uint64]rooms.Body{3: &rooms.Reconfigure{}, 4: &rooms.Begin{}, 700: &rooms.Reconfigure{}, 701: &rooms.Reconfigure{}}
	const head, floor, refused = 900, 800, 701
	for n := uint64(1); n <= head; n++ {
		body := marks[n]
		if body == nil {
			body = &rooms.Say{}
		}
		d := rooms.Decision{Header: rooms.Header{Room: id, Height: n}, Batch: rooms.Batch{Requests: []rooms.Request{rooms.NewRequest(id, "", "", body)}}, Verdicts: rooms.Verdicts{0}}
		if n == refused {
			d.Verdicts[0] = byte(errs.Denied)
		}
		store.WriteLater([]Change{{Table: Decisions, Key: roomKey(id, n), Value: rooms.Marshal(&d)}})
	}
	for segment := range segmentOf(head) + 1 {
		store.WriteLater([]Change{{Table: Ids, Key: roomKey(id, segment), Value: []byte{}}})
	}
	for from, pieces := uint64(1), 0; from < floor; pieces++ {
		changes, upto, err := h.sweepings(id, from, floor)
		if err != nil || upto < from || pieces > floor/sweepPiece+1 {
			t.Fatalf("piece %d, from %d: up to %d, %v", pieces, from, upto, err)
		}
		store.WriteLater(changes)
		from = upto + 1
	}
	w := &world{t: t, stores: map[string]*memStore{"n1": store}}
	if got := w.heights("n1", id); !slices.Equal(got[:4], []uint64{3, 4, 700, floor}) || len(got) != 3+head-floor+1 {
		t.Errorf("%d decisions are left, from %v on", len(got), got[:4])
	}
	if list, _ := store.Range(Ids, id[:], nil, 100, false); len(list) != 1 {
		t.Errorf("%d stretches of ids are left", len(list))
	}
}
