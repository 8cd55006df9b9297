package rooms

import (
	"errors"
	"slices"
	"testing"

	"warren/rooms/errs"
)

var four = []string{"n1", "n2", "n3", "n4"}

// state1 is a node's statement at the end of the first epoch of the world's room, of a chain that stands at its start.
func (w *world) state1(node string) Statement {
	rec := w.directory().Rooms[w.room.Room]
	s := Statement{Epoch: 1, Since: rec.Since, Height: rec.Floor, Head: rec.FloorHead}
	s.Sign(rec.ID, key(node))
	return s
}

// ending is a room of four controllers whose third and fourth decisions are not certified everywhere.
type ending struct {
	*world
	certified []*Decision // heights 1 and 2
	open      []*Decision // heights 3 and 4, certified by nobody yet
	other     *Decision   // another one at height 3
}

func newEnding(t *testing.T) *ending {
	w := &ending{world: newWorld(t)}
	w.room = w.make(alice, CreateRoom{Name: "hall", Controllers: ids(four...)})
	w.certified = append(w.certified, w.decide(w.room, alice, &Enter{}, "n1", "n2", "n3"), w.decide(w.room, bob, &Enter{}, "n2", "n3", "n4"))
	before := w.room.Snapshot()
	w.other = w.decide(w.room, bob, &Say{Text: "another"})
	w.room, _ = RestoreChain(before)
	w.open = append(w.open, w.decide(w.room, alice, &Say{Text: "three"}), w.decide(w.room, alice, &Say{Text: "four"}))
	w.room, _ = RestoreChain(before)
	return w
}

// stated is a node's statement: certified up to the decision (nil: nothing), and what it signed above.
func (w *ending) stated(node string, at *Decision, signed ...*Decision) Statement {
	s := w.state1(node)
	if at != nil {
		s.Height, s.Head, s.Header, s.Cert = at.Header.Height, at.Header.Hash(), &at.Header, at.Cert
	}
	for _, d := range signed {
		s.Promises = append(s.Promises, Promise{Height: d.Header.Height, Header: d.Header.Hash()})
	}
	s.Sign(w.room.Room, key(node))
	return s
}

func (w *ending) body(carried []*Decision, sts ...Statement) *NewEpoch {
	b := &NewEpoch{Room: w.room.Room, Epoch: 2, Statements: sts}
	for _, d := range carried {
		b.Carried = append(b.Carried, d.Header)
	}
	return b
}

// follow takes a replica and a newcomer over the start of the new epoch.
func (w *ending) follow(t *testing.T, start uint64) {
	view := w.directory().Now()
	all := slices.Concat(w.certified, w.open)
	late, untold := newChainOf(w.directory().Rooms[w.room.Room]), newChainOf(w.directory().Rooms[w.room.Room])
	late.Learn(view)
	for _, d := range all[:start] {
		if d.Header.Height <= 2 {
			_, _ = untold.Accept(d, w.directory().At(d.Header.Dir), VerifySignature)
		} else if err := untold.Check(d); err == nil {
			t.Fatal("an uncertified decision passes, though the directory was not asked")
		}
		if err := late.Check(d); err != nil {
			t.Fatalf("height %d: %v", d.Header.Height, err)
		}
		if _, err := late.Accept(d, w.directory().At(d.Header.Dir), VerifySignature); err != nil {
			t.Fatal(err)
		}
	}
	late.Learn(view)
	if late.Epoch != 2 || !late.Unbegun() || len(late.Ahead()) != 0 {
		t.Fatalf("the newcomer stands in epoch %d at height %d", late.Epoch, late.Height)
	}
	// The old epoch is over, even if somebody should bring a certificate.
	if start < 4 {
		d := *all[start]
		d.Cert = certify(d.Header.Hash(), four...)
		if err := late.Check(&d); !errors.Is(err, ErrEpoch) {
			t.Errorf("a decision of the old epoch: %v", err)
		}
	}
	leader, _ := RestoreChain(late.Snapshot())
	talk := w.next(leader, n2, &Say{Text: "too early"})
	if err := late.Check(talk); !errors.Is(err, ErrBegin) {
		t.Errorf("an epoch that does not say that it begins: %v", err)
	}
	leader, _ = RestoreChain(late.Snapshot())
	first := w.next(leader, n2, leader.Beginning(view))
	if first.Verdicts.At(0) != errs.OK {
		t.Fatalf("the beginning: %v", first.Verdicts.At(0))
	}
	second := w.next(leader, bob, &Say{Text: "on"})
	for _, d := range []*Decision{first, second} {
		if err := late.Check(d); err != nil {
			t.Fatal(err)
		}
		if _, err := late.Accept(d, view, VerifySignature); err != nil {
			t.Fatal(err)
		}
	}
	// A chain that was never told turns by itself when it runs what is on the disk.
	again := newChainOf(w.directory().Rooms[w.room.Room])
	for _, d := range append(slices.Clone(all[:start]), first, second) {
		if _, err := again.Accept(d, w.directory().At(d.Header.Dir), VerifySignature); err != nil {
			t.Fatal(err)
		}
	}
	if again.Head != late.Head || again.Epoch != 2 {
		t.Error("two replicas differ")
	}
}

