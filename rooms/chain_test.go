package rooms

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"warren/rooms/errs"
)

func TestRunRefusesWhatIsNotTheAuthors(t *testing.T) {
	tests := map[string]struct {
		f    func(*world, *Request)
		want errs.Kind
	}{
		"a good request":                      {func(*world, *Request) {}, errs.OK},
		"of another room":                     {func(w *world, r *Request) { r.Room = w.dir.Room }, errs.Void},
		"altered after it was signed":         {func(_ *world, r *Request) { r.Nick = "Bob" }, errs.Void},
		"signed by another's device":          {func(w *world, r *Request) { r.Sign(key("n3")) }, errs.Void},
		"signed by a stranger":                {func(w *world, r *Request) { r.Sign(key("stranger")) }, errs.Void},
		"of a guest of a stranger":            {func(w *world, r *Request) { r.Account = ""; r.Nick = "x"; r.Sign(key("stranger")) }, errs.Void},
		"of an account that is not there":     {func(w *world, r *Request) { r.Account = "none"; r.Sign(key("n2")) }, errs.Void},
		"signed for another epoch":            {func(w *world, r *Request) { r.Epoch = 2; r.Sign(key("n2")) }, errs.Void},
		"with a counter that was used":        {func(w *world, r *Request) { r.Counter--; r.Sign(key("n2")) }, errs.Stale},
		"with a counter too high":             {func(w *world, r *Request) { r.Counter++; r.Sign(key("n2")) }, errs.Stale},
		"of who saw a later directory":        {func(w *world, r *Request) { r.Dir = w.dir.Height + 1; r.Sign(key("n2")) }, errs.Stale},
		"of who saw this directory":           {func(w *world, r *Request) { r.Dir = w.dir.Height; r.Sign(key("n2")) }, errs.OK},
		"with an operation that is not there": {func(w *world, r *Request) { r.Op = 999; r.Sign(key("n2")) }, errs.Invalid},
		"with a body of another operation":    {func(w *world, r *Request) { r.Op = OpGrant; r.Sign(key("n2")) }, errs.Invalid},
		"with an operation of the directory":  {func(w *world, r *Request) { *r = w.request(w.room, bob, &DropNode{}) }, errs.Invalid},
		"with no body":                        {func(w *world, r *Request) { r.Body = nil; r.Sign(key("n2")) }, errs.Invalid},
		"with a body that is null":            {func(w *world, r *Request) { r.Body = []byte{0xf6}; r.Sign(key("n2")) }, errs.Invalid},
		"with a body too large":               {func(w *world, r *Request) { r.Body = make([]byte, MaxRequest+1); r.Sign(key("n2")) }, errs.TooLarge},
		"with a nick that is none":            {func(w *world, r *Request) { r.Nick = " "; r.Sign(key("n2")) }, errs.Invalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.in(bob)
			r := w.request(w.room, bob, &Say{Text: "x"})
			tt.f(w, &r)
			before := w.room.Machine.Base().Counters[r.Device]
			kind, _ := w.order(w.room, r)
			used := w.room.Machine.Base().Counters[r.Device] != before
			if kind != tt.want || used != (kind != errs.Void && kind != errs.Stale) {
				t.Errorf("got %v, counter used %v; want %v", kind, used, tt.want)
			}
			if kind == errs.OK {
				if again, _ := w.order(w.room, r); again != errs.Stale {
					t.Errorf("sent again: %v", again)
				}
			}
		})
	}
}

func TestARoomRemembersSoManyDevicesAndNoMore(t *testing.T) {
	w := newWorld(t).in(bob)
	c := w.room.Machine.Base().Counters
	for i := 0; len(c) < maxCounters; i++ {
		c[NodeID{byte(i), byte(i >> 8), byte(i >> 16), 1}] = 1
	}
	if v, _ := w.run(w.room, w.request(w.room, bob, &Say{Text: "x"}), w.request(w.room, zed, &Enter{})); v.At(0) != errs.OK || v.At(1) != errs.Quota || len(c) != maxCounters {
		t.Errorf("got %v with %d devices", v, len(c))
	}
	if _, err := RestoreChain(w.room.Snapshot()); err != nil {
		t.Errorf("its snapshot cannot be read: %v", err)
	}
}

func TestTimeAndDirectoryVersionNeverGoBack(t *testing.T) {
	w := newWorld(t)
	run := func(time int64, dir uint64) Header {
		h, _, _ := w.room.Run(&Batch{Time: time, Dir: dir}, w.directory().At(max(dir, w.room.Dir)), VerifySignature)
		return h
	}
	run(100, 5)
	if h := run(50, 3); h.Time != 100 || h.Dir != 5 || h.Height != 2 {
		t.Errorf("header %+v", h)
	}
	if h := run(-1, 9); h.Time != 100 || h.Dir != 9 {
		t.Errorf("header %+v", h)
	}
}

// history makes n decisions of the room, certified by n1.
func (w *world) history(n int) []*Decision {
	var out []*Decision
	for i := range n {
		by, body := zed, Body(&Say{Text: fmt.Sprint(i)})
		if _, ok := w.state().Occupant("zed"); !ok {
			body = &Enter{}
		}
		out = append(out, w.decide(w.room, by, body, "n1"))
	}
	return out
}

