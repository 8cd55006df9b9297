//go:build conform

package conform

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// xmppEvent is what clients/muc.py tells.
type xmppEvent struct {
	Event   string
	Type    string
	ID      string
	Room    string
	Nick    string
	Text    *string
	Subject *string
	SID     string
	Old     bool
	Invited string // to this room
	Codes   []int
	Extra   []string
	Early   string // provisional, confirmed, withdrawn, frozen, thawed
	About   string // the stanza-id of what is confirmed or withdrawn
	Count   int
	JID     string
}

// xmppClient is slixmpp, run by clients/muc.py.
type xmppClient struct {
	t    testing.TB
	name string
	in   io.Writer
	log  *tail

	mu     sync.Mutex
	moved  *sync.Cond // mu
	events []xmppEvent
	times  []time.Time
	ended  bool
}

// python is Debian's own: the one that python3-slixmpp belongs to.
const python = "/usr/bin/python3"

// dialXMPP logs in to the node as the account, by SASL PLAIN over STARTTLS unless another mechanism is named.
func dialXMPP(t testing.TB, x *node, account, mechanism string) *xmppClient {
	t.Helper()
	host, port, err := net.SplitHostPort(x.XMPP)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(need(t, python), "clients/muc.py", account+"@localhost", password, host, port, mechanism)
	c := &xmppClient{t: t, name: account, log: &tail{}}
	c.moved = sync.NewCond(&c.mu)
	cmd.Stderr = c.log
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.in = in
	if err := begin(cmd); err != nil {
		t.Fatalf("start slixmpp: %v", err)
	}
	c.log.onFailure(t, "slixmpp as "+account+" on "+x.Name)
	read := make(chan struct{})
	go func() { defer close(read); c.read(out) }()
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()
	})
	c.wait("the login", func(e xmppEvent) bool {
		if e.Event == "refused" {
			t.Fatalf("slixmpp cannot log in as %s by %s on %s", account, mechanism, x.Name)
		}
		return e.Event == "online"
	})
	return c
}

func (c *xmppClient) read(r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e xmppEvent
		now := time.Now()
		c.log.line("event %s", lines.Text())
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			c.t.Errorf("slixmpp script printed %q: %v", lines.Text(), err)
			continue
		}
		c.mu.Lock()
		c.events, c.times = append(c.events, e), append(c.times, now)
		c.moved.Broadcast()
		c.mu.Unlock()
	}
	c.mu.Lock()
	c.ended = true
	c.moved.Broadcast()
	c.mu.Unlock()
}

func (c *xmppClient) do(order map[string]string) {
	data, err := json.Marshal(order)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.in.Write(append(data, '\n')); err != nil {
		c.log.line("! %v", err)
	}
}

func (c *xmppClient) mark() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.events)
}

func (c *xmppClient) wait(what string, fits func(xmppEvent) bool) xmppEvent {
	c.t.Helper()
	return c.waitFrom(0, what, fits)
}

func (c *xmppClient) waitFrom(from int, what string, fits func(xmppEvent) bool) (found xmppEvent) {
	c.t.Helper()
	ok := c.until(patience, func() bool {
		for ; from < len(c.events); from++ {
			if fits(c.events[from]) {
				found = c.events[from]
				return true
			}
		}
		return false
	})
	if !ok {
		c.t.Fatalf("slixmpp as %s did not see %s", c.name, what)
	}
	return found
}

// until waits until ok, which is called under the lock whenever something happened; false: the client ended or the time is over.
func (c *xmppClient) until(limit time.Duration, ok func() bool) bool {
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

// join enters the room and waits for the own presence (status 110).
func (c *xmppClient) join(room, nick string) {
	c.t.Helper()
	from := c.mark()
	c.do(map[string]string{"do": "join", "room": room, "nick": nick})
	c.waitFrom(from, "itself in "+room, func(e xmppEvent) bool {
		return e.Event == "presence" && e.Room == room && e.Type == "" && slices.Contains(e.Codes, 110)
	})
}

func (c *xmppClient) say(room, text string) {
	c.do(map[string]string{"do": "say", "room": room, "text": text})
}

// sees waits for the message in the room.
func (c *xmppClient) sees(room, text string) said {
	c.t.Helper()
	e := c.wait("\""+text+"\" in "+room, func(e xmppEvent) bool {
		return e.Event == "message" && e.Type == "groupchat" && e.Room == room && e.Text != nil && *e.Text == text
	})
	return said{id: e.SID, nick: e.Nick, text: text}
}

// ordered returns what event i tells as ordered in the room: a live message, or what was shown provisionally and is confirmed by this one. Nil:
// nothing. The lock is held.
func (c *xmppClient) ordered(i int, room string) *xmppEvent {
	live := func(e *xmppEvent) bool {
		return e.Event == "message" && e.Type == "groupchat" && e.Room == room && e.Text != nil && !e.Old && e.SID != "" && e.Nick != bot
	}
	e := &c.events[i]
	switch {
	case e.Early == "confirmed" && e.Room == room:
		for j := range c.events[:i] {
			if p := &c.events[j]; p.Early == "provisional" && p.SID == e.About && live(p) {
				return p
			}
		}
	case live(e) && e.Early == "":
		return e
	}
	return nil
}

// shown counts how often a text was shown in the room, live.
func (c *xmppClient) shown(room, text string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.events {
		if e.Event == "message" && e.Room == room && e.Text != nil && *e.Text == text && !e.Old {
			n++
		}
	}
	return n
}

// talk returns all messages of the room that are ordered so far, live, in their order, without those of the bot.
func (c *xmppClient) talk(room string) (out []said) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.events {
		if e := c.ordered(i, room); e != nil {
			out = append(out, said{e.SID, e.Nick, *e.Text, c.times[i]})
		}
	}
	return out
}

// command says a command of the bot in the room and waits for an answer that holds want.
func (c *xmppClient) command(room, text, want string) {
	c.t.Helper()
	from := c.mark()
	c.say(room, text)
	c.waitFrom(from, "\""+want+"\" in answer to "+text, func(e xmppEvent) bool {
		return e.Event == "message" && e.Text != nil && strings.Contains(*e.Text, want) && *e.Text != text
	})
}

// archive reads the room's whole archive (XEP-0313).
func (c *xmppClient) archive(room string) (out []said) {
	c.t.Helper()
	from := c.mark()
	c.do(map[string]string{"do": "archive", "room": room})
	c.waitFrom(from, "the end of the archive of "+room, func(e xmppEvent) bool {
		if e.Event == "error" {
			c.t.Fatalf("slixmpp: archive: %s", *e.Text)
		}
		return e.Event == "archive-end"
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.events[from:] {
		if e.Event == "archived" {
			out = append(out, said{id: e.SID, nick: e.Nick, text: *e.Text})
		}
	}
	return out
}
