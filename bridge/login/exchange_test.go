package login

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xdg-go/scram"
	"mellium.im/sasl"

	"warren/bridge/names"
)

// accounts is one account, with its keys here or elsewhere.
type accounts struct {
	name, password string
	salt           []byte
	iterations     int
	elsewhere      bool
	broken         error
	secret         []byte
}

func (a *accounts) Verify(_ context.Context, name, password string) (string, error) {
	if a.broken != nil {
		return "", a.broken
	}
	if name != a.name || password != a.password {
		return "", ErrCredentials
	}
	return a.name, nil
}

func (a *accounts) Scram(_ context.Context, name string, h Hash) (string, ScramKeys, error) {
	switch {
	case a.broken != nil:
		return "", ScramKeys{}, a.broken
	case name != a.name:
		return "", ScramKeys{}, ErrCredentials
	case a.elsewhere:
		return "", ScramKeys{}, ErrMechanism
	}
	return a.name, MakeScram(a.password, h, a.salt, a.iterations), nil
}

func (a *accounts) Register(context.Context, string, string) (string, error) { return "", ErrClosed }

type lasting struct{ *accounts }

func (l lasting) DecoySecret() []byte { return l.secret }

func unbase64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMechanisms(t *testing.T) {
	for _, c := range []struct {
		scram, plus bool
		want        []string
	}{
		{true, true, []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN"}},
		{true, false, []string{"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"}},
		{false, true, []string{"PLAIN"}},
		{false, false, []string{"PLAIN"}},
	} {
		if diff := cmp.Diff(c.want, Mechanisms(c.scram, c.plus)); diff != "" {
			t.Errorf("Mechanisms(%v, %v): %s", c.scram, c.plus, diff)
		}
	}
	exporter := []Binding{{"tls-exporter", []byte("x")}}
	for _, c := range []struct {
		mech     string
		bindings []Binding
		ok       bool
	}{
		{"PLAIN", nil, true}, {"plain", nil, true}, {"SCRAM-SHA-1", exporter, true}, {"SCRAM-SHA-256-PLUS", exporter, true},
		{"SCRAM-SHA-256-PLUS", nil, false}, {"PLAIN-PLUS", exporter, false}, {"EXTERNAL", nil, false}, {"", nil, false}, {"-PLUS", exporter, false},
	} {
		if _, err := New(c.mech, &accounts{}, c.bindings); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrUnknown) {
			t.Errorf("New(%q, %v): %v", c.mech, c.bindings, err)
		}
	}
}

// TestVectors replays the examples of RFC 5802 §5 and RFC 7677 §3.
func TestVectors(t *testing.T) {
	for _, c := range []struct {
		mech, salt, nonce, first, challenge, final, signature string
	}{
		{
			"SCRAM-SHA-1", "QSXCR+Q6sek8bf92", "3rfcNHYJY1ZVvWVs7j",
			"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
			"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
			"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
			"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
		}, {
			"SCRAM-SHA-256", "W22ZaJ0SNY7soEsUEjb6gQ==", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
			"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
			"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
			"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
			"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
		},
	} {
		t.Run(c.mech, func(t *testing.T) {
			e, err := New(c.mech, &accounts{name: "user", password: "pencil", salt: unbase64(t, c.salt), iterations: 4096}, nil)
			if err != nil {
				t.Fatal(err)
			}
			e.mech.(*scramServer).nonce = func() string { return c.nonce }
			if out, done, err := e.Step(t.Context(), nil); len(out) != 0 || out == nil || done || err != nil {
				t.Fatalf("without an initial message: %q, %v, %v", out, done, err)
			}
			if out, done, err := e.Step(t.Context(), []byte(c.first)); string(out) != c.challenge || done || err != nil {
				t.Fatalf("first: got %q, %v, %v", out, done, err)
			}
			if e.Account() != "" {
				t.Error("an account before the proof")
			}
			if out, done, err := e.Step(t.Context(), []byte(c.final)); string(out) != c.signature || !done || err != nil {
				t.Fatalf("final: got %q, %v, %v", out, done, err)
			}
			if e.Account() != "user" {
				t.Errorf("account %q", e.Account())
			}
			if _, _, err := e.Step(t.Context(), []byte(c.final)); !errors.Is(err, ErrMalformed) {
				t.Errorf("a step after the end: %v", err)
			}
		})
	}
}

