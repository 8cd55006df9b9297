package rooms

import (
	"slices"
	"testing"

	"warren/rooms/errs"
)

// lowland is a room whose changes of controllers at heights 10 and 20 the directory has witnessed, of which those who are left may hold less.
type lowland struct {
	*world
	log []Decision
}

func newLowland(t *testing.T) *lowland {
	w := &lowland{world: newWorld(t)}
	w.room = w.make(alice, CreateRoom{Name: "hall", Controllers: ids("n1")})
	w.log, _ = certifiedLog(t, w.world, 30, map[int][]string{10: {"n1", "n2", "n3"}, 20: four})
	for _, h := range []int{10, 20} {
		w.must(w.dir, n1, &Witness{Room: w.room.Room, Decision: Marshal(w.log[h-1])})
	}
	return w
}

func (w *lowland) at(height uint64) *Decision { return &w.log[height-1] }

// since is the last change of controllers up to a height.
func since(height uint64) uint64 {
	switch {
	case height >= 20:
		return 20
	case height >= 10:
		return 10
	}
	return 0
}

// stated is what a controller states whose log ends at a height.
func (w *lowland) stated(node string, height uint64) Statement {
	d := w.at(height)
	s := Statement{Epoch: 1, For: "alice", Since: since(height), Height: height, Head: d.Header.Hash()}
	if height > 20 {
		s.Header, s.Cert = &d.Header, d.Cert
	}
	s.Sign(w.room.Room, key(node))
	return s
}

// body has alice begin the room anew from a height, by n1.
func (w *lowland) body(height uint64, silent []string, sts ...Statement) *NewEpoch {
	rec := w.directory().Rooms[w.room.Room]
	d := w.at(height)
	b := &NewEpoch{Room: rec.ID, Epoch: 2, Statements: sts, Below: rec.ProveBelow(&d.Header, d.Cert, since(height), w.at)}
	return w.silent(b, silent)
}

// silent has it endorsed that nodes are.
func (w *lowland) silent(b *NewEpoch, silent []string) *NewEpoch {
	rec := w.directory().Rooms[w.room.Room]
	if b.Silent = nil; len(silent) > 0 {
		thing := SilentThing(rec.ID, 1, "alice", ids(silent...), b.Below != nil)
		b.Silent = append(b.Silent, Endorse(w.dir.Room, KindSilent, thing, w.now, key("n1")))
	}
	return b
}

// TestRecoverBelow: what the directory has witnessed is on no disk any more. The room goes on from what is left, if that is shown to be certified, and
// if nobody who is up holds more.
func TestRecoverBelow(t *testing.T) {
	gone := []string{"n2", "n3", "n4"}
	for name, tt := range map[string]struct {
		by   who
		body func(w *lowland) *NewEpoch
		want errs.Kind
		from uint64
	}{
		"all are gone, a replica holds nineteen": {alice, func(w *lowland) *NewEpoch { return w.body(19, four) }, errs.OK, 19},
		"it holds the first change only":         {alice, func(w *lowland) *NewEpoch { return w.body(10, four) }, errs.OK, 10},
		"it holds five":                          {alice, func(w *lowland) *NewEpoch { return w.body(5, four) }, errs.OK, 5},
		"a controller is left that is behind":    {alice, func(w *lowland) *NewEpoch { return w.body(19, gone, w.stated("n1", 19)) }, errs.OK, 19},
		"two of them, one further behind":        {alice, func(w *lowland) *NewEpoch { return w.body(19, gone[1:], w.stated("n1", 19), w.stated("n2", 7)) }, errs.OK, 19},
		"one of them is not behind":              {alice, func(w *lowland) *NewEpoch { return w.body(19, gone[1:], w.stated("n1", 19), w.stated("n2", 20)) }, errs.Denied, 0},
		"one of them holds more":                 {alice, func(w *lowland) *NewEpoch { return w.body(19, gone[1:], w.stated("n1", 19), w.stated("n2", 25)) }, errs.Denied, 0},
		"nobody sees that they are silent":       {alice, func(w *lowland) *NewEpoch { return w.body(19, nil, w.stated("n1", 19)) }, errs.Denied, 0},
		"one who states is said to be silent":    {alice, func(w *lowland) *NewEpoch { return w.body(19, four, w.stated("n1", 19)) }, errs.Denied, 0},
		"for controllers by themselves":          {n1, func(w *lowland) *NewEpoch { return w.body(19, nil) }, errs.Denied, 0},
		"nothing is shown":                       {alice, func(w *lowland) *NewEpoch { b := w.body(19, four); b.Below = &Proof{}; return b }, errs.Void, 0},
		"another header": {alice, func(w *lowland) *NewEpoch {
			b := w.body(19, four)
			b.Below.Header.Time++
			return b
		}, errs.Void, 0},
		"certified by who was not in force yet": {alice, func(w *lowland) *NewEpoch {
			b := w.body(5, four)
			b.Below.Cert = certify(b.Below.Header.Hash(), four...)
			return b
		}, errs.Void, 0},
		"a change is left out": {alice, func(w *lowland) *NewEpoch {
			b := w.body(19, four)
			b.Below.Changes = nil
			return b
		}, errs.Void, 0},
		"above what is witnessed": {alice, func(w *lowland) *NewEpoch { return w.body(25, four) }, errs.Denied, 0},
		"the silence is endorsed for something else": {alice, func(w *lowland) *NewEpoch {
			b := w.body(19, four)
			low := b.Below
			b.Below = nil
			w.silent(b, four)
			b.Below = low
			return b
		}, errs.Denied, 0},
		"and something is carried over": {alice, func(w *lowland) *NewEpoch {
			b := w.body(18, four)
			b.Carried = []Header{w.at(19).Header}
			return b
		}, errs.Denied, 0},
		"by what follows it": {alice, func(w *lowland) *NewEpoch {
			b := w.body(19, four)
			b.Below.Header, b.Below.Above = w.at(18).Header, []Header{w.at(19).Header}
			return b
		}, errs.Denied, 0},
		"a controller that is behind promises nothing certified": {alice, func(w *lowland) *NewEpoch {
			s := w.stated("n1", 19)
			s.Header, s.Cert = &w.at(19).Header, w.at(19).Cert
			s.Sign(w.room.Room, key("n1"))
			return w.body(19, gone, s)
		}, errs.Void, 0},
		"what is held tentatively up to there is carried over": {alice, func(w *lowland) *NewEpoch {
			b := w.body(18, gone, w.stated("n1", 18))
			b.Below = nil
			w.silent(b, gone)
			b.Carried = []Header{w.at(19).Header, w.at(20).Header}
			return b
		}, errs.OK, 20},
		"but not up to something else": {alice, func(w *lowland) *NewEpoch {
			b := w.body(18, gone, w.stated("n1", 18))
			b.Below = nil
			w.silent(b, gone)
			b.Carried = []Header{w.at(19).Header, w.at(19).Header}
			return b
		}, errs.Denied, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newLowland(t)
			w.no(tt.want, tt.by, tt.body(w))
			if tt.want == errs.OK {
				w.goesOn(t, tt.from)
			}
		})
	}
}

