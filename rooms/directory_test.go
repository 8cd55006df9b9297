package rooms

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"warren/perms"
	"warren/rooms/errs"
)

func (w *world) no(want errs.Kind, by who, b Body) {
	w.t.Helper()
	if got, _ := w.do(w.dir, by, b); got != want {
		w.t.Errorf("%T of %v: got %v, want %v", b, by, got, want)
	}
}

func TestRegister(t *testing.T) {
	w := newWorld(t)
	good := func() *Register { return w.registration("dora", "n2") }
	with := func(f func(*Register)) *Register { b := good(); f(b); return b }
	for _, name := range []string{"", "Dora", "do ra", "d@ra", "~dora", "%dora", "+dora", "do#ra", "do,ra", "do:ra", "d\x01ra", "dora.", "*", strings.Repeat("x", MaxName)} {
		w.no(errs.Invalid, n2, w.registration(name, "n2"))
	}
	w.no(errs.Invalid, n2, w.registration("dora", "n3"))                      // for another device than the one that asks
	w.no(errs.Invalid, who{"bob", "bob", "n2"}, w.registration("dora", "n2")) // in another account's name
	w.no(errs.Invalid, n2, with(func(b *Register) { b.Key = NodeID{} }))
	w.no(errs.Void, n2, with(func(b *Register) { b.Name = "dori" }))
	w.no(errs.Void, n2, with(func(b *Register) { b.Key = id("another") }))
	w.no(errs.Void, n2, with(func(b *Register) { b.Sig = nil }))
	w.no(errs.Exists, n2, w.registration("alice", "n2"))
	w.must(w.dir, n2, good())
	v := w.directory().Now()
	if !v.HasAccount("dora") || !v.Signs("dora", id("n2")) || !v.Signs("dora", id("account dora")) || v.Signs("dora", id("n3")) || v.Signs("none", id("n2")) {
		t.Error("the account does not do what was registered")
	}
}

func TestDevices(t *testing.T) {
	w := newWorld(t)
	w.no(errs.NotFound, n1, &AddDevice{Account: "none"})
	w.no(errs.NotFound, n1, &DropDevice{Account: "none"})
	add := w.device("bob", "n3")
	w.no(errs.Void, n1, func() *AddDevice { b := *add; b.Device = id("n4"); return &b }())
	w.no(errs.Void, n1, func() *AddDevice { b := *add; b.Sig = w.dropDevice("bob", "n3").Sig; return &b }())
	w.no(errs.Invalid, n1, &AddDevice{Account: "bob", Nonce: 1, Sig: signDevice(w, "bob", NodeID{}, 1)})
	w.no(errs.NotFound, n1, w.dropDevice("bob", "n3"))
	w.must(w.dir, n1, add)
	w.no(errs.Stale, n1, add)
	w.no(errs.Exists, n1, w.device("bob", "n3"))
	drop := w.dropDevice("bob", "n3")
	w.no(errs.Void, n1, func() *DropDevice { b := *drop; b.Device = id("n2"); return &b }())
	w.must(w.dir, n1, drop)
	w.no(errs.Stale, n1, drop)
	w.no(errs.Stale, n1, add) // said once, good once: nobody brings a device back that was dropped
	for i := len(w.directory().Accounts["bob"].Devices); i < MaxDevices; i++ {
		w.must(w.dir, n1, w.device("bob", fmt.Sprint("d", i)))
	}
	w.no(errs.Quota, n1, w.device("bob", "one more"))
}

func signDevice(w *world, name string, device NodeID, nonce uint64) []byte {
	b := AddDevice{Account: name, Device: device, Nonce: nonce}
	return signAccount(w, "device", b.Account, b.Device, b.Nonce)
}

