package irc

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/ergochat/irc-go/ircmsg"
	"github.com/ergochat/irc-go/ircreader"
	irc "gopkg.in/irc.v4"

	"golang.org/x/time/rate"

	"warren/bridge"
	"warren/rooms"
)

// conn is one client. Its reading goroutine runs the commands; deliveries come from the goroutines of rooms.
type conn struct {
	srv    *Server
	nc     net.Conn
	ip     string
	secure bool
	ctx    context.Context
	cancel context.CancelFunc
	out    *queue
	refs   atomic.Uint64 // batches so far
	caps   atomic.Uint64
	nick   atomic.Pointer[string] // as the client knows it; empty before 001
	idle   atomic.Int64           // ms of the last PRIVMSG
	tasks  sync.WaitGroup
	slots  chan struct{} // one for each task under way
	wishes wishes

	greeted chan struct{} // closed when the client has been welcomed

	// Owned by the reading goroutine until registration, constant after it.
	pass, user, want, real string
	capOpen, cap302        bool
	sess                   *bridge.Session // set before welcomed

	// Owned by the reading goroutine.
	limiter *rate.Limiter
	msg     *ircmsg.Message // the command being run
	auth    auth
	oper    bool
	bot     bool
	hidden  bool

	mu       sync.Mutex // guards the rest, and the order of what is shown
	reason   string     // why the connection ends; empty: it goes on
	welcomed bool
	early    []bridge.Delivery
	joined   map[*bridge.Seat]struct{}
	gone     map[ghost]string
	recent   []change
	watched  map[string]string // MONITOR: folded nick -> as written
}

func newConn(s *Server, nc net.Conn, ip string, secure bool) *conn {
	c := &conn{
		srv: s, nc: nc, ip: ip, secure: secure, out: newQueue(s.cfg.Limits.SendQueue), slots: make(chan struct{}, maxTasks), greeted: make(chan struct{}),
		limiter: rate.NewLimiter(rate.Limit(s.cfg.Limits.Rate), s.cfg.Limits.Burst),
		joined:  map[*bridge.Seat]struct{}{}, gone: map[ghost]string{}, watched: map[string]string{},
	}
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	empty := ""
	c.nick.Store(&empty)
	c.idle.Store(time.Now().UnixMilli())
	return c
}

func (c *conn) have() caps       { return caps(c.caps.Load()) }
func (c *conn) setCaps(v caps)   { c.caps.Store(uint64(v)) }
func (c *conn) registered() bool { return c.sess != nil }

// target is the first parameter of numerics.
func (c *conn) target() string {
	if n := *c.nick.Load(); n != "" {
		return n
	}
	return "*"
}

// mask is the client's own nick!user@host.
func (c *conn) mask() string {
	u := c.sess.User()
	u.Nick = *c.nick.Load()
	return maskOf(u.Nick, u.Account, u.Node)
}

// put queues a line for the client that it did not ask for; a client that does not read is dropped.
func (c *conn) put(l *line) { c.push(l.bytes(c.have()), false) }

// answer queues a line that the client asked for.
func (c *conn) answer(l *line) { c.push(l.bytes(c.have()), true) }

func (c *conn) push(b []byte, answer bool) {
	if !c.out.push(b, answer) {
		c.kill("SendQ exceeded: you do not read as fast as the channels talk")
	}
}

// kill ends the connection with this reason; it does not block. Only the first reason counts.
func (c *conn) kill(reason string) {
	c.out.mu.Lock()
	first := c.out.fatal == ""
	if first {
		c.out.fatal = reason
	}
	c.out.mu.Unlock()
	if first {
		c.cancel()
		_ = c.nc.SetReadDeadline(time.Unix(1, 0))
	}
}

