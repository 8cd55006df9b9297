package xmpp

import (
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/xdg-go/scram"
	"warren/bridge/login"
	"warren/rooms/errs"
)

func TestNegotiationOffersWhatTheConnectionMay(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice")
	c := x.dial()
	f := c.open()
	if f.child(nsTLS, "starttls") == nil || f.child(nsSASL, "mechanisms") == nil || f.child(nsRegFeat, "register") == nil {
		t.Errorf("features in clear on loopback: %s", f.bytes())
	}
	c.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
	c.expect("proceed", func(e *element) bool { return e.is(nsTLS, "proceed") })
	c.nc = tls.Client(c.nc, &tls.Config{InsecureSkipVerify: true})
	if f = c.open(); f.child(nsTLS, "starttls") != nil || f.child(nsSASL, "mechanisms") == nil {
		t.Errorf("features after STARTTLS: %s", f.bytes())
	}
	c.plain("alice", password)
	if f = c.open(); f.child(nsBind, "bind") == nil || f.child(nsSASL, "mechanisms") != nil {
		t.Errorf("features after login: %s", f.bytes())
	}
	c.bind("x")
	if c.full != "alice@localhost/x" {
		t.Errorf("bound as %s", c.full)
	}
	c.send("</stream:stream>")
	if got := c.ended(); got != "" {
		t.Errorf("the stream ended with %s", got)
	}
}

func TestDirectTLS(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice")
	x.addr = x.listen(true)
	c := x.dial()
	c.nc = tls.Client(c.nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"xmpp-client"}})
	if f := c.open(); f.child(nsTLS, "starttls") != nil {
		t.Errorf("STARTTLS within TLS: %s", f.bytes())
	}
	c.plain("alice", password)
	c.open()
	c.bind("x")
}

// What is sent in clear behind the wish for TLS must not be taken for something said within TLS.
func TestNothingInjectedBeforeTLSIsHeard(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice")
	c := x.dial()
	c.open()
	c.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" + header + "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>")
	c.expect("proceed", func(e *element) bool { return e.is(nsTLS, "proceed") })
	tc := tls.Client(c.nc, &tls.Config{InsecureSkipVerify: true})
	if err := tc.Handshake(); err == nil {
		// The bytes in clear were read with the wish and dropped: the stream begins anew.
		c.nc = tc
		if f := c.open(); f.child(nsSASL, "mechanisms") == nil {
			t.Errorf("features: %s", f.bytes())
		}
		c.plain("alice", password) // the first answer is not one to the injected wish
		if len(c.got) > 0 {
			t.Errorf("answers to what was injected: %s", dump(c.got))
		}
	}
}

