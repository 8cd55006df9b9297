package rooms

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

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

// of has the body's statements given for an account's recovery.
func (b *NewEpoch) of(account string) *NewEpoch {
	for i := range b.Statements {
		s := &b.Statements[i]
		s.For = account
		for _, n := range four {
			if id(n) == s.Node {
				s.Sign(b.Room, key(n))
			}
		}
	}
	return b
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
			return w.body(none, w.stated("n1", nil), w.stated("n2", w.certified[0]), w.stated("n3", w.certified[1]))
		}, errs.OK, 2},
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
			b := w.body(none, w.stated("n1", nil), w.stated("n2", w.certified[0]), w.stated("n3", w.certified[0]))
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
	d := &Decision{Header: h, Batch: batch, Verdicts: v, Cert: certify(h.Hash(), "n1", "n2", "n3")}
	return d
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

func TestRecover(t *testing.T) {
	silent := func(w *ending, b *NewEpoch, nodes []string, by ...string) *NewEpoch {
		thing := SilentThing(b.of("alice").Room, 1, "alice", ids(nodes...))
		for _, n := range by {
			b.Silent = append(b.Silent, Endorse(w.dir.Room, KindSilent, thing, w.now, key(n)))
		}
		return b
	}
	gone := []string{"n2", "n3", "n4"}
	tests := map[string]struct {
		by   who
		body func(w *ending) *NewEpoch
		want errs.Kind
	}{
		"one of four is left": {alice, func(w *ending) *NewEpoch {
			return silent(w, w.body(nil, w.stated("n1", w.certified[1])), gone, "n1")
		}, errs.OK},
		"with what it signed": {alice, func(w *ending) *NewEpoch {
			return silent(w, w.body(w.open, w.stated("n1", w.certified[1], w.open...)), gone, "n1")
		}, errs.OK},
		"nobody is left but a replica": {alice, func(w *ending) *NewEpoch {
			b := silent(w, w.body(nil), four, "n1")
			b.Header, b.Cert = &w.certified[1].Header, w.certified[1].Cert
			return b
		}, errs.OK},
		"a node has no such right": {n1, func(w *ending) *NewEpoch {
			return silent(w, w.body(nil, w.stated("n1", w.certified[1])), gone, "n1").of("")
		}, errs.Denied},
		"a guest has no such right": {zed, func(w *ending) *NewEpoch {
			return silent(w, w.body(nil, w.stated("n1", w.certified[1])), gone, "n1").of("")
		}, errs.Denied},
		"nobody sees that they are silent": {alice, func(w *ending) *NewEpoch { return w.body(nil, w.stated("n1", w.certified[1])).of("alice") }, errs.Denied},
		"statements for something else": {alice, func(w *ending) *NewEpoch {
			b := silent(w, w.body(nil, w.stated("n1", w.certified[1])), gone, "n1")
			return b.of("")
		}, errs.Void},
		"nobody is silent, but the statements are for something else": {alice, func(w *ending) *NewEpoch {
			return w.body(nil, w.stated("n1", nil), w.stated("n2", nil), w.stated("n3", nil), w.stated("n4", nil))
		}, errs.Void},
		"all statements are for another account": {bob, func(w *ending) *NewEpoch {
			return w.body(nil, w.stated("n1", nil), w.stated("n2", nil), w.stated("n3", nil), w.stated("n4", nil)).of("alice")
		}, errs.Void},
		"their silence is endorsed for another account": {bob, func(w *ending) *NewEpoch {
			return silent(w, w.body(nil, w.stated("n1", w.certified[1])), gone, "n1").of("bob")
		}, errs.Denied},
		"one who does not control the directory sees it": {alice, func(w *ending) *NewEpoch {
			return silent(w, w.body(nil, w.stated("n1", w.certified[1])), gone, "n2")
		}, errs.Denied},
		"one fewer is silent": {alice, func(w *ending) *NewEpoch {
			return silent(w, w.body(nil, w.stated("n1", w.certified[1]), w.stated("n2", w.certified[1])), gone, "n1")
		}, errs.Denied},
		"more than was signed": {alice, func(w *ending) *NewEpoch {
			return silent(w, w.body(w.open, w.stated("n1", w.certified[1], w.open[0])), gone, "n1")
		}, errs.Denied},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newEnding(t)
			w.no(tt.want, tt.by, tt.body(w))
		})
	}
}