func TestAdmitNode(t *testing.T) {
	w := newWorld(t)
	good := AdmitNode{Node: id("n5"), Name: "n5", Sponsor: "alice", Label: "here", Invite: "i", Uses: 2}
	with := func(f func(*AdmitNode)) *AdmitNode { b := good; f(&b); return &b }
	w.no(errs.Denied, alice, &good)
	w.no(errs.Denied, zed, &good)
	w.no(errs.Void, who{node: "n5"}, &good) // it cannot let in itself
	for _, b := range []*AdmitNode{
		with(func(b *AdmitNode) { b.Node = NodeID{} }), with(func(b *AdmitNode) { b.Name = "" }), with(func(b *AdmitNode) { b.Name = strings.Repeat("x", maxNodeName+1) }),
		with(func(b *AdmitNode) { b.Name = "a\nb" }), with(func(b *AdmitNode) { b.Label = strings.Repeat("x", MaxName+1) }), with(func(b *AdmitNode) { b.Sponsor = "a\n" }),
		with(func(b *AdmitNode) { b.Sponsor = strings.Repeat("x", MaxName+1) }), with(func(b *AdmitNode) { b.Invite = "\x00" }),
	} {
		w.no(errs.Invalid, n1, b)
	}
	w.no(errs.Exists, n1, with(func(b *AdmitNode) { b.Node = id("n2") }))
	w.must(w.dir, n1, &good)
	w.must(w.dir, n2, with(func(b *AdmitNode) { b.Node, b.Name = id("n6"), "N5" }))
	if got := w.directory().Nodes[id("n6")].Name; got != "N52" {
		t.Errorf("the second of that name is called %q", got)
	}
	if got := w.directory().Nodes[id("n6")].By; got != id("n2") {
		t.Errorf("let in by %s", got)
	}
	w.no(errs.Quota, n1, with(func(b *AdmitNode) { b.Node = id("n7") }))
	w.no(errs.Quota, n1, with(func(b *AdmitNode) { b.Node, b.Invite, b.Uses = id("n7"), "j", 0 }))
	w.must(w.dir, n1, with(func(b *AdmitNode) { b.Node, b.Invite = id("n7"), "" }))
}

func TestLabelNode(t *testing.T) {
	w := newWorld(t)
	w.no(errs.Denied, alice, &LabelNode{Label: "cellar"})
	w.no(errs.Denied, zed, &LabelNode{Label: "cellar"})
	w.no(errs.Invalid, n1, &LabelNode{Label: "a\nb"})
	w.no(errs.Invalid, n1, &LabelNode{Label: strings.Repeat("x", MaxName+1)})
	before := w.directory().Nodes[id("n1")]
	w.must(w.dir, n1, &LabelNode{Label: "cellar"})
	w.no(errs.Exists, n1, &LabelNode{Label: "cellar"})
	after := before
	after.Label = "cellar"
	if got := w.directory().Nodes[id("n1")]; got != after {
		t.Errorf("%+v, want %+v", got, after)
	}
	w.must(w.dir, n1, &LabelNode{})
}

func TestHideRoom(t *testing.T) {
	w := newWorld(t)
	hide := &HideRoom{Room: w.room.Room, Secret: true}
	rec := func() RoomRecord { return w.directory().Rooms[w.room.Room] }
	if r := rec(); !r.Listed() {
		t.Fatalf("%+v", r)
	}
	w.no(errs.NotFound, n1, &HideRoom{Room: Hash{9}, Secret: true})
	w.no(errs.Denied, alice, hide)
	w.no(errs.Denied, n2, hide) // does not control it
	w.must(w.dir, n1, hide)
	w.no(errs.Exists, n1, hide)
	if r := rec(); r.Listed() {
		t.Error("a secret room is listed")
	}
	w.must(w.dir, n1, &HideRoom{Room: w.room.Room})
	if r := rec(); !r.Listed() {
		t.Error("a room that is secret no more is not listed")
	}
}

