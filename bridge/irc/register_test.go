package irc

import (
	"net"
	"strings"
	"testing"
	"time"
)

// raw connects without registering.
func (w *world) raw(name string) *client { return w.connect(0, name) }

func TestRegistration(t *testing.T) {
	tests := []struct{ name, script string }{
		{"nick then user", `
			x> NICK x
			x> USER x 0 * :Real Name
			x< 001 x :Welcome to the Test network, x!~x@guest/
			x< 002 x
			x< 003 x
			x< 004 x n1.test
			x< 005 x ... CASEMAPPING=ascii ... :are supported by this server
			x< 251 x
			x< 255 x
			x< 422 x
			x< 221 x +`},
		{"user then nick, any parameters, no colon", `
			x> USER e2e 127.0.0.1 e2e Real
			x> NICK x
			x< 001 x`},
		{"caps suspend", `
			x> CAP LS 302
			x> NICK x
			x> USER x 0 * :x
			x< CAP * LS :account-notify ... sasl=SCRAM-SHA-256,SCRAM-SHA-1,PLAIN server-time
			x> CAP REQ :server-time echo-message
			x< CAP * ACK :server-time echo-message
			x> CAP REQ :server-time nonsense
			x< CAP * NAK :server-time nonsense
			x> PING early
			x< PONG n1.test :early
			x> CAP END
			x< 001 x
			x> CAP LIST
			x< CAP x LIST :cap-notify echo-message server-time
			x> CAP REQ :-echo-message
			x< CAP x ACK :-echo-message
			x> CAP REQ :-cap-notify
			x< CAP x NAK :-cap-notify`},
		{"cap end before nick, join before registration", `
			x> CAP LS 302
			x> JOIN :
			x< 451 * :You have not registered
			x> CAP REQ :multi-prefix
			x< CAP * ACK :multi-prefix
			x> CAP END
			x> NICK x
			x> USER x x localhost :x
			x< 001 x`},
		{"without 302 there are no values", `
			x> CAP LS
			x< CAP * LS : ... sasl server-time
			x> CAP BOGUS
			x< 410 * BOGUS`},
		{"bad and taken nicks", `
			x> NICK 1abc
			x< 432 * 1abc
			x> NICK
			x< 431 *
			x> NICK NickServ
			x< 433 * NickServ
			x> NICK warren
			x< 433 * warren
			x> NICK taken
			x< 433 * taken
			x> USER x 0 * :x
			x> NICK free
			x< 001 free
			x> NICK TAKEN
			x< 433 free TAKEN
			x> USER a b c d
			x< 462 free
			x> PASS z
			x< 462 free`},
		{"a nick taken during negotiation", `
			x> CAP LS 302
			x> NICK taken
			x> USER x 0 * :x
			x> CAP END
			x< 433 * taken
			x> NICK other
			x< 001 other`},
		{"too few parameters and unknown commands", `
			x> USER x
			x< 461 * USER
			x> BOGUS
			x< 451 *
			x> NICK x
			x> USER x 0 * :x
			x< 001
			x> BOGUS
			x< 421 x BOGUS
			x> PING
			x< 409 x
			x> MODE x +i
			x< :x!~x@ ... MODE x +i
			x> MODE x +Z
			x< 501 x
			x> MODE taken +i
			x< 502 x
			x> JOIN
			x< 461 x JOIN`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.user(1, "taken")
			w.raw("x")
			w.script(tt.script)
		})
	}
}

func TestPipelinedPiecesAndBareNewlines(t *testing.T) {
	w := newWorld(t)
	c := w.raw("x")
	for _, part := range []string{"CAP LS 302\nNI", "CK x\r\nUSER x 0 *", " :x\nCAP END\n\n\r\nJOI", "N #a\n"} {
		if _, err := c.nc.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	c.expect("CAP * LS", "001 x", "JOIN #a", "366 x #a")
}

func TestPassword(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Password = "sesame" })
	w.raw("good")
	w.raw("bad")
	w.script(`
		good> PASS sesame
		good> NICK good
		good> USER x 0 * :x
		good< 001 good
		bad> NICK bad
		bad> USER x 0 * :x
		bad< 464 *
		bad< ERROR :Closing link: ... Bad password
	`)
}

func TestISupportLines(t *testing.T) {
	w := newWorld(t)
	for _, l := range w.servers[0].support {
		if len(l) > 13 {
			t.Errorf("%d tokens in one line", len(l))
		}
		for _, tok := range l {
			if strings.ContainsAny(tok, " :") && !strings.HasPrefix(tok, "CHANLIMIT") && !strings.HasPrefix(tok, "TARGMAX") && !strings.HasPrefix(tok, "MAXLIST") {
				t.Errorf("token %q cannot be sent", tok)
			}
		}
	}
}

func TestRegistrationTimesOut(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.Register = 50 * time.Millisecond })
	w.raw("x").expect("ERROR :Closing link: ... Registration timeout")
}

func TestSilentClientIsAskedAndDropped(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.Idle, c.Limits.PingWait = 50*time.Millisecond, 50*time.Millisecond })
	w.user(0, "x").expect("PING :n1.test", "ERROR :Closing link: ... Ping timeout")
}

func TestCloseSaysGoodbye(t *testing.T) {
	w := newWorld(t)
	c := w.user(0, "x")
	_ = w.servers[0].Close()
	c.expect("ERROR :Closing link: ... the server stops")
}

func TestListenersAndClientsPerAddress(t *testing.T) {
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(Config{Name: "n.test", Hub: w.hubs[0], Listen: []net.Listener{l}, MaxClientsPerIP: 1})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	for range 3 { // loopback is exempt
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, nc)
		if _, err := nc.Write([]byte("PING x\r\n")); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 100)
		if n, err := nc.Read(buf); err != nil || !strings.Contains(string(buf[:n]), "PONG") {
			t.Fatalf("%q, %v", buf[:n], err)
		}
	}
	_ = s.Close()
	for _, nc := range conns {
		_ = nc.Close()
	}
	if err := New(Config{Hub: w.hubs[0], TLSListen: []net.Listener{l}}).Start(); err == nil {
		t.Error("TLS without a certificate")
	}
}

// far is a connection from somewhere else.
type far struct{ net.Conn }

func (far) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }

func TestTooManyFromOneAddress(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxClientsPerIP = 1 })
	a, a2 := net.Pipe()
	b, b2 := net.Pipe()
	defer a.Close()
	defer b.Close()
	w.servers[0].Handle(far{a2})
	go w.servers[0].Handle(far{b2})
	buf := make([]byte, 200)
	n, err := b.Read(buf)
	if err != nil || !strings.Contains(string(buf[:n]), "too many connections") {
		t.Errorf("%q, %v", buf[:n], err)
	}
}