func newChainOf(rec RoomRecord) *Chain { return NewChain(rec.ID, NewState(rec)) }

// uncounted signs the author's next request, without a counter if it begins an epoch.
func (w *world) uncounted(c *Chain, by who, b Body) Request {
	r := w.request(c, by, b)
	if r.Op == OpBegin {
		r.Counter = 0
		r.Sign(key(by.node))
	}
	return r
}

// next orders a request in the chain's own epoch and has it certified by n1, n2 and n3.
func (w *ending) next(c *Chain, by who, b Body) *Decision {
	batch := Batch{Epoch: c.Epoch, Time: w.now, Dir: w.dir.Height, Requests: []Request{w.uncounted(c, by, b)}}
	h, v, _ := c.Run(&batch, w.directory().Now(), VerifySignature)
	return &Decision{Header: h, Batch: batch, Verdicts: v, Cert: certify(h.Hash(), "n1", "n2", "n3")}
}

func TestNewEpoch(t *testing.T) {
	type e = *ending
	none := []*Decision(nil)
	tests := map[string]struct {
		body  func(w e) *NewEpoch
		want  errs.Kind
		start uint64
	}{
		"all stand at two": {func(w e) *NewEpoch {
			return w.body(none, w.stated("n1", w.certified[1]), w.stated("n2", w.certified[1]), w.stated("n3", w.certified[1]), w.stated("n4", w.certified[1]))
		}, errs.OK, 2},
		"three say, one is behind": {func(w e) *NewEpoch {
			return w.body(w.certified[1:], w.stated("n1", nil), w.stated("n2", w.certified[0]), w.stated("n3", w.certified[1]))
		}, errs.OK, 2},
		"all below may be carried over as well": {func(w e) *NewEpoch {
			return w.body(w.certified, w.stated("n1", nil), w.stated("n2", w.certified[0]), w.stated("n3", w.certified[1]))
		}, errs.OK, 2},
		"what one alone claims, and may keep for itself, is not carried over": {func(w e) *NewEpoch {
			return w.body(none, w.stated("n1", nil), w.stated("n2", w.certified[0]), w.stated("n3", w.certified[1]))
		}, errs.Denied, 0},
		"it is, but another header is carried over below": {func(w e) *NewEpoch {
			b := w.body(w.certified, w.stated("n1", nil), w.stated("n2", w.certified[0]), w.stated("n3", w.certified[1]))
			b.Carried[0].Time++
			return b
		}, errs.Invalid, 0},
		"another one in its place": {func(w e) *NewEpoch {
			b := w.body(w.certified[1:], w.stated("n1", nil), w.stated("n2", w.certified[0]), w.stated("n3", w.certified[1]))
			b.Carried[0].Time++
			return b
		}, errs.Denied, 0},
		"two are too few": {func(w e) *NewEpoch {
			return w.body(none, w.stated("n1", w.certified[1]), w.stated("n2", w.certified[1]))
		}, errs.Denied, 0},
		"one twice": {func(w e) *NewEpoch {
			return w.body(none, w.stated("n1", w.certified[1]), w.stated("n2", w.certified[1]), w.stated("n2", w.certified[1]))
		}, errs.Invalid, 0},
		"a stranger": {func(w e) *NewEpoch {
			return w.body(none, w.stated("n1", w.certified[1]), w.stated("n2", w.certified[1]), w.stated("stranger", w.certified[1]))
		}, errs.Void, 0},
		"what one of three signed may be certified, and is carried over": {func(w e) *NewEpoch {
			return w.body(w.open[:1], w.stated("n1", w.certified[1], w.open[0]), w.stated("n2", w.certified[1]), w.stated("n3", w.certified[1]))
		}, errs.OK, 3},
		"it must not be dropped": {func(w e) *NewEpoch {
			return w.body(none, w.stated("n1", w.certified[1], w.open[0]), w.stated("n2", w.certified[1]), w.stated("n3", w.certified[1]))
		}, errs.Denied, 0},
		"two of four signed it, one may lie": {func(w e) *NewEpoch {
			return w.body(none, w.stated("n1", w.certified[1], w.open[0]), w.stated("n2", w.certified[1], w.open[0]), w.stated("n3", w.certified[1]), w.stated("n4", w.certified[1]))
		}, errs.Denied, 0},
		"one of four signed it: nobody else can have": {func(w e) *NewEpoch {
			return w.body(none, w.stated("n1", w.certified[1], w.open[0]), w.stated("n2", w.certified[1]), w.stated("n3", w.certified[1]), w.stated("n4", w.certified[1]))
		}, errs.OK, 2},
		"nor may more be carried than that": {func(w e) *NewEpoch {
			return w.body(w.open[:1], w.stated("n1", w.certified[1], w.open[0]), w.stated("n2", w.certified[1]), w.stated("n3", w.certified[1]), w.stated("n4", w.certified[1]))
		}, errs.Denied, 0},
		"two in a row": {func(w e) *NewEpoch {
			return w.body(w.open, w.stated("n1", w.certified[1], w.open...), w.stated("n2", w.certified[1], w.open...), w.stated("n3", w.certified[1], w.open[0]))
		}, errs.OK, 4},
		"the second one alone": {func(w e) *NewEpoch {
			return w.body(w.open[1:], w.stated("n1", w.certified[1], w.open...), w.stated("n2", w.certified[1], w.open...), w.stated("n3", w.certified[1], w.open[0]))
		}, errs.Denied, 0},
		"one that is not carried down to": {func(w e) *NewEpoch {
			b := w.body(w.open, w.stated("n1", w.certified[1], w.open...), w.stated("n2", w.certified[1], w.open...), w.stated("n3", w.certified[1], w.open[0]))
			b.Carried[1].Prev = Hash{1}
			return b
		}, errs.Denied, 0},
		"two that contradict, all heard: neither can be": {func(w e) *NewEpoch {
			return w.body(none, w.stated("n1", w.certified[1], w.open[0]), w.stated("n2", w.certified[1], w.other), w.stated("n3", w.certified[1]), w.stated("n4", w.certified[1]))
		}, errs.OK, 2},
		"two that contradict, one is silent: people must decide": {func(w e) *NewEpoch {
			return w.body(w.open[:1], w.stated("n1", w.certified[1], w.open[0]), w.stated("n2", w.certified[1], w.other), w.stated("n3", w.certified[1]))
		}, errs.Denied, 0},
		"one that changes the controllers": {func(w e) *NewEpoch {
			s := w.stated("n1", w.certified[1], w.open[0])
			s.Promises[0].Change = true
			s.Sign(w.room.Room, key("n1"))
			return w.body(w.open[:1], s, w.stated("n2", w.certified[1], w.open[0]), w.stated("n3", w.certified[1], w.open[0]))
		}, errs.Denied, 0},
		"a statement that was changed": {func(w e) *NewEpoch {
			b := w.body(none, w.stated("n1", w.certified[1], w.open[0]), w.stated("n2", w.certified[1]), w.stated("n3", w.certified[1]))
			b.Statements[0].Promises = nil
			return b
		}, errs.Void, 0},
		"of another room": {func(w e) *NewEpoch {
			b := w.body(none, w.stated("n1", w.certified[1]), w.stated("n2", w.certified[1]), w.stated("n3", w.certified[1]))
			b.Statements[0].Sign(Hash{9}, key("n1"))
			return b
		}, errs.Void, 0},
		"given for an account": {func(w e) *NewEpoch {
			return w.body(none, w.stated("n1", w.certified[1]), w.stated("n2", w.certified[1]), w.stated("n3", w.certified[1])).of("alice")
		}, errs.Void, 0},
		"a claim without a certificate": {func(w e) *NewEpoch {
			return w.body(none, w.stated("n1", w.open[0]), w.stated("n2", w.certified[1]), w.stated("n3", w.certified[1]))
		}, errs.Void, 0},
		"of other controllers": {func(w e) *NewEpoch {
			s := w.stated("n1", w.certified[1])
			s.Since = 2
			s.Sign(w.room.Room, key("n1"))
			return w.body(none, s, w.stated("n2", w.certified[1]), w.stated("n3", w.certified[1]))
		}, errs.Stale, 0},
		"a replica knows more than the controllers that are heard": {func(w e) *NewEpoch {
			b := w.body(w.certified[1:], w.stated("n1", nil), w.stated("n2", w.certified[0]), w.stated("n3", w.certified[0]))
			b.Header, b.Cert = &w.certified[1].Header, w.certified[1].Cert
			return b
		}, errs.OK, 2},
		"but shows no proof": {func(w e) *NewEpoch {
			b := w.body(none, w.stated("n1", nil), w.stated("n2", w.certified[0]), w.stated("n3", w.certified[0]))
			b.Header, b.Cert = &w.certified[1].Header, w.certified[0].Cert
			return b
		}, errs.Void, 0},
		"another number": {func(w e) *NewEpoch {
			b := w.body(none, w.stated("n1", nil), w.stated("n2", nil), w.stated("n3", nil))
			b.Epoch = 3
			return b
		}, errs.Stale, 0},
		"another room": {func(w e) *NewEpoch {
			b := w.body(none, w.stated("n1", nil), w.stated("n2", nil), w.stated("n3", nil))
			b.Room = Hash{1}
			return b
		}, errs.NotFound, 0},
		"promises out of order": {func(w e) *NewEpoch {
			return w.body(none, w.stated("n1", w.certified[1], w.open[1], w.open[0]), w.stated("n2", nil), w.stated("n3", nil))
		}, errs.Void, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newEnding(t)
			b := tt.body(w)
			w.no(tt.want, n2, b)
			rec := w.directory().Rooms[w.room.Room]
			if tt.want != errs.OK {
				if rec.Epoch() != 1 {
					t.Error("refused, yet it is an epoch")
				}
				return
			}
			if rec.Epoch() != 2 || rec.Epochs[0].Start != tt.start || !slices.Equal(rec.Now, ids(four...)) || rec.Since != tt.start+1 {
				t.Errorf("record %+v", rec)
			}
			w.no(errs.Stale, n2, b) // a replay
			if got := w.directory().At(w.dir.Height - 2).Epochs(rec.ID); len(got) != 0 {
				t.Errorf("an earlier version shows %v", got)
			}
			w.follow(t, tt.start)
		})
	}
}