func TestDropNode(t *testing.T) {
	w := newWorld(t)
	w.no(errs.NotFound, n1, &DropNode{Node: id("n9")})
	w.no(errs.Denied, n2, &DropNode{Node: id("n3")})
	w.no(errs.Denied, n1, &DropNode{Node: id("n1")}) // it controls the directory
	w.must(w.dir, n2, &DropNode{Node: id("n2")})
	w.must(w.dir, n1, &DropNode{Node: id("n3")})
	w.no(errs.NotFound, n1, &DropNode{Node: id("n3")})
	w.no(errs.Void, who{node: "n3"}, &DropNode{Node: id("n4")})
	w.no(errs.Denied, n1, &AdmitNode{Node: id("n3"), Name: "n3"}) // comes back with a new key only
	if got := w.directory().NodeIDs(); !slices.Equal(got, ids("n1", "n4")) {
		t.Errorf("inside are %v", got)
	}
	if v, _ := w.run(w.room, w.request(w.room, zed, &Enter{})); v.At(0) != errs.Void {
		t.Errorf("a guest of a node that is out: %v", v.At(0))
	}
}

func TestCreateRoom(t *testing.T) {
	w := newWorld(t)
	good := CreateRoom{Name: "den", Maker: "bob", Controllers: ids("n1", "n2")}
	with := func(f func(*CreateRoom)) *CreateRoom { b := good; f(&b); return &b }
	for _, name := range []string{"", "a b", "#a", "a,b", "a:b", "a\x07b", "a\tb", ".a", "a.", strings.Repeat("x", MaxName), "a\x7f"} {
		w.no(errs.Invalid, bob, with(func(b *CreateRoom) { b.Name = name }))
	}
	many := make([]perms.Principal, MaxMembers+1)
	for i := range many {
		many[i] = "bob"
	}
	direct := DirectName("bob", "carol")
	tests := map[string]struct {
		b    *CreateRoom
		want errs.Kind
	}{
		"in another's name":          {with(func(b *CreateRoom) { b.Maker = "alice" }), errs.Invalid},
		"without controllers":        {with(func(b *CreateRoom) { b.Controllers = nil }), errs.Invalid},
		"controllers not sorted":     {with(func(b *CreateRoom) { b.Controllers = []NodeID{b.Controllers[1], b.Controllers[0]} }), errs.Invalid},
		"one controller twice":       {with(func(b *CreateRoom) { b.Controllers = []NodeID{b.Controllers[0], b.Controllers[0]} }), errs.Invalid},
		"too many controllers":       {with(func(b *CreateRoom) { b.Controllers = ids("a", "b", "c", "d", "e", "f", "g", "h") }), errs.Invalid},
		"an unknown controller":      {with(func(b *CreateRoom) { b.Controllers = ids("stranger") }), errs.NotFound},
		"too many members":           {with(func(b *CreateRoom) { b.Members = many }), errs.Invalid},
		"a member without name":      {with(func(b *CreateRoom) { b.Members = []perms.Principal{"bob", ""} }), errs.Invalid},
		"a member with a line break": {with(func(b *CreateRoom) { b.Members = []perms.Principal{"bob\n"} }), errs.Invalid},
		"a member with a long name": {with(func(b *CreateRoom) {
			b.Members = []perms.Principal{perms.Principal(strings.Repeat("x", MaxPrincipal+1))}
		}), errs.Invalid},
		"a name that is taken, in any case": {with(func(b *CreateRoom) { b.Name = "LAB" }), errs.Exists},
		"a conversation of three":           {with(func(b *CreateRoom) { b.Name, b.Members = direct, []perms.Principal{"alice", "bob", "carol"} }), errs.Invalid},
		"a conversation of others": {with(func(b *CreateRoom) {
			b.Name, b.Members = DirectName("alice", "carol"), []perms.Principal{"alice", "carol"}
		}), errs.Invalid},
		"a conversation under another name": {with(func(b *CreateRoom) { b.Name, b.Members = direct, []perms.Principal{"alice", "bob"} }), errs.Invalid},
		"another's inventory":               {with(func(b *CreateRoom) { b.Name, b.Members = InventoryName("alice"), []perms.Principal{"bob"} }), errs.Denied},
		"an inventory that is open":         {with(func(b *CreateRoom) { b.Name = InventoryName("bob") }), errs.Denied},
		"a room":                            {&good, errs.OK},
		"one's own inventory":               {with(func(b *CreateRoom) { b.Name, b.Members = InventoryName("bob"), []perms.Principal{"bob"} }), errs.OK},
		"a conversation":                    {with(func(b *CreateRoom) { b.Name, b.Members = direct, []perms.Principal{"carol", "bob"} }), errs.OK},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if kind, _ := w.do(w.dir, bob, tt.b); kind != tt.want {
				t.Errorf("got %v, want %v", kind, tt.want)
			}
		})
	}
	w.must(w.dir, n2, with(func(b *CreateRoom) { b.Maker = PrincipalOf("", "", id("n2")) }))
	if rec, _ := w.directory().RoomByName("DEN"); rec.Maker != "" || rec.Controllers[0] != good.Controllers[0] {
		t.Errorf("a room that a node makes has the maker %q", rec.Maker)
	}
	w.directory().Made["bob"] = MaxRoomsOfAccount
	w.no(errs.Quota, bob, with(func(b *CreateRoom) { b.Name = "den2" }))
	w.directory().Made["%"+id("n3").String()] = MaxRoomsOfNode
	w.no(errs.Quota, zed, with(func(b *CreateRoom) { b.Name, b.Maker = "den2", guest("zed", "n3") }))
}

