package rooms

import (
	"bytes"
	"testing"

	"warren/rooms/errs"
)

// lively is a world with something of everything in its room.
func lively(t testing.TB) *world {
	w := newWorld(t).in(alice, bob, zed)
	w.must(w.room, alice, &Subject{Text: "a subject"})
	w.must(w.room, bob, &Put{Kind: Document, Name: "plan", Text: []byte("text")})
	w.must(w.room, alice, &Put{Kind: Exit, Name: "way", Target: "garden"})
	w.must(w.room, bob, &Tag{Add: []string{"science"}})
	w.must(w.room, alice, &Sanction{Mask: "*!*@nowhere", Denies: 1})
	w.must(w.room, alice, &Invite{Who: "carol"})
	w.must(w.room, alice, &Configure{Limit: ptr(uint32(9)), Title: ptr("Lab")})
	return w
}

// FuzzApply gives any bytes as the body of any operation to a live room and to the directory: there is always a verdict, and a refused request
// changes nothing.
func FuzzApply(f *testing.F) {
	w := lively(f)
	for _, b := range bodies(w) {
		f.Add(uint16(b.op()), Marshal(b), byte(0))
	}
	f.Add(uint16(999), []byte{0x80}, byte(7))
	room, dir := w.room.Snapshot(), w.dir.Snapshot()
	f.Fuzz(func(t *testing.T, op uint16, body []byte, by byte) {
		d, _ := RestoreChain(dir)
		p := people[int(by)%len(people)]
		for _, data := range [][]byte{room, dir} {
			c, err := RestoreChain(data)
			if err != nil {
				t.Fatal(err)
			}
			r := Request{Room: c.Room, Account: p.account, Nick: p.nick, Device: id(p.node), Op: Op(op), Body: body}
			r.Counter = c.Machine.Base().Counters[r.Device] + 1
			before := core(c.Machine)
			_, v, ev := c.Run(&Batch{Time: start + 1, Dir: d.Height, Requests: []Request{r}}, d.Machine.(*Directory).Now(), func(*Request, Hash) bool { return true })
			if kind := v.At(0); kind != errs.OK && !bytes.Equal(before, core(c.Machine)) {
				t.Fatalf("operation %d refused (%v), yet the state is another", op, kind)
			} else if kind == errs.OK && len(ev) != 1 {
				t.Fatalf("operation %d applied without an event", op)
			}
			sound(t, c)
		}
	})
}

// bodies has one body of each operation that is likely to be applied.
func bodies(w *world) []Body {
	doc, _ := w.state().ObjectNamed(Document, "plan")
	return []Body{
		&Enter{View: "irc"}, &Leave{Reason: "bye"}, &Nick{New: "al"}, &Say{Text: "hi", Tags: map[string]string{"a": "b"}}, &Subject{Text: "x"},
		&Configure{Limit: ptr(uint32(3)), Key: ptr(KeyVerifier(nil))}, &Grant{Who: "bob", Allow: 3}, &Grant{Object: doc.ID, Who: "bob", Deny: 3},
		&Sanction{Who: "bob", Denies: 1, Until: start + 5}, &Pardon{Mask: "*!*@nowhere"}, &Kick{Nick: "zed"}, &Invite{Who: "dora"},
		&Put{Kind: Document, Name: "new", Text: []byte("x")}, &Put{ID: doc.ID, Kind: Document, Name: "plan", Rev: 1}, &Remove{ID: doc.ID}, &Tag{ID: doc.ID, Add: []string{"x"}},
		&Keep{}, &Close{}, w.gone("n2", "n1"), w.reconfigure(w.room, ids("n1", "n2"), "n1"), w.registration("dora", "n1"), w.device("bob", "n3"),
		w.dropDevice("bob", "n2"), &AdmitNode{Node: id("n5"), Name: "n5", Invite: "i", Uses: 1}, &DropNode{Node: id("n2")},
		&CreateRoom{Name: "den", Maker: "alice", Controllers: ids("n1")}, &DropRoom{Room: w.room.Room}, &Witness{Room: w.room.Room}, &LabelNode{Label: "cellar"}, &HideRoom{Room: w.room.Room, Secret: true},
		&Begin{Epoch: 2}, &NewEpoch{Room: w.room.Room, Epoch: 2, Statements: []Statement{w.state1("n1")}},
	}
}

func TestTheSeedsOfTheFuzzersHoldEveryOperation(t *testing.T) {
	seen := map[Op]bool{}
	for _, b := range bodies(lively(t)) {
		seen[b.op()] = true
	}
	for _, op := range allOps() {
		if !seen[op] {
			t.Errorf("operation %d is missing", op)
		}
	}
}

