//go:build conform

package conform

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gopkg.in/irc.v4"
)

func itoa(n int) string { return strconv.Itoa(n) }

func atoi(t testing.TB, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// waitListening dials until somebody answers and returns how long that took since began. It asks often, so that the time means something.
func waitListening(t testing.TB, addr string, began time.Time) time.Duration {
	t.Helper()
	for end := began.Add(patience); ; {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			took := time.Since(began)
			_ = c.Close()
			return took
		}
		if time.Now().After(end) {
			t.Fatalf("nobody listens on %s: %v", addr, err)
		}
		time.Sleep(time.Millisecond)
	}
}

// said is one message as a client saw it.
type said struct {
	id   string // msgid or stanza-id; empty where the client does not show it
	nick string
	text string
	at   time.Time
}

// ircClient is a small client that remembers all it sees.
type ircClient struct {
	t    testing.TB
	nick string
	c    net.Conn
	log  *tail

	mu    sync.Mutex
	moved *sync.Cond // mu; something was read, or the connection ended
	lines []*irc.Message
	times []time.Time
	ended bool
}

// wantCaps is what the client asks for.
const wantCaps = "message-tags server-time echo-message batch labeled-response account-tag draft/chathistory"

// dialIRC connects and registers: as a guest, or by SASL PLAIN when account is not empty.
func dialIRC(t testing.TB, x *node, nick, account string) *ircClient {
	t.Helper()
	conn, err := net.Dial("tcp", x.IRC)
	if err != nil {
		t.Fatalf("%s: %v", nick, err)
	}
	c := &ircClient{t: t, nick: nick, c: conn, log: &tail{}}
	c.moved = sync.NewCond(&c.mu)
	c.log.onFailure(t, nick+" on "+x.Name)
	go c.read()
	t.Cleanup(func() { _ = conn.Close() })
	c.send("CAP LS 302")
	c.send("NICK " + nick)
	c.send("USER " + nick + " 0 * :" + nick)
	caps := wantCaps
	if account != "" {
		caps += " sasl"
	}
	c.send("CAP REQ :" + caps)
	c.wait("CAP ACK", func(m *irc.Message) bool { return m.Command == "CAP" && m.Param(1) == "ACK" })
	if account != "" {
		c.send("AUTHENTICATE PLAIN")
		c.wait("AUTHENTICATE +", func(m *irc.Message) bool { return m.Command == "AUTHENTICATE" })
		c.send("AUTHENTICATE " + base64.StdEncoding.EncodeToString([]byte("\x00"+account+"\x00"+password)))
		if m := c.wait("SASL's end", func(m *irc.Message) bool { return m.Command == "903" || m.Command == "904" }); m.Command != "903" {
			t.Fatalf("%s: SASL as %s: %v", nick, account, m)
		}
	}
	c.send("CAP END")
	c.wait("001", func(m *irc.Message) bool { return m.Command == "001" })
	return c
}

func (c *ircClient) send(line string) {
	c.log.line("> %s", line)
	_ = c.c.SetWriteDeadline(time.Now().Add(patience))
	if _, err := c.c.Write([]byte(line + "\r\n")); err != nil {
		c.log.line("! %v", err)
	}
}

func (c *ircClient) read() {
	r := bufio.NewReaderSize(c.c, 16<<10)
	for {
		line, err := r.ReadString('\n')
		now := time.Now()
		if err != nil {
			c.log.line("! %v", err)
			c.mu.Lock()
			c.ended = true
			c.moved.Broadcast()
			c.mu.Unlock()
			return
		}
		c.log.line("< %s", strings.TrimRight(line, "\r\n"))
		m, err := irc.ParseMessage(strings.TrimRight(line, "\r\n"))
		if err != nil {
			c.t.Errorf("%s: the server sent %q: %v", c.nick, line, err)
			continue
		}
		if m.Command == "PING" {
			c.send("PONG :" + m.Trailing())
			continue
		}
		c.mu.Lock()
		c.lines, c.times = append(c.lines, m), append(c.times, now)
		c.moved.Broadcast()
		c.mu.Unlock()
	}
}

// until waits until ok, which is called under the lock whenever a line came; false: the connection ended or patience did.
func (c *ircClient) until(limit time.Duration, ok func() bool) bool {
	late := false
	timer := time.AfterFunc(limit, func() {
		c.mu.Lock()
		late = true
		c.moved.Broadcast()
		c.mu.Unlock()
	})
	defer timer.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for !ok() {
		if late || c.ended {
			return false
		}
		c.moved.Wait()
	}
	return true
}

// mark is a place in what was read; seek starts there.
func (c *ircClient) mark() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.lines)
}

func (c *ircClient) seek(from int, limit time.Duration, fits func(*irc.Message) bool) (found *irc.Message) {
	c.until(limit, func() bool {
		for ; from < len(c.lines); from++ {
			if fits(c.lines[from]) {
				found = c.lines[from]
				return true
			}
		}
		return false
	})
	return found
}

// wait returns the first line that fits, among those already read too.
func (c *ircClient) wait(what string, fits func(*irc.Message) bool) *irc.Message {
	c.t.Helper()
	return c.waitFrom(0, what, fits)
}

func (c *ircClient) waitFrom(from int, what string, fits func(*irc.Message) bool) *irc.Message {
	c.t.Helper()
	m := c.seek(from, patience, fits)
	if m == nil {
		c.t.Fatalf("%s did not see %s", c.nick, what)
	}
	return m
}

