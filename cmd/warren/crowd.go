package main

import (
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
)

// crowd bounds the connections of all views together.
type crowd struct {
	max  int64
	now  atomic.Int64
	log  *slog.Logger
	once sync.Once // one line in the log, not one for each who is turned away
}

// counted is a listener whose connections count.
type counted struct {
	net.Listener
	c *crowd
}

// Accept returns the next connection that finds room; others are closed at once.
func (l counted) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.c.now.Add(1) <= l.c.max {
			return &countedConn{Conn: conn, c: l.c}, nil
		}
		l.c.now.Add(-1)
		_ = conn.Close()
		l.c.once.Do(func() { l.c.log.Warn("clients are turned away: limits.clients is reached", "limit", l.c.max) })
	}
}

type countedConn struct {
	net.Conn
	c    *crowd
	gone sync.Once
}

// Close closes the connection and makes room.
func (c *countedConn) Close() error {
	c.gone.Do(func() { c.c.now.Add(-1) })
	return c.Conn.Close()
}

// limit makes the connections of all listeners count.
func (v *views) limit(most int, log *slog.Logger) {
	c := &crowd{max: int64(most), log: log}
	for _, ls := range [][]net.Listener{v.irc, v.ircTLS, v.xmpp, v.xmppTLS} {
		for i := range ls {
			ls[i] = counted{ls[i], c}
		}
	}
}
