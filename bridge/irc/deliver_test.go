package irc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"warren/bridge"
	"warren/rooms"
)

// login registers a client with an account by SASL.
func (w *world) login(node int, conn, nick, account string, caps ...string) *client {
	w.t.Helper()
	c := w.connect(node, conn)
	c.send("CAP REQ :"+strings.Join(append(caps, "sasl"), " "), "AUTHENTICATE PLAIN", "AUTHENTICATE "+plain(account, "secret"), "NICK "+nick, "USER u 0 * :U", "CAP END")
	c.expect(" 903 ", " 001 "+nick)
	c.sync()
	return c
}

func TestTwoClientsOfOnePerson(t *testing.T) {
	w := newWorld(t)
	if _, err := w.servers[0].cfg.Accounts.Register(t.Context(), "alice", "secret"); err != nil {
		t.Fatal(err)
	}
	w.nodes[1].AddDevice(t, "alice")
	w.login(0, "home", "alice", "alice", "echo-message")
	w.login(0, "phone", "alice", "alice")
	w.login(1, "work", "alice", "alice")
	w.user(0, "bob")
	w.script(`
		bob> JOIN #c
		bob< 366
		home> JOIN #c
		home< 366
		bob< :alice!alice@user/alice JOIN #c
		phone> JOIN #c
		phone< JOIN #c
		phone< 353 alice = #c :alice @bob
		work> JOIN #c
		work< JOIN #c
		work< 366
		bob! JOIN
		home! JOIN
		home> PRIVMSG #c :from home
		bob< :alice!alice@user/alice PRIVMSG #c :from home
		home< PRIVMSG #c :from home
		phone< :alice!alice@user/alice PRIVMSG #c :from home
		work< :alice!alice@user/alice PRIVMSG #c :from home
		bob> PRIVMSG alice :to all
		home< PRIVMSG alice :to all
		phone< PRIVMSG alice :to all
		work< PRIVMSG alice :to all
		phone> PART #c
		phone< PART #c
		home! PART
		bob! PART
		home> QUIT :off
		home< ERROR
		bob~
		bob! alice
		work> QUIT :done
		bob< :alice!alice@user/alice ... :done
	`)
}

func TestGuestsWithOneNickAreToldApart(t *testing.T) {
	w := newWorld(t)
	lonely := bridge.New(bridge.Config{World: w.nodes[1]}) // hears nothing of others' presence
	s := New(Config{Name: "n2.test", Hub: lonely})
	defer lonely.Close()
	defer s.Close()
	usual := w.servers[1]
	w.servers[1] = s
	defer func() { w.servers[1] = usual }()
	w.user(0, "ann")
	w.script("ann> JOIN #c\nann< 366")
	far := w.connect(1, "far")
	far.send("NICK ann", "USER a 0 * :a", "JOIN #c")
	far.expect(":ann!~ann@ ... NICK ann~n2", ":ann~n2!~ann~n2@guest/ ... JOIN #c", "353 ann~n2 = #c :@ann ann~n2")
	w.script(`
		ann< :ann~n2!~ann~n2@guest/ ... JOIN #c
		far> PRIVMSG #c :other ann
		ann< :ann~n2! ... PRIVMSG #c :other ann
		ann> PRIVMSG ann~n2 :hello
		far< PRIVMSG ann~n2 :hello
	`)
}

func TestAnotherNickInOneRoom(t *testing.T) {
	w := newWorld(t)
	w.user(0, "ann")
	w.script("ann> JOIN #a,#b\nann< 366 ann #b")
	s, err := w.hubs[1].Attach(deaf{}, bridge.Person{Nick: "xena", Real: "X", View: "xmpp"})
	if err != nil {
		t.Fatal(err)
	}
	for room, nick := range map[string]string{"a": "xena", "b": "zoe"} {
		if _, err := s.Join(t.Context(), room, bridge.JoinOptions{Nick: nick}); err != nil {
			t.Fatal(err)
		}
	}
	w.script(`
		ann~
		ann> WHOIS zoe
		ann< 311 ann zoe
		ann< 318
		ann> NAMES #b
		ann< 353 ann = #b :@ann zoe
	`)
	s.SetPresence("", "dnd")
	w.script("ann> PRIVMSG xena :x")
	s.Close("gone")
	w.script("ann< QUIT :gone\nann< QUIT :gone")
}

// conns returns the server side of a client, and its seat in a room.
func (w *world) inside(node int, nick, room string) (*conn, *bridge.Seat) {
	c := w.servers[node].connOf(nick)
	return c, c.sess.Seat(room)
}

func TestNodeGoneAndLostSeats(t *testing.T) {
	w := newWorld(t)
	ann := w.user(0, "ann")
	w.user(1, "bob")
	w.user(1, "eve")
	w.script(`
		ann> JOIN #a,#b
		ann< 366 ann #b
		bob> JOIN #a,#b
		bob< 366 bob #b
		eve> JOIN #a
		eve< 366
		ann~
	`)
	c, a := w.inside(0, "ann", "a")
	_, b := w.inside(0, "ann", "b")
	gone := func(t *bridge.Seat) bridge.Delivery {
		ev := &rooms.Event{Room: t.Room().ID(), Op: rooms.OpNodeGone, Time: 1, Body: &rooms.NodeGone{Node: w.nodes[1].Self()}}
		t.View(func(st *rooms.State) {
			for _, n := range st.Nicks() {
				if n != "ann" {
					ev.Gone = append(ev.Gone, st.Occupants[n])
				}
			}
		})
		return bridge.Delivery{Kind: bridge.RoomEvent, Seat: t, Event: ev, Shared: &bridge.Shared{}}
	}
	c.Deliver(gone(a))
	c.Deliver(gone(b))
	w.script(`
		ann< :bob!~bob@ ... QUIT :node gone
		ann< :eve!~eve@ ... QUIT :node gone
		ann! QUIT
	`)
	c.Deliver(bridge.Delivery{Kind: bridge.ServerNotice, Text: "two\nlines"})
	c.Deliver(bridge.Delivery{Kind: bridge.SeatLost, Seat: a, Text: "it is closed"})
	ann.expect("NOTICE ann :two", "NOTICE ann :lines", ":n1.test KICK #a ann :it is closed")
}

func TestEarlyDeliveriesWait(t *testing.T) {
	w := newWorld(t)
	near, far := net.Pipe()
	defer near.Close()
	c := newConn(w.servers[0], far, "pipe", false)
	for range 2 * maxEarly {
		c.Deliver(bridge.Delivery{Kind: bridge.ServerNotice, Text: "x"})
	}
	if len(c.early) != maxEarly {
		t.Errorf("%d kept", len(c.early))
	}
	c.cancel()
}

func TestTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	s := New(Config{Name: "tls.test", Hub: w.hubs[0], TLSListen: []net.Listener{l},
		TLS: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	nc, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(context.Background(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Write([]byte("NICK tls\r\nUSER t 0 * :t\r\nWHOIS tls\r\n")); err != nil {
		t.Fatal(err)
	}
	got, buf := "", make([]byte, 4096)
	for !strings.Contains(got, " 318 ") {
		n, err := nc.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got += string(buf[:n])
	}
	if !strings.Contains(got, " 671 tls tls ") {
		t.Errorf("WHOIS does not tell the secure connection:\n%s", got)
	}
}