func (c *ircClient) join(room string) {
	c.t.Helper()
	from := c.mark()
	c.send("JOIN " + room)
	c.waitFrom(from, "the end of NAMES of "+room, func(m *irc.Message) bool { return m.Command == "366" && strings.EqualFold(m.Param(1), room) })
}

// names asks who is in the room.
func (c *ircClient) names(room string) (out []string) {
	c.t.Helper()
	from := c.mark()
	c.send("NAMES " + room)
	c.waitFrom(from, "366", func(m *irc.Message) bool { return m.Command == "366" })
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.lines[from:] {
		if m.Command == "353" {
			for _, f := range strings.Fields(m.Trailing()) {
				out = append(out, strings.TrimLeft(f, "~&@%+"))
			}
		}
	}
	return out
}

func (c *ircClient) say(room, text string) { c.send("PRIVMSG " + room + " :" + text) }

// isTalk reports whether the line is a message of somebody in the room, not of the bot, nor of a batch of history.
func isTalk(m *irc.Message, room string) bool {
	return m.Command == "PRIVMSG" && strings.EqualFold(m.Param(0), room) && m.Tags["batch"] == ""
}

// isProvisional reports whether the line is talk that is shown before it is ordered.
func isProvisional(m *irc.Message) bool {
	_, ok := m.Tags["warren/provisional"]
	return ok
}

// ordered returns what line i tells as ordered in the room: talk, or what was shown provisionally and is confirmed by this line. Nil: nothing.
// The lock is held.
func (c *ircClient) ordered(i int, room string) *irc.Message {
	m := c.lines[i]
	if id := m.Tags["warren/confirmed"]; id != "" {
		for _, e := range c.lines[:i] {
			if isProvisional(e) && e.Tags["msgid"] == id && isTalk(e, room) {
				return e
			}
		}
		return nil
	}
	if !isTalk(m, room) || isProvisional(m) {
		return nil
	}
	return m
}

// provisional returns the texts that were shown in the room before they were ordered.
func (c *ircClient) provisional(room string) (out []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.lines {
		if isTalk(m, room) && isProvisional(m) {
			out = append(out, m.Trailing())
		}
	}
	return out
}

// shown counts how often a text was shown in the room.
func (c *ircClient) shown(room, text string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.lines {
		if isTalk(m, room) && m.Trailing() == text {
			n++
		}
	}
	return n
}

// sees waits for a message with this text in the room and returns it.
func (c *ircClient) sees(room, text string) said {
	c.t.Helper()
	m := c.wait(fmt.Sprintf("%q in %s", text, room), func(m *irc.Message) bool { return isTalk(m, room) && m.Trailing() == text })
	return said{id: string(m.Tags["msgid"]), nick: m.Name, text: text}
}

// talk returns all messages of the room that are ordered so far, in their order.
func (c *ircClient) talk(room string) (out []said) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.lines {
		if m := c.ordered(i, room); m != nil {
			out = append(out, said{string(m.Tags["msgid"]), m.Name, m.Trailing(), c.times[i]})
		}
	}
	return out
}

// command says a command of the bot and returns its answer's lines up to one that holds want.
func (c *ircClient) command(room, text, want string) []string {
	c.t.Helper()
	from := c.mark()
	c.say(room, text)
	c.waitFrom(from, fmt.Sprintf("%q in answer to %s", want, text), func(m *irc.Message) bool {
		return (m.Command == "NOTICE" || m.Command == "PRIVMSG") && m.Name != c.nick && strings.Contains(m.Trailing(), want)
	})
	var out []string
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.lines[from:] {
		if m.Command == "NOTICE" {
			out = append(out, m.Trailing())
		}
	}
	return out
}

// history reads everything that CHATHISTORY knows of the room, page by page.
func (c *ircClient) history(room string) (out []said) {
	c.t.Helper()
	bound := ""
	for page := 1; ; page++ {
		from := c.mark()
		if bound == "" {
			c.send("CHATHISTORY LATEST " + room + " * 100")
		} else {
			c.send("CHATHISTORY BEFORE " + room + " msgid=" + bound + " 100")
		}
		open := c.waitFrom(from, "a batch of history", func(m *irc.Message) bool {
			return m.Command == "BATCH" && strings.HasPrefix(m.Param(0), "+") || m.Command == "FAIL"
		})
		if open.Command == "FAIL" {
			c.t.Fatalf("%s: CHATHISTORY page %d: %v", c.nick, page, open)
		}
		ref := open.Param(0)[1:]
		c.waitFrom(from, "the batch's end", func(m *irc.Message) bool { return m.Command == "BATCH" && m.Param(0) == "-"+ref })
		var part []said
		c.mu.Lock()
		for _, m := range c.lines[from:] {
			if string(m.Tags["batch"]) == ref && m.Command == "PRIVMSG" {
				part = append(part, said{id: string(m.Tags["msgid"]), nick: m.Name, text: m.Trailing()})
			}
		}
		empty := !slices.ContainsFunc(c.lines[from:], func(m *irc.Message) bool { return string(m.Tags["batch"]) == ref })
		c.mu.Unlock()
		if empty || len(part) == 0 {
			return out
		}
		out, bound = append(part, out...), part[0].id
	}
}