// goesOn checks that all replicas come to the new epoch, wherever they stand.
func (w *lowland) goesOn(t *testing.T, from uint64) {
	t.Helper()
	view := w.directory().Now()
	rec := w.directory().Rooms[w.room.Room]
	if rec.Floor != from || rec.FloorHead != w.at(from).Header.Hash() || rec.Since != from+1 || !slices.Equal(rec.Now, ids("n1")) {
		t.Fatalf("record %+v", rec)
	}
	for _, stands := range []uint64{3, from - 1, from, from + 1, 30} {
		c := w.stand(t, stands)
		c.Learn(view)
		if at, doubt := c.Doubt(); doubt {
			c.Judge(w.stand(t, at))
		}
		if to, over := c.Overrun(); over {
			if c = w.stand(t, to); to != from {
				t.Fatalf("back to %d", to)
			}
			c.Learn(view)
		}
		for c.Height < from {
			d := w.at(c.Height + 1)
			if err := c.Check(d); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Accept(d, w.directory().At(d.Header.Dir), VerifySignature); err != nil {
				t.Fatal(err)
			}
			c.Learn(view)
		}
		if c.Epoch != 2 || !c.Unbegun() || !slices.Equal(c.Machine.Base().Controllers, ids("n1")) {
			t.Errorf("from height %d it comes to height %d of epoch %d", stands, c.Height, c.Epoch)
		}
	}
}

// stand is a replica that holds the log up to a height.
func (w *lowland) stand(t *testing.T, height uint64) *Chain {
	t.Helper()
	c := newChainOf(w.directory().Rooms[w.room.Room])
	for i := range w.log[:height] {
		if _, err := c.Accept(&w.log[i], w.directory().At(w.log[i].Header.Dir), VerifySignature); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// TestTooManyChangesToProve: a proof must fit into a request.
func TestTooManyChangesToProve(t *testing.T) {
	w := newLowland(t)
	rec := w.directory().Rooms[w.room.Room]
	p := rec.ProveBelow(&w.at(19).Header, w.at(19).Cert, 10, w.at)
	if p == nil || len(p.Changes) != 1 {
		t.Fatalf("proof %+v", p)
	}
	p.Changes = slices.Repeat(p.Changes, MaxPast+1)
	begun := rec.begun()
	if err := p.check(&begun, MaxPast); err == nil {
		t.Error("it is taken")
	}
	if rec.ProveBelow(&w.at(25).Header, w.at(19).Cert, 20, w.at) != nil {
		t.Error("another header's certificate proves it")
	}
}

// TestAnotherHistoryIsNotFollowed: who controlled the room alone once can certify another beginning at any later time, and an account may have the room go on from
// there. Whoever holds the true one stays with it.
func TestAnotherHistoryIsNotFollowed(t *testing.T) {
	w := newLowland(t)
	rec := w.directory().Rooms[w.room.Room]
	var other *Decision
	for c := newChainOf(rec); c.Height < 5; {
		other = w.decide(c, alice, &Subject{Text: "another"}, "n1")
	}
	b := w.body(5, four)
	b.Below = rec.ProveBelow(&other.Header, other.Cert, 0, w.at)
	w.no(errs.OK, alice, b)
	for _, stands := range []uint64{5, 6, 19, 30} {
		c := w.stand(t, stands)
		c.Learn(w.directory().Now())
		if at, doubt := c.Doubt(); doubt {
			c.Judge(w.stand(t, at))
		}
		if _, over := c.Overrun(); over || c.Epoch != 1 || len(c.Ahead()) > 0 {
			t.Errorf("at height %d: it goes back: %v; epochs ahead: %v", stands, over, c.Ahead())
		}
	}
}
