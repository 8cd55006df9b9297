package rooms

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"warren/rooms/errs"
)

func TestQuorumsShareAnHonestController(t *testing.T) {
	want := map[int][2]int{1: {0, 1}, 2: {0, 2}, 3: {0, 2}, 4: {1, 3}, 5: {1, 4}, 6: {1, 4}, 7: {2, 5}}
	for n := 1; n <= MaxControllers; n++ {
		f, q := Faults(n), Quorum(n)
		if got := [2]int{f, q}; got != want[n] {
			t.Errorf("of %d controllers: f and quorum %v, want %v", n, got, want[n])
		}
		if 2*q-n <= f {
			t.Errorf("of %d controllers two quorums of %d may share only traitors", n, q)
		}
		if n-f < q && n != 2 {
			t.Errorf("of %d controllers %d traitors can stop the room", n, f)
		}
	}
}

func TestCertificate(t *testing.T) {
	h := Header{Room: Hash{1}, Epoch: 1, Height: 1}
	good := h.Hash()
	set := ids("n1", "n2", "n3", "n4")
	tests := map[string]struct {
		cert func() Certificate
		want error
	}{
		"three of four":          {func() Certificate { return certify(good, "n1", "n2", "n3") }, nil},
		"four of four":           {func() Certificate { return certify(good, "n4", "n1", "n2", "n3") }, nil},
		"two of four":            {func() Certificate { return certify(good, "n1", "n2") }, ErrNoQuorum},
		"none":                   {func() Certificate { return nil }, ErrNoQuorum},
		"one signer twice":       {func() Certificate { return certify(good, "n1", "n2", "n2") }, ErrNoQuorum},
		"one signer more, twice": {func() Certificate { return certify(good, "n1", "n2", "n3", "n3") }, ErrNoQuorum},
		"a foreign signer":       {func() Certificate { return certify(good, "n1", "n2", "stranger") }, ErrNoQuorum},
		"a foreign one more":     {func() Certificate { return certify(good, "n1", "n2", "n3", "stranger") }, ErrNoQuorum},
		"the wrong order":        {func() Certificate { c := certify(good, "n1", "n2", "n3"); slices.Reverse(c); return c }, ErrNoQuorum},
		"another header":         {func() Certificate { h := h; h.Time++; return certify(h.Hash(), "n1", "n2", "n3") }, ErrBadSignature},
		"one of another header": {func() Certificate {
			c := certify(good, "n1", "n2", "n3")
			c[1].Sig = certify(Hash{}, "n1")[0].Sig
			return c
		}, ErrBadSignature},
		"a signature cut short":  {func() Certificate { c := certify(good, "n1", "n2", "n3"); c[2].Sig = c[2].Sig[:63]; return c }, ErrBadSignature},
		"one signed for another": {func() Certificate { c := certify(good, "n1", "n2", "n3"); c[0].Sig = c[1].Sig; return c }, ErrBadSignature},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := tt.cert()
			if err := c.Verify(good, set); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	if err := certify(good).Verify(good, nil); !errors.Is(err, ErrNoQuorum) {
		t.Errorf("nobody of nobody: %v", err)
	}
}

func TestEveryFieldOfAHeaderIsSigned(t *testing.T) {
	base := Header{Room: Hash{1}, Epoch: 1, Height: 2, Prev: Hash{2}, Time: 3, Dir: 4, Seq: 5, Payload: Hash{3}, Verdicts: Hash{4}, State: Hash{5}}
	cert := certify(base.Hash(), "n1")
	for name, f := range map[string]func(*Header){
		"room": func(h *Header) { h.Room[0]++ }, "epoch": func(h *Header) { h.Epoch++ }, "height": func(h *Header) { h.Height++ },
		"prev": func(h *Header) { h.Prev[31]++ }, "time": func(h *Header) { h.Time++ }, "dir": func(h *Header) { h.Dir++ }, "seq": func(h *Header) { h.Seq++ },
		"payload": func(h *Header) { h.Payload[0]++ }, "verdicts": func(h *Header) { h.Verdicts[0]++ }, "state": func(h *Header) { h.State[0]++ },
	} {
		h := base
		f(&h)
		if err := cert.Verify(h.Hash(), ids("n1")); !errors.Is(err, ErrBadSignature) {
			t.Errorf("%s altered: %v", name, err)
		}
	}
}

func TestBatchSignature(t *testing.T) {
	w := newWorld(t)
	b := Batch{Epoch: 1, Term: 2, Height: 4, Time: w.now, Dir: 3, Requests: []Request{w.request(w.room, zed, &Enter{})}}
	b.Sign(w.room.Room, key("n1"))
	if !b.SignatureOK(w.room.Room) {
		t.Fatal("its own signature is refused")
	}
	if b.SignatureOK(w.dir.Room) {
		t.Error("good for another room too")
	}
	for name, f := range map[string]func(*Batch){
		"epoch": func(b *Batch) { b.Epoch++ }, "term": func(b *Batch) { b.Term++ }, "height": func(b *Batch) { b.Height++ }, "time": func(b *Batch) { b.Time++ }, "dir": func(b *Batch) { b.Dir++ },
		"leader": func(b *Batch) { b.Leader = id("n2") }, "requests": func(b *Batch) { b.Requests = nil },
		"a request's signature": func(b *Batch) { b.Requests = slices.Clone(b.Requests); b.Requests[0].Sig = make([]byte, 64) },
	} {
		c := b
		f(&c)
		if c.SignatureOK(w.room.Room) {
			t.Errorf("%s altered, still accepted", name)
		}
	}
}

func TestTwoBatchesInOnePlaceConvict(t *testing.T) {
	w := newWorld(t)
	batch := func(f func(*Batch)) Mark {
		b := Batch{Epoch: 1, Term: 2, Height: 4, Time: w.now, Dir: 3, Requests: []Request{w.request(w.room, zed, &Enter{})}}
		f(&b)
		b.Sign(w.room.Room, key("n1"))
		return b.Mark(w.room.Room)
	}
	one := batch(func(*Batch) {})
	for name, f := range map[string]func(*Batch){
		"time": func(b *Batch) { b.Time++ }, "dir": func(b *Batch) { b.Dir++ }, "requests": func(b *Batch) { b.Requests = append(b.Requests, b.Requests[0]) },
	} {
		if !one.Convicts(batch(f)) {
			t.Errorf("another batch with another %s proves nothing", name)
		}
	}
	for name, f := range map[string]func(*Batch){
		"nothing": func(*Batch) {}, "epoch": func(b *Batch) { b.Epoch++ }, "term": func(b *Batch) { b.Term++ }, "height": func(b *Batch) { b.Height++ },
	} {
		if one.Convicts(batch(f)) {
			t.Errorf("a batch with another %s convicts an honest node", name)
		}
	}
	forged := batch(func(b *Batch) { b.Time++ })
	forged.Sig = one.Sig
	if one.Convicts(forged) || forged.Convicts(one) {
		t.Error("a mark without its signature convicts")
	}
}

func TestRequestSignature(t *testing.T) {
	base := NewRequest(Hash{1}, "bob", "bob", &Say{Text: "x"})
	base.Counter, base.Dir = 1, 2
	base.Sign(key("n1"))
	if !base.SignatureOK() {
		t.Fatal("its own signature is refused")
	}
	for name, f := range map[string]func(*Request){
		"room": func(r *Request) { r.Room[0]++ }, "account": func(r *Request) { r.Account = "alice" }, "nick": func(r *Request) { r.Nick = "alice" },
		"device": func(r *Request) { r.Device = id("n2") }, "counter": func(r *Request) { r.Counter++ }, "dir": func(r *Request) { r.Dir++ },
		"op": func(r *Request) { r.Op = OpLeave }, "body": func(r *Request) { r.Body = Marshal(&Say{Text: "y"}) }, "signature": func(r *Request) { r.Sig = r.Sig[:63] }, "epoch": func(r *Request) { r.Epoch++ },
		"account and nick swapped": func(r *Request) { r.Account, r.Nick = "bo", "bbob" },
	} {
		r := base
		f(&r)
		if r.SignatureOK() {
			t.Errorf("%s altered, still accepted", name)
		}
	}
	again := base
	again.Epoch = 2
	if again.Sign(key("n1")); again.ID() != base.ID() || !again.SignatureOK() || bytes.Equal(again.Sig, base.Sig) {
		t.Error("signed for the next epoch it is another request, or not signed anew")
	}
}

func TestCheckShapeAndTalkEventsAreTotal(t *testing.T) {
	w := newWorld(t).in(alice)
	d := w.decide(w.room, alice, &Say{Text: "x"}, "n1")
	if err := d.CheckShape(); err != nil {
		t.Error(err)
	}
	if ev := d.TalkEvents(); len(ev) != 1 || ev[0].Body.(*Say).Text != "x" || ev[0].Seq != w.room.Machine.Base().Seq || ev[0].ID != d.Batch.Requests[0].ID() {
		t.Errorf("events %+v", ev)
	}
	for name, f := range map[string]func(*Decision){
		"a verdict is missing":    func(d *Decision) { d.Verdicts = nil },
		"a verdict is another":    func(d *Decision) { d.Verdicts = Verdicts{byte(errs.Denied)} },
		"a verdict too many":      func(d *Decision) { d.Verdicts = Verdicts{0, 0} },
		"the batch is another":    func(d *Decision) { d.Batch.Time++ },
		"a request is too many":   func(d *Decision) { d.Batch.Requests = append(slices.Clone(d.Batch.Requests), d.Batch.Requests[0]) },
		"the payload is another":  func(d *Decision) { d.Header.Payload[0]++ },
		"the verdicts' hash lies": func(d *Decision) { d.Header.Verdicts[0]++ },
	} {
		c := *d
		f(&c)
		if c.CheckShape() == nil {
			t.Errorf("%s: accepted", name)
		}
		c.TalkEvents() // must not panic
	}
	if got := (Verdicts{}).At(-1); got != errs.Void {
		t.Errorf("no verdict reads %v", got)
	}
}

func TestIDsHaveOneText(t *testing.T) {
	h := id("n1")
	if got, err := ParseHash(h.String()); err != nil || NodeID(got) != h {
		t.Errorf("got %v, %v", got, err)
	}
	text := Hash{}.String()
	for name, s := range map[string]string{
		"empty": "", "too short": text[1:], "too long": text + "a", "upper case": "A" + text[1:], "a foreign letter": "1" + text[1:],
		"the unused bits are set": text[:51] + "b", "padding": text + "====", "a line break": text[:51] + "\n",
	} {
		if _, err := ParseHash(s); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if got, err := ParseMsgID(Hash(h).MsgID()); err != nil || got != [20]byte(h[:20]) {
		t.Errorf("a message's id reads as %x, %v", got, err)
	}
	for _, s := range []string{"", text, text[:31], text[:31] + "\n", "A" + text[:31], text[:31] + "="} {
		if _, err := ParseMsgID(s); err == nil {
			t.Errorf("%q: accepted as a message's id", s)
		}
	}
	if len(h.String()) != 52 || len(h.Short()) != 8 || len(Hash(h).MsgID()) != 32 {
		t.Error("an id's text has another length")
	}
}

func TestPasswordsAreKeptAsVerifiers(t *testing.T) {
	a, b := KeyProof(Hash{1}, "x"), KeyProof(Hash{2}, "x")
	if slices.Equal(a, b) || slices.Equal(KeyVerifier(a), a) || len(KeyVerifier(a)) != 32 {
		t.Error("a proof is good for another room, or is its own verifier")
	}
}
