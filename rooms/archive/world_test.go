package archive_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"testing"

	"warren/rooms"
	"warren/rooms/archive"
	"warren/rooms/errs"
)

const start = 1_767_225_600_000 // ms

func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func id(name string) rooms.NodeID { return rooms.NodeOf(key(name).Public().(ed25519.PublicKey)) }

func ids(names ...string) []rooms.NodeID {
	var out []rooms.NodeID
	for _, n := range names {
		out = append(out, id(n))
	}
	rooms.SortNodes(out)
	return out
}

// book is a chain with the log that led to it.
type book struct {
	chain *rooms.Chain
	log   []rooms.Decision
	by    []string // who signs the headers
	base  []byte   // snapshot at the newest checkpoint
	at    uint64   // its height
}

// world is a network of nodes n1 to n4 with a room #lab, and the logs of both. All of it is a function of the calls.
type world struct {
	t       testing.TB
	genesis rooms.Genesis
	dir     *book
	lab     *book
	now     int64
	spoil   func(*rooms.Decision) // changes a decision before it is certified, as controllers that lie would
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, now: start}
	w.genesis = rooms.Genesis{Name: "attic", Domain: "localhost", Founder: id("n1"), FounderName: "n1", Time: start, Recovery: id("recovery")}
	w.dir = &book{chain: rooms.NewChain(w.genesis.Directory(), rooms.NewDirectory(w.genesis)), by: []string{"n1"}}
	for _, n := range []string{"n2", "n3", "n4"} {
		w.must(w.dir, "n1", "", "", &rooms.AdmitNode{Node: id(n), Name: n, Sponsor: "n1"})
	}
	k := id("alice's")
	sig := ed25519.Sign(key("alice's"), rooms.AccountDigest(w.dir.chain.Room, "register", "alice", k, id("n1"), 0))
	w.must(w.dir, "n1", "", "", &rooms.Register{Name: "alice", Key: k, Device: id("n1"), Sig: sig})
	w.must(w.dir, "n1", "alice", "alice", &rooms.CreateRoom{Name: "lab", Maker: "alice", Controllers: ids("n1", "n2", "n3", "n4")})
	rec, _ := w.directory().RoomByName("lab")
	w.lab = &book{chain: rooms.NewChain(rec.ID, rooms.NewState(rec)), by: []string{"n1", "n2", "n3"}}
	return w
}

// order certifies a batch of requests of one node and returns the verdicts.
func (w *world) order(b *book, node, account, nick string, bodies ...rooms.Body) rooms.Verdicts {
	w.t.Helper()
	last := b.chain.Machine.Base().Counters[id(node)]
	var list []rooms.Request
	for i, body := range bodies {
		r := rooms.NewRequest(b.chain.Room, account, nick, body)
		r.Counter, r.Epoch = last+uint64(i)+1, b.chain.Epoch
		r.Sign(key(node))
		list = append(list, r)
	}
	return w.batch(b, list)
}

func (w *world) batch(b *book, list []rooms.Request) rooms.Verdicts {
	w.now += 1000
	version := w.dir.chain.Height
	d := rooms.Decision{Batch: rooms.Batch{Epoch: b.chain.Epoch, Term: 1, Height: b.chain.Height + 1, Time: w.now, Dir: version, Requests: list}}
	d.Batch.Sign(b.chain.Room, key(b.by[0]))
	d.Header, d.Verdicts, _ = b.chain.Run(&d.Batch, w.directory().At(version), rooms.VerifySignature)
	if w.spoil != nil {
		w.spoil(&d)
	}
	var sigs []rooms.Signature
	for _, n := range b.by {
		sigs = append(sigs, rooms.SignHeader(d.Header.Hash(), key(n)))
	}
	d.Cert = rooms.MakeCertificate(sigs)
	if !d.Header.State.IsZero() {
		b.base, b.at = b.chain.Snapshot(), d.Header.Height
	}
	b.log = append(b.log, d)
	return d.Verdicts
}

func (w *world) must(b *book, node, account, nick string, bodies ...rooms.Body) {
	w.t.Helper()
	for i, v := range w.order(b, node, account, nick, bodies...) {
		if errs.Kind(v) != errs.OK {
			w.t.Fatalf("%T: %v", bodies[i], errs.Kind(v))
		}
	}
}

// live gives the room a history of at least n decisions: talk, things, rights, a refusal, another set of controllers.
func (w *world) live(n int) *world {
	w.t.Helper()
	w.must(w.lab, "n1", "alice", "alice", &rooms.Enter{View: "irc"})
	w.must(w.lab, "n2", "", "bob", &rooms.Enter{View: "xmpp"})
	w.must(w.lab, "n1", "alice", "alice", &rooms.Subject{Text: "the lab"}, &rooms.Put{Kind: rooms.Document, Name: "notes", Type: "text/plain", Text: []byte("one\ntwo")})
	w.must(w.lab, "n1", "alice", "alice", &rooms.Grant{Who: "bob", Allow: 16})
	if v := w.order(w.lab, "n2", "", "bob", &rooms.Kick{Nick: "alice"}); v.At(0) == errs.OK {
		w.t.Fatal("bob could kick alice")
	}
	for i := len(w.lab.log); i < n; i++ {
		if i == n/2 {
			w.reconfigure("n1", "n2", "n3")
			continue
		}
		w.must(w.lab, "n2", "", "bob", &rooms.Say{Text: fmt.Sprint("line ", i)})
	}
	return w
}

