package xmpp

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"warren/bridge"
	"warren/rooms"
)

// conn is one client. Its serve goroutine reads and handles stanzas one after the other; a second goroutine writes what is in the outbox;
// what has to wait for a room runs in joins and in lanes.
type conn struct {
	srv      *Server
	nc       net.Conn // the TLS connection once there is one; only the serve goroutine changes it, under mu
	addr     netip.Addr
	loopback bool
	secured  bool
	r        *reader
	out      *outbox
	ctx      context.Context
	cancel   context.CancelFunc
	gone     chan struct{} // closed when serve is at its end

	account  string
	resource string
	bare     string
	full     string
	to       []byte // the attribute that addresses a stanza to full
	sess     *bridge.Session
	lastRead atomic.Int64 // Unix ns
	work     sync.WaitGroup
	lanes    *lanes        // what has to wait for rooms
	wishes   chan struct{} // wishes under way
	joins    chan struct{}

	mu       sync.Mutex
	streamID string // only the serve goroutine changes it and opened
	opened   bool   // the answer to the stream header was sent
	writing  bool   // the writer runs: everything goes through the outbox
	ended    bool
	seats    map[*bridge.Seat]*occupancy
	joining  map[string]chan struct{} // by folded room name
	presence *element                 // the last broadcast presence; nil: unavailable
	recalls  bool                     // asked its own archive
	carbons  bool
	roster   bool              // asked for the roster: gets pushes
	moment   map[string]moment // where ids lie in the account's own archive that the client may page from
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{
		srv: s, nc: nc, out: newOutbox(s.limits.MaxQueue), gone: make(chan struct{}), joins: make(chan struct{}, maxJoins), wishes: make(chan struct{}, maxWishes),
		seats: map[*bridge.Seat]*occupancy{}, joining: map[string]chan struct{}{}, moment: map[string]moment{},
	}
	c.lanes = newLanes(&c.work)
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	if a, err := netip.ParseAddrPort(nc.RemoteAddr().String()); err == nil {
		c.addr = a.Addr().Unmap()
		c.loopback = c.addr.IsLoopback()
	}
	return c
}

// touched is a connection that notes when something was read.
type touched struct{ c *conn }

func (t touched) Read(p []byte) (int, error) {
	n, err := t.c.nc.Read(p)
	if n > 0 {
		t.c.lastRead.Store(time.Now().UnixNano())
	}
	return n, err
}

// serve runs the connection to its end.
func (c *conn) serve(directTLS bool) {
	defer close(c.gone)
	defer c.cancel()
	c.allow(authTime)
	err := c.negotiate(directTLS)
	if err == nil {
		err = c.run()
	}
	c.finish(err)
}

// allow gives the client so much time from now on, unless the stream has ended: then it has the time that the end gave it.
func (c *conn) allow(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		_ = c.nc.SetDeadline(time.Now().Add(d))
	}
}

// run handles stanzas of a bound client until the stream ends.
func (c *conn) run() error {
	c.lastRead.Store(time.Now().UnixNano())
	defer c.watchIdle()()
	for {
		e, err := c.r.next()
		if errors.Is(err, errStreamEnd) {
			c.drain()
		}
		if err != nil {
			return err
		}
		if err := c.handle(e); err != nil {
			return err
		}
	}
}

// drain waits until what a client wished before it said goodbye is done: many send one message and go.
func (c *conn) drain() {
	ctx, cancel := c.op()
	defer cancel()
	select {
	case <-c.lanes.idle():
	case <-ctx.Done():
	}
}

// watchIdle pings a client that is silent for idleTime, and ends the stream when it stays so for pingTime (half-open connections).
func (c *conn) watchIdle() (stop func()) {
	var mu sync.Mutex
	var t *time.Timer
	stopped, pinged := false, false
	var tick func()
	tick = func() {
		mu.Lock()
		defer mu.Unlock()
		if stopped {
			return
		}
		quiet := time.Since(time.Unix(0, c.lastRead.Load()))
		switch {
		case quiet < idleTime:
			pinged = false
			t = time.AfterFunc(idleTime-quiet, tick)
		case pinged && quiet >= idleTime+pingTime:
			c.end("connection-timeout", "nothing was heard for too long")
		case pinged:
			t = time.AfterFunc(idleTime+pingTime-quiet, tick)
		default:
			pinged = true
			c.send(el(nsClient, "iq", at("type", "get"), at("id", newID()), at("from", c.srv.domain), at("to", c.full), el(nsPing, "ping")))
			t = time.AfterFunc(pingTime, tick)
		}
	}
	mu.Lock()
	t = time.AfterFunc(idleTime, tick)
	mu.Unlock()
	return func() {
		mu.Lock()
		stopped = true
		t.Stop()
		mu.Unlock()
	}
}