// decide orders one request alone and returns the certified decision.
func (w *world) decide(c *Chain, by who, b Body, signers ...string) *Decision {
	w.t.Helper()
	batch := Batch{Epoch: 1, Time: w.now, Dir: w.dir.Height, Requests: []Request{w.request(c, by, b)}}
	h, v, _ := c.Run(&batch, w.directory().Now(), VerifySignature)
	return &Decision{Header: h, Batch: batch, Verdicts: v, Cert: certify(h.Hash(), signers...)}
}

func certify(h Hash, signers ...string) Certificate {
	var sigs []Signature
	for _, n := range signers {
		sigs = append(sigs, SignHeader(h, key(n)))
	}
	return MakeCertificate(sigs)
}

func TestWitness(t *testing.T) {
	w := newWorld(t)
	room := w.room.Room
	d := w.decide(w.room, n1, w.reconfigure(w.room, ids("n1", "n2", "n3"), "n1"), "n1")
	data := Marshal(d)
	w.no(errs.NotFound, n1, &Witness{Room: Hash{1}, Decision: data})
	w.no(errs.Invalid, n1, &Witness{Room: room, Decision: data[:len(data)-1]})
	w.no(errs.Invalid, n1, &DropRoom{Room: room, Decision: data}) // it closes nothing
	forged := *d
	forged.Cert = certify(d.Header.Hash(), "n2")
	w.no(errs.Void, n1, &Witness{Room: room, Decision: Marshal(&forged)})
	forged = *d
	forged.Header.Height++
	w.no(errs.Void, n1, &Witness{Room: room, Decision: Marshal(&forged)})
	refused := w.decide(w.room, n1, w.reconfigure(w.room, ids("n1", "n2"), "n4"), "n1")
	w.no(errs.Invalid, n1, &Witness{Room: room, Decision: Marshal(refused)})
	second := w.decide(w.room, n1, w.reconfigure(w.room, ids("n1", "n2", "n3", "n4"), "n1", "n2"), "n1", "n2")
	w.no(errs.Void, n2, &Witness{Room: room, Decision: Marshal(second)}) // by controllers that the directory does not know yet
	skipping := *second
	skipping.Cert = certify(second.Header.Hash(), "n1")
	w.no(errs.Stale, n2, &Witness{Room: room, Decision: Marshal(&skipping)})
	w.must(w.dir, n2, &Witness{Room: room, Decision: data})
	w.no(errs.Void, n2, &Witness{Room: room, Decision: data}) // again: its certificate is of controllers that are no longer in force
	if rec := w.directory().Rooms[room]; !slices.Equal(rec.Now, ids("n1", "n2", "n3")) || rec.Since != 1 || !slices.Equal(rec.Controllers, ids("n1")) {
		t.Errorf("record %+v", rec)
	}
	w.must(w.dir, n2, &Witness{Room: room, Decision: Marshal(second)})
}

