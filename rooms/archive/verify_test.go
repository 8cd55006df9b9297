package archive_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"warren/rooms"
	"warren/rooms/archive"
)

var update = flag.Bool("update", false, "write the golden file anew")

const golden = "testdata/lab.warren"

// TestGolden: the layout stays what it is, byte for byte, and what was written once can be checked for ever.
// Who changes the layout of decisions or snapshots on purpose writes it anew: go test ./rooms/archive -update.
func TestGolden(t *testing.T) {
	got := newWorld(t).live(70).file()
	if *update {
		if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes, not the %d of the golden file", len(got), len(want))
	}
	rep, err := archive.Verify(bytes.NewReader(want), rooms.Hash{})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Name != "lab" || rep.Height != 70 || rep.Directory != 5 || rep.Events != 70 || rep.Refused != 1 || rep.Digests != 1 || rep.Changes != 1 || rep.Rights != 1 ||
		rep.Signatures != 3*36+2*34 || len(rep.Controllers) != 3 || rep.Closed || rep.Maker != "alice" || rep.Epoch != 1 {
		t.Errorf("the report says %+v", rep)
	}
}

// TestRoundTrip: what is written is read again.
func TestRoundTrip(t *testing.T) {
	w := newWorld(t).live(20)
	in, err := archive.NewReader(bytes.NewReader(w.file()))
	if err != nil {
		t.Fatal(err)
	}
	want := append(w.dir.log, w.lab.log...)
	for i := range want {
		rec, err := in.Next()
		if err != nil || !bytes.Equal(rooms.Marshal(rec.Decision), rooms.Marshal(&want[i])) {
			t.Fatalf("record %d: %v, or another decision", i, err)
		}
	}
	if rec, err := in.Next(); err != nil || rec.Kind != archive.KindState || !bytes.Equal(rec.Bytes, w.lab.chain.Snapshot()) {
		t.Fatalf("state: %v", err)
	}
	for range 2 {
		if _, err := in.Next(); !errors.Is(err, io.EOF) {
			t.Fatalf("end: %v", err)
		}
	}
}

// TestCarriedOver: a decision that a new epoch carries over has no certificate but the directory's word, which came after it.
func TestCarriedOver(t *testing.T) {
	w := newWorld(t).live(6)
	w.newEpoch()
	began := archive.Beginning{Height: w.lab.chain.Height, Epoch: 2, Silent: 1, Of: 4}
	w.must(w.lab, "n2", "", "bob", &rooms.Say{Text: "in the new epoch"})
	rep, err := archive.Verify(bytes.NewReader(w.file()), rooms.Hash{})
	if err != nil || rep.Epoch != 2 || rep.Height != w.lab.chain.Height {
		t.Errorf("%+v, %v", rep, err)
	}
	if rep != nil && !slices.Equal(rep.Beginnings, []archive.Beginning{began}) {
		t.Errorf("the new epoch began with %+v, the report says %+v", began, rep.Beginnings)
	}
}

// TestEveryByteCounts: whichever byte is another, the check fails, also when the digest at the end has been made to fit.
func TestEveryByteCounts(t *testing.T) {
	everyByteCounts(t, newWorld(t).live(12).file())
}

func everyByteCounts(t *testing.T, file []byte) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		bad := bytes.Clone(file)
		i := rapid.IntRange(0, len(bad)-1).Draw(t, "byte")
		bad[i] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		if rapid.Bool().Draw(t, "mend the digest") {
			mend(bad)
		}
		if bytes.Equal(bad, file) {
			return
		}
		if _, err := archive.Verify(bytes.NewReader(bad), networkOf(file)); err == nil {
			t.Fatalf("byte %d of %d was changed, and nothing was found", i, len(bad))
		}
	})
}