// recover orders a recovery by an account, from what n1 states.
func (w *ending) recover(t *testing.T, by who, s Statement, carried ...*Decision) {
	t.Helper()
	b := w.body(carried, s).of(by.account)
	thing := SilentThing(b.Room, 1, by.account, ids("n2", "n3", "n4"))
	b.Silent = append(b.Silent, Endorse(w.dir.Room, KindSilent, thing, w.now, key("n1")))
	w.no(errs.OK, by, b)
	if rec := w.directory().Rooms[b.Room]; !slices.Equal(rec.Now, ids(by.node)) || rec.Epochs[0].By != by.account || rec.Epochs[0].Of != 4 || len(rec.Epochs[0].Silent) != 3 {
		t.Errorf("record %+v", rec)
	}
}

// TestRecoverNeedsManage: the directory cannot see who manages a room; every replica can.
func TestRecoverNeedsManage(t *testing.T) {
	for _, by := range []who{alice, bob} {
		w := newEnding(t)
		w.recover(t, by, w.stated("n1", w.certified[1]))
		if got, want := w.room.Learn(w.directory().Now()), by == alice; got != want {
			t.Errorf("recovered by %s: a replica follows: %v, want %v", by.account, got, want)
		}
	}
}

// TestRefusedEpoch: an epoch that somebody without the right had made changes nothing for anybody, wherever they stand, and whatever it carries.
func TestRefusedEpoch(t *testing.T) {
	for name, tt := range map[string]struct {
		by      who
		stands  int  // decisions that the replica holds when it learns of the epoch
		carries bool // another decision at height 3, instead of the one that is certified later
	}{
		"below the start":             {bob, 1, false},
		"at the start":                {bob, 2, false},
		"above the start":             {bob, 3, false},
		"below, with a carried":       {bob, 1, true},
		"where it stops being proven": {bob, 2, true},
		"at the carried":              {bob, 3, true},
		"rightful, above":             {alice, 3, false},
		"rightful, at the carried":    {alice, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newEnding(t)
			for _, d := range w.open {
				d.Cert = certify(d.Header.Hash(), four...)
			}
			if tt.carries {
				w.recover(t, tt.by, w.stated("n1", w.certified[1], w.other), w.other)
			} else {
				w.recover(t, tt.by, w.stated("n1", w.certified[1]))
			}
			w.no(errs.OK, who{node: tt.by.node}, func() Body { // and another one on top of it, by its only controller
				rec := w.directory().Rooms[w.room.Room]
				s := Statement{Epoch: 2, Since: rec.Since, Height: rec.Floor, Head: rec.FloorHead}
				s.Sign(rec.ID, key(tt.by.node))
				return &NewEpoch{Room: rec.ID, Epoch: 3, Statements: []Statement{s}}
			}())
			c := newChainOf(w.directory().Rooms[w.room.Room])
			var was *Chain
			for i, d := range slices.Concat(w.certified, w.open) {
				if i == tt.stands {
					if c.Learn(w.directory().Now()) {
						t.Fatal("it has turned")
					}
					if _, headers := c.Carried(); len(headers) > 0 && tt.by == bob {
						t.Fatal("headers count as certified by the word of somebody without the right")
					}
					if at, doubt := c.Doubt(); doubt {
						if _, over := c.Overrun(); over || at != 2 {
							t.Fatalf("it goes back before the right is judged, at %d", at)
						}
						c.Judge(was)
					}
					if _, over := c.Overrun(); over != (tt.by == alice) {
						t.Fatalf("it must go back: %v", over)
					}
					if tt.by == alice {
						return
					}
				}
				if err := c.Check(d); err != nil {
					t.Fatalf("height %d: %v", d.Header.Height, err)
				}
				if _, err := c.Accept(d, w.directory().At(d.Header.Dir), VerifySignature); err != nil {
					t.Fatal(err)
				}
				if i == 1 {
					was, _ = RestoreChain(c.Snapshot())
				}
			}
			if turned := c.Learn(w.directory().Now()); turned || c.Epoch != 1 || len(c.Ahead()) != 0 {
				t.Errorf("it is in epoch %d, and knows of %v", c.Epoch, c.Ahead())
			}
		})
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

func TestRescue(t *testing.T) {
	w := newWorld(t)
	snap := w.dir.Snapshot()
	r := Rescue{Epoch: 2, Start: w.dir.Height, Head: w.dir.Head, Controllers: ids("n3")}
	r.Sign(w.dir.Room, key("n1"))
	if w.dir.LearnRescue(&r) {
		t.Fatal("signed by another key, it is believed")
	}
	r.Sign(w.dir.Room, key("recovery"))
	if !w.dir.LearnRescue(&r) || w.dir.LearnRescue(&r) || !w.dir.Unbegun() || !slices.Equal(w.directory().B.Controllers, ids("n3")) {
		t.Fatal("it is not followed, once")
	}
	leader, _ := RestoreChain(w.dir.Snapshot())
	run := func(c *Chain, by who, b Body) *Decision {
		batch := Batch{Epoch: c.Epoch, Time: w.now, Requests: []Request{w.uncounted(c, by, b)}}
		h, v, _ := c.Run(&batch, nil, VerifySignature)
		return &Decision{Header: h, Batch: batch, Verdicts: v, Cert: certify(h.Hash(), "n3")}
	}
	first := run(leader, who{node: "n3"}, leader.Beginning(nil))
	second := run(leader, who{node: "n3"}, &AdmitNode{Node: id("n5"), Name: "n5"})
	// One who was not told finds the proof in the log itself.
	late, _ := RestoreChain(snap)
	forged := *first
	forged.Cert = certify(first.Header.Hash(), "n1")
	if err := late.Check(&forged); !errors.Is(err, ErrNoQuorum) {
		t.Errorf("certified by the controllers before: %v", err)
	}
	for _, d := range []*Decision{first, second} {
		if err := late.Check(d); err != nil {
			t.Fatalf("height %d: %v", d.Header.Height, err)
		}
		if _, err := late.Accept(d, nil, VerifySignature); err != nil {
			t.Fatal(err)
		}
	}
	if first.Verdicts.At(0) != errs.OK || second.Verdicts.At(0) != errs.OK || late.Head != leader.Head || late.Epoch != 2 {
		t.Errorf("verdicts %v %v, epoch %d", first.Verdicts, second.Verdicts, late.Epoch)
	}
	old, _ := RestoreChain(snap)
	d := w.decide(old, n1, &AdmitNode{Node: id("n6"), Name: "n6"}, "n1")
	if err := w.dir.Check(d); !errors.Is(err, ErrEpoch) {
		t.Errorf("the old controllers go on: %v", err)
	}
	if old.LearnRescue(&r); old.Epoch != 1 {
		t.Error("a chain above the start has turned")
	}
	if start, over := old.Overrun(); !over || start != r.Start {
		t.Error("it need not go back")
	}
}

// TestTwoRescues: who slept through two of them comes to the newest, in whatever order it is told, or if it finds one of them in the log only.
func TestTwoRescues(t *testing.T) {
	w := newWorld(t)
	snap := w.dir.Snapshot()
	by3 := func(c *Chain, b Body) *Decision {
		batch := Batch{Epoch: c.Epoch, Time: w.now, Requests: []Request{w.uncounted(c, who{node: "n3"}, b)}}
		h, v, _ := c.Run(&batch, nil, VerifySignature)
		return &Decision{Header: h, Batch: batch, Verdicts: v, Cert: certify(h.Hash(), "n3")}
	}
	var list []*Decision
	var rescues []Rescue
	for _, epoch := range []uint64{2, 3} {
		r := Rescue{Epoch: epoch, Start: w.dir.Height, Head: w.dir.Head, Controllers: ids("n3")}
		r.Sign(w.dir.Room, key("recovery"))
		if !w.dir.LearnRescue(&r) {
			t.Fatal("it is not followed")
		}
		rescues = append(rescues, r)
		list = append(list, by3(w.dir, w.dir.Beginning(nil)), by3(w.dir, &AdmitNode{Node: id(fmt.Sprint("m", epoch)), Name: fmt.Sprint("m", epoch)}))
	}
	for name, told := range map[string][]Rescue{
		"of both": rescues, "of the newest first": {rescues[1], rescues[0]}, "of the newest only": rescues[1:], "of none": nil,
	} {
		c, _ := RestoreChain(snap)
		for i := range told {
			c.LearnRescue(&told[i])
		}
		for _, d := range list {
			if err := c.Check(d); err != nil {
				t.Fatalf("told %s: height %d: %v", name, d.Header.Height, err)
			}
			if _, err := c.Accept(d, nil, VerifySignature); err != nil {
				t.Fatalf("told %s: %v", name, err)
			}
		}
		if StateDigest(c.Machine) != StateDigest(w.dir.Machine) {
			t.Errorf("told %s, it comes to another state", name)
		}
	}
	old, _ := RestoreChain(snap)
	for i := range 4 {
		w.decide(old, n1, &AdmitNode{Node: id(fmt.Sprint("k", i)), Name: fmt.Sprint("k", i)}, "n1")
	}
	old.LearnRescue(&rescues[1])
	old.LearnRescue(&rescues[0])
	if start, over := old.Overrun(); !over || start != rescues[0].Start {
		t.Errorf("who lived on in the first epoch must go back to %d: %v", start, over)
	}
}

// TestStatementsNeverDropWhatIsCertified draws what controllers really signed, f of them in any way they like, and what some of them say about it, those
// f whatever they like. If the statements suffice, everything that has a real quorum is in the new epoch.
func TestStatementsNeverDropWhatIsCertified(t *testing.T) {
	enough, carried, unclear := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{1, 3, 4, 5, 7}).Draw(t, "n")
		rec := RoomRecord{ID: Hash{1}, FloorHead: Hash{1}}
		for i := range n {
			rec.Now = append(rec.Now, id(fmt.Sprint("c", i)))
		}
		SortNodes(rec.Now)
		const top = 3
		header := func(branch int, height uint64) Hash { return Hash{byte(branch + 1), byte(height)} }
		signed := make([]map[Hash]bool, n) // truly
		branch := make([]int, n)           // of an honest one
		length := make([]uint64, n)
		for i := range n {
			signed[i] = map[Hash]bool{}
			branch[i], length[i] = rapid.IntRange(0, 1).Draw(t, "branch"), uint64(rapid.IntRange(0, top).Draw(t, "length"))
			for h := uint64(1); h <= top; h++ {
				if i < Faults(n) { // a traitor
					for b := range 2 {
						signed[i][header(b, h)] = rapid.Bool().Draw(t, "signed")
					}
				} else if h <= length[i] {
					signed[i][header(branch[i], h)] = true
				}
			}
		}
		certified := func(b int, h uint64) bool {
			votes := 0
			for i := range n {
				if signed[i][header(b, h)] {
					votes++
				}
			}
			return votes >= Quorum(n)
		}
		var stated []Statement
		for i := range n {
			if rapid.IntRange(0, 4).Draw(t, "silent") == 0 {
				continue
			}
			s := Statement{Node: rec.Now[i], Epoch: 1, Head: rec.FloorHead}
			b := branch[i]
			if i < Faults(n) {
				b = rapid.IntRange(0, 1).Draw(t, "claimed branch")
			}
			for known := uint64(rapid.IntRange(0, top).Draw(t, "known")); s.Height < known && certified(b, s.Height+1); {
				s.Height++
				s.Head = header(b, s.Height)
			}
			for h := s.Height + 1; h <= top; h++ {
				switch {
				case i >= Faults(n) && h <= length[i]:
					s.Promises = append(s.Promises, Promise{Height: h, Header: header(b, h)})
				case i < Faults(n) && rapid.Bool().Draw(t, "lies that it signed"):
					s.Promises = append(s.Promises, Promise{Height: h, Header: header(rapid.IntRange(0, 1).Draw(t, "lie"), h)})
				}
			}
			stated = append(stated, s)
		}
		tally, err := rec.Tally(stated)
		if err != nil {
			t.Fatal("two headers are certified at one height, with f traitors")
		}
		list, err := tally.Carry(func(height uint64, h Hash) (Header, bool) { return Header{Height: height, State: h}, true })
		if err != nil || !tally.Enough() {
			unclear++
			return
		}
		enough++
		at := map[uint64]Hash{}
		if tally.Height > 0 { // everything below is the same branch
			for h := uint64(1); h <= tally.Height; h++ {
				at[h] = Hash{tally.Head[0], byte(h)}
			}
		}
		for _, h := range list {
			at[h.Height] = h.State
			carried++
		}
		for b := range 2 {
			for h := uint64(1); h <= top && certified(b, h); h++ {
				if at[h] != header(b, h) {
					t.Fatalf("of %d controllers header %v at height %d is certified, but the epoch has %v", n, header(b, h), h, at[h])
				}
			}
		}
	})
	t.Logf("%d sufficed, %d headers were carried over, %d left it open", enough, carried, unclear)
	if enough == 0 || carried == 0 || unclear == 0 {
		t.Error("the histories are too much alike")
	}
}

