package xmpp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"

	"mellium.im/xmpp/jid"

	"warren/bridge"
	"warren/bridge/login"
	"warren/bridge/names"
)

// RosterStore keeps a few kilobytes an account: its contacts and private data. Both methods may block, and are safe for concurrent use.
type RosterStore interface {
	// Load returns what was saved last, nil when nothing was.
	Load(ctx context.Context, account string) ([]byte, error)
	// Save replaces it.
	Save(ctx context.Context, account string, data []byte) error
}

// Config is what a server needs.
type Config struct {
	Domain           string // the network's XMPP domain; rooms are at rooms.Domain
	Hub              *bridge.Hub
	Accounts         login.Accounts
	TLS              *tls.Config // for STARTTLS and direct TLS; nil: neither, and passwords are taken on loopback only
	ChannelBinding   bool        // offer SCRAM-*-PLUS: clients that know tls-unique only (slixmpp) cannot log in by SCRAM at all then (RFC 5802 §6)
	RegistrationOpen bool        // whether clients may make accounts (XEP-0077)
	Version          string      // shown to whoever asks (XEP-0092)
	Logger           *slog.Logger
	Limits           Limits
	Roster           RosterStore // nil: in memory
}

// Server shows the hub's rooms to XMPP clients. Make it with New, end it with Close.
type Server struct {
	cfg    Config
	log    *slog.Logger
	limits Limits
	domain string
	rooms  string // host of the rooms
	hub    *bridge.Hub
	books  *books
	guests guestIDs

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
	stops  []func()
	saved  chan struct{} // closed when the books are

	mu        sync.Mutex
	closed    bool
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	perAddr   map[netip.Addr]int
	bound     map[string]map[string]*conn // by account and resource
}

// New makes a server. It panics when the domain is no domain: a programmer's mistake, since the network's genesis has been checked.
func New(cfg Config) *Server {
	d, err := jid.New("", cfg.Domain, "")
	if err != nil {
		panic(fmt.Sprintf("xmpp: domain %q: %v", cfg.Domain, err))
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Roster == nil {
		cfg.Roster = &memoryStore{m: map[string][]byte{}}
	}
	s := &Server{
		cfg: cfg, log: cfg.Logger, limits: cfg.Limits.withDefaults(), domain: d.String(), rooms: names.RoomsHost(d.String()), hub: cfg.Hub,
		listeners: map[net.Listener]struct{}{}, conns: map[*conn]struct{}{}, perAddr: map[netip.Addr]int{}, bound: map[string]map[string]*conn{},
	}
	s.books = newBooks(s, cfg.Roster)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.saved = make(chan struct{})
	go func() {
		defer close(s.saved)
		s.books.run(s.ctx.Done())
	}()
	s.stops = append(s.stops, s.hub.WatchUsers(s.userChanged))
	return s
}

// Serve accepts connections until the listener or the server is closed, then returns nil; any other error of accepting is returned. With
// directTLS the TLS handshake comes first (XEP-0368), else clients may ask for it.
func (s *Server) Serve(l net.Listener, directTLS bool) error {
	if directTLS && s.cfg.TLS == nil {
		return errors.New("serve xmpp: direct TLS needs a certificate")
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
	s.listeners[l] = struct{}{}
	s.work.Add(1)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
		s.work.Done()
	}()
	for {
		nc, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || s.ctx.Err() != nil {
				return nil
			}
			var temporary interface{ Temporary() bool }
			if errors.As(err, &temporary) && temporary.Temporary() {
				s.log.Warn("xmpp: accept", "err", err)
				continue
			}
			return fmt.Errorf("serve xmpp: %w", err)
		}
		s.start(nc, directTLS)
	}
}

// start takes the connection over; it returns at once.
func (s *Server) start(nc net.Conn, directTLS bool) {
	c := newConn(s, nc)
	s.mu.Lock()
	if s.closed || len(s.conns) >= s.limits.MaxConns || !c.loopback && s.perAddr[c.addr] >= s.limits.MaxPerAddress {
		s.mu.Unlock()
		_ = nc.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.perAddr[c.addr]++
	s.work.Add(1)
	s.mu.Unlock()
	go func() {
		defer s.work.Done()
		defer s.forget(c)
		c.serve(directTLS)
	}()
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.perAddr[c.addr]--; s.perAddr[c.addr] <= 0 {
		delete(s.perAddr, c.addr)
	}
}

// Close ends all streams with system-shutdown and returns when every goroutine of the server has ended.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	for l := range s.listeners {
		_ = l.Close()
	}
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.end("system-shutdown", "the node stops")
	}
	s.work.Wait()
	for _, stop := range s.stops {
		stop()
	}
	s.cancel()
	<-s.saved
	return nil
}

// bind gives the account's resource to c. Who had it before is told to go.
func (s *Server) bind(c *conn, account, resource string) {
	s.mu.Lock()
	m := s.bound[account]
	if m == nil {
		m = map[string]*conn{}
		s.bound[account] = m
	}
	old := m[resource]
	m[resource] = c
	s.mu.Unlock()
	if old != nil {
		old.end("conflict", "another client took this resource")
		<-old.gone
	}
}

func (s *Server) unbind(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.bound[c.account]; m != nil && m[c.resource] == c {
		delete(m, c.resource)
		if len(m) == 0 {
			delete(s.bound, c.account)
		}
	}
}

// resources returns the account's bound clients at this node.
func (s *Server) resources(account string) []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*conn, 0, len(s.bound[account]))
	for _, c := range s.bound[account] {
		out = append(out, c)
	}
	return out
}

// resource returns the client that has the resource, or nil.
func (s *Server) resource(account, resource string) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bound[account][resource]
}

// bare returns an account's bare JID.
func (s *Server) bare(account string) string { return names.AccountToLocal(account) + "@" + s.domain }

// roomJID returns the bare JID of the room of that name (without '#'), empty when it can have none.
func (s *Server) roomJID(name string) string {
	local, host, err := names.ChannelToJID("#"+name, s.domain)
	if err != nil {
		return ""
	}
	return local + "@" + host
}

// channel returns the name (without '#') that a room's JID stands for.
func (s *Server) channel(j jid.JID) (string, bool) {
	ch, err := names.JIDToChannel(j.Localpart(), j.Domainpart(), s.domain)
	return strings.TrimPrefix(ch, "#"), err == nil
}
