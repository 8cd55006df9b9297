package xmpp

import (
	"crypto/rand"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"warren/bridge"
	"warren/rooms"
)

// A client that does not read is dropped, and slows nobody down.
func TestSlowClientIsDropped(t *testing.T) {
	n := newNetwork(t)
	x, y := n.node("n1", func(c *Config) { c.Limits.MaxQueue = 32 << 10 }, "alice", "bob"), n.node("n2", nil)
	a, b := x.online("alice", "x"), x.online("bob", "y")
	a.join(lobby, "alice")
	b.join(lobby, "bob")
	if tc, ok := a.nc.(*net.TCPConn); ok {
		_ = tc.SetReadBuffer(4 << 10)
	}
	i := y.irc("", "ivan")
	seat := i.join("lobby")
	text := strings.Repeat("x", 8<<10)
	for k := 0; len(x.hub.SessionsOf("alice")) > 0; k++ {
		if k > 10_000 {
			t.Fatal("the slow client is still there")
		}
		i.do(seat, &rooms.Say{Text: text})
		b.expect("message", body(text))
	}
	b.expect("leave", presenceOf(lobby+"/alice", "unavailable"))
}

func TestJunkStopsNobody(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice")
	for k := range 20 {
		nc, err := net.Dial("tcp", x.addr)
		if err != nil {
			t.Fatal(err)
		}
		junk := make([]byte, 4<<10)
		_, _ = rand.Read(junk)
		switch k % 4 {
		case 0:
			_, _ = nc.Write(junk)
		case 1:
			_, _ = nc.Write([]byte(header + string(junk)))
		case 2:
			_, _ = nc.Write([]byte(header + "<iq><a"))
		}
		if k%2 == 0 {
			_ = nc.Close()
		} else {
			t.Cleanup(func() { _ = nc.Close() }) // half-open
		}
	}
	x.login("alice", "x").sync()
}

func TestTooManyConnectionsOfOneAddress(t *testing.T) {
	x := newNetwork(t).node("n1", func(c *Config) { c.Limits.MaxConns = 3 })
	var last *client
	for range 3 {
		last = x.dial()
		last.open()
	}
	nc, err := net.Dial("tcp", x.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetReadDeadline(time.Now().Add(patience))
	if n, err := nc.Read(make([]byte, 1)); err == nil {
		t.Errorf("the fourth was heard: %d bytes", n)
	}
	last.send("</stream:stream>")
	last.ended()
}

// White space costs nothing, however much there is, before and after login.
func TestWhiteSpaceKeepsAlive(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice")
	c := x.dial()
	c.open()
	c.send(strings.Repeat("\n", 100<<10))
	c.plain("alice", password)
	c.send("\n")
	c.open()
	c.bind("x")
	c.send(strings.Repeat(" ", 300<<10))
	c.sync()
}

// pipeAddr makes a net.Pipe look like loopback.
type pipeConn struct{ net.Conn }

func (pipeConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// In virtual time: who never logs in is dropped after authTime; who is silent is pinged, then dropped.
func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		w := n.net.Node(t, "n1")
		w.Register(t, "alice")
		acc := &accounts{t: t, node: w, pw: map[string]string{"alice": password}}
		hub := bridge.New(bridge.Config{World: w, Wire: w})
		srv := New(Config{Domain: "localhost", Hub: hub, Accounts: acc})
		t.Cleanup(func() {
			_ = srv.Close()
			hub.Close()
		})
		dial := func() *client {
			ours, theirs := net.Pipe()
			srv.start(pipeConn{theirs}, false)
			t.Cleanup(func() { _ = ours.Close() })
			return &client{t: t, nc: ours}
		}
		began := time.Now()
		idle := dial()
		idle.open()
		_ = idle.nc.SetReadDeadline(time.Time{})
		if _, err := idle.r.next(); err == nil {
			t.Error("something was said to a client that never logs in")
		}
		if d := time.Since(began); d < authTime || d > authTime+2*closeTime {
			t.Errorf("dropped after %v", d)
		}
		c := dial()
		c.open()
		c.plain("alice", password)
		c.open()
		c.bind("x")
		began = time.Now()
		_ = c.nc.SetReadDeadline(time.Time{})
		e, err := c.r.next()
		if err != nil || e.child(nsPing, "ping") == nil {
			t.Fatalf("instead of a ping: %v", err)
		}
		if d := time.Since(began); d != idleTime {
			t.Errorf("pinged after %v", d)
		}
		c.send("<iq type='result' id='" + e.attr("id") + "' to='localhost'/>")
		if e, err = c.r.next(); err != nil || e.child(nsPing, "ping") == nil {
			t.Fatalf("instead of a second ping: %v", err)
		}
		if e, err = c.r.next(); err != nil || e.child(nsStreamErr, "connection-timeout") == nil {
			t.Fatalf("instead of connection-timeout: %v", err)
		}
		if d := time.Since(began); d != 2*idleTime+pingTime {
			t.Errorf("dropped after %v", d)
		}
	})
}

func TestPipelinedClientIsServedInOrder(t *testing.T) {
	x := newNetwork(t).node("n1", nil, "alice", "bob")
	b := x.online("bob", "y")
	b.join(lobby, "bob")
	a := x.login("alice", "x")
	var s strings.Builder
	s.WriteString("<presence/><presence to='" + lobby + "/alice'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
	for k := range 200 {
		fmt.Fprintf(&s, "<message type='groupchat' to='%s'><body>%d</body></message>", lobby, k)
	}
	s.WriteString("<message type='chat' to='bob@localhost'><body>and you</body></message></stream:stream>")
	a.send(s.String())
	for k := range 200 {
		e := b.expect("message", func(e *element) bool { return e.attr("type") == "groupchat" && e.child(nsClient, "body") != nil })
		if got := e.childText(nsClient, "body"); got != fmt.Sprint(k) {
			t.Fatalf("got %s, want %d", got, k)
		}
	}
	b.expect("direct message", body("and you"))
	b.expect("leave", presenceOf(lobby+"/alice", "unavailable"))
}
