package irc

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"warren/bridge"
	"warren/rooms"
)

func TestJunkIsAnsweredOrIgnored(t *testing.T) {
	w := newWorld(t)
	x := w.user(0, "x", "message-tags", "standard-replies", "labeled-response")
	long := strings.Repeat("a", 600)
	for _, l := range []string{
		"", " ", "\x00", ":", ":x", "@", "@a=b ", "@a=b  :n!u@h  PING", "@ PING x", ":src  PING  x", "PRIVMSG x :\x00", "\r\rPING x", "PRIVMSG #c :\r",
		"JOIN #\x07", "JOIN #" + long[:200], "NICK :", "NICK " + long[:100], "USER", "CAP", "CAP REQ", "CAP REQ :", "MODE", "MODE #", "MODE x", "MODE x +",
		"MODE #c +o", "TOPIC", "KICK", "KICK #c", "WHO", "WHO *", "WHO * %", "WHO * %,", "WHOIS", "WHOIS :", "LIST >", "LIST <x,>-1,C>,,!", "NAMES ,,,",
		"PRIVMSG , :x", "PRIVMSG ,,, :x", "PRIVMSG #,x :y", "MONITOR", "MONITOR +", "MONITOR + ,,,", "MONITOR z z", "CHATHISTORY",
		"CHATHISTORY TARGETS * * 1", "AUTHENTICATE", "AUTHENTICATE +", "REGISTER a b c", "VERIFY a b", "SETNAME :", "AWAY :", "ISON :", "USERHOST :",
		"JOIN 0", "JOIN 0,1", "JOIN ,,,", "PART ,", "INVITE x", "INVITE x y", "OPER a b", "NS", "NS REGISTER", "NS IDENTIFY a b c d", "PASS :", "PONG",
		"TAGMSG", "@+ TAGMSG x", "@+a=" + strings.Repeat("b", 4000) + " TAGMSG x", "HELP :", "PING :", "001 x", "ERROR :x", strings.Repeat("PING ", 80),
	} {
		x.send(l)
		x.sync()
	}
	w.script("x> PRIVMSG x :" + long + "\nx< 417 x")
	x.send("@a=" + strings.Repeat("b", 4200) + " PING x")
	x.expect("417 x")
	x.send("PRIVMSG x :\xff\xfe")
	x.expect("FAIL PRIVMSG INVALID_UTF8")
	x.send("@label=\xff PING x")
	x.expect("FAIL * INVALID_UTF8")
}

func TestEndlessLineEndsTheConnection(t *testing.T) {
	w := newWorld(t)
	x := w.raw("x")
	go func() {
		chunk := []byte(strings.Repeat("a", 4096))
		for range 1 << 12 {
			if _, err := x.nc.Write(chunk); err != nil {
				return
			}
		}
	}()
	x.expect("417 *", "ERROR ... Input line was too long")
}

func TestRandomBytesOnManyConnections(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.Register = 5 * time.Second })
	ann := w.user(0, "ann")
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 200 {
		near, far := net.Pipe()
		w.servers[0].Handle(far)
		go func() {
			buf := make([]byte, 4096)
			for {
				if _, err := near.Read(buf); err != nil {
					return
				}
			}
		}()
		buf := make([]byte, 1+r.IntN(2000))
		for j := range buf {
			buf[j] = byte(r.Uint32())
			if r.IntN(20) == 0 {
				buf[j] = '\n'
			}
		}
		_ = near.SetWriteDeadline(time.Now().Add(5 * time.Second))
		_, _ = near.Write(buf)
		if i%2 == 0 {
			_, _ = fmt.Fprintf(near, "\nNICK j%d\nUSER a a a a\nJOIN #j\nPRIVMSG #j :%s\n", i, strings.Repeat("x", 300))
		}
		_ = near.Close()
	}
	ann.sync()
}

func TestSlowClientIsDropped(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.SendQueue, c.Limits.Write = 8<<10, time.Second })
	ann := w.user(0, "ann")
	near, far := net.Pipe()
	defer near.Close()
	w.servers[0].Handle(far)
	if _, err := near.Write([]byte("NICK slow\r\nUSER s 0 * :s\r\nJOIN #c\r\n")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1<<16)
	for got := ""; !strings.Contains(got, " 366 "); {
		n, err := near.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got += string(buf[:n])
	}
	w.script("ann> JOIN #c\nann< 366") // from here on slow does not read
	for i := range 60 {
		ann.send(fmt.Sprintf("PRIVMSG #c :%d %s", i, strings.Repeat("x", 300)))
	}
	ann.expect(":slow!~slow@ ... QUIT :SendQ exceeded")
}

