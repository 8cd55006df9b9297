package rooms

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// ticking makes a log of the world's room in which talk lies at some heights (from 1 on), and ticks at all others.
func (w *world) ticking(n int, talk func(height int) bool) (log []Decision) {
	for i := 1; i <= n; i++ {
		w.now += 50
		b := Batch{Epoch: 1, Height: uint64(i), Time: w.now, Dir: w.dir.Height}
		if talk(i) {
			b.Requests = []Request{w.request(w.room, zed, &Enter{})}
		}
		h, v, _ := w.room.Run(&b, w.directory().Now(), VerifySignature)
		log = append(log, Decision{Header: h, Batch: b, Verdicts: v, Cert: certify(h.Hash(), "n1")})
	}
	return log
}

// packAll packs a log as copies do it, at each checkpoint.
func packAll(log []Decision) (out []Decision) {
	for low := 0; low < len(log); low += CheckpointEvery {
		if high := low + CheckpointEvery; high <= len(log) {
			out = append(out, Pack(log[low:high])...)
		} else {
			out = append(out, log[low:]...)
		}
	}
	return out
}

// TestPackedTicks: wherever somebody stands who is given a packed log, and from whichever side, it comes to the same as with the whole log.
func TestPackedTicks(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		rec := w.directory().Rooms[w.room.Room]
		n := rapid.IntRange(1, 3*CheckpointEvery).Draw(rt, "heights")
		talks := map[int]bool{}
		for range rapid.IntRange(0, 12).Draw(rt, "talks") {
			talks[rapid.IntRange(1, n).Draw(rt, "talk")] = true
		}
		log := w.ticking(n, func(h int) bool { return talks[h] })
		packed := packAll(log)
		if Covers(packed) != n || Covers(log) != n {
			rt.Fatalf("%d heights are covered, of %d", Covers(packed), n)
		}
		for i := range packed {
			var again Decision
			if err := Unmarshal(Marshal(&packed[i]), &again); err != nil || !bytes.Equal(Marshal(&again), Marshal(&packed[i])) {
				rt.Fatalf("it is not decoded as it was: %v", err)
			}
			if err := again.CheckShape(); err != nil {
				rt.Fatal(err)
			}
		}
		for h := 1; h <= n; h++ {
			got, ok := Covering(packed, uint64(h)).HeaderAt(uint64(h))
			if !ok || got.Hash() != log[h-1].Header.Hash() {
				rt.Fatalf("another header at height %d", h)
			}
		}
		c := NewChain(rec.ID, NewState(rec))
		stands := rapid.IntRange(0, n-1).Draw(rt, "stands")
		for i := range stands {
			if _, err := c.Accept(&log[i], w.directory().At(log[i].Header.Dir), VerifySignature); err != nil {
				rt.Fatal(err)
			}
		}
		for i := range packed {
			d := &packed[i]
			switch err := c.Check(d); {
			case d.Header.Height <= c.Height:
				if !errors.Is(err, ErrOld) {
					rt.Fatalf("height %d at %d: %v", d.Header.Height, c.Height, err)
				}
				continue
			case err != nil:
				rt.Fatalf("height %d at %d: %v", d.Header.Height, c.Height, err)
			}
			if _, err := c.Accept(d, w.directory().At(d.Header.Dir), VerifySignature); err != nil {
				rt.Fatal(err)
			}
		}
		if !bytes.Equal(c.Snapshot(), w.room.Snapshot()) {
			rt.Fatal("it stands elsewhere")
		}
		down := NewDescent(c)
		for _, d := range slices.Backward(packed) {
			if err := down.Take(&d, func(uint64) []NodeID { return rec.Controllers }); err != nil {
				rt.Fatalf("downwards at height %d: %v", d.Header.Height, err)
			}
		}
		if down.Height != 0 || down.Head != rec.ID {
			rt.Errorf("downwards it ends at height %d", down.Height)
		}
	})
}

// TestOtherTicks: what is changed in packed ticks is noticed before anything is applied.
func TestOtherTicks(t *testing.T) {
	for name, f := range map[string]func(*Decision){
		"a time":                           func(d *Decision) { d.Ticks.List[3].Time++ },
		"a directory version":              func(d *Decision) { d.Ticks.List[3].Dir++ },
		"a payload":                        func(d *Decision) { d.Ticks.List[3].Payload[0]++ },
		"what is below":                    func(d *Decision) { d.Ticks.Prev[0]++ },
		"one less":                         func(d *Decision) { d.Ticks.List = d.Ticks.List[1:] },
		"one more":                         func(d *Decision) { d.Ticks.List = append([]Tick{{}}, d.Ticks.List...) },
		"none":                             func(d *Decision) { d.Ticks.List = nil },
		"more than lie above a checkpoint": func(d *Decision) { d.Ticks.List = make([]Tick, 2*CheckpointEvery) },
		"more than there are heights":      func(d *Decision) { d.Ticks.List, d.Header.Height = make([]Tick, 60), 40 },
		"the certificate":                  func(d *Decision) { d.Cert = nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			rec := w.directory().Rooms[w.room.Room]
			packed := packAll(w.ticking(CheckpointEvery, func(int) bool { return false }))
			if len(packed) != 1 || len(packed[0].Ticks.List) != CheckpointEvery-1 {
				t.Fatalf("%d decisions", len(packed))
			}
			c := NewChain(rec.ID, NewState(rec))
			if err := c.Check(&packed[0]); err != nil {
				t.Fatal(err)
			}
			before := c.Snapshot()
			f(&packed[0])
			if err := c.Check(&packed[0]); err == nil {
				t.Error("it is taken")
			}
			down := Descent{Room: rec.ID, Height: CheckpointEvery, Head: w.room.Head, Controllers: rec.Controllers}
			if err := down.Take(&packed[0], nil); err == nil {
				t.Error("it is taken downwards")
			}
			if !bytes.Equal(c.Snapshot(), before) {
				t.Error("the chain has changed")
			}
		})
	}
}