func TestStreamErrors(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice")
	long := strings.Repeat("a", 20<<10)
	for name, tt := range map[string]struct{ in, want string }{
		"another host":                {strings.Replace(header, "localhost", "example.org", 1), "host-unknown"},
		"another namespace":           {strings.Replace(header, "'jabber:client'", "'jabber:server'", 1), "invalid-namespace"},
		"another stream namespace":    {strings.Replace(header, "etherx", "ether", 1), "invalid-namespace"},
		"no version":                  {strings.Replace(header, "version='1.0'>", ">", 1), "unsupported-version"},
		"another encoding":            {strings.Replace(header, "<?xml version='1.0'?>", "<?xml version='1.0' encoding='latin1'?>", 1), "unsupported-encoding"},
		"a comment":                   {header + "<!-- hello -->", "restricted-xml"},
		"a document type":             {"<!DOCTYPE a [<!ENTITY a 'aaaa'>]>" + header, "restricted-xml"},
		"an entity":                   {header + "<iq>&lol;</iq>", "restricted-xml"},
		"a processing instruction":    {header + "<?php ?>", "restricted-xml"},
		"a stanza before login":       {header + "<message to='bob@localhost'><body>x</body></message>", "not-authorized"},
		"bad XML":                     {header + "<a><b></a>", "not-well-formed"},
		"no XML":                      {"GET / HTTP/1.1\r\n\r\n", "not-well-formed"},
		"an undeclared prefix":        {header + "<foo:bar/>", "bad-namespace-prefix"},
		"text between elements":       {header + "hello", "bad-format"},
		"an attribute twice":          {header + "<auth a='1' a='2'/>", "not-well-formed"},
		"a huge element before login": {header + "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + long, "policy-violation"},
		"a huge header":               {"<stream:stream a='" + long, "policy-violation"},
		"deep nesting":                {header + strings.Repeat("<a>", 100), "policy-violation"},
		"many parts":                  {header + "<iq>" + strings.Repeat("<a/>", 3900) + strings.Repeat("<b/>", 200), "policy-violation"},
	} {
		t.Run(name, func(t *testing.T) {
			c := x.dial()
			c.t = t
			_, _ = c.nc.Write([]byte(tt.in))
			c.opened()
			if got := c.ended(); got != tt.want {
				t.Errorf("got stream error %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLoginCanBeTriedAgain(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice")
	c := x.dial()
	c.open()
	failure := func(in, want string) {
		t.Helper()
		c.send(in)
		e := c.expect("failure", func(e *element) bool { return e.is(nsSASL, "failure") })
		if e.child(nsSASL, want) == nil {
			t.Errorf("%s: got %s, want %s", in, e.bytes(), want)
		}
	}
	auth := func(mech, data string) string {
		return "<auth xmlns='" + nsSASL + "' mechanism='" + mech + "'>" + data + "</auth>"
	}
	failure(auth("PLAIN", base64.StdEncoding.EncodeToString([]byte("\x00alice\x00wrong"))), "not-authorized")
	failure(auth("PLAIN", "%%%"), "incorrect-encoding")
	failure(auth("KERBEROS", ""), "invalid-mechanism")
	c.send(auth("PLAIN", ""))
	c.expect("challenge", func(e *element) bool { return e.is(nsSASL, "challenge") })
	failure("<abort xmlns='"+nsSASL+"'/>", "aborted")
	c.plain("alice", password)
	c.open()
	c.bind("x")
}

func TestTooManyTriesEndTheStream(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice")
	c := x.dial()
	c.open()
	for range maxTries {
		c.send("<auth xmlns='" + nsSASL + "' mechanism='NONE'/>")
	}
	if got := c.ended(); got != "policy-violation" {
		t.Errorf("got %q", got)
	}
}

func TestKeysElsewhereAskForAnotherMechanism(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice")
	for err, want := range map[error]string{
		login.ErrMechanism: "invalid-mechanism", login.ErrBusy: "temporary-auth-failure", login.ErrUnreachable: "temporary-auth-failure", errs.Frozen: "temporary-auth-failure",
	} {
		x.acc.mu.Lock()
		x.acc.err = err
		x.acc.mu.Unlock()
		c := x.dial()
		c.open()
		c.send("<auth xmlns='" + nsSASL + "' mechanism='SCRAM-SHA-256'>" + base64.StdEncoding.EncodeToString([]byte("n,,n=alice,r=abc")) + "</auth>")
		e := c.expect("failure", func(e *element) bool { return e.is(nsSASL, "failure") })
		text := err.Error()
		if err == errs.Frozen {
			text = login.TooFew
		}
		if e.child(nsSASL, want) == nil || e.childText(nsSASL, "text") != text {
			t.Errorf("%v: got %s", err, e.bytes())
		}
	}
}

func TestScram(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice")
	for mech, h := range map[string]scram.HashGeneratorFcn{"SCRAM-SHA-256": scram.SHA256, "SCRAM-SHA-1": scram.SHA1} {
		t.Run(mech, func(t *testing.T) {
			c := x.dial()
			c.open()
			c.scram(mech, h, scram.ChannelBinding{})
			c.open()
			c.bind("s")
		})
	}
}

// scram logs alice in; the server's signature is checked too.
func (c *client) scram(mech string, h scram.HashGeneratorFcn, binding scram.ChannelBinding) {
	c.t.Helper()
	user, err := h.NewClient("alice", password, "")
	if err != nil {
		c.t.Fatal(err)
	}
	conv := user.NewConversation()
	if binding.Type != "" {
		conv = user.NewConversationWithChannelBinding(binding)
	}
	out, err := conv.Step("")
	if err != nil {
		c.t.Fatal(err)
	}
	c.send("<auth xmlns='" + nsSASL + "' mechanism='" + mech + "'>" + base64.StdEncoding.EncodeToString([]byte(out)) + "</auth>")
	for {
		e := c.expect("answer", func(e *element) bool { return e.Name.Space == nsSASL })
		in, _ := base64.StdEncoding.DecodeString(e.text())
		if out, err = conv.Step(string(in)); err != nil {
			c.t.Fatalf("%s: %v", e.bytes(), err)
		}
		if e.Name.Local == "success" {
			break
		}
		c.send("<response xmlns='" + nsSASL + "'>" + base64.StdEncoding.EncodeToString([]byte(out)) + "</response>")
	}
	if !conv.Valid() {
		c.t.Error("the server did not prove that it knows the password")
	}
}

func TestScramPlus(t *testing.T) {
	x := newNetwork(t).node("n1", func(c *Config) { c.ChannelBinding = true }, "alice")
	x.addr = x.listen(true)
	c := x.dial()
	tc := tls.Client(c.nc, &tls.Config{InsecureSkipVerify: true})
	c.nc = tc
	f := c.open()
	if f.child(nsBinding, "sasl-channel-binding") == nil {
		t.Errorf("no channel binding offered: %s", f.bytes())
	}
	st := tc.ConnectionState()
	data, err := st.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	if err != nil {
		t.Fatal(err)
	}
	c.scram("SCRAM-SHA-256-PLUS", scram.SHA256, scram.ChannelBinding{Type: "tls-exporter", Data: data})
	c.open()
	c.bind("p")
}

func TestBindGivesAndReplacesResources(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice")
	a := x.login("alice", "phone")
	b := x.login("alice", "phone")
	if got := a.ended(); got != "conflict" {
		t.Errorf("the older client got %q", got)
	}
	b.sync()
	c := x.dial()
	c.open()
	c.plain("alice", password)
	c.open()
	c.send("<iq type='set' id='b'><bind xmlns='" + nsBind + "'/></iq>")
	e := c.expect("bound", func(e *element) bool { return e.attr("id") == "b" })
	if j := e.child(nsBind, "bind").childText(nsBind, "jid"); !strings.HasPrefix(j, "alice@localhost/") || len(j) < len("alice@localhost/")+8 {
		t.Errorf("generated: %s", e.bytes())
	}
	c.result("set", "", "<session xmlns='"+nsSession+"'/>")
}

func TestBindRefusesNonsense(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice")
	c := x.dial()
	c.open()
	c.plain("alice", password)
	c.open()
	c.refused("bad-request", "get", "", "<bind xmlns='"+nsBind+"'/>")
	c.refused("bad-request", "set", "", "<bind xmlns='"+nsBind+"'><resource>"+strings.Repeat("r", 2000)+"</resource></bind>")
	c.refused("not-allowed", "get", "localhost", "<ping xmlns='urn:xmpp:ping'/>")
	c.send("<message to='bob@localhost'/>")
	if got := c.ended(); got != "not-authorized" {
		t.Errorf("got %q", got)
	}
}

func TestRegister(t *testing.T) {
	n := newNetwork(t)
	x := n.node("n1", nil, "alice")
	c := x.dial()
	c.open()
	if q := c.result("get", "", "<query xmlns='jabber:iq:register'/>").child(nsRegister, "query"); q.child(nsRegister, "username") == nil {
		t.Errorf("form: %s", q.bytes())
	}
	set := func(name, pw string) string {
		return "<query xmlns='jabber:iq:register'><username>" + name + "</username><password>" + pw + "</password></query>"
	}
	c.refused("conflict", "set", "", set("alice", "x"))
	c.refused("jid-malformed", "set", "", set("not a name", "x"))
	c.refused("not-acceptable", "set", "", set("dora", ""))
	c.refused("bad-request", "set", "", "<query xmlns='jabber:iq:register'/>")
	d := x.dial()
	d.open()
	d.result("set", "", set("dora", password))
	d.plain("dora", password)
	d.open()
	d.bind("x")
	if q := d.result("get", "localhost", "<query xmlns='jabber:iq:register'/>").child(nsRegister, "query"); q.child(nsRegister, "registered") == nil {
		t.Errorf("registered: %s", q.bytes())
	}
	y := n.node("n2", func(c *Config) { c.RegistrationOpen = false })
	e := y.dial()
	e.open()
	e.refused("service-unavailable", "get", "", "<query xmlns='jabber:iq:register'/>")
}

func TestCloseSaysSystemShutdown(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice")
	c, d := x.login("alice", "x"), x.dial()
	d.open()
	if err := x.srv.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*client{c, d} {
		if got := c.ended(); got != "system-shutdown" {
			t.Errorf("got %q", got)
		}
	}
}

// A stream may be ended from anywhere while it only begins: for the race detector.
func TestAStreamEndsWhileItBegins(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice")
	for range 50 {
		near, far := net.Pipe()
		c := newConn(x.srv, far)
		go c.serve(false)
		c.end("system-shutdown", "the node stops")
		_, _ = io.Copy(io.Discard, near)
		<-c.gone
	}
}

// A server that closes while clients are being bound waits for nobody.
func TestCloseWhileBinding(t *testing.T) {
	for range 20 {
		x := newNetwork(t).node("n1", nil, "alice")
		c := x.dial()
		c.open()
		c.plain("alice", password)
		c.open()
		c.send("<iq type='set' id='bind'><bind xmlns='" + nsBind + "'/></iq>")
		if err := x.srv.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