// TestCutAnywhere: a part of a file is no file.
func TestCutAnywhere(t *testing.T) {
	file := newWorld(t).live(8).file()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, len(file)-1).Draw(t, "bytes")
		if _, err := archive.Verify(bytes.NewReader(file[:n]), rooms.Hash{}); err == nil {
			t.Fatalf("the first %d of %d bytes passed", n, len(file))
		}
	})
	if _, err := archive.Verify(bytes.NewReader(append(bytes.Clone(file), 0)), rooms.Hash{}); !errors.Is(err, archive.ErrTrailing) {
		t.Errorf("a byte behind the end: %v", err)
	}
}

// mend writes the digest that fits to what stands before it.
func mend(file []byte) {
	end := len(file) - sha256.Size
	sum := sha256.Sum256(file[:end-5])
	copy(file[end:], sum[:])
}

func networkOf(file []byte) rooms.Hash {
	in, err := archive.NewReader(bytes.NewReader(file))
	if err != nil {
		panic(err)
	}
	g := in.Head().Genesis
	return g.ID()
}

// TestLies: what a forger can make who holds keys, but not those of a quorum, or writes a file with all digests in order.
func TestLies(t *testing.T) {
	head := func(w *world) archive.Head {
		return archive.Head{Genesis: w.genesis, Room: w.lab.chain.Room, Dir: w.dir.chain.Height, Height: w.lab.chain.Height, Last: w.lab.chain.Head}
	}
	last := func(w *world) *rooms.Decision { return &w.lab.log[len(w.lab.log)-1] }
	for name, c := range map[string]struct {
		lie  func(w *world) []byte
		want error  // nil: any
		says string // part of the message
	}{
		"too few signatures": {func(w *world) []byte {
			d := last(w)
			d.Cert = d.Cert[:1]
			return w.file()
		}, rooms.ErrNoQuorum, "decision 10 of the room"},
		"one signer twice": {func(w *world) []byte {
			d := last(w)
			d.Cert[1] = d.Cert[0]
			return w.file()
		}, rooms.ErrNoQuorum, "not sorted"},
		"an old controller's signature": {func(w *world) []byte { // n4 was put out at height 5
			d := last(w)
			d.Cert = rooms.MakeCertificate([]rooms.Signature{rooms.SignHeader(d.Header.Hash(), key("n1")), rooms.SignHeader(d.Header.Hash(), key("n4"))})
			return w.file()
		}, rooms.ErrNoQuorum, "no controller"},
		"a signature over something else": {func(w *world) []byte {
			d := last(w)
			d.Cert[0].Sig = bytes.Clone(d.Cert[1].Sig)
			return w.file()
		}, rooms.ErrBadSignature, ""},
		"a decision left out": {func(w *world) []byte {
			w.lab.log = append(w.lab.log[:6:6], w.lab.log[7:]...)
			h := head(w)
			h.Height--
			return w.fileOf(h, w.lab.chain.Snapshot())
		}, rooms.ErrGap, "decision 7 of the room"},
		"a verdict turned round by a quorum of liars": {func(w *world) []byte {
			w.spoil = func(d *rooms.Decision) {
				d.Verdicts[0] = 3
				d.Header.Verdicts = d.Verdicts.Hash()
			}
			w.order(w.lab, "n2", "", "bob", &rooms.Say{Text: "not heard"})
			return w.file()
		}, rooms.ErrDiverged, "decision 11 of the room"},
		"an author's request forged by a quorum of liars": {func(w *world) []byte {
			r := rooms.NewRequest(w.lab.chain.Room, "", "bob", &rooms.Say{Text: "never said"})
			r.Device, r.Counter = id("n2"), w.lab.chain.Machine.Base().Counters[id("n2")]+1
			r.Sig = bytes.Repeat([]byte{7}, 64)
			w.spoil = func(d *rooms.Decision) {
				d.Verdicts[0] = 0
				d.Header.Verdicts = d.Verdicts.Hash()
			}
			w.batch(w.lab, []rooms.Request{r})
			return w.file()
		}, rooms.ErrDiverged, ""},
		"a wrong digest of the state": {func(w *world) []byte {
			w.spoil = func(d *rooms.Decision) {
				if !d.Header.State.IsZero() {
					d.Header.State[0]++
				}
			}
			for i := len(w.lab.log); i < 64; i++ {
				w.order(w.lab, "n2", "", "bob", &rooms.Say{Text: "x"})
			}
			return w.file()
		}, rooms.ErrDiverged, "decision 64 of the room"},
		"another state": {func(w *world) []byte {
			before := w.lab.chain.Machine.(*rooms.State)
			before.Subject = "something else"
			return w.file()
		}, nil, "not what the log yields"},
		"another last header": {func(w *world) []byte {
			h := head(w)
			h.Last[3]++
			return w.fileOf(h, w.lab.chain.Snapshot())
		}, nil, "another last header"},
		"the directory cut short": {func(w *world) []byte {
			w.dir.log = w.dir.log[:4]
			h := head(w)
			h.Dir = 4
			return w.fileOf(h, w.lab.chain.Snapshot())
		}, nil, "founds no such room"},
		"the directory older than a header": {func(w *world) []byte {
			w.must(w.dir, "n1", "", "", &rooms.AdmitNode{Node: id("n5"), Name: "n5", Sponsor: "n1"})
			w.must(w.lab, "n2", "", "bob", &rooms.Say{Text: "later"})
			w.dir.log = w.dir.log[:5]
			h := head(w)
			h.Dir = 5
			return w.fileOf(h, w.lab.chain.Snapshot())
		}, nil, "version of the directory"},
		"the directory signed by a stranger": {func(w *world) []byte {
			d := &w.dir.log[2]
			d.Cert = rooms.MakeCertificate([]rooms.Signature{rooms.SignHeader(d.Header.Hash(), key("n2"))})
			return w.file()
		}, rooms.ErrNoQuorum, "decision 3 of the directory"},
		"another network": {func(*world) []byte {
			w := newWorld(t)
			w.genesis.Name = "cellar"
			return w.live(6).file()
		}, archive.ErrNetwork, "cellar"},
		"no archive at all": {func(*world) []byte { return []byte("hello, this is a letter") }, archive.ErrNotArchive, ""},
		"nothing":           {func(*world) []byte { return nil }, archive.ErrNotArchive, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).live(10)
			network := w.genesis.ID()
			_, err := archive.Verify(bytes.NewReader(c.lie(w)), network)
			if err == nil {
				t.Fatal("the file passed")
			}
			if c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("found %q, want %v, %q", err, c.want, c.says)
			}
		})
	}
}

