package account

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

var hashes = map[string]func() hash.Hash{SHA1: sha1.New, SHA256: sha256.New}

// TestScramVectors checks the keys against the server signatures of RFC 5802 §5 and RFC 7677 §3.
func TestScramVectors(t *testing.T) {
	for _, c := range []struct{ hash, salt, server string }{
		{SHA1, "QSXCR+Q6sek8bf92", "D+CSWLOshSulAsxiupA+qs2/fTE="},
		{SHA256, "W22ZaJ0SNY7soEsUEjb6gQ==", "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="},
	} {
		salt, err := base64.StdEncoding.DecodeString(c.salt)
		if err != nil {
			t.Fatal(err)
		}
		k, err := makeScram("pencil", hashes[c.hash], salt, 4096)
		if got := base64.StdEncoding.EncodeToString(k.ServerKey); err != nil || got != c.server {
			t.Errorf("%s: server key %s, %v", c.hash, got, err)
		}
	}
}

func TestConcurrentFirstLogins(t *testing.T) {
	w := newWorld(t)
	home := w.node(1)
	home.register("ann", "secret")
	var all sync.WaitGroup
	for _, n := range []*node{w.node(2), w.node(3), w.node(4)} {
		for range 3 {
			all.Go(func() {
				if _, err := n.Verify(t.Context(), "ann", "secret"); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	if n := len(w.accounts["ann"].Devices); n != 4 {
		t.Errorf("%d devices", n)
	}
	if w.guesses != 3 {
		t.Errorf("%d fetches for three nodes", w.guesses)
	}
}

func TestAlteredRecordIsRefused(t *testing.T) {
	alter := map[string]func(r *Record){
		"box":       func(r *Record) { r.Box[0] ^= 1 },
		"salt":      func(r *Record) { r.Salt[0] ^= 1 },
		"name":      func(r *Record) { r.Name = "eve" },
		"revision":  func(r *Record) { r.Revision++ },
		"scram":     func(r *Record) { r.Scram256.StoredKey[0] ^= 1 },
		"params":    func(r *Record) { r.Params.Time++ },
		"signature": func(r *Record) { r.Sig[0] ^= 1 },
		"key":       func(r *Record) { r.Key[0] ^= 1 },
		"check":     func(r *Record) { r.Check[0] ^= 1 },
	}
	for name, f := range alter {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			home, away := w.node(1), w.node(2)
			home.register("ann", "secret")
			w.meddle = func(_ rooms.NodeID, q question, ans *answer) {
				if q.Op != opOpen {
					return
				}
				r, err := DecodeRecord(ans.Record)
				if err != nil {
					t.Fatal(err)
				}
				f(r)
				if ans.Record = r.Encode(); name == "key" || name == "signature" {
					return
				}
				if _, err := DecodeRecord(ans.Record); err == nil {
					t.Error("the signature does not cover it")
				}
			}
			away.verify("ann", "secret", ErrUnreachable)
			if list, _ := away.List(); len(list) != 0 || len(w.accounts["ann"].Devices) != 1 {
				t.Error("something stayed")
			}
		})
	}
	t.Run("another account's record under the same password", func(t *testing.T) {
		w := newWorld(t)
		home, away := w.node(1), w.node(2)
		home.register("ann", "secret")
		home.register("eve", "secret")
		eve, err := home.load("eve")
		if err != nil {
			t.Fatal(err)
		}
		w.meddle = func(_ rooms.NodeID, q question, ans *answer) {
			ans.Status = statusOK
			switch q.Op {
			case opParams:
				ans.Salt = eve.Salt
			case opOpen:
				ans.Record = eve.Encode()
			}
		}
		away.verify("ann", "secret", ErrUnreachable)
	})
	t.Run("cheap parameters", func(t *testing.T) {
		w := newWorld(t)
		home, away := w.node(1), w.node(2)
		home.register("ann", "secret")
		away.cfg.Floor = Params{Memory: 16, Time: 1, Threads: 1}
		away.restart()
		away.verify("ann", "secret", ErrUnreachable)
		if w.guesses != 0 {
			t.Error("a token was sent")
		}
	})
	t.Run("costly parameters", func(t *testing.T) {
		w := newWorld(t)
		home, away := w.node(1), w.node(2)
		home.register("ann", "secret")
		w.meddle = func(_ rooms.NodeID, _ question, ans *answer) {
			ans.Params = Params{Memory: 1 << 31, Time: 1, Threads: 1}
		}
		away.verify("ann", "secret", ErrUnreachable)
	})
}

// TestSealCoversTheHeader: the seal alone, without the signature, notices every change of what is told beside it.
func TestSealCoversTheHeader(t *testing.T) {
	w := newWorld(t)
	n := w.node(1)
	n.register("ann", "secret")
	for name, f := range map[string]func(r *Record){
		"nothing": func(*Record) {}, "version": func(r *Record) { r.Version++ }, "name": func(r *Record) { r.Name = "eve" },
		"key": func(r *Record) { r.Key[0] ^= 1 }, "salt": func(r *Record) { r.Salt[0] ^= 1 }, "params": func(r *Record) { r.Params.Memory++ },
		"check": func(r *Record) { r.Check[0] ^= 1 }, "revision": func(r *Record) { r.Revision++ }, "time": func(r *Record) { r.Time++ },
		"nonce": func(r *Record) { r.Nonce[0] ^= 1 }, "box": func(r *Record) { r.Box[0] ^= 1 },
	} {
		r, err := n.load("ann")
		if err != nil {
			t.Fatal(err)
		}
		secret, err := n.hash.derive(t.Context(), "secret", r.Salt, r.Params)
		if err != nil {
			t.Fatal(err)
		}
		f(r)
		if _, err := r.unseal(secret); (err == nil) != (name == "nothing") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOneBadDevice does not keep the owner out when another device is honest.
func TestOneBadDevice(t *testing.T) {
	w := newWorld(t)
	bad, good, away := w.node(1), w.node(2), w.node(3)
	bad.register("ann", "secret")
	good.verify("ann", "secret", nil)
	w.meddle = func(to rooms.NodeID, q question, ans *answer) {
		if to == bad.id {
			ans.Revision, ans.Status = 99, statusOK // looks the newest
			if q.Op == opOpen {
				ans.Status = statusWrong
			}
		}
	}
	away.verify("ann", "secret", nil)
}

func TestNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// No store in the bubble: the questions alone.
		w := newWorld(t)
		n := &node{w: w, id: rooms.NodeID{1}}
		a := &Accounts{cfg: Config{Self: n.id, Peers: view{w}.of(n)}, log: discard()}
		start := time.Now()
		d := rooms.AccountRecord{Name: "ann", Devices: []rooms.Device{{Key: rooms.NodeID{2}}, {Key: rooms.NodeID{3}}, {Key: n.id}, {Key: rooms.NodeID{4}, To: 7}}}
		if got := a.askAll(t.Context(), d, question{Op: opParams, Name: "ann"}); len(got) != 0 {
			t.Errorf("answers: %v", got)
		}
		if took := time.Since(start); took != askTimeout {
			t.Errorf("took %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		a.askAll(ctx, d, question{})
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v with a context of a second", took)
		}
	})
}

func TestDroppedDevice(t *testing.T) {
	w := newWorld(t)
	home, away := w.node(1), w.node(2)
	home.register("ann", "secret")
	away.verify("ann", "secret", nil)
	w.drop("ann", away)
	if err := away.scram("ann", "secret"); !errors.Is(err, ErrElsewhere) {
		t.Errorf("SCRAM at a dropped device: %v", err)
	}
	if list, _ := away.List(); len(list) != 1 || list[0].Active {
		t.Errorf("list: %+v", list)
	}
	away.verify("ann", "wrong", ErrCredentials)
	away.verify("ann", "secret", nil) // not from the cache: the device comes back
	if !away.Has("ann") {
		t.Error("not a device again")
	}
}

func TestChangePassword(t *testing.T) {
	w := newWorld(t)
	home, second, late := w.node(1), w.node(2), w.node(3)
	home.register("ann", "old")
	second.verify("ann", "old", nil)
	late.verify("ann", "old", nil)
	if err := second.ChangePassword(t.Context(), "ann", "wrong", "new"); !errors.Is(err, ErrCredentials) {
		t.Fatalf("wrong old password: %v", err)
	}
	if err := second.ChangePassword(t.Context(), "ann", "old", ""); !errors.Is(err, ErrPassword) {
		t.Fatalf("empty new password: %v", err)
	}
	w.mu.Lock()
	late.away = true
	w.mu.Unlock()
	if err := second.ChangePassword(t.Context(), "Ann", "old", "new"); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*node{home, second} {
		n.verify("ann", "old", ErrCredentials)
		n.verify("ann", "new", nil)
		if err := n.scram("ann", "new"); err != nil {
			t.Error(err)
		}
	}
	w.mu.Lock()
	late.away = false
	w.mu.Unlock()
	late.verify("ann", "new", nil) // asks the others
	late.verify("ann", "old", ErrCredentials)
	if err := late.scram("ann", "new"); err != nil {
		t.Error(err)
	}
	if w.accounts["ann"].Changes != 3 {
		t.Errorf("the directory has %d changes", w.accounts["ann"].Changes)
	}
}

func TestSync(t *testing.T) {
	w := newWorld(t)
	home, late := w.node(1), w.node(2)
	home.register("ann", "old")
	late.verify("ann", "old", nil)
	w.mu.Lock()
	late.away = true
	w.mu.Unlock()
	if err := home.ChangePassword(t.Context(), "ann", "old", "new"); err != nil {
		t.Fatal(err)
	}
	if err := late.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := late.scram("ann", "new"); err != nil {
		t.Error(err)
	}
	late.verify("ann", "old", ErrCredentials)
}

func TestPushIsChecked(t *testing.T) {
	w := newWorld(t)
	home, second, stranger := w.node(1), w.node(2), w.node(3)
	home.register("ann", "secret")
	second.verify("ann", "secret", nil)
	home.register("eve", "secret")
	old, _ := home.load("ann")
	eve, _ := home.load("eve")
	if err := home.ChangePassword(t.Context(), "ann", "secret", "new"); err != nil {
		t.Fatal(err)
	}
	newest, _ := home.load("ann")
	bent := *newest
	bent.Revision++
	push := func(from *node, data []byte) uint8 {
		t.Helper()
		return home.put(t, from.id, question{Op: opPush, Name: "ann", Record: data}).Status
	}
	for name, c := range map[string]struct {
		from *node
		data []byte
		want uint8
	}{
		"older":                {second, old.Encode(), statusStale},
		"the same":             {second, newest.Encode(), statusStale},
		"raised by hand":       {second, bent.Encode(), statusRefused},
		"another account's":    {second, eve.Encode(), statusRefused},
		"nonsense":             {second, []byte("nonsense"), statusRefused},
		"nothing":              {second, nil, statusRefused},
		"not from a device":    {stranger, newest.Encode(), statusRefused},
		"not from a device, 2": {stranger, nil, statusRefused},
	} {
		if got := push(c.from, c.data); got != c.want {
			t.Errorf("%s: status %d, want %d", name, got, c.want)
		}
	}
	if ans := home.put(t, stranger.id, question{Op: opPull, Name: "ann"}); ans.Status != statusRefused || ans.Record != nil {
		t.Errorf("pull of a stranger: %+v", ans)
	}
	home.verify("ann", "new", nil)
}

func (n *node) put(t testing.TB, from rooms.NodeID, q question) (ans answer) {
	t.Helper()
	data, err := n.ServeSealed(t.Context(), from, rooms.Marshal(q))
	if err != nil {
		t.Fatal(err)
	}
	if err := rooms.Unmarshal(data, &ans); err != nil {
		t.Fatal(err)
	}
	return ans
}
