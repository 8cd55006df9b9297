package irc

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"warren/bridge"
	"warren/bridge/bridgetest"
	"warren/bridge/login"
	"warren/bridge/names"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is two nodes, each with an IRC server, and clients that follow a script.
type world struct {
	t       testing.TB
	net     *bridgetest.Network
	nodes   []*bridgetest.Node
	hubs    []*bridge.Hub
	servers []*Server
	clients map[string]*client
}

// accounts are those of the tests: they live in the network's directory, with passwords in memory.
type accounts struct {
	w     *world
	node  int
	mu    *sync.Mutex
	known map[string]string
}

func (a *accounts) Verify(_ context.Context, name, password string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p, ok := a.known[name]; !ok || p != password {
		return "", login.ErrCredentials
	}
	return name, nil
}

func (a *accounts) Scram(_ context.Context, name string, h login.Hash) (string, login.ScramKeys, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, ok := a.known[name]
	if !ok {
		return "", login.ScramKeys{}, login.ErrCredentials
	}
	return name, login.MakeScram(p, h, []byte("salt-of-16-bytes"), 4096), nil
}

func (a *accounts) Register(_ context.Context, name, password string) (string, error) {
	name, err := names.AccountName(name)
	if err != nil {
		return "", login.ErrName
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.known[name] != "":
		return "", login.ErrExists
	case password == "bad":
		return "", login.ErrPassword
	}
	a.w.nodes[a.node].Register(a.w.t, name)
	a.known[name] = password
	return name, nil
}

func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, net: bridgetest.New(t), clients: map[string]*client{}}
	known := map[string]string{}
	mu := &sync.Mutex{}
	for i := range 2 {
		n := w.net.Node(t, fmt.Sprintf("n%d", i+1))
		h := bridge.New(bridge.Config{World: n, Wire: n})
		w.nodes, w.hubs = append(w.nodes, n), append(w.hubs, h)
		cfg := Config{Name: fmt.Sprintf("n%d.test", i+1), Network: "Test", Hub: h, RegistrationOpen: true, Version: "warren-test",
			Accounts: &accounts{w: w, node: i, mu: mu, known: known}}
		for _, f := range change {
			f(&cfg)
		}
		w.servers = append(w.servers, New(cfg))
	}
	t.Cleanup(func() {
		for i := range w.servers {
			_ = w.servers[i].Close()
			w.hubs[i].Close()
		}
		for _, c := range w.clients {
			_ = c.nc.Close()
			<-c.done
		}
	})
	return w
}

// client is one end of a connection that keeps all lines.
type client struct {
	w    *world
	nc   net.Conn
	name string
	done chan struct{}

	mu    sync.Mutex
	lines []string
	next  int // first line that no expectation has passed
	ended bool
	news  chan struct{}
	pings int
}

// inOrder sorts the tags of a line: their order means nothing (IRCv3 message-tags), and differs from time to time.
func inOrder(line string) string {
	tags, rest, tagged := strings.Cut(line, " ")
	if !tagged || !strings.HasPrefix(tags, "@") {
		return line
	}
	list := strings.Split(tags[1:], ";")
	slices.Sort(list)
	return "@" + strings.Join(list, ";") + " " + rest
}