// TestPassRefuses what is no tick, though a header above names it.
func TestPassRefuses(t *testing.T) {
	w := newWorld(t)
	rec := w.directory().Rooms[w.room.Room]
	log := w.ticking(4, func(h int) bool { return h == 2 })
	c := NewChain(rec.ID, NewState(rec))
	if err := c.Pass(&log[1].Header); !errors.Is(err, ErrGap) {
		t.Errorf("the one after the next: %v", err)
	}
	if err := c.Pass(&log[0].Header); err != nil {
		t.Fatal(err)
	}
	if err := c.Pass(&log[1].Header); !errors.Is(err, ErrDiverged) {
		t.Errorf("a decision with a request: %v", err)
	}
	if c.Height != 1 {
		t.Errorf("at height %d", c.Height)
	}
}

// TestPackKeepsEpochsApart: what begins an epoch takes no ticks of the one before.
func TestPackKeepsEpochsApart(t *testing.T) {
	w := newWorld(t)
	log := w.ticking(8, func(h int) bool { return h == 5 || h == 8 })
	for i := 4; i < 8; i++ {
		log[i].Header.Epoch = 2
	}
	var heights []uint64
	for _, d := range Pack(log) {
		heights = append(heights, d.Header.Height)
	}
	if want := []uint64{1, 2, 3, 4, 5, 8}; !slices.Equal(heights, want) {
		t.Errorf("left are %v, want %v", heights, want)
	}
	if again := Pack(Pack(log)); Covers(again) != 8 || len(again) != 6 {
		t.Errorf("packed again: %d", len(again))
	}
}

// TestRise: a descent that stands amid ticks goes on with the decision that holds them, if that is the one which is known above.
func TestRise(t *testing.T) {
	w := newWorld(t)
	rec := w.directory().Rooms[w.room.Room]
	log := w.ticking(CheckpointEvery, func(h int) bool { return h == 20 })
	packed := packAll(log)
	d := &packed[0]
	down := Descent{Room: rec.ID, Height: 12, Head: log[11].Header.Hash(), Controllers: rec.Controllers}
	if down.Rise(&log[20].Header, d) || down.Rise(&log[19].Header, &log[19]) || down.Height != 12 {
		t.Fatal("it rises to what is not known, or does not lead down here")
	}
	if err := down.Take(d, nil); !errors.Is(err, ErrFork) {
		t.Errorf("without: %v", err)
	}
	other := down
	other.Head[0]++
	if other.Rise(&log[19].Header, d) {
		t.Error("it rises over other ticks")
	}
	if !down.Rise(&log[19].Header, d) || down.Take(d, nil) != nil || down.Height != 0 || down.Head != rec.ID {
		t.Errorf("it stands at height %d", down.Height)
	}
}

// TestAbove: what somebody has already is not stored again, from whatever height on.
func TestAbove(t *testing.T) {
	w := newWorld(t)
	rec := w.directory().Rooms[w.room.Room]
	log := w.ticking(CheckpointEvery, func(h int) bool { return h == 20 })
	for _, d := range packAll(log) {
		for height := d.Low() - 1; height < d.Header.Height; height++ {
			up := d.Above(height)
			c := NewChain(rec.ID, NewState(rec))
			for i := range log[:height] {
				if _, err := c.Accept(&log[i], w.directory().At(log[i].Header.Dir), VerifySignature); err != nil {
					t.Fatal(err)
				}
			}
			if up.Low() != height+1 || c.Check(up) != nil {
				t.Fatalf("above height %d it begins at %d: %v", height, up.Low(), c.Check(up))
			}
		}
	}
}

