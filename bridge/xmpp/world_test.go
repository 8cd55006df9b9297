package xmpp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
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

// client is a scripted XMPP client.
type client struct {
	t    testing.TB
	nc   net.Conn
	r    *reader
	got  []*element // read and not yet wanted
	full string
}

func (x *site) dial() *client {
	x.t.Helper()
	nc, err := net.Dial("tcp", x.addr)
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { _ = nc.Close() })
	return &client{t: x.t, nc: nc}
}

const header = "<?xml version='1.0'?><stream:stream to='localhost' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"

// open sends a stream header and reads the server's, and the features.
func (c *client) open() *element {
	c.t.Helper()
	c.send(header)
	c.opened()
	return c.expect("features", func(e *element) bool { return e.is(nsStream, "features") })
}

func (c *client) opened() {
	c.t.Helper()
	_ = c.nc.SetReadDeadline(time.Now().Add(patience))
	c.r = newReader(c.nc, 1<<20)
	if _, err := c.r.header(); err != nil {
		c.t.Fatalf("stream header: %v", err)
	}
}

func (c *client) send(s string) {
	c.t.Helper()
	_ = c.nc.SetWriteDeadline(time.Now().Add(patience))
	if _, err := c.nc.Write([]byte(s)); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// read returns the next element, kept or from the stream.
func (c *client) read() (*element, error) {
	_ = c.nc.SetReadDeadline(time.Now().Add(patience))
	return c.r.next()
}

// expect returns the first element that fits; others are kept for later.
func (c *client) expect(what string, fits func(*element) bool) *element {
	c.t.Helper()
	for i, e := range c.got {
		if fits(e) {
			c.got = append(c.got[:i:i], c.got[i+1:]...)
			return e
		}
	}
	for {
		e, err := c.read()
		if err != nil {
			c.t.Fatalf("no %s: %v; kept: %s", what, err, dump(c.got))
		}
		if fits(e) {
			return e
		}
		c.got = append(c.got, e)
	}
}

func dump(all []*element) string {
	var b []byte
	for _, e := range all {
		b = append(e.appendXML(append(b, "\n  "...), nsClient), '\n')
	}
	return string(b)
}

// none fails when something that fits came before the answer to a ping.
func (c *client) none(what string, fits func(*element) bool) {
	c.t.Helper()
	c.sync()
	for _, e := range c.got {
		if fits(e) {
			c.t.Errorf("unexpected %s: %s", what, e.bytes())
		}
	}
}

// sync waits until the server has answered a ping: what it sent before was read.
func (c *client) sync() {
	c.t.Helper()
	id := newID()
	c.send("<iq type='get' id='" + id + "' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
	c.expect("pong", func(e *element) bool { return e.attr("id") == id })
}

// ask sends an iq and returns the answer.
func (c *client) ask(kind, to, payload string) *element {
	c.t.Helper()
	id := newID()
	addr := ""
	if to != "" {
		addr = " to='" + to + "'"
	}
	c.send("<iq type='" + kind + "' id='" + id + "'" + addr + ">" + payload + "</iq>")
	return c.expect("answer to "+payload, func(e *element) bool { return e.attr("id") == id && e.Name.Local == "iq" })
}

// result is ask for what must not fail.
func (c *client) result(kind, to, payload string) *element {
	c.t.Helper()
	e := c.ask(kind, to, payload)
	if e.attr("type") != "result" {
		c.t.Fatalf("%s: %s", payload, e.bytes())
	}
	return e
}

// refused is ask for what must fail with this condition.
func (c *client) refused(condition, kind, to, payload string) {
	c.t.Helper()
	wantError(c.t, c.ask(kind, to, payload), condition)
}

func wantError(t testing.TB, e *element, condition string) {
	t.Helper()
	if e.attr("type") != "error" || e.child(nsClient, "error").child(nsStanzaErr, condition) == nil {
		t.Errorf("got %s, want the error %s", e.bytes(), condition)
	}
}

// plain logs in with PLAIN in clear: loopback may.
func (c *client) plain(account, pw string) {
	c.t.Helper()
	c.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + base64.StdEncoding.EncodeToString([]byte("\x00"+account+"\x00"+pw)) + "</auth>")
	c.expect("success", func(e *element) bool { return e.is(nsSASL, "success") })
}

// bind binds a resource and becomes available.
func (c *client) bind(resource string) {
	c.t.Helper()
	c.send("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>" + resource + "</resource></bind></iq>")
	e := c.expect("bound", func(e *element) bool { return e.attr("id") == "bind" })
	c.full = e.child(nsBind, "bind").childText(nsBind, "jid")
	if c.full == "" {
		c.t.Fatalf("bind: %s", e.bytes())
	}
}

// login returns a client that has logged in and bound.
func (x *site) login(account, resource string) *client {
	x.t.Helper()
	c := x.dial()
	c.open()
	c.plain(account, password)
	c.open()
	c.bind(resource)
	return c
}

// online is login with initial presence and the roster asked for.
func (x *site) online(account, resource string) *client {
	x.t.Helper()
	c := x.login(account, resource)
	c.result("get", "", "<query xmlns='jabber:iq:roster'/>")
	c.send("<presence/>")
	return c
}

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

const lobby = "lobby@rooms.localhost"

// join enters a room and returns the self-presence.
func (c *client) join(room, nick string) *element {
	c.t.Helper()
	c.sync()
	c.got = nil // what was before the join
	c.send("<presence to='" + room + "/" + nick + "'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
	return c.joined(room)
}

func (c *client) joined(room string) *element {
	c.t.Helper()
	self := c.expect("self-presence", func(e *element) bool {
		return e.Name.Local == "presence" && strings.HasPrefix(e.attr("from"), room+"/") && (hasCode(e, "110") || e.attr("type") == "error")
	})
	if self.attr("type") != "error" {
		c.expect("subject", func(e *element) bool { return e.child(nsClient, "subject") != nil && e.child(nsClient, "body") == nil })
	}
	return self
}

func hasCode(e *element, code string) bool {
	for _, k := range e.child(nsMUCUser, "x").children() {
		if k.is(nsMUCUser, "status") && k.attr("code") == code {
			return true
		}
	}
	return false
}

// body is a message with this text.
func body(text string) func(*element) bool {
	return func(e *element) bool { return e.Name.Local == "message" && e.childText(nsClient, "body") == text }
}

// presenceOf is presence from this address, of this type.
func presenceOf(from, kind string) func(*element) bool {
	return func(e *element) bool {
		return e.Name.Local == "presence" && e.attr("from") == from && e.attr("type") == kind
	}
}

// irc is a session of another protocol: it keeps what it is shown.
type irc struct {
	t    testing.TB
	s    *bridge.Session
	mu   sync.Mutex
	got  []bridge.Delivery
	news chan struct{}
}

func (x *site) irc(account, nick string) *irc {
	x.t.Helper()
	i := &irc{t: x.t, news: make(chan struct{}, 1)}
	s, err := x.hub.Attach(i, bridge.Person{Account: account, Nick: nick, View: "irc"})
	if err != nil {
		x.t.Fatal(err)
	}
	i.s = s
	return i
}

func (i *irc) Deliver(d bridge.Delivery) {
	i.mu.Lock()
	i.got = append(i.got, d)
	i.mu.Unlock()
	select {
	case i.news <- struct{}{}:
	default:
	}
}

func (i *irc) expect(what string, fits func(bridge.Delivery) bool) bridge.Delivery {
	i.t.Helper()
	timeout := time.After(patience)
	for {
		i.mu.Lock()
		for _, d := range i.got {
			if fits(d) {
				i.mu.Unlock()
				return d
			}
		}
		i.mu.Unlock()
		select {
		case <-i.news:
		case <-timeout:
			i.t.Fatalf("no %s", what)
		}
	}
}

// says is a delivery of talk with this text.
func says(text string) func(bridge.Delivery) bool {
	return func(d bridge.Delivery) bool {
		if d.Event == nil {
			return false
		}
		b, ok := d.Event.Body.(*rooms.Say)
		return ok && b.Text == text
	}
}

func (i *irc) join(room string) *bridge.Seat {
	i.t.Helper()
	t, err := i.s.Join(i.t.Context(), room, bridge.JoinOptions{Create: true})
	if err != nil {
		i.t.Fatal(err)
	}
	return t
}

func (i *irc) do(t *bridge.Seat, b rooms.Body) {
	i.t.Helper()
	if err := t.Wait(i.t.Context(), b, nil); err != nil {
		i.t.Fatalf("%T: %v", b, err)
	}
}

// ended reads until the stream ends and returns the condition of the stream error, empty for none.
func (c *client) ended() string {
	c.t.Helper()
	condition := ""
	for {
		e, err := c.read()
		if errors.Is(err, errStreamEnd) {
			return condition
		}
		if err != nil {
			c.t.Fatalf("the stream broke (%v) instead of ending; condition so far %q", err, condition)
		}
		if e.is(nsStream, "error") {
			for _, k := range e.children() {
				if k.Name.Local != "text" {
					condition = k.Name.Local
				}
			}
		}
	}
}
