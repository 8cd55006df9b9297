package account

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"testing"

	"warren/rooms"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func FuzzDecodeRecord(f *testing.F) {
	w := newWorld(f)
	n := w.node(1)
	n.cfg.Rand = rand.NewChaCha8([32]byte{1}) // one record in all processes of the fuzzer
	n.restart()
	n.register("ann", "secret")
	r, err := n.load("ann")
	if err != nil {
		f.Fatal(err)
	}
	good := r.Encode()
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(append(bytes.Clone(good), 0))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeRecord(data)
		if err != nil {
			return
		}
		if !bytes.Equal(r.Encode(), data) {
			t.Fatalf("two encodings of one record: %x", data)
		}
		if !bytes.Equal(data, good) {
			t.Fatalf("a forged record: %x", data)
		}
	})
}

func FuzzServeSealed(f *testing.F) {
	w := newWorld(f)
	home, second := w.node(1), w.node(2)
	home.register("ann", "secret")
	second.verify("ann", "secret", nil)
	r, err := home.load("ann")
	if err != nil {
		f.Fatal(err)
	}
	good := r.Encode()
	for op := opParams; op <= opPush+1; op++ {
		f.Add(rooms.Marshal(question{Op: op, Name: "ann", Revision: r.Revision, Time: r.Time, Token: make([]byte, 32), Record: good}))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, req []byte) {
		home.asked = newWindow(w.clock, guessWindow, asksPerNode)
		data, err := home.ServeSealed(t.Context(), second.id, req)
		if err == nil {
			ans, err := decodeAnswer(data)
			if err != nil {
				t.Fatalf("our own answer: %v", err)
			}
			var q question
			if rooms.Unmarshal(req, &q) == nil && q.Op == opOpen && ans.Record != nil {
				t.Fatal("opened without the token")
			}
		}
		if now, err := home.load("ann"); err != nil || !bytes.Equal(now.Encode(), good) {
			t.Fatalf("the record has changed: %v", err)
		}
	})
}