// TestTheDirectoryHoldsNoTicks: its log is read height by height.
func TestTheDirectoryHoldsNoTicks(t *testing.T) {
	w := newWorld(t)
	c, err := RestoreChain(w.dir.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	var list []Decision
	for range 3 {
		b := Batch{Epoch: 1, Height: w.dir.Height + 1, Time: w.now}
		h, v, _ := w.dir.Run(&b, nil, VerifySignature)
		list = append(list, Decision{Header: h, Batch: b, Verdicts: v, Cert: certify(h.Hash(), "n1")})
	}
	if err := c.Check(&list[0]); err != nil {
		t.Fatal(err)
	}
	list[2].Ticks = join(list[:2], nil)
	if err := c.Check(&list[2]); !errors.Is(err, errTicks) {
		t.Errorf("got %v", err)
	}
}

// ticked returns a log of which the heights 2 to 5 are ticks.
func (w *ending) ticked(t *testing.T) []Decision {
	t.Helper()
	log := []Decision{*w.certified[0]}
	c := newChainOf(w.directory().Rooms[w.room.Room])
	run := func(requests ...Request) {
		b := Batch{Epoch: 1, Time: w.now, Dir: w.dir.Height, Leader: id("n1"), Requests: requests}
		h, v, _ := c.Run(&b, w.directory().Now(), VerifySignature)
		log = append(log, Decision{Header: h, Batch: b, Verdicts: v, Cert: certify(h.Hash(), four...)})
	}
	if _, err := c.Accept(&log[0], w.directory().Now(), VerifySignature); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		w.now += 50
		run()
	}
	run(w.request(c, alice, &Say{Text: "six"}))
	return log
}

// TestPackedTicksPassAnEpochThatIsNone: an epoch that somebody without the right had begin amid ticks keeps nobody from what was decided above, also when no more is
// left of those ticks than a later decision holds. One that was rightfully begun there does.
func TestPackedTicksPassAnEpochThatIsNone(t *testing.T) {
	for _, by := range []who{alice, bob} {
		for start := uint64(2); start <= 4; start++ {
			w := newEnding(t)
			log := w.ticked(t)
			w.recover(t, by, w.stated("n1", &log[start-1]))
			late := newChainOf(w.directory().Rooms[w.room.Room])
			late.Learn(w.directory().Now())
			if _, err := late.Accept(&log[0], w.directory().Now(), VerifySignature); err != nil {
				t.Fatal(err)
			}
			packed := Pack(log)
			err := late.Check(&packed[1])
			if by == alice {
				if !errors.Is(err, ErrEpoch) {
					t.Errorf("a rightful epoch from height %d: %v", start, err)
				}
				continue
			}
			if err != nil {
				t.Fatalf("an epoch from height %d that is none: %v", start, err)
			}
			bare := packed[1]
			if bare.Cert = bare.Cert[:1]; late.Check(&bare) == nil {
				t.Error("it needs no certificate")
			}
			if _, err := late.Accept(&packed[1], w.directory().Now(), VerifySignature); err != nil || late.Height != 6 || late.Epoch != 1 || len(late.Ahead()) > 0 {
				t.Errorf("at height %d of epoch %d: %v", late.Height, late.Epoch, err)
			}
		}
	}
}

// TestWhatIsLeftOfATick: when the room is recovered amid ticks, no copy may have them but in a decision that is dropped. What is left of them leads to where the epoch
// begins, on the directory's word, and nowhere else.
func TestWhatIsLeftOfATick(t *testing.T) {
	for start := uint64(2); start <= 5; start++ {
		w := newEnding(t)
		log := w.ticked(t)
		packed := Pack(log)
		if packed[1].UpTo(1) != nil || packed[1].UpTo(6) != nil || packed[1].UpTo(7) != nil {
			t.Fatal("something is left of what is no tick")
		}
		stranger := newChainOf(w.directory().Rooms[w.room.Room])
		late := newChainOf(w.directory().Rooms[w.room.Room])
		for _, c := range []*Chain{stranger, late} {
			if _, err := c.Accept(&log[0], w.directory().Now(), VerifySignature); err != nil {
				t.Fatal(err)
			}
		}
		left := packed[1].UpTo(start)
		if err := stranger.Check(left); err == nil {
			t.Error("it needs nobody's word")
		}
		w.recover(t, alice, w.stated("n1", &log[start-1]))
		late.Learn(w.directory().Now())
		for at := uint64(2); at <= 5; at++ {
			if err := late.Check(packed[1].UpTo(at)); (err == nil) != (at == start) {
				t.Errorf("an epoch from height %d, what is left up to %d: %v", start, at, err)
			}
		}
		for what, spoil := range map[string]func(d *Decision){
			"another time":  func(d *Decision) { d.Header.Time++ },
			"a request":     func(d *Decision) { d.Batch.Requests, d.Verdicts = log[5].Batch.Requests, log[5].Verdicts },
			"a certificate": func(d *Decision) { d.Cert = log[start-1].Cert },
		} {
			bad := *left
			if spoil(&bad); late.Check(&bad) == nil {
				t.Errorf("%s: nothing is wrong with it", what)
			}
		}
		if _, err := late.Accept(left, w.directory().Now(), VerifySignature); err != nil || late.Height != start || late.Head != log[start-1].Header.Hash() || late.Epoch != 2 {
			t.Errorf("at height %d of epoch %d: %v", late.Height, late.Epoch, err)
		}
	}
}