// drive runs a client of the other library against us and returns what our side says.
func drive(t *testing.T, e *Exchange, client *sasl.Negotiator) error {
	t.Helper()
	_, msg, err := client.Step(nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		out, done, err := e.Step(t.Context(), msg)
		if err != nil {
			return err
		}
		if done && len(out) == 0 {
			return nil
		}
		if _, msg, err = client.Step(out); err != nil {
			t.Fatalf("client: %v", err)
		}
		if done {
			return nil
		}
	}
	t.Fatal("no end")
	return nil
}

func TestClientOfAnotherLibrary(t *testing.T) {
	acc := &accounts{name: "ann", password: "pen,cil=\u00fc", salt: []byte("0123456789abcdef"), iterations: 4096}
	for _, m := range []sasl.Mechanism{sasl.Plain, sasl.ScramSha1, sasl.ScramSha256} {
		for _, c := range []struct {
			name, password string
			want           error
		}{
			{"ann", acc.password, nil}, {"Ann", acc.password, nil}, {"ann", "wrong", ErrCredentials}, {"bob", acc.password, ErrCredentials},
			{"no such name", "x", ErrCredentials},
		} {
			e, err := New(m.Name, acc, nil)
			if err != nil {
				t.Fatal(err)
			}
			client := sasl.NewClient(m, sasl.Credentials(func() ([]byte, []byte, []byte) { return []byte(c.name), []byte(c.password), nil }))
			if err := drive(t, e, client); !errors.Is(err, c.want) {
				t.Errorf("%s %s/%s: got %v, want %v", m.Name, c.name, c.password, err, c.want)
			}
			want := ""
			if c.want == nil {
				want = "ann"
			}
			if e.Account() != want {
				t.Errorf("%s %s: account %q", m.Name, c.name, e.Account())
			}
		}
	}
}

func TestPlain(t *testing.T) {
	acc := &accounts{name: "ann", password: "secret"}
	for _, c := range []struct {
		in   string
		want error
	}{
		{"\x00ann\x00secret", nil},
		{"ann\x00ann\x00secret", nil},
		{"ANN\x00Ann\x00secret", nil},
		{"bob\x00ann\x00secret", ErrCredentials},
		{"?!\x00ann\x00secret", ErrCredentials},
		{"\x00ann\x00Secret", ErrCredentials},
		{"\x00bob\x00secret", ErrCredentials},
		{"\x00a b\x00secret", ErrCredentials},
		{"\x00ann\x00" + strings.Repeat("x", 1025), ErrCredentials},
		{"", ErrMalformed},
		{"ann", ErrMalformed},
		{"\x00ann", ErrMalformed},
		{"\x00ann\x00", ErrMalformed},
		{"\x00\x00secret", ErrMalformed},
		{"\x00ann\x00secret\x00", ErrMalformed},
		{"\x00ann\x00sec\xffret", ErrMalformed},
		{"\x00ann\x00" + strings.Repeat("x", MaxMessage), ErrMalformed},
	} {
		e, err := New(Plain, acc, nil)
		if err != nil {
			t.Fatal(err)
		}
		out, done, err := e.Step(t.Context(), []byte(c.in))
		if !errors.Is(err, c.want) || done != (c.want == nil) || len(out) != 0 {
			t.Errorf("%.40q: got %q, %v, %v, want %v", c.in, out, done, err, c.want)
		}
		if (e.Account() == "ann") != (c.want == nil) {
			t.Errorf("%.40q: account %q", c.in, e.Account())
		}
	}
	broken := errors.New("disk")
	e, _ := New(Plain, &accounts{broken: broken}, nil)
	if _, _, err := e.Step(t.Context(), []byte("\x00ann\x00secret")); !errors.Is(err, broken) || errors.Is(err, ErrCredentials) {
		t.Errorf("failing node: %v", err)
	}
	if _, _, err := e.Step(t.Context(), []byte("\x00ann\x00secret")); !errors.Is(err, ErrMalformed) {
		t.Errorf("a step after an error: %v", err)
	}
	e, _ = New(Plain, acc, nil)
	for i, want := range []error{nil, ErrMalformed} {
		if _, _, err := e.Step(t.Context(), nil); !errors.Is(err, want) {
			t.Errorf("empty message %d: %v", i, err)
		}
	}
}