// reconfigure changes the room's controllers; the first two of them sign from then on.
func (w *world) reconfigure(to ...string) {
	w.t.Helper()
	base := w.lab.chain.Machine.Base()
	body := &rooms.Reconfigure{Since: base.Since, Controllers: ids(to...)}
	for _, n := range w.lab.by {
		body.Endorsed = append(body.Endorsed, rooms.Endorse(w.lab.chain.Room, rooms.KindReconfigure, body.Thing(), w.now, key(n)))
	}
	w.must(w.lab, "n1", "", "", body)
	w.lab.by = to[:2]
}

// newEpoch has #lab, of four controllers, begin anew after a decision that only n1 has signed: it is carried over, by the directory's word.
func (w *world) newEpoch() {
	w.t.Helper()
	last := w.lab.log[len(w.lab.log)-1]
	rec := w.directory().Rooms[w.lab.chain.Room]
	w.lab.by = []string{"n1"}
	w.must(w.lab, "n2", "", "bob", &rooms.Say{Text: "carried over"})
	open := w.lab.log[len(w.lab.log)-1].Header
	body := &rooms.NewEpoch{Room: rec.ID, Epoch: 2, Carried: []rooms.Header{open}}
	for _, n := range []string{"n1", "n2", "n3"} {
		s := rooms.Statement{Epoch: 1, Since: rec.Since, Height: last.Header.Height, Head: last.Header.Hash(), Header: &last.Header, Cert: last.Cert}
		if n == "n1" {
			s.Promises = []rooms.Promise{{Height: open.Height, Header: open.Hash()}}
		}
		s.Sign(rec.ID, key(n))
		body.Statements = append(body.Statements, s)
	}
	w.must(w.dir, "n1", "", "", body)
	view := w.directory().Now()
	if !w.lab.chain.Learn(view) {
		w.t.Fatal("the room does not turn to its new epoch")
	}
	w.lab.by = []string{"n1", "n2", "n3"}
	begin := rooms.NewRequest(rec.ID, "", "", w.lab.chain.Beginning(view))
	begin.Epoch = 2
	begin.Sign(key("n1"))
	if v := w.batch(w.lab, []rooms.Request{begin}); v.At(0) != errs.OK {
		w.t.Fatalf("the epoch does not begin: %v", v.At(0))
	}
}

func (w *world) directory() *rooms.Directory { return w.dir.chain.Machine.(*rooms.Directory) }

// file returns the archive of #lab.
func (w *world) file() []byte {
	w.t.Helper()
	return w.fileOf(archive.Head{
		Genesis: w.genesis, Room: w.lab.chain.Room, Dir: w.dir.chain.Height, Height: w.lab.chain.Height, Last: w.lab.chain.Head,
	}, w.lab.chain.Snapshot())
}

func (w *world) fileOf(h archive.Head, state []byte) []byte {
	w.t.Helper()
	var b bytes.Buffer
	out, err := archive.NewWriter(&b, h)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range w.dir.log {
		_ = out.Directory(rooms.Marshal(&w.dir.log[i]))
	}
	for i := range w.lab.log {
		_ = out.Room(rooms.Marshal(&w.lab.log[i]))
	}
	if err := out.End(state); err != nil {
		w.t.Fatal(err)
	}
	return b.Bytes()
}

// late returns the archive of #lab as somebody writes it who has let go what is below a height.
func (w *world) late(from uint64) []byte {
	w.t.Helper()
	p := rooms.Proof{Header: w.lab.log[w.lab.at-1].Header, Cert: w.lab.log[w.lab.at-1].Cert}
	for i := range w.lab.log[:w.lab.at] {
		if d := &w.lab.log[i]; d.Marks() {
			p.Changes = append(p.Changes, *d) // nobody has told the directory
		}
	}
	var b bytes.Buffer
	out, err := archive.NewWriter(&b, archive.Head{
		Genesis: w.genesis, Room: w.lab.chain.Room, Dir: w.dir.chain.Height, Height: w.lab.chain.Height, Last: w.lab.chain.Head,
		Base: w.lab.at, Past: w.lab.at + 1 - from,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range w.dir.log {
		_ = out.Directory(rooms.Marshal(&w.dir.log[i]))
	}
	_ = out.Start(&p, w.lab.base)
	for i := w.lab.at; i >= from; i-- {
		_ = out.Past(rooms.Marshal(&w.lab.log[i-1]))
	}
	for i := w.lab.at; i < w.lab.chain.Height; i++ {
		_ = out.Room(rooms.Marshal(&w.lab.log[i]))
	}
	if err := out.End(w.lab.chain.Snapshot()); err != nil {
		w.t.Fatal(err)
	}
	return b.Bytes()
}
