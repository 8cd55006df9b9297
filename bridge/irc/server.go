package irc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"warren/bridge"
	"warren/rooms"
	"warren/rooms/errs"
)

// Server is the IRC view of one hub. Its methods are safe for concurrent use.
type Server struct {
	cfg      Config
	hub      *bridge.Hub
	log      *slog.Logger
	commands map[string]command
	support  [][]string // ISUPPORT tokens, at most 13 a line
	started  time.Time
	people   *people
	monitors *monitors
	ctx      context.Context
	cancel   context.CancelFunc
	work     sync.WaitGroup
	stops    []func()

	mu        sync.Mutex // guards the rest
	closed    bool
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	perIP     map[string]int
	bots      map[*conn]struct{} // those with user mode B
	max       int                // most connections at one time
}

// New returns a server; Serve or Start make it listen, Close ends it.
func New(cfg Config) *Server {
	if cfg.Name == "" {
		cfg.Name = "warren"
	}
	if cfg.Network == "" {
		cfg.Network = "Warren"
	}
	if cfg.Version == "" {
		cfg.Version = "warren"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Network = strings.ReplaceAll(cfg.Network, " ", "_")
	cfg.Limits = cfg.Limits.withDefaults()
	s := &Server{
		cfg: cfg, hub: cfg.Hub, log: cfg.Logger, commands: commandTable(), started: time.Now(), people: newPeople(func(n string) bool { _, ok := cfg.Hub.UserByNick(n); return ok }), monitors: newMonitors(),
		listeners: map[net.Listener]struct{}{}, conns: map[*conn]struct{}{}, perIP: map[string]int{}, bots: map[*conn]struct{}{},
	}
	s.support = s.isupport()
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.stops = append(s.stops, s.hub.WatchUsers(s.userChanged))
	return s
}

// Start serves all listeners of the configuration in the background; it does not block. Failures to accept are logged.
func (s *Server) Start() error {
	all := append([]net.Listener{}, s.cfg.Listen...)
	for _, l := range s.cfg.TLSListen {
		if s.cfg.TLS == nil {
			return errors.New("irc: a TLS address is configured, but no certificate")
		}
		all = append(all, tls.NewListener(l, s.cfg.TLS))
	}
	for _, l := range all {
		s.work.Go(func() {
			if err := s.Serve(l); err != nil {
				s.log.Error("irc: cannot accept connections any more", "addr", l.Addr().String(), "err", err)
			}
		})
	}
	return nil
}

// Serve accepts connections until Close or until the listener is closed (it returns nil then), or until the listener fails. It closes the listener.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errors.Join(errs.Closed, l.Close())
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
		_ = l.Close()
	}()
	for {
		nc, err := l.Accept()
		if err == nil {
			s.Handle(nc)
			continue
		}
		if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return nil
		}
		if !passing(err) {
			return fmt.Errorf("accept: %w", err)
		}
		s.log.Warn("irc: a connection was not accepted", "err", err)
		select { // out of file descriptors, mostly: others must end first
		case <-time.After(50 * time.Millisecond):
		case <-s.ctx.Done():
			return nil
		}
	}
}

// passing reports whether accepting may work again later.
func passing(err error) bool {
	var op *net.OpError
	return errors.As(err, &op)
}

// Handle serves one connection in the background.
func (s *Server) Handle(nc net.Conn) {
	_, secure := nc.(*tls.Conn)
	ip := hostOf(nc.RemoteAddr())
	c := newConn(s, nc, ip, secure)
	s.mu.Lock()
	refused := ""
	switch {
	case s.closed:
		refused = "the server stops"
	case s.cfg.MaxClientsPerIP > 0 && s.perIP[ip] >= s.cfg.MaxClientsPerIP && !isLoopback(ip):
		refused = "too many connections from your address"
	default:
		s.conns[c] = struct{}{}
		s.perIP[ip]++
		s.max = max(s.max, len(s.conns))
		s.work.Add(1)
	}
	s.mu.Unlock()
	if refused != "" {
		c.cancel()
		_ = nc.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = nc.Write((&line{command: "ERROR", params: []string{"Closing link: " + refused}}).bytes(0))
		_ = nc.Close()
		return
	}
	go func() {
		defer s.work.Done()
		c.run()
		s.mu.Lock()
		delete(s.conns, c)
		delete(s.bots, c)
		if s.perIP[ip]--; s.perIP[ip] <= 0 {
			delete(s.perIP, ip)
		}
		s.mu.Unlock()
	}()
}

// Close ends all connections with ERROR and returns when nothing of the server runs any more.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	var conns []*conn
	for c := range s.conns {
		conns = append(conns, c)
	}
	for l := range s.listeners {
		_ = l.Close()
	}
	s.mu.Unlock()
	s.cancel()
	for _, c := range conns {
		c.kill("the server stops")
	}
	s.work.Wait()
	for _, stop := range s.stops {
		stop()
	}
	return nil
}

// setBot notes that a connection has, or has no more, user mode B (IRCv3 bot-mode).
func (s *Server) setBot(c *conn, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(s.bots, c); on {
		s.bots[c] = struct{}{}
	}
}

// isBot reports whether a connection of this node under that nick says that it is a bot.
func (s *Server) isBot(nick string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.bots {
		if rooms.Fold(*c.nick.Load()) == rooms.Fold(nick) {
			return true
		}
	}
	return false
}

// now is the node's clock, ms.
func (s *Server) now() int64 { return s.hub.World().Now() }

// nodeName is the server name of a node, in WHOIS and as the source of what a node does.
func (s *Server) nodeName(id rooms.NodeID) string {
	if id == s.hub.World().Self() {
		return s.cfg.Name
	}
	return s.serverName(s.hub.NodeName(id))
}

// serverName makes another node's name a server name like this one's: clients take a source without a dot for somebody's nick.
func (s *Server) serverName(node string) string {
	if _, domain, ok := strings.Cut(s.cfg.Name, "."); ok && !strings.Contains(node, ".") {
		node += "." + domain
	}
	return middle(node)
}

func hostOf(a net.Addr) string {
	if a == nil {
		return "unknown"
	}
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return ip == nil || ip.IsLoopback() // no address at all: a pipe or a Unix socket
}
