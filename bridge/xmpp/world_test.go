package xmpp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"warren/bridge"
	"warren/bridge/bridgetest"
	"warren/bridge/login"
	"warren/perms"
	"warren/rooms"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

const password = "pass word"

// accounts is a login.Accounts of one node.
type accounts struct {
	t    testing.TB
	node *bridgetest.Node
	mu   sync.Mutex
	pw   map[string]string
	err  error // given instead of an answer
}

func (a *accounts) Verify(_ context.Context, name, pw string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		return "", a.err
	}
	if want, ok := a.pw[name]; !ok || want != pw {
		return "", login.ErrCredentials
	}
	return name, nil
}

func (a *accounts) Scram(_ context.Context, name string, h login.Hash) (string, login.ScramKeys, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		return "", login.ScramKeys{}, a.err
	}
	pw, ok := a.pw[name]
	if !ok {
		return "", login.ScramKeys{}, login.ErrCredentials
	}
	return name, login.MakeScram(pw, h, []byte("salt of sixteen."), 4096), nil
}

func (a *accounts) Register(_ context.Context, name, pw string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, taken := a.pw[name]; taken {
		return "", login.ErrExists
	}
	if pw == "" {
		return "", login.ErrPassword
	}
	a.node.Register(a.t, name)
	a.pw[name] = pw
	return name, nil
}

// site is one node of a test's network, with its XMPP server on loopback.
type site struct {
	t    testing.TB
	w    *bridgetest.Node
	hub  *bridge.Hub
	acc  *accounts
	srv  *Server
	addr string
}

type network struct {
	t   testing.TB
	net *bridgetest.Network
}

func newNetwork(t testing.TB) *network { return &network{t, bridgetest.New(t)} }

// node adds a node on which the accounts can log in; those that exist already get it as a device.
func (n *network) node(name string, change func(*Config), users ...string) *site {
	n.t.Helper()
	w := n.net.Node(n.t, name)
	x := &site{t: n.t, w: w, hub: bridge.New(bridge.Config{World: w, Wire: w}), acc: &accounts{t: n.t, node: w, pw: map[string]string{}}}
	x.hub.SetRunner(echoBot{})
	for _, u := range users {
		known := false
		w.Directory(func(d *rooms.Directory) { _, known = d.Accounts[u] })
		if known {
			w.AddDevice(n.t, u)
		} else {
			w.Register(n.t, u)
		}
		x.acc.pw[u] = password
	}
	cfg := Config{Domain: "localhost", Hub: x.hub, Accounts: x.acc, TLS: testTLS(), RegistrationOpen: true, Version: "test"}
	if change != nil {
		change(&cfg)
	}
	x.srv = New(cfg)
	x.addr = x.listen(false)
	n.t.Cleanup(func() {
		_ = x.srv.Close()
		x.hub.Close()
	})
	return x
}

func (x *site) listen(direct bool) string {
	x.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		x.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- x.srv.Serve(l, direct) }()
	x.t.Cleanup(func() {
		_ = l.Close()
		if err := <-done; err != nil {
			x.t.Errorf("serve: %v", err)
		}
	})
	return l.Addr().String()
}

// echoBot answers every line that begins with '!'.
type echoBot struct{}

func (echoBot) Is(line string) bool { return strings.HasPrefix(line, "!") }

func (echoBot) Run(_ context.Context, s *bridge.Session, t *bridge.Seat, line string) bridge.Reply {
	if room, ok := strings.CutPrefix(line, "!go "); ok {
		s.GoTo(room)
		return bridge.Reply{}
	}
	where := "in private"
	if t != nil {
		where = "in #" + t.Name()
	}
	return bridge.Reply{Lines: []string{"heard " + where, line}}
}

var testTLS = sync.OnceValue(func() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
})

// conversation returns the id of the conversation of two accounts, which have spoken.
func (x *site) conversation(a, b string) (id rooms.RoomID) {
	x.hub.World().Directory(func(d *rooms.Directory) {
		rec, _ := d.RoomByName(rooms.DirectName(perms.Account(a), perms.Account(b)))
		id = rec.ID
	})
	return id
}

// knows waits until news has come that an account is online: what is not ordered is sent to no others.
func (x *site) knows(account string) {
	x.t.Helper()
	news := make(chan struct{}, 1)
	stop := x.hub.WatchUsers(func(_, now bridge.User) {
		if now.Account == account && now.Online {
			select {
			case news <- struct{}{}:
			default:
			}
		}
	})
	defer stop()
	if len(x.hub.UsersOf(account)) > 0 {
		return
	}
	select {
	case <-news:
	case <-time.After(patience):
		x.t.Fatalf("no news of %s", account)
	}
}
