package replica

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

// logOf reads what a node's disk holds of a room's log: how many decisions, and the header of each height.
func (w *world) logOf(h *Host, id rooms.RoomID) (records int, headers []rooms.Hash) {
	w.t.Helper()
	top, _ := h.Get(id).Head()
	list, err := h.decisions(id, 1, top)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range list {
		for _, header := range append(list[i].TickHeaders(), list[i].Header) {
			if header.Height != uint64(len(headers))+1 {
				w.t.Fatalf("height %d lies where %d belongs", header.Height, len(headers)+1)
			}
			headers = append(headers, header.Hash())
		}
	}
	if uint64(len(headers))+1 < top { // the last one may just be on its way to the disk
		w.t.Fatalf("%d heights of %d are here", len(headers), top)
	}
	return len(list), headers
}

// TestPackedTicksAreALogLikeAnyOther: all nodes pack the ticks of a room; who comes later takes them over packed, and fills a gap with them; they are found, read,
// exported, brought back and read after a restart.
func TestPackedTicksAreALogLikeAnyOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.adapt = func(c *Config) { c.Jump = jump }
		w, id := w.four("game")
		r := w.enter("n1", id, "ann")
		w.do(r, "", "ann", &rooms.Configure{Ticks: new(uint8(20))})
		var said []string
		for i := 0; ; i++ {
			if n, _ := r.Head(); n >= long {
				break
			}
			said = append(said, fmt.Sprint("line ", i))
			w.do(r, "", "ann", &rooms.Say{Text: said[i]})
			time.Sleep(time.Duration(1+i%3) * time.Second)
		}
		lines := func(r *Replica, q Query) (out []string) {
			q.Limit, q.Ops = 1000, []rooms.Op{rooms.OpSay}
			list, err := r.Events(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range list {
				out = append(out, e.Body.(*rooms.Say).Text)
			}
			return out
		}
		late := w.join("n5", id)
		r5 := w.enter("n5", id, "eve")
		w.do(r, "", "ann", &rooms.Configure{Ticks: new(uint8(0))})
		w.whole(late, id)
		w.eventually("all have all of it", time.Minute, func() bool {
			_, head := r.Head()
			for _, h := range w.hosts {
				if _, at := h.Get(id).Head(); at != head {
					return false
				}
			}
			return true
		})
		records, headers := w.logOf(w.hosts["n1"], id)
		if records > len(headers)/8 {
			t.Errorf("%d records for %d heights", records, len(headers))
		}
		for name, h := range w.hosts {
			if n, others := w.logOf(h, id); !slices.Equal(others, headers) || n > len(headers)/5 {
				t.Errorf("%s: %d records for %d heights, or other headers", name, n, len(others))
			}
		}
		if got := lines(r5, Query{}); !slices.Equal(got, said) {
			t.Errorf("the newcomer reads %q", got)
		}
		middle := rooms.Event{}
		if list, err := r.Events(t.Context(), Query{Limit: 1000, Ops: []rooms.Op{rooms.OpSay}}); err == nil {
			middle = list[len(list)/2]
		}
		if got := lines(r5, Query{AfterTime: middle.Time}); !slices.Equal(got, said[len(said)/2+1:]) {
			t.Errorf("after the middle it reads %q", got)
		}
		if e, err := r5.Find(t.Context(), middle.ID.MsgID()); err != nil || e.Seq != middle.Seq {
			t.Errorf("found: %+v, %v", e, err)
		}
		file := w.exported(late, id)
		_, head := r.Head()
		w.kill("n1")
		h1 := w.start("n1")
		w.eventually("it stands where it stood", time.Minute, func() bool { c := h1.Get(id); return c != nil && height(h1, id) >= uint64(len(headers)) })
		if _, again := w.logOf(h1, id); !slices.Equal(again[:len(headers)], headers) || again[len(headers)-1] != head {
			t.Error("after a restart the log is another one")
		}
		if got, err := h1.Import(t.Context(), bytes.NewReader(file)); err != nil || got.Had < uint64(len(headers)) {
			t.Errorf("the import of what is there: %+v, %v", got, err)
		}
	})
}