// TestNamesOfXMPP logs in with localparts and JIDs.
func TestNamesOfXMPP(t *testing.T) {
	acc := &accounts{name: `a\20b`, password: "secret", salt: []byte("salt"), iterations: 1}
	local := names.AccountToLocal(acc.name)
	xmpp := WithNames(names.LocalToAccount, func(jid string) (string, error) {
		l, domain, _ := strings.Cut(jid, "@")
		if domain != "example.org" {
			return "", errors.New("elsewhere")
		}
		return names.LocalToAccount(l)
	})
	for in, want := range map[string]error{
		"\x00" + local + "\x00secret":                            nil,
		local + "@example.org\x00" + local + "\x00secret":        nil,
		local + "@example.com\x00" + local + "\x00secret":        ErrCredentials,
		local + "\x00" + local + "\x00secret":                    ErrCredentials,
		"root@example.org\x00" + local + "\x00secret":            ErrCredentials,
		local + "@example.org\x00" + acc.name + "x" + "\x00oops": ErrCredentials,
	} {
		e, err := New(Plain, acc, nil, xmpp)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := e.Step(t.Context(), []byte(in)); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", in, err, want)
		}
	}
}

func TestChannelBinding(t *testing.T) {
	acc := &accounts{name: "ann", password: "secret", salt: []byte("salt"), iterations: 4096}
	ours := []Binding{{"tls-exporter", []byte("exported")}, {"tls-server-end-point", []byte("certificate")}}
	client := func(kind, data string) func(*scram.Client) *scram.ClientConversation {
		return func(c *scram.Client) *scram.ClientConversation {
			return c.NewConversationWithChannelBinding(scram.ChannelBinding{Type: scram.ChannelBindingType(kind), Data: []byte(data)})
		}
	}
	none := (*scram.Client).NewConversation
	cheated := (*scram.Client).NewConversationAdvertisingChannelBinding // sends 'y'
	for _, c := range []struct {
		name     string
		mech     string
		bindings []Binding
		client   func(*scram.Client) *scram.ClientConversation
		want     error
	}{
		{"bound by the first type", ScramSHA256Plus, ours, client("tls-exporter", "exported"), nil},
		{"bound by the second type", ScramSHA1Plus, ours, client("tls-server-end-point", "certificate"), nil},
		{"bound to another connection", ScramSHA256Plus, ours, client("tls-exporter", "other"), ErrCredentials},
		{"bound by a type we lack", ScramSHA256Plus, ours, client("tls-unique", "exported"), ErrMalformed},
		{"-PLUS without a binding", ScramSHA256Plus, ours, none, ErrMalformed},
		{"-PLUS with y", ScramSHA256Plus, ours, cheated, ErrMalformed},
		{"a binding without -PLUS", ScramSHA256, ours, client("tls-exporter", "exported"), ErrMalformed},
		{"client cannot bind", ScramSHA256, ours, none, nil},
		{"client did not see the offer", ScramSHA256, ours, cheated, ErrCredentials},
		{"client did not see an offer and there was none", ScramSHA1, nil, cheated, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			fn := scram.SHA256
			if strings.HasPrefix(c.mech, ScramSHA1) {
				fn = scram.SHA1
			}
			cl, err := fn.NewClient(acc.name, acc.password, "")
			if err != nil {
				t.Fatal(err)
			}
			conv := c.client(cl)
			e, err := New(c.mech, acc, c.bindings)
			if err != nil {
				t.Fatal(err)
			}
			var out []byte
			for done := false; !done && err == nil; {
				msg, cerr := conv.Step(string(out))
				if cerr != nil {
					t.Fatal(cerr)
				}
				out, done, err = e.Step(t.Context(), []byte(msg))
			}
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err == nil {
				if _, err := conv.Step(string(out)); err != nil || !conv.Valid() {
					t.Errorf("the client does not believe us: %v", err)
				}
			}
		})
	}
}

