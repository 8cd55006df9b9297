package account

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
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

func TestRegisterHereLogInThere(t *testing.T) {
	w := newWorld(t)
	home, away, other := w.node(1), w.node(2), w.node(3)
	home.register("ann", "secret")
	home.verify("ann", "secret", nil)
	home.verify("ann", "Secret", ErrCredentials)
	if err := home.scram("ann", "secret"); err != nil || !home.Has("Ann") {
		t.Fatalf("SCRAM at home: %v", err)
	}
	if err := away.scram("ann", "secret"); !errors.Is(err, ErrElsewhere) || away.Has("ann") {
		t.Fatalf("SCRAM before the first login: %v", err)
	}
	if err := away.scram("bob", "secret"); !errors.Is(err, ErrCredentials) {
		t.Fatalf("SCRAM of nobody: %v", err)
	}
	away.verify("ann", "wrong", ErrCredentials)
	away.verify("bob", "secret", ErrCredentials)
	away.verify("no name", "secret", ErrCredentials)
	away.verify("ann", "", ErrCredentials)
	if list, err := away.List(); len(list) != 0 || err != nil {
		t.Fatalf("accounts after wrong passwords: %v, %v", list, err)
	}
	away.verify("ann", "secret", nil)
	if err := away.scram("ann", "secret"); err != nil {
		t.Fatalf("SCRAM after the first login: %v", err)
	}
	home.away = true
	away.restart()
	away.verify("ann", "secret", nil)
	away.verify("ann", "wrong", ErrCredentials)
	other.verify("ann", "secret", nil) // from the second device
	list, err := other.List()
	if err != nil || len(list) != 1 || list[0].Name != "ann" || list[0].Revision != 1 || !list[0].Active || list[0].Key != w.accounts["ann"].Key {
		t.Errorf("list: %+v, %v", list, err)
	}
	if n := len(w.accounts["ann"].Devices); n != 3 {
		t.Errorf("%d devices", n)
	}
}

func TestNamesAndPasswordsAreRefused(t *testing.T) {
	w := newWorld(t)
	n := w.node(1)
	for _, c := range []struct {
		name, password string
		want           error
	}{
		{"", "x", ErrName}, {"a b", "x", ErrName}, {"a@b", "x", ErrName}, {"#a", "x", ErrName}, {"a\xff", "x", ErrName}, {"~a", "x", ErrName},
		{strings.Repeat("a", rooms.MaxName+1), "x", ErrName},
		{"ann", "", ErrPassword}, {"ann", "a\nb", ErrPassword}, {"ann", "\xff", ErrPassword}, {"ann", strings.Repeat("x", maxPassword+1), ErrPassword},
	} {
		if _, err := n.Register(t.Context(), c.name, c.password); !errors.Is(err, c.want) {
			t.Errorf("register %q/%q: got %v, want %v", c.name, c.password, err, c.want)
		}
	}
	if got, err := n.Register(t.Context(), "ANN", "e\u0301"); got != "ann" || err != nil {
		t.Errorf("register ANN: %q, %v", got, err)
	}
	n.verify("ann", "\u00e9", nil)
	if _, err := n.Register(t.Context(), "Ann", "y"); !errors.Is(err, ErrExists) {
		t.Errorf("register twice: %v", err)
	}
	n.cfg.Open = false
	n.restart()
	if _, err := n.Register(t.Context(), "bob", "y"); !errors.Is(err, ErrClosed) {
		t.Errorf("register where it is closed: %v", err)
	}
}

func TestRefusedRegistrationLeavesNothing(t *testing.T) {
	for kind, want := range map[errs.Kind]error{errs.Exists: ErrExists, errs.Invalid: ErrName, errs.Quota: errs.Quota, errs.Denied: errs.Denied} {
		w := newWorld(t)
		n := w.node(1)
		w.refuse = fmt.Errorf("order: %w", kind)
		if _, err := n.Register(t.Context(), "ann", "secret"); !errors.Is(err, want) {
			t.Errorf("%v: got %v, want %v", kind, err, want)
		}
		if list, err := n.List(); len(list) != 0 || err != nil {
			t.Errorf("%v: left %v, %v", kind, list, err)
		}
		n.verify("ann", "secret", ErrCredentials)
	}
}

// TestUnansweredRegistration goes on where a time-out or a crash left it.
func TestUnansweredRegistration(t *testing.T) {
	for _, applied := range []bool{false, true} {
		for _, again := range []string{"register", "verify"} {
			t.Run(fmt.Sprintf("applied %v, then %s", applied, again), func(t *testing.T) {
				w := newWorld(t)
				n := w.node(1)
				w.refuse, w.applied = errs.Timeout, applied
				_, err := n.Register(t.Context(), "ann", "secret")
				if applied != (err == nil) {
					t.Fatalf("first try: %v", err)
				}
				w.refuse = nil
				n.restart()
				if applied {
					n.verify("ann", "secret", nil)
					return
				}
				if err := n.scram("ann", "secret"); !errors.Is(err, ErrCredentials) {
					t.Errorf("SCRAM of a name that nobody knows: %v", err)
				}
				if _, err := n.Register(t.Context(), "ann", "other"); !errors.Is(err, ErrExists) {
					t.Errorf("somebody else takes it up: %v", err)
				}
				n.verify("ann", "other", ErrCredentials)
				if again == "register" {
					n.register("ann", "secret")
				}
				n.verify("ann", "secret", nil)
			})
		}
	}
}