// TestACopyGoesBackAmidTicks: the chain can be read as it was at any height, also at one whose tick lies in the decision above.
func TestACopyGoesBackAmidTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := w.start("n1")
		id := w.found("", "ann", rooms.CreateRoom{Name: "game"})
		r := w.enter("n1", id, "ann")
		w.do(r, "", "ann", &rooms.Configure{Ticks: new(uint8(20))})
		time.Sleep(10 * time.Second)
		w.do(r, "", "ann", &rooms.Configure{Ticks: new(uint8(0))})
		records, headers := w.logOf(h, id)
		if records > len(headers)/2 {
			t.Fatalf("%d records for %d heights", records, len(headers))
		}
		rec, err := h.record(id)
		if err != nil {
			t.Fatal(err)
		}
		for at := range headers {
			c, err := h.loadUpTo(id, uint64(at)+1, func() rooms.Machine { return rooms.NewState(rec) })
			if err != nil || c.Height != uint64(at)+1 || c.Head != headers[at] {
				t.Fatalf("as it was at height %d: %v", at+1, err)
			}
			if got, ok := r.payloadHash(uint64(at) + 1); !ok || got.IsZero() {
				t.Fatalf("the payload of height %d is not known", at+1)
			}
		}
	})
}

// TestAGapAmidTicksIsFilled: a copy that has ticks whole fills a gap between them from nodes that have packed theirs, wherever the gap begins and ends.
func TestAGapAmidTicksIsFilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("game")
		r := w.enter("n1", id, "ann")
		late := w.join("n5", id)
		r5 := w.enter("n5", id, "eve")
		w.do(r, "", "ann", &rooms.Configure{Ticks: new(uint8(20))})
		var whole []rooms.Decision // as they come, before they are packed
		look := func() {
			top, _ := r5.Head()
			list, err := late.decisions(id, uint64(len(whole))+1, top)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range list {
				d.Ticks = nil
				whole = append(whole, d)
			}
		}
		for i := range 20 {
			for range 200 {
				time.Sleep(5 * time.Millisecond)
				look()
			}
			if i%4 == 3 {
				w.do(r, "", "ann", &rooms.Say{Text: fmt.Sprint("line ", i)})
				look()
			}
		}
		w.do(r, "", "ann", &rooms.Configure{Ticks: new(uint8(0))})
		w.eventually("n5 has it", time.Minute, func() bool { _, a := r.Head(); _, b := r5.Head(); return a == b })
		look()
		_, headers := w.logOf(late, id)
		for i := range whole {
			if len(whole) != len(headers) || len(whole) < 350 || whole[i].Header.Hash() != headers[i] {
				t.Fatalf("%d decisions of %d were seen, or others", len(whole), len(headers))
			}
		}
		base := r5.chain.Machine.Base()
		for _, g := range []struct{ low, high uint64 }{{20, 300}, {20, 40}, {63, 64}, {64, 129}, {0, 1}, {0, 333}, {190, 193}, {255, 257}} {
			w.kill("n5")
			m := missing{Floor: 1, Gap: &gap{Low: g.low, Head: id, Down: rooms.Descent{
				Room: id, Height: g.high, Head: headers[g.high-1], Controllers: base.Controllers, Since: base.Since,
			}}}
			if g.low > 0 {
				m.Gap.Head = headers[g.low-1]
			}
			changes := []Change{{Table: Decisions, Key: roomKey(id, 0), To: roomKey(id, uint64(len(headers))+1)}, {Table: Ids, Key: id[:], To: after(id)}, m.change(id)}
			for i := range whole { // as it was at first, but for the gap
				if h := whole[i].Header.Height; h <= g.low || h > g.high {
					changes = append(changes, Change{Table: Decisions, Key: roomKey(id, h), Value: rooms.Marshal(&whole[i])})
				}
			}
			w.stores["n5"].WriteLater(changes)
			late = w.start("n5")
			r5 = w.open("n5", id, "eve")
			w.eventually(fmt.Sprintf("the gap from %d to %d is filled", g.low, g.high), 3*time.Minute, func() bool { low, _ := r5.reach(); return low == 1 })
			if _, again := w.logOf(late, id); !slices.Equal(again[:len(headers)], headers) {
				t.Errorf("a gap from %d to %d: the log is another one", g.low, g.high)
			}
			w.exported(late, id)
		}
	})
}