// FuzzRequest decodes any bytes as a request and its body: what is accepted is encoded to the same bytes.
func FuzzRequest(f *testing.F) {
	w := lively(f)
	for _, b := range bodies(w) {
		r := w.request(w.room, alice, b)
		f.Add(Marshal(&r))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var r Request
		if Unmarshal(data, &r) != nil {
			return
		}
		if again := Marshal(&r); !bytes.Equal(again, data) {
			t.Fatal("two encodings of one request")
		}
		r.SignatureOK()
		r.Principal()
		if b, err := r.Decode(); err == nil && !bytes.Equal(Marshal(b), r.Body) {
			t.Fatal("two encodings of one body")
		}
	})
}

// FuzzDecision decodes any bytes as a decision and asks all that can be asked of it.
func FuzzDecision(f *testing.F) {
	w := lively(f)
	d := w.decide(w.room, alice, &Say{Text: "x"}, "n1")
	f.Add(Marshal(d))
	chain, _ := RestoreChain(w.room.Snapshot())
	f.Fuzz(func(t *testing.T, data []byte) {
		var d Decision
		if Unmarshal(data, &d) != nil {
			return
		}
		if again := Marshal(&d); !bytes.Equal(again, data) {
			t.Fatal("two encodings of one decision")
		}
		_ = d.CheckShape()
		d.TalkEvents()
		d.Batch.SignatureOK(chain.Room)
		_ = d.Cert.Verify(d.Header.Hash(), ids("n1", "n2", "n3", "n4"))
		if err := chain.Check(&d); err == nil && len(d.Batch.Requests) != 1 {
			t.Fatal("a forged decision passes")
		}
	})
}

// FuzzEpochs decodes any bytes as what ends and starts epochs, and asks all that can be asked of it: nothing forged passes.
func FuzzEpochs(f *testing.F) {
	w := lively(f)
	rec := w.directory().Rooms[w.room.Room]
	s := w.state1("n1")
	f.Add(Marshal(&s))
	r := Rescue{Epoch: 2, Controllers: ids("n1")}
	r.Sign(w.dir.Room, key("recovery"))
	f.Add(Marshal(&r))
	f.Fuzz(func(t *testing.T, data []byte) {
		var st Statement
		if Unmarshal(data, &st) == nil && rec.CheckStatement(&st) == nil {
			tally, err := rec.Tally([]Statement{st})
			if err != nil {
				t.Fatal(err)
			}
			_, _ = tally.Carry(func(uint64, Hash) (Header, bool) { return Header{}, true })
		}
		var r Rescue
		if c, _ := RestoreChain(w.dir.Snapshot()); Unmarshal(data, &r) == nil && c.LearnRescue(&r) && !r.OK(&w.directory().Genesis) {
			t.Fatal("a forged rescue passes")
		}
	})
}

func FuzzRestoreState(f *testing.F) {
	w := lively(f)
	f.Add(w.state().Snapshot())
	f.Add(NewState(RoomRecord{Name: "x", Controllers: ids("n1")}).Snapshot())
	all, view := bodies(w), w.directory().Now()
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := RestoreState(data)
		if err != nil {
			return
		}
		if !bytes.Equal(s.Snapshot(), data) {
			t.Fatal("two encodings of one state")
		}
		drive(NewChain(w.room.Room, s), view, all)
	})
}

func FuzzRestoreDirectory(f *testing.F) {
	w := lively(f)
	f.Add(w.directory().Snapshot())
	f.Add(NewDirectory(Genesis{Founder: id("n1")}).Snapshot())
	all := bodies(w)
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := RestoreDirectory(data)
		if err != nil {
			return
		}
		if !bytes.Equal(d.Snapshot(), data) {
			t.Fatal("two encodings of one directory")
		}
		d.RoomIDs()
		d.NodeIDs()
		d.At(1).Signs("alice", id("n1"))
		drive(NewChain(w.dir.Room, d), nil, all)
	})
}

// drive applies every operation by everybody; the caller only wants it not to panic.
func drive(c *Chain, view View, all []Body) {
	for _, p := range people {
		for _, b := range all {
			r := NewRequest(c.Room, p.account, p.nick, b)
			r.Device = id(p.node)
			r.Counter = c.Machine.Base().Counters[r.Device] + 1
			c.Run(&Batch{Time: start, Requests: []Request{r}}, view, func(*Request, Hash) bool { return true })
		}
	}
	c.Snapshot()
	if s, ok := c.Machine.(*State); ok {
		s.List("")
		s.Expired(start)
	}
}