// TestEveryWayToEndOneHeight goes through all that three and four controllers can have signed at one height, truly and as they say: what has a real
// quorum is never dropped, and nothing contradicts it.
func TestEveryWayToEndOneHeight(t *testing.T) {
	nothing, x, y := Hash{}, Hash{'x'}, Hash{'y'}
	choices := []Hash{nothing, x, y}
	for _, n := range []int{3, 4} {
		rec := RoomRecord{ID: Hash{1}, FloorHead: Hash{1}}
		for i := range n {
			rec.Now = append(rec.Now, id(fmt.Sprint("c", i)))
		}
		SortNodes(rec.Now)
		sufficed, total := 0, 0
		// The first controller is the traitor, if there may be one: it signs a set (2 bits) and says one thing. Digits of code: see below.
		for code := range 4 * 3 * 3 * 3 * 3 * 3 << n {
			rest := code
			digit := func(base int) int { d := rest % base; rest /= base; return d }
			set, lie := digit(4), digit(3)
			votes := map[Hash]int{}
			var stated []Statement
			for i := range n {
				said := choices[digit(3)]
				switch {
				case i == 0 && Faults(n) > 0:
					said = choices[lie]
					votes[x] += set & 1
					votes[y] += set >> 1
				default:
					votes[said]++
				}
				if digit(2) == 0 {
					continue // silent
				}
				s := Statement{Node: rec.Now[i], Epoch: 1, Head: rec.FloorHead}
				if said != nothing {
					s.Promises = []Promise{{Height: 1, Header: said}}
				}
				stated = append(stated, s)
			}
			total++
			tally, err := rec.Tally(stated)
			if err != nil {
				t.Fatal(err)
			}
			list, err := tally.Carry(func(_ uint64, h Hash) (Header, bool) { return Header{State: h}, true })
			if err != nil || !tally.Enough() {
				continue
			}
			sufficed++
			for _, h := range []Hash{x, y} {
				if votes[h] >= Quorum(n) && (len(list) != 1 || list[0].State != h) {
					t.Fatalf("of %d controllers %d signed %c, but the epoch carries %v over; they said %+v", n, votes[h], h[0], list, stated)
				}
			}
		}
		t.Logf("%d controllers: %d of %d ways suffice", n, sufficed, total)
		if sufficed == 0 {
			t.Error("statements never suffice")
		}
	}
}
