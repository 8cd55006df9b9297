package xmpp

import (
	"encoding/base64"
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

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