// run serves the connection until it ends, and returns when nothing of it runs any more.
func (c *conn) run() {
	var writer sync.WaitGroup
	writer.Go(func() {
		c.out.write(c.nc, c.srv.cfg.Limits.Write, func(err error) {
			reason := "Write error"
			if errors.Is(err, os.ErrDeadlineExceeded) {
				reason = "Write timeout"
			}
			c.kill(reason)
			_ = c.nc.Close()
		})
	})
	reason := c.read()
	c.kill(reason)
	c.out.mu.Lock()
	reason = c.out.fatal
	c.out.mu.Unlock()
	c.mu.Lock()
	c.reason = reason
	watched := c.watched
	c.watched = nil
	c.mu.Unlock()
	c.srv.monitors.forget(c, watched)
	if c.sess != nil {
		c.sess.Close(cutText(oneLine(reason), rooms.MaxReason))
	}
	c.tasks.Wait()
	c.out.close((&line{command: "ERROR", params: []string{"Closing link: (" + c.ip + ") [" + reason + "]"}}).bytes(0))
	writer.Wait()
	_ = c.nc.Close()
}

// read runs commands until the connection ends, and returns the reason.
func (c *conn) read() string {
	lim := c.srv.cfg.Limits
	var lines ircreader.Reader
	lines.Initialize(c.nc, 512, ircmsg.MaxlenTagsFromClient+2*maxLine)
	registerBy := time.Now().Add(lim.Register)
	asked := false
	for c.ctx.Err() == nil {
		deadline := registerBy
		if c.registered() {
			if deadline = time.Now().Add(lim.Idle); asked {
				deadline = time.Now().Add(lim.PingWait)
			}
		}
		_ = c.nc.SetReadDeadline(deadline)
		if c.ctx.Err() != nil { // kill may have set its own deadline just before
			break
		}
		raw, err := lines.ReadLine()
		switch {
		case err == nil:
			asked = false
		case errors.Is(err, os.ErrDeadlineExceeded) && c.ctx.Err() == nil:
			if !c.registered() {
				return "Registration timeout"
			}
			if asked {
				return "Ping timeout"
			}
			asked = true
			c.put(&line{command: "PING", params: []string{c.srv.cfg.Name}})
			continue
		case errors.Is(err, ircreader.ErrReadQ):
			c.begin("").num(errInputTooLong, "Input line was too long")
			return "Input line was too long"
		default:
			return "Connection closed"
		}
		if c.out.wait(c.ctx); c.ctx.Err() != nil {
			break
		}
		if quit := c.line(string(raw)); quit != "" {
			return quit
		}
	}
	return "Connection closed"
}

// line runs one line; a text: the client quits with it.
func (c *conn) line(raw string) (quit string) {
	if strings.TrimSpace(raw) == "" {
		return ""
	}
	m, err := ircmsg.ParseLineStrict(raw, true, maxLine)
	label := ""
	if c.have().has(capLabeledResponse) {
		if _, l := m.GetTag("label"); len(l) <= 64 {
			label = l
		}
	}
	r := c.begin(label)
	defer r.release()
	switch {
	case errors.Is(err, ircmsg.ErrorBodyTooLong), errors.Is(err, ircmsg.ErrorTagsTooLong):
		r.num(errInputTooLong, "Input line was too long")
		return ""
	case err != nil:
		if !utf8.ValidString(raw) {
			r.fail("*", "INVALID_UTF8", "Your line is not UTF-8: set your client to UTF-8")
		}
		return "" // nothing in it that could be answered
	case !utf8.ValidString(raw):
		r.fail(middle(m.Command), "INVALID_UTF8", "Your line is not UTF-8: set your client to UTF-8")
		return ""
	}
	if c.srv.cfg.FloodProtection && m.Command != "PONG" && c.limiter.Wait(c.ctx) != nil {
		return ""
	}
	return c.command(r, &m)
}

func (c *conn) command(r *reply, m *ircmsg.Message) (quit string) {
	if m.Command == "QUIT" {
		if reason := strings.TrimSpace(strings.Join(m.Params, " ")); reason != "" {
			return reason
		}
		return "Client quit"
	}
	cmd, known := c.srv.commands[m.Command]
	switch {
	case !c.registered() && !(known && cmd.early):
		r.num(irc.ERR_NOTREGISTERED, "You have not registered")
		return ""
	case !known:
		r.num(irc.ERR_UNKNOWNCOMMAND, middle(cutText(m.Command, 64)), "Unknown command")
		return ""
	case len(m.Params) < cmd.params:
		r.num(irc.ERR_NEEDMOREPARAMS, m.Command, "Not enough parameters")
		return ""
	}
	if !cmd.now {
		c.wishes.wait(c.ctx)
	}
	c.msg = m
	cmd.run(c, r, m.Params)
	return ""
}
