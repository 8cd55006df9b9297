package rooms

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"testing"

	"warren/perms"
	"warren/rooms/errs"
)

// key returns a deterministic key for a name.
func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// id returns the public half.
func id(name string) NodeID { return NodeOf(key(name).Public().(ed25519.PublicKey)) }

// guest returns the principal of a guest of a node.
func guest(nick, node string) perms.Principal { return PrincipalOf("", nick, id(node)) }

// ids returns the sorted ids of nodes.
func ids(names ...string) []NodeID {
	var out []NodeID
	for _, n := range names {
		out = append(out, id(n))
	}
	SortNodes(out)
	return out
}

func ptr[T any](v T) *T { return &v }

const start = 1_000_000_000_000 // ms

// world is a network in memory: nodes n1 to n4, accounts alice (devices n1, n2), bob (n2), carol (n3), and the room #lab that alice made.
// Controllers of everything: n1. Nobody is present at first.
type world struct {
	t    testing.TB
	dir  *Chain
	room *Chain
	now  int64
}

// who is an author: account, nick, and the node that signs.
type who struct{ account, nick, node string }

var (
	alice = who{"alice", "alice", "n1"}
	bob   = who{"bob", "bob", "n2"}
	carol = who{"carol", "carol", "n3"}
	zed   = who{"", "zed", "n3"} // a guest
	yan   = who{"", "yan", "n4"} // a guest
	n1    = who{"", "", "n1"}
	n2    = who{"", "", "n2"}
)

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, now: start}
	g := Genesis{Name: "test", Domain: "localhost", Founder: id("n1"), FounderName: "n1", Time: start, Recovery: id("recovery")}
	w.dir = NewChain(g.Directory(), NewDirectory(g))
	for _, n := range []string{"n2", "n3", "n4"} {
		w.must(w.dir, n1, &AdmitNode{Node: id(n), Name: n, Sponsor: "n1"})
	}
	w.register("alice", "n1")
	w.register("bob", "n2")
	w.register("carol", "n3")
	w.must(w.dir, n1, w.device("alice", "n2"))
	w.room = w.make(alice, CreateRoom{Name: "lab"})
	return w
}

func (w *world) register(name, node string) {
	w.t.Helper()
	w.must(w.dir, who{node: node}, w.registration(name, node))
}

func (w *world) registration(name, node string) *Register {
	k := id("account " + name)
	return &Register{Name: name, Key: k, Device: id(node), Sig: ed25519.Sign(key("account "+name), AccountDigest(w.dir.Room, "register", name, k, id(node), 0))}
}

func (w *world) device(name, node string) *AddDevice {
	n := w.directory().Accounts[name].Changes
	return &AddDevice{Account: name, Device: id(node), Nonce: n, Sig: ed25519.Sign(key("account "+name), AccountDigest(w.dir.Room, "device", name, id("account "+name), id(node), n))}
}

func (w *world) dropDevice(name, node string) *DropDevice {
	n := w.directory().Accounts[name].Changes
	return &DropDevice{Account: name, Device: id(node), Nonce: n, Sig: ed25519.Sign(key("account "+name), AccountDigest(w.dir.Room, "drop", name, id("account "+name), id(node), n))}
}

// make founds a room in the directory and returns its chain.
func (w *world) make(by who, b CreateRoom) *Chain {
	w.t.Helper()
	b.Maker = PrincipalOf(by.account, by.nick, id(by.node))
	if b.Controllers == nil {
		b.Controllers = ids("n1")
	}
	w.must(w.dir, by, &b)
	rec, ok := w.directory().RoomByName(b.Name)
	if !ok {
		w.t.Fatalf("#%s is not in the directory", b.Name)
	}
	return NewChain(rec.ID, NewState(rec))
}

func (w *world) directory() *Directory { return w.dir.Machine.(*Directory) }
func (w *world) state() *State         { return w.room.Machine.(*State) }