// TestWhoWasAwayForSecondsTakesPackedTicks: a controller and a member that miss some ticks go on where they were.
func TestWhoWasAwayForSecondsTakesPackedTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("game")
		r := w.enter("n1", id, "ann")
		w.join("n5", id)
		w.enter("n5", id, "eve")
		w.do(r, "", "ann", &rooms.Configure{Ticks: new(uint8(20))})
		away := "n2"
		if w.leader(r) == away {
			away = "n3"
		}
		for i := range 4 {
			time.Sleep(time.Duration(i+2) * time.Second)
			w.kill(away)
			w.kill("n5")
			time.Sleep(time.Duration(5+2*i) * time.Second)
			w.start(away)
			w.start("n5")
			w.enter("n5", id, fmt.Sprint("eve", i))
			for _, n := range []string{away, "n5"} {
				w.eventually(n+" goes on", 30*time.Second, func() bool {
					c := w.hosts[n].Get(id)
					return c != nil && height(w.hosts[n], id)+10 > height(w.hosts["n1"], id)
				})
			}
		}
		for _, n := range []string{away, "n5"} {
			if records, headers := w.logOf(w.hosts[n], id); records > len(headers)/2 {
				t.Errorf("%s: %d records for %d heights", n, records, len(headers))
			}
		}
	})
}

// TestOverlappingPacksLeaveNoHole: what a dishonest source packs in its own way, each part of it certified, takes nothing away that is here.
func TestOverlappingPacksLeaveNoHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := w.start("n1")
		id := w.found("", "ann", rooms.CreateRoom{Name: "game"})
		r := w.enter("n1", id, "ann")
		w.do(r, "", "ann", &rooms.Configure{Ticks: new(uint8(20))})
		time.Sleep(2 * time.Second)
		w.do(r, "", "ann", &rooms.Configure{Ticks: new(uint8(0))})
		top, _ := r.Head()
		log, err := h.decisions(id, 1, top)
		if err != nil || len(log) != int(top) || top < 40 {
			t.Fatalf("%d decisions of %d: %v", len(log), top, err)
		}
		pack := func(low, high int) *rooms.Decision { // heights, of which the highest holds the others
			d := log[high-1]
			d.Ticks = &rooms.Ticks{Prev: log[low-1].Header.Prev}
			for i := low; i < high; i++ {
				hd := log[i-1].Header
				d.Ticks.List = append(d.Ticks.List, rooms.Tick{Time: hd.Time, Dir: hd.Dir, Payload: hd.Payload})
			}
			return &d
		}
		w.join("n2", id)
		r2 := w.open("n2", id, "bob")
		w.eventually("n2 has it", time.Minute, func() bool { n, _ := r2.Head(); return n >= top })
		w.kill("n2")
		w.stores["n2"].WriteLater([]Change{
			{Table: Decisions, Key: roomKey(id, 11), To: after(id)}, {Table: Snapshots, Key: id[:], To: after(id)}, {Table: Ids, Key: id[:], To: after(id)},
		})
		rec, err := h.record(id)
		if err != nil {
			t.Fatal(err)
		}
		still, err := New(Config{Key: key("n2"), Genesis: w.genesis, Store: w.stores["n2"]})
		if err != nil {
			t.Fatal(err)
		}
		defer still.Close()
		chain, err := still.asStored(rec)
		if err != nil || chain.Height != 10 {
			t.Fatalf("at height %d: %v", chain.Height, err)
		}
		c := still.newReplica(id, chain, logState{missing: missing{Floor: 1}, moved: make(chan struct{})})
		for _, d := range []*rooms.Decision{pack(11, 14), pack(12, 20), pack(9, 25), pack(25, 33)} {
			if err := c.chain.Check(d); err != nil {
				t.Fatal(err)
			}
			c.apply(d, false)
		}
		again, err := still.asStored(rec)
		if err != nil || again.Height != 33 || again.Head != log[32].Header.Hash() {
			t.Fatalf("read again it stands at height %d: %v", again.Height, err)
		}
	})
}

// TestGoingBackAmidPackedTicks: what is left of a log that is cut where no record ends leads up to there.
func TestGoingBackAmidPackedTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := w.start("n1")
		id := w.found("", "ann", rooms.CreateRoom{Name: "game"})
		r := w.enter("n1", id, "ann")
		w.do(r, "", "ann", &rooms.Configure{Ticks: new(uint8(20))})
		time.Sleep(8 * time.Second)
		_, headers := w.logOf(h, id)
		rec, err := h.record(id)
		if err != nil {
			t.Fatal(err)
		}
		w.kill("n1")
		for _, at := range []uint64{100, 65, 30} {
			h.cut(id, at)
			chain, err := h.asStored(rec)
			if err != nil || chain.Height != at || chain.Head != headers[at-1] {
				t.Fatalf("cut at height %d, it stands at %d: %v", at, chain.Height, err)
			}
		}
	})
}