func TestScramRefusals(t *testing.T) {
	acc := &accounts{name: "ann", password: "secret", salt: []byte("salt"), iterations: 4096}
	for in, want := range map[string]error{
		"n,,n=ann,r=":                ErrMalformed,
		"n,,n=ann,r=a b":             ErrMalformed,
		"n,,n=ann":                   ErrMalformed,
		"x,,n=ann,r=abc":             ErrMalformed,
		"n,,m=ext,n=ann,r=abc":       ErrMalformed,
		"n,,n=a=nn,r=abc":            ErrMalformed,
		"n,b,n=ann,r=abc":            ErrMalformed,
		"n,a=bob,n=ann,r=abc":        ErrCredentials,
		"n,a=bob,n=nobody,r=abc":     ErrCredentials,
		"n,a=ann,n=ann,r=abc":        nil,
		"n,a=nobody,n=nobody,r=abc":  nil,
		"n,,n=ANN,r=abc":             nil,
		"n,,n=ann,r=abc,x=extension": nil,
	} {
		e, _ := New(ScramSHA256, acc, nil)
		if _, done, err := e.Step(t.Context(), []byte(in)); !errors.Is(err, want) || done {
			t.Errorf("%q: got %v, want %v", in, err, want)
		}
	}
	for _, final := range []string{"", "c=biws", "c=biws,r=abcNONCE,p=", "c=biws,r=abcNONCE,p=AAAA", "c=biws,r=abc,p=AAAA", "c=!,r=abcNONCE,p=AAAA"} {
		e, _ := New(ScramSHA256, acc, nil)
		e.mech.(*scramServer).nonce = func() string { return "NONCE" }
		if _, _, err := e.Step(t.Context(), []byte("n,,n=ann,r=abc")); err != nil {
			t.Fatal(err)
		}
		if _, done, err := e.Step(t.Context(), []byte(final)); !errors.Is(err, ErrMalformed) || done {
			t.Errorf("%q: got %v", final, err)
		}
	}
	acc.elsewhere = true
	e, _ := New(ScramSHA256, acc, nil)
	if _, _, err := e.Step(t.Context(), []byte("n,,n=ann,r=abc")); !errors.Is(err, ErrMechanism) {
		t.Errorf("keys elsewhere: %v", err)
	}
	acc.elsewhere, acc.salt = false, nil
	e, _ = New(ScramSHA256, acc, nil)
	if _, _, err := e.Step(t.Context(), []byte("n,,n=ann,r=abc")); err == nil || errors.Is(err, ErrCredentials) {
		t.Errorf("damaged keys: %v", err)
	}
}

// TestUnknownLooksKnown checks that a challenge does not tell whether the account exists.
func TestUnknownLooksKnown(t *testing.T) {
	acc := &accounts{name: "ann", password: "secret", salt: make([]byte, SaltLen), iterations: Iterations, secret: []byte("sixteen bytes or")}
	ask := func(a Accounts, mech, name string) []string {
		t.Helper()
		e, _ := New(mech, a, nil)
		e.mech.(*scramServer).nonce = func() string { return "NONCE" }
		out, _, err := e.Step(t.Context(), []byte("n,,n="+name+",r=abc"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(string(out), ",")
	}
	known, unknown := ask(acc, ScramSHA256, "ann"), ask(acc, ScramSHA256, "bob")
	if len(known[1]) != len(unknown[1]) || known[2] != unknown[2] {
		t.Errorf("shapes differ: %q, %q", known, unknown)
	}
	if again := ask(acc, ScramSHA256, "BOB"); !slices.Equal(unknown, again) {
		t.Errorf("salt changes between tries: %q, %q", unknown, again)
	}
	if other := ask(acc, ScramSHA256, "carol"); other[1] == unknown[1] {
		t.Error("two unknown accounts have one salt")
	}
	if other := ask(acc, ScramSHA1, "bob"); other[1] == unknown[1] {
		t.Error("two hashes have one salt")
	}
	kept := ask(lasting{acc}, ScramSHA256, "bob")
	if kept[1] == unknown[1] || !slices.Equal(kept, ask(lasting{acc}, ScramSHA256, "bob")) {
		t.Error("the lasting secret is not used")
	}
}

func FuzzStep(f *testing.F) {
	f.Add(uint8(0), []byte("\x00ann\x00secret"), []byte{})
	f.Add(uint8(1), []byte("n,,n=ann,r=abc"), []byte("c=biws,r=abcNONCE,p=AAAA"))
	f.Add(uint8(2), []byte("y,a=ann,n=ann,r=abc"), []byte("c=eSwsYQ==,r=abcNONCE,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="))
	f.Add(uint8(3), []byte("p=tls-exporter,,n=ann,r=abc"), []byte("c=cD10bHM=,r=abcNONCE,x=y,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="))
	acc := &accounts{name: "ann", password: "a password that is not guessed", salt: []byte("salt"), iterations: 1}
	f.Fuzz(func(t *testing.T, which uint8, first, second []byte) {
		all := Mechanisms(true, true)
		e, err := New(all[int(which)%len(all)], acc, []Binding{{"tls-exporter", []byte("exported")}})
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := e.mech.(*scramServer); ok {
			s.nonce = func() string { return "NONCE" }
		}
		for _, in := range [][]byte{first, second, first} {
			out, done, err := e.Step(t.Context(), in)
			if done || e.Account() != "" {
				t.Fatalf("logged in with %q, %q", first, second)
			}
			if err != nil && out != nil {
				t.Fatalf("%q beside %v", out, err)
			}
			if err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrCredentials) {
				t.Fatalf("error of another kind: %v", err)
			}
		}
	})
}
