//go:build conform

package conform

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// growth bounds what junk may add to a node's resident set, in bytes. The node's own limits allow a send queue of 1 MiB for each slow
	// reader and a stanza of some 100 KiB for each half-open connection; the heap may be twice what is live.
	growth = 64 << 20
	// junkBytes is how much one connection tries to send.
	junkBytes = 2 << 20
	// served is how long a client may wait for its echo while junk rains: on two cores that are busy with it.
	served = 5 * time.Second
)

// peerPort returns the port on which other nodes connect.
func (x *node) peerPort(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(x.Data, "warren.toml"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`/ip4/127\.0\.0\.1/tcp/(\d+)`).FindSubmatch(data)
	if m == nil {
		t.Fatalf("no port for peers in the configuration of %s", x.Name)
	}
	return "127.0.0.1:" + string(m[1])
}

// pour sends the data, then waits until the node hangs up or the time is over. What happens to the connection does not matter.
func pour(addr string, data io.Reader, linger time.Duration) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(linger))
	go func() { _, _ = io.Copy(c, data) }()
	_, _ = io.Copy(io.Discard, c)
}

func random(n int64) io.Reader { return io.LimitReader(rand.Reader, n) }

func repeated(s string, n int) io.Reader { return strings.NewReader(strings.Repeat(s, n/len(s)+1)) }

func entityBomb() string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "aaaaaaaaaaaaaaaa">`)
	for i := range 20 {
		fmt.Fprintf(&b, `<!ENTITY a%d "%s">`, i+1, strings.Repeat(fmt.Sprintf("&a%d;", i), 16))
	}
	b.WriteString("]><stream:stream to='localhost' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'><message><body>&a20;</body></message>")
	return b.String()
}

const openStream = "<?xml version='1.0'?><stream:stream to='localhost' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"

// TestJunk throws at every port of a node what does not belong there, while clients of that node and of another one talk on: the node lives,
// they are served, its memory stays bounded, and it takes new clients afterwards.
func TestJunk(t *testing.T) {
	n := startDemo(t)
	target, other := n.at(2), n.at(3)
	const room = "#lobby"
	near := dialIRC(t, target, "near", "")
	near.join(room)
	far := dialIRC(t, other, "far", "")
	far.join(room)
	probes := []*prober{
		startProber(t, "near", &ircSpeaker{ircClient: near, room: room}), startProber(t, "far", &ircSpeaker{ircClient: far, room: room}),
	}
	for _, p := range probes {
		p.more(t, between)
	}
	before, began := target.memory(t, "VmRSS"), time.Now()
	peers := target.peerPort(t)
	junk := map[string]func(){
		"random bytes": func() {
			for _, addr := range []string{target.IRC, target.XMPP, peers} {
				pour(addr, random(junkBytes), served)
			}
		},
		"huge lines": func() {
			for _, addr := range []string{target.IRC, target.XMPP, peers} {
				pour(addr, repeated("A", junkBytes), served)
			}
			pour(target.IRC, repeated("@a=b ", junkBytes), served)
			pour(target.IRC, repeated("\x00\r\n", junkBytes), served)
			pour(target.IRC, repeated("JOIN #a,#b,#c\r\nNICK x\r\nUSER\r\nCAP REQ :x\r\nAUTHENTICATE PLAIN\r\n", junkBytes), served)
		},
		"entity bombs": func() { pour(target.XMPP, strings.NewReader(entityBomb()), served) },
		"deep nesting": func() {
			pour(target.XMPP, io.MultiReader(strings.NewReader(openStream), repeated("<a>", junkBytes)), served)
		},
		"a huge attribute": func() {
			pour(target.XMPP, io.MultiReader(strings.NewReader(openStream+"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='"), repeated("A", junkBytes)), served)
		},
		"a huge stanza": func() {
			pour(target.XMPP, io.MultiReader(strings.NewReader(openStream+"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"), repeated("QUFB", junkBytes)), served)
		},
		"half a handshake of a peer": func() {
			pour(peers, strings.NewReader("\x13/multistream/1.0.0\n"), served)
			pour(peers, io.MultiReader(strings.NewReader("\x13/multistream/1.0.0\n\x07/noise\n"), random(junkBytes)), served)
		},
		"packets": func() { packets(peers) },
	}
	var wg sync.WaitGroup
	for _, throw := range junk {
		for range 4 {
			wg.Go(throw)
		}
	}
	half := halfOpen([]string{target.IRC, target.XMPP, peers}, 150)
	slow := slowReaders(t, target, room, 8)
	for _, p := range probes {
		p.more(t, between)
	}
	wg.Wait()
	for _, p := range probes {
		p.more(t, between)
		g := p.gap(began)
		t.Logf("%s waited at most %d ms for an acknowledgement", p.name, g.Milliseconds())
		limit := served
		if p.name == "near" {
			limit *= 3 // its node shares the machine's cores with those who attack it
		}
		if g > limit {
			t.Errorf("%s waited %v under junk, more than %v", p.name, g, limit)
		}
	}
	after := target.memory(t, "VmHWM")
	t.Logf("resident set of %s: %d MiB before, at most %d MiB under junk", target.Name, before>>20, after>>20)
	if after-before > growth {
		t.Errorf("junk made %s grow by %d MiB, more than %d", target.Name, (after-before)>>20, growth>>20)
	}
	for _, c := range append(half, slow...) {
		_ = c.Close()
	}
	last := dialIRC(t, target, "last", "")
	last.join(room)
	last.say(room, "all is well")
	far.sees(room, "all is well")
	if s, ok := target.status(); !ok || s.Peers != 3 {
		t.Errorf("%s has %d peers after the junk: %v", target.Name, s.Peers, ok)
	}
	for _, p := range probes {
		p.stop()
		if said := p.acknowledged(); len(said) > 0 {
			far.sees(room, said[len(said)-1]) // it may be on its way to this node still
		}
		onceInOrder(t, "far", starting(far.talk(room), p.name+" counts"), p.acknowledged())
	}
}

// packets sends what may look like QUIC.
func packets(addr string) {
	c, err := net.Dial("udp", addr)
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	p := make([]byte, 1250)
	for i := range 2000 {
		_, _ = rand.Read(p)
		if i%2 == 0 { // a long header of version 1
			p[0] = 0xc3
			binary.BigEndian.PutUint32(p[1:], 1)
			p[5], p[14] = 8, 8
		}
		_, _ = c.Write(p)
	}
}

// halfOpen returns connections that say little or nothing.
func halfOpen(addrs []string, each int) (out []net.Conn) {
	for _, addr := range addrs {
		for i := range each {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				continue
			}
			if i%2 == 0 {
				_, _ = c.Write([]byte("<"))
			}
			out = append(out, c)
		}
	}
	return out
}

// slowReaders returns IRC clients that are in the room, ask for much, and never read.
func slowReaders(t testing.TB, x *node, room string, count int) (out []net.Conn) {
	t.Helper()
	for i := range count {
		c, err := net.Dial("tcp", x.IRC)
		if err != nil {
			t.Fatal(err)
		}
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetReadBuffer(4096)
		}
		_ = c.SetWriteDeadline(time.Now().Add(served))
		_, _ = fmt.Fprintf(c, "NICK slow%d\r\nUSER s 0 * :s\r\nJOIN %s\r\n", i, room)
		out = append(out, c)
		go func() {
			_, _ = c.Write(bytes.Repeat([]byte("NAMES "+room+"\r\nWHO "+room+"\r\nLIST\r\nMOTD\r\n"), 20_000))
		}()
	}
	return out
}