func TestBegin(t *testing.T) {
	w := newEnding(t)
	w.no(errs.OK, n2, w.body(nil, w.stated("n1", nil), w.stated("n2", nil), w.stated("n3", nil)))
	view := w.directory().Now()
	start := newChainOf(w.directory().Rooms[w.room.Room])
	start.Learn(view)
	good := start.Beginning(view)
	for name, tt := range map[string]struct {
		by   who
		body Body
		want errs.Kind
	}{
		"a controller's":                 {n2, good, errs.OK},
		"an account's":                   {alice, good, errs.Denied},
		"of another epoch":               {n2, &Begin{Epoch: 1}, errs.Stale},
		"that tells another story":       {n2, &Begin{Epoch: 2, By: "alice", Of: 4}, errs.Invalid},
		"a change of controllers before": {n2, w.reconfigure(start, ids("n1"), four...), errs.Stale},
	} {
		c, _ := RestoreChain(start.Snapshot())
		if got := w.next(c, tt.by, tt.body).Verdicts.At(0); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
		if tt.want == errs.OK {
			if got := w.next(c, n2, good).Verdicts.At(0); got != errs.Stale {
				t.Errorf("again: %v", got)
			}
		}
	}
}

func TestOverrun(t *testing.T) {
	w := newEnding(t)
	d := *w.open[0]
	if _, err := w.room.Accept(&d, w.directory().At(d.Header.Dir), VerifySignature); err != nil {
		t.Fatal(err)
	}
	w.no(errs.OK, n2, w.body(nil, w.stated("n1", w.certified[1]), w.stated("n2", w.certified[1]), w.stated("n3", w.certified[1])))
	if w.room.Learn(w.directory().Now()); w.room.Epoch != 1 {
		t.Fatal("it has turned to an epoch that starts below it")
	}
	if start, over := w.room.Overrun(); !over || start != 2 {
		t.Errorf("overrun: %d, %v", start, over)
	}
	d = *w.open[1]
	d.Cert = certify(d.Header.Hash(), four...)
	if err := w.room.Check(&d); !errors.Is(err, ErrEpoch) {
		t.Errorf("it goes on in the old epoch: %v", err)
	}
}