// request signs the author's next request.
func (w *world) request(c *Chain, by who, b Body) Request {
	r := NewRequest(c.Room, by.account, by.nick, b)
	r.Counter, r.Epoch = c.Machine.Base().Counters[id(by.node)]+1, c.Epoch
	r.Sign(key(by.node))
	return r
}

// run orders requests as one batch.
func (w *world) run(c *Chain, rs ...Request) (Verdicts, []Event) {
	b := Batch{Epoch: 1, Time: w.now, Dir: w.dir.Height, Requests: rs}
	_, v, ev := c.Run(&b, w.directory().At(max(b.Dir, c.Dir)), VerifySignature)
	return v, ev
}

// do orders one request and checks what must hold after every one: a refused request changes nothing but its author's counter, the state's
// own invariants hold, and a snapshot restores to the same state.
func (w *world) do(c *Chain, by who, b Body) (errs.Kind, *Event) {
	w.t.Helper()
	return w.order(c, w.request(c, by, b))
}

func (w *world) order(c *Chain, r Request) (errs.Kind, *Event) {
	w.t.Helper()
	before := core(c.Machine)
	v, events := w.run(c, r)
	after := core(c.Machine)
	kind := v.At(0)
	if kind != errs.OK && !bytes.Equal(before, after) {
		w.t.Fatalf("refused (%v), yet the state is another", kind)
	}
	if (kind == errs.OK) != (len(events) == 1) {
		w.t.Fatalf("verdict %v with %d events", kind, len(events))
	}
	sound(w.t, c)
	if kind != errs.OK {
		return kind, nil
	}
	return kind, &events[0]
}

// must orders a request that has to be applied.
func (w *world) must(c *Chain, by who, b Body) *Event {
	w.t.Helper()
	kind, ev := w.do(c, by, b)
	if kind != errs.OK {
		w.t.Fatalf("%T of %v: %v", b, by, kind)
	}
	return ev
}

// refused orders a request that has to be refused with kind.
func (w *world) refused(want errs.Kind, by who, b Body) {
	w.t.Helper()
	if got, _ := w.do(w.room, by, b); got != want {
		w.t.Errorf("%T of %v: got %v, want %v", b, by, got, want)
	}
}

// in lets people enter the room.
func (w *world) in(people ...who) *world {
	w.t.Helper()
	for _, p := range people {
		w.must(w.room, p, &Enter{View: "irc"})
	}
	return w
}

// core is the machine without its counters, which a refused request uses up too.
func core(m Machine) []byte {
	b := m.Base()
	kept := b.Counters
	b.Counters = map[NodeID]uint64{}
	defer func() { b.Counters = kept }()
	return m.Snapshot()
}

// sound checks a chain's machine and that its snapshot is the same again.
func sound(t testing.TB, c *Chain) {
	t.Helper()
	var err error
	switch m := c.Machine.(type) {
	case *State:
		err = m.check()
		if n := len(m.Occupants); n > MaxOccupants || len(m.Objects) > MaxObjects || m.Bytes > MaxObjectBytes || len(m.Invited) > MaxInvited ||
			len(m.ACL) > perms.MaxEntries || len(m.Sanctions) > perms.MaxSanctions || len(m.Tags) > MaxTags {
			t.Fatal("a limit is passed")
		}
	case *Directory:
		err = m.check()
	}
	if err != nil {
		t.Fatalf("the state is not sound: %v", err)
	}
	data := c.Snapshot()
	again, err := RestoreChain(data)
	if err != nil {
		t.Fatalf("restore: %v", err)
	}
	if !bytes.Equal(again.Snapshot(), data) {
		t.Fatal("a restored chain has another snapshot")
	}
}

func signAccount(w *world, what, name string, device NodeID, nonce uint64) []byte {
	return ed25519.Sign(key("account "+name), AccountDigest(w.dir.Room, what, name, id("account "+name), device, nonce))
}
