package rooms

import (
	"slices"
	"testing"

	"warren/rooms/errs"
)

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

// TestTheLastEpochsAreForPeople: controllers that begin anew again and again leave some epochs for somebody who recovers the room.
func TestTheLastEpochsAreForPeople(t *testing.T) {
	for name, tt := range map[string]struct {
		had       int // epochs after the first
		byNodes   errs.Kind
		byAccount errs.Kind
	}{
		"some are left":              {MaxEpochs - PeopleEpochs - 1, errs.OK, errs.OK},
		"what is left is for people": {MaxEpochs - PeopleEpochs, errs.Quota, errs.OK},
		"one is left":                {MaxEpochs - 1, errs.Quota, errs.OK},
		"none is left":               {MaxEpochs, errs.Quota, errs.Quota},
	} {
		t.Run(name, func(t *testing.T) {
			for account, want := range map[string]errs.Kind{"": tt.byNodes, "alice": tt.byAccount} {
				w := newEnding(t)
				rec := w.directory().Rooms[w.room.Room]
				for i := range tt.had {
					rec.Epochs = append(rec.Epochs, EpochRecord{Epoch: uint64(i + 2), Controllers: rec.Now})
				}
				w.directory().Rooms[rec.ID] = rec
				b := &NewEpoch{Room: rec.ID, Epoch: rec.Epoch() + 1}
				for _, n := range four {
					s := Statement{Epoch: rec.Epoch(), For: account, Since: rec.Since, Height: rec.Floor, Head: rec.FloorHead}
					s.Sign(rec.ID, key(n))
					b.Statements = append(b.Statements, s)
				}
				w.no(want, who{account: account, nick: account, node: "n1"}, b)
			}
		})
	}
}

// recover orders a recovery by an account, from what n1 states.
func (w *ending) recover(t *testing.T, by who, s Statement, carried ...*Decision) {
	t.Helper()
	b := w.body(carried, s).of(by.account)
	thing := SilentThing(b.Room, 1, by.account, ids("n2", "n3", "n4"), false)
	b.Silent = append(b.Silent, Endorse(w.dir.Room, KindSilent, thing, w.now, key("n1")))
	w.no(errs.OK, by, b)
	if rec := w.directory().Rooms[b.Room]; !slices.Equal(rec.Now, ids(by.node)) || rec.Epochs[0].By != by.account || rec.Epochs[0].Of != 4 || len(rec.Epochs[0].Silent) != 3 {
		t.Errorf("record %+v", rec)
	}
}

func TestRecover(t *testing.T) {
	silent := func(w *ending, b *NewEpoch, nodes []string, by ...string) *NewEpoch {
		thing := SilentThing(b.of("alice").Room, 1, "alice", ids(nodes...), false)
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

// TestRefuse: who cannot judge an epoch any more refuses it, however rightful it is, and goes on as before.
func TestRefuse(t *testing.T) {
	w := newEnding(t)
	w.recover(t, alice, w.stated("n1", w.certified[0]))
	c := newChainOf(w.directory().Rooms[w.room.Room])
	for _, d := range w.certified {
		if _, err := c.Accept(d, w.directory().At(d.Header.Dir), VerifySignature); err != nil {
			t.Fatal(err)
		}
	}
	c.Learn(w.directory().Now())
	if _, doubt := c.Doubt(); !doubt {
		t.Fatal("nothing is in doubt")
	}
	c.Refuse()
	_, over := c.Overrun()
	if _, doubt := c.Doubt(); doubt || over || len(c.Ahead()) > 0 || c.Learn(w.directory().Now()) || c.Epoch != 1 {
		t.Errorf("in epoch %d; it must go back: %v; it is in doubt: %v", c.Epoch, over, doubt)
	}
	for _, d := range w.open {
		d.Cert = certify(d.Header.Hash(), four...)
		if err := c.Check(d); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Accept(d, w.directory().At(d.Header.Dir), VerifySignature); err != nil {
			t.Fatal(err)
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