func TestDropRoom(t *testing.T) {
	w := newWorld(t)
	w.room = w.make(zed, CreateRoom{Name: "den", Temporary: true})
	early := w.decide(w.room, n1, &Close{}, "n1")
	w.now += emptyLife
	d := w.decide(w.room, n1, &Close{}, "n1")
	id := w.room.Room
	w.no(errs.Invalid, n2, &DropRoom{Room: id, Decision: Marshal(early)})
	w.no(errs.Invalid, n2, &DropRoom{Room: w.directory().names["lab"], Decision: Marshal(d)})
	w.no(errs.Invalid, n2, &Witness{Room: id, Decision: Marshal(d)})
	w.must(w.dir, n2, &DropRoom{Room: id, Decision: Marshal(d)})
	w.no(errs.NotFound, n2, &DropRoom{Room: id, Decision: Marshal(d)})
	if _, ok := w.directory().RoomByName("den"); ok || w.directory().Made["%"+w.node("n3")] != 0 {
		t.Error("its name or its place in the quota is not free")
	}
	if again := w.make(zed, CreateRoom{Name: "DEN"}); again.Room == id {
		t.Error("the next room of that name is the same room")
	}
}

func (w *world) node(name string) string { return id(name).String() }

func TestEveryVersionOfTheDirectoryStaysAnswerable(t *testing.T) {
	w := newWorld(t)
	type answer struct{ account, n1, n2, key, node bool }
	ask := func(v uint64) answer {
		a := w.directory().At(v)
		_, in := a.Node(id("n9"))
		return answer{a.HasAccount("dora"), a.Signs("dora", id("n2")), a.Signs("dora", id("n3")), a.Signs("dora", id("account dora")), in}
	}
	var want []answer
	first := w.dir.Height
	note := func() {
		for uint64(len(want)) <= w.dir.Height {
			want = append(want, ask(w.dir.Height))
		}
	}
	note()
	for _, f := range []func(){
		func() { w.register("dora", "n2") }, func() { w.must(w.dir, n1, w.device("dora", "n3")) },
		func() { w.must(w.dir, n1, &AdmitNode{Node: id("n9"), Name: "n9"}) }, func() { w.must(w.dir, n1, w.dropDevice("dora", "n2")) },
		func() { w.must(w.dir, n1, &DropNode{Node: id("n9")}) }, func() { w.must(w.dir, n1, w.device("dora", "n2")) },
		func() { w.must(w.dir, n1, w.dropDevice("dora", "n3")) },
	} {
		f()
		note()
		again, err := RestoreChain(w.dir.Snapshot())
		if err != nil {
			t.Fatal(err)
		}
		w.dir = again
		for v := range want {
			if got := ask(uint64(v)); uint64(v) >= first && got != want[v] {
				t.Fatalf("at height %d version %d answers %+v, once it was %+v", w.dir.Height, v, got, want[v])
			}
		}
	}
	if last := want[len(want)-1]; last != (answer{true, true, false, true, false}) {
		t.Errorf("at last: %+v", last)
	}
}

func TestSeveralChangesOfOneBatchSeeEachOther(t *testing.T) {
	w := newWorld(t)
	a, b := w.request(w.dir, n1, w.registration("dora", "n1")), w.request(w.dir, n2, w.registration("dora", "n2"))
	c := w.request(w.dir, who{"dora", "", "n3"}, &CreateRoom{Name: "den", Maker: "dora", Controllers: ids("n1")})
	if v, _ := w.run(w.dir, a, b, c); v.At(0) != errs.OK || v.At(1) != errs.Exists || v.At(2) != errs.Void {
		t.Errorf("got %v: one name is given once, and rights begin with the next version", v)
	}
}