func TestFloodIsSlowedDown(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.FloodProtection = true
		c.Limits.Burst, c.Limits.Rate = 5, 50
	})
	x := w.raw("x")
	x.send("NICK x", "USER x 0 * :x")
	begin := time.Now()
	for range 20 {
		x.send("PING y")
	}
	for range 20 {
		x.expect("PONG")
	}
	if d := time.Since(begin); d < 250*time.Millisecond {
		t.Errorf("20 lines beyond the burst took %v", d)
	}
}

func TestGoneConnectionsLeaveNothing(t *testing.T) {
	w := newWorld(t)
	ann := w.user(0, "ann")
	before := runtime.NumGoroutine()
	for i := range 30 {
		c := w.user(0, fmt.Sprintf("u%d", i))
		c.send("JOIN #c")
		c.expect("366")
		if i%2 == 0 {
			c.send("QUIT")
		}
		_ = c.nc.Close()
		<-c.done
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		w.servers[0].mu.Lock()
		n, ips := len(w.servers[0].conns), len(w.servers[0].perIP)
		w.servers[0].mu.Unlock()
		if n == 1 && ips == 1 && runtime.NumGoroutine() <= before+2 && len(w.hubs[0].Sessions()) == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections, %d goroutines (%d before), %d sessions", n, runtime.NumGoroutine(), before, len(w.hubs[0].Sessions()))
		}
		ann.sync()
	}
}

// FuzzLine sends one line to a registered client's connection of a live server: it must not panic, and must still answer.
func FuzzLine(f *testing.F) {
	for _, s := range []string{
		"PRIVMSG #c :hi", "@label=a;+x=y PRIVMSG b,#c :x", "MODE #c +ovbk-l a b c d", "JOIN #a,#b k,l", "WHO #c %tcuhnsfdar,1", "NICK z", "CAP REQ :-sasl batch",
		"CHATHISTORY BETWEEN #c timestamp=2020-01-01T00:00:00.000Z msgid=x 5", "KICK #c fuzz,x :y", "TOPIC #c :\x01", "LIST >1,T<5,!#x", "MONITOR + a,b",
		"AUTHENTICATE PLAIN", "REGISTER * * pw", "NS IDENTIFY a b", "INVITE b #c", "SETNAME :\x02", "TAGMSG #c", "PART #c", "@+typing=active TAGMSG #c",
	} {
		f.Add(s)
	}
	w := newWorld(f)
	n := 0
	f.Fuzz(func(t *testing.T, l string) {
		n++
		w.t = t
		x := w.user(0, fmt.Sprintf("fuzz%d", n), "message-tags", "labeled-response", "batch", "echo-message", "sasl", "draft/chathistory")
		defer func() {
			_ = x.nc.Close()
			<-x.done
			delete(w.clients, x.name)
		}()
		x.send("JOIN #c", l)
		up := strings.ToUpper(l)
		if len(l) > 8000 || strings.Contains(up, "QUIT") || strings.Contains(l, "\n") {
			return
		}
		x.sync()
	})
}

// BenchmarkFanout1000 is one message in a room with 1,000 connections of this node, a quarter of them with capabilities. One iteration ends
// when all have it in their queue.
func BenchmarkFanout1000(b *testing.B) {
	w := newWorld(b, func(c *Config) { c.Limits.SendQueue = 1 << 30 })
	ctx := context.Background()
	talker, err := w.hubs[0].Attach(deaf{}, bridge.Person{Nick: "talker", View: "irc"})
	if err != nil {
		b.Fatal(err)
	}
	seat, err := talker.Join(ctx, "c", bridge.JoinOptions{Create: true})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 1000 {
		near, far := net.Pipe()
		c := newConn(w.servers[0], far, "pipe", false)
		if i%4 == 0 {
			c.setCaps(capServerTime | capMessageTags | capAccountTag)
		}
		nick := fmt.Sprintf("u%d", i)
		c.nick.Store(&nick)
		s, err := w.hubs[0].Attach(c, bridge.Person{Nick: nick, View: "irc"})
		if err != nil {
			b.Fatal(err)
		}
		c.sess, c.welcomed = s, true
		if _, err := s.Join(ctx, "c", bridge.JoinOptions{}); err != nil {
			b.Fatal(err)
		}
		done := make(chan struct{})
		go func() { defer close(done); c.out.write(discard{far}, time.Minute, func(error) {}) }()
		b.Cleanup(func() {
			s.Close("end")
			c.cancel()
			c.out.close(nil)
			<-done
			_ = near.Close()
			_ = far.Close()
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := seat.Wait(ctx, &rooms.Say{Text: "a line of talk as people write them, neither short nor long"}, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/client")
}

// discard writes nowhere.
type discard struct{ net.Conn }

func (discard) Write(b []byte) (int, error)      { return len(b), nil }
func (discard) SetWriteDeadline(time.Time) error { return nil }
