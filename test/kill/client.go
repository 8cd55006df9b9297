package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// client is somebody who talks in the room at a steady rate, over one connection after the other.
type client struct {
	name  string
	room  string
	every time.Duration
	home  *node

	mu       sync.Mutex
	at       *node // whose client it is now; nil: on the way
	life     int   // counts connections
	next     int   // number of the next message
	hushed   bool
	sent     map[int]time.Time
	acked    []ack
	sessions [][]string // what each connection saw, in order
	lost     time.Time  // when the connection ended, zero: it is in the room
	returns  []time.Duration

	conn net.Conn
	wg   sync.WaitGroup
}

// ack is one acknowledged message.
type ack struct {
	n    int
	text string
	at   time.Time
	wait time.Duration
}

// dialTime bounds what a client waits for a node's answer at each step of coming in. A node that stands still does not refuse connections.
const dialTime = 5 * time.Second

// enter connects to a node and joins the room; talk starts with that.
func (c *client) enter(x *node) error {
	conn, err := net.DialTimeout("tcp", x.IRC, dialTime)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.life++
	nick := fmt.Sprintf("%sx%d", c.name, c.life) // the guest of a dead node keeps its nick for a while
	c.mu.Unlock()
	fmt.Fprintf(conn, "CAP REQ :echo-message\r\nNICK %s\r\nUSER %s 0 * :%s\r\nCAP END\r\nJOIN %s\r\n", nick, nick, nick, c.room)
	r := bufio.NewReaderSize(conn, 64<<10)
	_ = conn.SetReadDeadline(time.Now().Add(dialTime))
	var early []string
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			_ = conn.Close()
			return fmt.Errorf("%s enters %s at %s: %w", c.name, c.room, x.Name, err)
		}
		m := parse(line)
		if m.command == "PING" {
			fmt.Fprintf(conn, "PONG :%s\r\n", m.last)
		}
		if m.command == "PRIVMSG" && m.target == c.room {
			early = append(early, m.last)
		}
		if m.command == "366" {
			break
		}
		if len(m.command) == 3 && (m.command[0] == '4' && m.command != "422" || m.command[0] == '5') {
			_ = conn.Close()
			return fmt.Errorf("%s enters %s at %s: %s", c.name, c.room, x.Name, strings.TrimSpace(line))
		}
	}
	_ = conn.SetReadDeadline(time.Time{})
	c.mu.Lock()
	if !c.lost.IsZero() {
		c.returns = append(c.returns, time.Since(c.lost))
		c.lost = time.Time{}
	}
	c.conn, c.at, c.sent = conn, x, map[int]time.Time{}
	c.sessions = append(c.sessions, early)
	session := len(c.sessions) - 1
	c.mu.Unlock()
	closed := make(chan struct{})
	c.wg.Go(func() { defer close(closed); c.read(conn, r, session) })
	c.wg.Go(func() { c.speak(conn, closed) })
	return nil
}

// leave ends the connection and waits until all that is read of it is noted.
func (c *client) leave() {
	c.mu.Lock()
	conn := c.conn
	c.conn, c.at = nil, nil
	c.mu.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
	c.wg.Wait()
	c.mu.Lock()
	c.lost = time.Time{}
	c.mu.Unlock()
}

// speak says a numbered message at each beat.
func (c *client) speak(conn net.Conn, closed <-chan struct{}) {
	t := time.NewTicker(c.every)
	defer t.Stop()
	for {
		select {
		case <-closed:
			return
		case <-t.C:
		}
		c.mu.Lock()
		if c.hushed {
			c.mu.Unlock()
			return
		}
		n := c.next
		c.next++
		c.sent[n] = time.Now()
		c.mu.Unlock()
		_ = conn.SetWriteDeadline(time.Now().Add(patience))
		if _, err := fmt.Fprintf(conn, "PRIVMSG %s :%s says %d\r\n", c.room, c.name, n); err != nil {
			return // the reader sees the end too
		}
	}
}

// read notes all that is said in the room, and its own words as acknowledged.
func (c *client) read(conn net.Conn, r *bufio.Reader, session int) {
	for {
		line, err := r.ReadString('\n')
		now := time.Now()
		if err != nil {
			c.mu.Lock()
			if c.conn == conn {
				c.lost, c.at = now, nil
			}
			c.mu.Unlock()
			_ = conn.Close()
			return
		}
		m := parse(line)
		if m.command == "PING" {
			_ = conn.SetWriteDeadline(time.Now().Add(patience))
			fmt.Fprintf(conn, "PONG :%s\r\n", m.last)
		}
		if m.command != "PRIVMSG" || m.target != c.room {
			continue
		}
		c.mu.Lock()
		c.sessions[session] = append(c.sessions[session], m.last)
		c.answered(m.last, now)
		c.mu.Unlock()
	}
}

// answered notes the echo of an own message. Where the room is frozen the echo is provisional: that acknowledges nothing. Called with the lock.
func (c *client) answered(text string, now time.Time) {
	said, early := strings.CutPrefix(text, provisional)
	rest, mine := strings.CutPrefix(said, c.name+" says ")
	n := 0
	if _, err := fmt.Sscan(rest, &n); !mine || err != nil {
		return
	}
	if sent, waiting := c.sent[n]; waiting {
		delete(c.sent, n)
		if !early {
			c.acked = append(c.acked, ack{n, said, now, now.Sub(sent)})
		}
	}
}

// goElsewhere brings a client whose connection has ended, or whose node is the given one, to the first of these nodes that lets it in.
func (c *client) goElsewhere(to []*node) error {
	var all []error
	for end := time.Now().Add(patience); time.Now().Before(end); {
		for _, x := range to {
			err := c.enter(x)
			if err == nil {
				return nil
			}
			all = append(all[max(0, len(all)-3):], err)
		}
	}
	return fmt.Errorf("%s finds no node: %w", c.name, errors.Join(all...))
}

// where returns the node of the client, nil while it has none.
func (c *client) where() *node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// waiting returns how many messages have no acknowledgement yet.
func (c *client) waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.sent)
}

// worst returns the longest time that a message waited for its acknowledgement, of those that came after since.
func (c *client) worst(since time.Time) (longest time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.acked) - 1; i >= 0 && c.acked[i].at.After(since); i-- {
		longest = max(longest, c.acked[i].wait)
	}
	return longest
}

// waits returns how long each acknowledged message waited.
func (c *client) waits() (out []time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.acked {
		out = append(out, a.wait)
	}
	return out
}

// since returns how many messages from number n on were acknowledged.
func (c *client) since(n int) (count int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.acked) - 1; i >= 0 && c.acked[i].n >= n; i-- {
		count++
	}
	return count
}

// hush makes the client say nothing more.
func (c *client) hush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hushed = true
}

// message is one IRC line, as far as it matters here.
type message struct{ command, target, last string }

func parse(line string) (m message) {
	line = strings.TrimRight(line, "\r\n")
	if strings.HasPrefix(line, "@") {
		_, line, _ = strings.Cut(line, " ")
	}
	if strings.HasPrefix(line, ":") {
		_, line, _ = strings.Cut(line, " ")
	}
	head, last, _ := strings.Cut(line, " :")
	f := strings.Fields(head)
	if len(f) > 0 {
		m.command = f[0]
	}
	if len(f) > 1 {
		m.target, m.last = f[1], f[len(f)-1]
	}
	if last != "" {
		m.last = last
	}
	return m
}