func (w *world) connect(node int, name string) *client {
	w.t.Helper()
	near, far := net.Pipe()
	w.servers[node].Handle(far)
	c := &client{w: w, nc: near, name: name, done: make(chan struct{}), news: make(chan struct{}, 1)}
	w.clients[name] = c
	go func() {
		defer close(c.done)
		r := bufio.NewReader(near)
		for {
			l, err := r.ReadString('\n')
			c.mu.Lock()
			if err != nil {
				c.ended = true
			} else {
				c.lines = append(c.lines, inOrder(strings.TrimRight(l, "\r\n")))
			}
			c.mu.Unlock()
			select {
			case c.news <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}()
	return c
}

// user connects and registers.
func (w *world) user(node int, nick string, caps ...string) *client {
	w.t.Helper()
	c := w.connect(node, nick)
	if len(caps) > 0 {
		c.send("CAP REQ :" + strings.Join(caps, " "))
	}
	c.send("NICK "+nick, "USER "+nick+" 0 * :The "+nick)
	if len(caps) > 0 {
		c.send("CAP END")
	}
	c.expect(" 221 " + nick)
	c.sync() // others know it now
	return c
}

func (c *client) send(lines ...string) {
	c.w.t.Helper()
	_ = c.nc.SetWriteDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.nc.Write([]byte(strings.Join(lines, "\r\n") + "\r\n")); err != nil {
		c.w.t.Fatalf("%s: write %q: %v", c.name, lines, err)
	}
}

// expect waits for lines that contain these texts, in this order; others may lie between. It returns the last one.
func (c *client) expect(parts ...string) string {
	c.w.t.Helper()
	last := ""
	for _, want := range parts {
		last = c.await(want)
	}
	return last
}

func (c *client) await(want string) string {
	c.w.t.Helper()
	timeout := time.After(10 * time.Second)
	from := c.next
	for {
		c.mu.Lock()
		for ; c.next < len(c.lines); c.next++ {
			if contains(c.lines[c.next], want) {
				l := c.lines[c.next]
				c.next++
				c.mu.Unlock()
				return l
			}
		}
		seen, ended := append([]string{}, c.lines[from:]...), c.ended
		c.mu.Unlock()
		if ended {
			c.w.t.Fatalf("%s: connection ended without %q; since the last match:\n%s", c.name, want, strings.Join(seen, "\n"))
		}
		select {
		case <-c.news:
		case <-timeout:
			for _, o := range c.w.clients {
				o.mu.Lock()
				c.w.t.Logf("%s has seen at last:\n%s", o.name, strings.Join(o.lines[max(0, len(o.lines)-8):], "\n"))
				o.mu.Unlock()
			}
			c.w.t.Fatalf("%s: no %q; since the last match:\n%s", c.name, want, strings.Join(seen, "\n"))
		}
	}
}

// contains reports whether the line holds all parts of want, separated by " ... ", in order.
func contains(l, want string) bool {
	if len(want) == 3 && want[0] <= '9' { // a numeric, not the milliseconds of a time
		want = " " + want + " "
	}
	for _, p := range strings.Split(want, " ... ") {
		i := strings.Index(l, p)
		if i < 0 {
			return false
		}
		l = l[i+len(p):]
	}
	return true
}

// sync sends PING and returns what came before its PONG since the last expectation.
func (c *client) sync() []string {
	c.w.t.Helper()
	c.pings++
	token := fmt.Sprintf("sync-%s-%d", c.name, c.pings)
	from := c.next
	c.send("PING " + token)
	c.expect("PONG ... " + token)
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string{}, c.lines[from:c.next-1]...)
}

// none fails when a line that came since the last expectation contains the text.
func (c *client) none(unwanted string) {
	c.w.t.Helper()
	for _, l := range c.sync() {
		if contains(l, unwanted) {
			c.w.t.Errorf("%s: unwanted %q: %s", c.name, unwanted, l)
		}
	}
}

// script runs steps: "nick> line" sends, "nick< part" expects, "nick! part" wants no such line, "nick~" waits until all is done that nick caused.
func (w *world) script(s string) {
	w.t.Helper()
	for _, step := range strings.Split(strings.TrimSpace(s), "\n") {
		step = strings.TrimSpace(step)
		if step == "" || strings.HasPrefix(step, "//") {
			continue
		}
		i := strings.IndexAny(step, "<>!~")
		c := w.clients[step[:i]]
		if c == nil {
			w.t.Fatalf("no client %q in %q", step[:i], step)
		}
		arg := strings.TrimPrefix(step[i+1:], " ")
		switch step[i] {
		case '>':
			c.send(arg)
		case '<':
			c.expect(arg)
		case '!':
			c.none(arg)
		case '~':
			c.sync()
		}
	}
}

// newWorldInBubble is a node for tests with fake time.
func newWorldInBubble(t *testing.T) bridge.World { return bridgetest.New(t).Node(t, "n1") }