// TestRefusedRetryKeepsTheKey: the first request may still be on its way.
func TestRefusedRetryKeepsTheKey(t *testing.T) {
	w := newWorld(t)
	n := w.node(1)
	for _, refuse := range []error{errs.Timeout, errs.Quota, context.DeadlineExceeded} {
		w.refuse = refuse
		if _, err := n.Register(t.Context(), "ann", "secret"); !errors.Is(err, refuse) {
			t.Fatalf("got %v, want %v", err, refuse)
		}
		if list, err := n.List(); len(list) != 1 || list[0].Active || err != nil {
			t.Fatalf("after %v: %+v, %v", refuse, list, err)
		}
		n.verify("ann", "secret", refuse)
	}
	w.refuse = errs.Exists // and the directory here does not show it yet
	n.verify("ann", "secret", ErrCredentials)
	if list, err := n.List(); len(list) != 0 || err != nil {
		t.Errorf("left %+v, %v", list, err)
	}
}

// TestAFrozenDirectoryIsNamed: at once, and then nothing is left; or while it is waited for, and then the same can be done again.
func TestAFrozenDirectoryIsNamed(t *testing.T) {
	w := newWorld(t)
	n := w.node(1)
	w.frozen = true
	if _, err := n.Register(t.Context(), "ann", "secret"); !errors.Is(err, ErrFrozen) || !errors.Is(err, errs.Frozen) {
		t.Errorf("frozen: %v", err)
	}
	if list, err := n.List(); len(list) != 0 || err != nil {
		t.Errorf("left %v, %v", list, err)
	}
	w.frozen, w.refuse = false, errs.Frozen
	if _, err := n.Register(t.Context(), "ann", "another"); !errors.Is(err, ErrFrozen) {
		t.Errorf("frozen meanwhile: %v", err)
	}
	w.refuse = nil
	n.register("ann", "another")
	other := w.node(2)
	w.refuse = errs.Frozen
	other.verify("ann", "another", ErrFrozen)
}

func TestLostRegistrationGivesWay(t *testing.T) {
	w := newWorld(t)
	slow, quick := w.node(1), w.node(2)
	w.refuse = errs.Frozen
	if _, err := slow.Register(t.Context(), "ann", "mine"); err == nil {
		t.Fatal("registered without a directory")
	}
	w.refuse = nil
	quick.register("ann", "hers")
	slow.verify("ann", "mine", ErrCredentials)
	if err := slow.scram("ann", "hers"); !errors.Is(err, ErrElsewhere) {
		t.Errorf("SCRAM with the lost key: %v", err)
	}
	slow.verify("ann", "hers", nil)
	if err := slow.scram("ann", "hers"); err != nil {
		t.Error(err)
	}
}