// endless is a file whose room has said the same thing over and over: a head, then one record again and again.
type endless struct {
	head, again []byte
	at          int
}

func (e *endless) Read(b []byte) (int, error) {
	src := e.head
	if len(src) == 0 {
		src = e.again[e.at%len(e.again):]
	}
	n := copy(b, src)
	if len(e.head) > 0 {
		e.head = e.head[n:]
	} else {
		e.at += n
	}
	return n, nil
}

// TestReaderStreams: a file of any length is read in the memory of one record.
func TestReaderStreams(t *testing.T) {
	w := newWorld(t).live(7)
	h := archive.Head{Genesis: w.genesis, Room: w.lab.chain.Room, Dir: 0, Height: 1 << 40}
	var b bytes.Buffer
	out, err := archive.NewWriter(&b, h)
	if err != nil {
		t.Fatal(err)
	}
	cut := b.Len()
	_ = out.Room(rooms.Marshal(&w.lab.log[6]))
	src := &endless{head: b.Bytes()[:cut], again: b.Bytes()[cut:]}
	in, err := archive.NewReader(src)
	if err != nil {
		t.Fatal(err)
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for src.at < 16<<20 {
		if _, err := in.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if after := heap(); after > before+4<<20 {
		t.Errorf("%d bytes stay in use after %d bytes of file", after-before, src.at)
	}
	runtime.KeepAlive(in)
}

// TestWithoutItsBeginning: a room that has let go what was first proves the rest.
func TestWithoutItsBeginning(t *testing.T) {
	for _, from := range []uint64{65, 64, 40, 20, 1} {
		w := newWorld(t).live(70)
		rep, err := archive.Verify(bytes.NewReader(w.late(from)), w.genesis.ID())
		if err != nil {
			t.Fatalf("from %d: %v", from, err)
		}
		if rep.From != from || rep.Base != 64 || rep.Height != 70 || rep.Head != w.lab.chain.Head || rep.Events != 70 || len(rep.Controllers) != 3 {
			t.Errorf("from %d: the report says %+v", from, rep)
		}
	}
}

// TestEveryByteOfAPastCounts: whichever byte of such a file is another, the check fails.
func TestEveryByteOfAPastCounts(t *testing.T) {
	everyByteCounts(t, newWorld(t).live(66).late(58))
}

// TestLiesAboutAPast: what a forger can make of the part that is not run.
func TestLiesAboutAPast(t *testing.T) {
	for name, c := range map[string]struct {
		lie  func(w *world) []byte
		says string
	}{
		"a decision left out": {func(w *world) []byte {
			w.lab.log = append(w.lab.log[:60:60], append([]rooms.Decision{w.lab.log[60]}, w.lab.log[61:]...)...)
			w.lab.log[60] = w.lab.log[59]
			return w.late(50)
		}, "not the one of height 61"},
		"too few signatures": {func(w *world) []byte {
			w.lab.log[59].Cert = w.lab.log[59].Cert[:1]
			return w.late(50)
		}, "fewer valid signatures"},
		"another state": {func(w *world) []byte {
			w.lab.base = w.lab.chain.Snapshot()
			return w.late(50)
		}, "not the state"},
		"a proof of another height": {func(w *world) []byte {
			w.lab.at--
			return w.late(50)
		}, ""},
		"an author's words forged by a quorum of liars": {func(*world) []byte {
			w := newWorld(t)
			w.must(w.lab, "n2", "", "bob", &rooms.Enter{View: "xmpp"})
			r := rooms.NewRequest(w.lab.chain.Room, "", "bob", &rooms.Say{Text: "never said"})
			r.Device, r.Counter, r.Sig = id("n2"), 2, bytes.Repeat([]byte{7}, 64)
			w.spoil = func(d *rooms.Decision) { d.Verdicts[0], d.Header.Verdicts = 0, rooms.Verdicts{0}.Hash() }
			w.batch(w.lab, []rooms.Request{r})
			w.spoil = nil
			w.lab.chain.Head = w.lab.log[1].Header.Hash() // the liars go on from there
			for len(w.lab.log) < 66 {
				w.must(w.lab, "n2", "", "bob", &rooms.Say{Text: "x"})
			}
			return w.late(1)
		}, "not its author's"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).live(70)
			_, err := archive.Verify(bytes.NewReader(c.lie(w)), w.genesis.ID())
			if err == nil {
				t.Fatal("the file passed")
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("found %q, want %q", err, c.says)
			}
		})
	}
}

// TestTicksAreHistoryToo: batches without requests are certified and proven as all others.
func TestTicksAreHistoryToo(t *testing.T) {
	w := newWorld(t).live(50)
	before, events := w.lab.chain.Time, w.lab.chain.Machine.Base().Seq
	for range 30 {
		w.batch(w.lab, nil)
	}
	if w.lab.chain.Time <= before || w.lab.chain.Machine.Base().Seq != events || w.lab.chain.Height != 80 {
		t.Errorf("30 ticks led from %d to %d ms, from %d to %d events, to height %d", before, w.lab.chain.Time, events, w.lab.chain.Machine.Base().Seq, w.lab.chain.Height)
	}
	for _, file := range [][]byte{w.file(), w.late(52)} {
		if rep, err := archive.Verify(bytes.NewReader(file), w.genesis.ID()); err != nil || rep.Height != 80 || rep.Events != 50 {
			t.Errorf("%v, %+v", err, rep)
		}
	}
}