func TestCheckAndAccept(t *testing.T) {
	w := newWorld(t)
	rec := w.directory().Rooms[w.room.Room]
	log := w.history(CheckpointEvery + 2)
	follow := NewChain(rec.ID, NewState(rec))
	for i, d := range log {
		if err := follow.Check(d); err != nil {
			t.Fatalf("height %d: %v", i+1, err)
		}
		ev, err := follow.Accept(d, w.directory().At(d.Header.Dir), VerifySignature)
		if err != nil || len(ev) != 1 || ev[0].Seq != uint64(i+1) {
			t.Fatalf("height %d: %v, %v", i+1, ev, err)
		}
		if marked := !d.Header.State.IsZero(); marked != (d.Header.Height%CheckpointEvery == 0) {
			t.Errorf("height %d: checkpoint %v", i+1, marked)
		}
	}
	if !bytes.Equal(follow.Snapshot(), w.room.Snapshot()) {
		t.Error("who followed stands elsewhere than who led")
	}
}

func TestCheckRefuses(t *testing.T) {
	tests := map[string]struct {
		f    func(*Decision)
		want error
	}{
		"another room":              {func(d *Decision) { d.Header.Room[0]++ }, ErrFork},
		"another epoch":             {func(d *Decision) { d.Header.Epoch++ }, ErrEpoch},
		"an old height":             {func(d *Decision) { d.Header.Height = 1 }, ErrOld},
		"a height above the next":   {func(d *Decision) { d.Header.Height++ }, ErrGap},
		"another history":           {func(d *Decision) { d.Header.Prev[0]++ }, ErrFork},
		"an altered batch":          {func(d *Decision) { d.Batch.Time++ }, nil},
		"altered verdicts":          {func(d *Decision) { d.Verdicts = Verdicts{1} }, nil},
		"an altered header":         {func(d *Decision) { d.Header.Time++ }, ErrBadSignature},
		"no certificate":            {func(d *Decision) { d.Cert = nil }, ErrNoQuorum},
		"a stranger's certificate":  {func(d *Decision) { d.Cert = certify(d.Header.Hash(), "n2") }, ErrNoQuorum},
		"a certificate of too many": {func(d *Decision) { d.Cert = certify(d.Header.Hash(), "n1", "n2") }, ErrNoQuorum},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			log := w.history(3)
			follow := NewChain(w.room.Room, NewState(w.directory().Rooms[w.room.Room]))
			for _, d := range log[:2] {
				if _, err := follow.Accept(d, w.directory().At(d.Header.Dir), VerifySignature); err != nil {
					t.Fatal(err)
				}
			}
			d := *log[2]
			if err := follow.Check(&d); err != nil {
				t.Fatalf("unaltered: %v", err)
			}
			tt.f(&d)
			if err := follow.Check(&d); err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestAcceptTellsWhenItsOwnResultDiffers(t *testing.T) {
	w := newWorld(t)
	d := w.history(1)[0]
	follow := NewChain(w.room.Room, NewState(w.directory().Rooms[w.room.Room]))
	if _, err := follow.Accept(d, w.directory().At(d.Header.Dir), func(*Request, Hash) bool { return false }); !errors.Is(err, ErrDiverged) {
		t.Errorf("got %v", err)
	}
	if _, err := follow.Accept(d, w.directory().At(d.Header.Dir), VerifySignature); !errors.Is(err, ErrGap) {
		t.Errorf("the same height again: %v", err)
	}
}

func TestANewSetOfControllersCertifiesFromTheNextHeightOn(t *testing.T) {
	w := newWorld(t)
	follow := NewChain(w.room.Room, NewState(w.directory().Rooms[w.room.Room]))
	d := w.decide(w.room, n1, w.reconfigure(w.room, ids("n2", "n3", "n4"), "n1"), "n1")
	if err := follow.Check(d); err != nil {
		t.Fatal(err)
	}
	if _, err := follow.Accept(d, w.directory().At(d.Header.Dir), VerifySignature); err != nil {
		t.Fatal(err)
	}
	next := w.decide(w.room, zed, &Enter{}, "n1")
	if err := follow.Check(next); !errors.Is(err, ErrNoQuorum) {
		t.Errorf("by the old controller: %v", err)
	}
	next.Cert = certify(next.Header.Hash(), "n4", "n2")
	if err := follow.Check(next); err != nil {
		t.Errorf("by the new ones: %v", err)
	}
}

func TestTheDirectoryJudgesByItself(t *testing.T) {
	w := newWorld(t)
	b := Batch{Requests: []Request{w.request(w.dir, n1, &AdmitNode{Node: id("n9"), Name: "n9"})}}
	if _, v, _ := w.dir.Run(&b, nil, VerifySignature); v.At(0) != errs.OK {
		t.Errorf("got %v", v.At(0))
	}
	r := w.request(w.dir, n1, &AdmitNode{Node: id("n8"), Name: "n8"})
	r.Dir = w.dir.Height + 1
	r.Sign(key("n1"))
	if v, _ := w.run(w.dir, r); v.At(0) != errs.Stale {
		t.Errorf("of who saw more than there is: %v", v.At(0))
	}
}