func TestConcurrentRegistration(t *testing.T) {
	w := newWorld(t)
	nodes := []*node{w.node(1), w.node(2)}
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		won  []string
		lost int
	)
	for i := range 8 {
		all.Go(func() {
			password := fmt.Sprintf("secret %d", i)
			_, err := nodes[i%2].Register(t.Context(), "ann", password)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won = append(won, password)
			case errors.Is(err, ErrExists):
				lost++
			default:
				t.Errorf("register: %v", err)
			}
		})
	}
	all.Wait()
	if len(won) != 1 || lost != 7 {
		t.Fatalf("%d won, %d lost", len(won), lost)
	}
	for _, n := range nodes {
		n.verify("ann", won[0], nil)
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

func TestServeOnlyInside(t *testing.T) {
	w := newWorld(t)
	home, out := w.node(1), w.node(2)
	home.register("ann", "secret")
	out.out = true
	q := rooms.Marshal(question{Op: opParams, Name: "ann"})
	if _, err := home.ServeSealed(t.Context(), out.id, q); err == nil {
		t.Error("a node that was put out is answered")
	}
	if _, err := home.ServeSealed(t.Context(), rooms.NodeID{9}, q); err == nil {
		t.Error("a stranger is answered")
	}
	if _, err := home.ServeSealed(t.Context(), home.id, make([]byte, MaxRequest+1)); err == nil {
		t.Error("a long request is answered")
	}
	if ans := home.put(t, home.id, question{Op: opParams, Name: "bob"}); ans.Status != statusNotHere {
		t.Errorf("nobody's: %+v", ans)
	}
	ans := home.put(t, home.id, question{Op: opOpen, Name: "ann", Revision: 2, Token: make([]byte, 32)})
	if ans.Status != statusStale || ans.Record != nil {
		t.Errorf("another revision: %+v", ans)
	}
}

func TestGuessesAreCounted(t *testing.T) {
	w := newWorld(t)
	home := w.node(1)
	home.register("ann", "secret")
	r, _ := home.load("ann")
	guess := func(from *node) uint8 {
		t.Helper()
		return home.put(t, from.id, question{Op: opOpen, Name: "ann", Revision: r.Revision, Time: r.Time, Token: make([]byte, 32)}).Status
	}
	first := w.node(2)
	for i := range guessesPerNode {
		if got := guess(first); got != statusWrong {
			t.Fatalf("guess %d: status %d", i, got)
		}
	}
	if got := guess(first); got != statusBusy {
		t.Errorf("one too many: status %d", got)
	}
	first.verify("ann", "secret", ErrBusy)
	w.pass(guessWindow)
	first.verify("ann", "secret", nil)

	n := 0
	for b := byte(10); n < guessesPerAccount; b++ {
		from := w.node(b)
		for range guessesPerNode {
			if got := guess(from); got != statusWrong {
				t.Fatalf("guess %d: status %d", n, got)
			}
			n++
		}
	}
	if got := guess(w.node(100)); got != statusBusy {
		t.Errorf("too many of all nodes: status %d", got)
	}
	for range asksPerNode {
		home.put(t, first.id, question{Op: opParams, Name: "bob"})
	}
	if ans := home.put(t, first.id, question{Op: opParams, Name: "ann"}); ans.Status != statusBusy {
		t.Errorf("too many questions: %+v", ans)
	}
}

func TestTriesAreCounted(t *testing.T) {
	w := newWorld(t)
	n := w.node(1)
	n.register("ann", "secret")
	for range triesPerAccount {
		n.verify("ann", "wrong", ErrCredentials)
	}
	n.verify("ann", "wrong", ErrBusy)
	n.verify("ann", "secret", nil) // who was right before is not locked out
	n.restart()
	for range triesPerAccount {
		n.verify("ann", "wrong", ErrCredentials)
	}
	n.verify("ann", "secret", ErrBusy)
	w.pass(time.Minute)
	for range 2 * triesPerAccount { // right ones do not count
		n.cache.entries = map[string]entry{}
		n.verify("ann", "secret", nil)
	}
	for i := range registrationsPerMinute {
		n.register(fmt.Sprintf("user%d", i), "x")
	}
	if _, err := n.Register(t.Context(), "onemore", "x"); !errors.Is(err, ErrBusy) {
		t.Errorf("too many registrations: %v", err)
	}
}

// TestRememberedPasswords counts hashes by what they need: a free slot.
func TestRememberedPasswords(t *testing.T) {
	w := newWorld(t)
	n := w.node(1)
	n.register("ann", "secret")
	for range cap(n.hash.queue) {
		n.hash.queue <- struct{}{} // every hash is ErrBusy now
	}
	n.verify("ann", "secret", nil)
	n.verify("ann", "wrong", ErrBusy)
	w.pass(cacheFor)
	n.verify("ann", "secret", ErrBusy)
	for range cap(n.hash.queue) {
		<-n.hash.queue
	}
	n.verify("ann", "secret", nil)
	for i := range 2 * maxCached {
		n.cache.remember(&Record{Name: fmt.Sprint(i)}, "x")
	}
	if len(n.cache.entries) > maxCached {
		t.Errorf("%d entries", len(n.cache.entries))
	}
}

func TestWindowAndTurnsAreBounded(t *testing.T) {
	now := time.UnixMilli(0)
	win := newWindow(func() time.Time { return now }, time.Minute, 2)
	for i := range maxWindowKeys {
		if !win.take(fmt.Sprint(i)) {
			t.Fatal("refused early")
		}
	}
	if win.take("one more") || !win.take("1") || win.take("1") {
		t.Error("limits of keys or counts do not hold")
	}
	win.back("1")
	if !win.take("1") {
		t.Error("given back in vain")
	}
	now = now.Add(time.Minute)
	if !win.take("one more") {
		t.Error("the window does not end")
	}
	now = now.Add(-time.Hour)
	for range 2 {
		if !win.take("one more") {
			t.Error("a clock set back locks out")
		}
	}

	tu := newTurns(1)
	release, err := tu.take(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tu.take(ctx, "ann"); !errors.Is(err, context.Canceled) {
		t.Errorf("second: %v", err)
	}
	tu.names["ann"].users++
	if _, err := tu.take(t.Context(), "ann"); !errors.Is(err, ErrBusy) {
		t.Errorf("third: %v", err)
	}
	tu.names["ann"].users--
	release()
	if len(tu.names) != 0 {
		t.Error("turns are kept")
	}
}