// finish tells the client why, ends the session, and waits for all that the connection started.
func (c *conn) finish(err error) {
	reason := "connection lost"
	var f streamFault
	switch {
	case errors.As(err, &f):
		reason = f.condition
		c.end(f.condition, f.text)
	case errors.Is(err, errStreamEnd):
		reason = "logged out"
		c.end("", "")
	default:
		c.end("", "")
	}
	c.cancel()
	c.lanes.close()
	if c.sess != nil {
		c.srv.unbind(c)
		c.sess.Close(reason)
	}
	c.work.Wait()
	if c.sess != nil {
		c.srv.books.release(c.account)
	}
	c.mu.Lock()
	nc := c.nc
	c.mu.Unlock()
	_ = nc.Close()
}

// end closes the stream: a stream error when there is a condition, then the end tag. It does not block for longer than a moment, may be
// called from anywhere and more than once; the serve goroutine finds the connection dead and cleans up.
func (c *conn) end(condition, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.ended = true
	var b []byte
	if !c.opened {
		b = append(b, c.openTag()...)
	}
	if condition != "" {
		b = streamError(condition, text).appendXML(b, nsClient)
	}
	b = append(b, "</stream:stream>"...)
	// A tarrying peer has closeTime to read the last words, then every read and write fails.
	nc := c.nc
	_ = nc.SetDeadline(time.Now().Add(closeTime))
	if c.writing {
		c.out.finish(b, condition == "policy-violation")
		return
	}
	// Begun under mu: finish, which waits for it, comes after.
	c.work.Go(func() {
		_, _ = nc.Write(b)
		_ = nc.SetReadDeadline(time.Unix(1, 0))
	})
}

// streamError uses the prefix that the stream header declared.
func streamError(condition, text string) *element {
	e := el(nsClient, "stream:error", el(nsStreamErr, condition))
	if text != "" {
		e.with(el(nsStreamErr, "text", text))
	}
	return e
}

// startWriting hands writing to the outbox's own goroutine.
func (c *conn) startWriting() {
	c.mu.Lock()
	c.writing = true
	ended := c.ended
	if !ended { // the time to log in counts no longer; that to say goodbye would
		_ = c.nc.SetDeadline(time.Time{})
	}
	c.mu.Unlock()
	if ended { // end writes the last words itself: a writer would close the connection before they are out
		c.out.finish(nil, true)
		return
	}
	c.work.Go(func() {
		_ = c.out.run(c.nc)
		// Nothing more can be said: end reading too.
		_ = c.nc.SetReadDeadline(time.Unix(1, 0))
		_ = closeWrite(c.nc)
	})
}

func closeWrite(nc net.Conn) error {
	switch nc := nc.(type) {
	case *tls.Conn:
		return nc.CloseWrite()
	case *net.TCPConn:
		return nc.CloseWrite()
	}
	return nil
}

// send queues a stanza.
func (c *conn) send(e *element) { c.sendBytes(e.bytes()) }

// sendBytes queues encoded stanzas; a client that does not read what it gets is dropped.
func (c *conn) sendBytes(parts ...[]byte) {
	if !c.out.put(parts...) {
		c.overflow()
	}
}

func (c *conn) overflow() {
	c.out.mu.Lock()
	full := c.out.full
	c.out.mu.Unlock()
	if full {
		c.end("policy-violation", "the client does not read what it gets")
	}
}

// later runs f after all that was given to later before for the same lane. false: too much waits already, or the client is gone.
func (c *conn) later(lane string, f func()) bool { return c.lanes.put(lane, f) }

// op returns a context for something that a room has to answer.
func (c *conn) op() (context.Context, context.CancelFunc) { return context.WithTimeout(c.ctx, opTime) }

// seat returns the client's seat in the room of that name, after waiting for a join that is under way.
func (c *conn) seat(name string) *bridge.Seat {
	c.mu.Lock()
	wait := c.joining[rooms.Fold(name)]
	c.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-c.ctx.Done():
		}
	}
	return c.sess.Seat(name)
}
