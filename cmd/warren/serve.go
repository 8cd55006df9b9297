package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"warren/bridge"
	"warren/bridge/command"
	"warren/bridge/irc"
	"warren/bridge/xmpp"
	"warren/node"
	"warren/node/config"
	"warren/rooms"
)

func serve(c *call) error {
	if err := c.parse(); err != nil {
		return err
	}
	if len(c.args) > 0 {
		return usageError(fmt.Sprintf("what is %q? serve takes flags only", c.args[0]))
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return serveUntil(ctx, c, cfg)
}

// serveUntil runs a node with all its views until ctx ends.
func serveUntil(ctx context.Context, c *call, cfg config.Config) (err error) {
	log := logger(c, cfg)
	v, err := listenViews(cfg)
	if err != nil {
		return err
	}
	defer v.close()
	v.limit(cfg.Limits.Clients, log)
	n, err := node.Open(cfg, true, log)
	if err != nil {
		return err
	}
	defer func() { err = joined(err, n.Leave()) }()
	if err := n.Start(); err != nil {
		return err
	}
	hub := bridge.New(bridge.Config{World: world{n}, Wire: n.Wire(), Archive: seenMarks{n.Store()}, Finder: finder{n}, Logger: log})
	defer hub.Close()
	hub.SetRunner(command.New(command.Config{Hub: hub}))
	ctl, err := startControl(n, hub, cfg, log)
	if err != nil {
		return err
	}
	defer ctl.close()
	closeViews, err := v.start(n, hub, cfg, log)
	defer closeViews()
	if err != nil {
		return err
	}
	greet(c, n, cfg, v)
	select {
	case <-ctx.Done():
		return nil
	case err := <-n.Broken():
		return fmt.Errorf("the disk fails, so the node stops; others take over its rooms: %w", err)
	}
}

// joined returns why the node ended, and what else went wrong as it did: a broken disk, say, tells its error again when it is closed.
func joined(why, closing error) error {
	if why != nil && closing != nil && strings.Contains(why.Error(), closing.Error()) {
		return why
	}
	return errors.Join(why, closing)
}

// views are the opened ports of the protocols.
type views struct {
	irc, ircTLS, xmpp, xmppTLS []net.Listener
}

// listenViews opens all ports, before anything else is touched, so that a taken one is said at once.
func listenViews(cfg config.Config) (v *views, err error) {
	v = &views{}
	open := func(to *[]net.Listener, key string, addrs []string) {
		for _, a := range addrs {
			if err != nil {
				return
			}
			l, e := net.Listen("tcp", a)
			if e != nil {
				err = fmt.Errorf("%s: cannot listen on %s: %w; stop what uses it, or set %s in the configuration", key, a, reason(e), key)
				return
			}
			*to = append(*to, l)
		}
	}
	open(&v.irc, "irc.listen", cfg.IRC.Listen)
	open(&v.ircTLS, "irc.tls_listen", cfg.IRC.TLSListen)
	open(&v.xmpp, "xmpp.listen", cfg.XMPP.Listen)
	open(&v.xmppTLS, "xmpp.tls_listen", cfg.XMPP.TLSListen)
	if err != nil {
		v.close()
		return nil, err
	}
	return v, nil
}

// reason returns the innermost cause of a network error.
func reason(err error) error {
	var sys syscall.Errno
	if errors.As(err, &sys) {
		return sys
	}
	return err
}

func (v *views) close() {
	for _, l := range v.all() {
		_ = l.Close()
	}
}

func (v *views) all() []net.Listener {
	var out []net.Listener
	for _, ls := range [][]net.Listener{v.irc, v.ircTLS, v.xmpp, v.xmppTLS} {
		out = append(out, ls...)
	}
	return out
}

// start gives the ports to the protocols. The returned function ends them; it is never nil.
func (v *views) start(n *node.Node, hub *bridge.Hub, cfg config.Config, log *slog.Logger) (func(), error) {
	var ends []func()
	var wg sync.WaitGroup
	end := func() {
		for _, f := range ends {
			f()
		}
		wg.Wait()
	}
	data, domain := string(cfg.Node.Data), n.Genesis().Domain
	ircTLS, err := certificate(string(cfg.IRC.TLSCert), string(cfg.IRC.TLSKey), data, domain)
	if err != nil {
		return end, fmt.Errorf("irc: %w", err)
	}
	motd, err := cfg.ReadMOTD()
	if err != nil {
		return end, err
	}
	var opers []irc.Oper
	for _, o := range cfg.IRC.Opers {
		opers = append(opers, irc.Oper(o))
	}
	perIP := cfg.IRC.MaxClientsPerIP
	if perIP == 0 {
		perIP = config.DefaultMaxClientsPerIP
	}
	name := cfg.IRC.Name
	if name == "" {
		name = nodeNameOf(n) + "." + n.Genesis().Name
		if n.Genesis().Name == nodeNameOf(n) {
			name = nodeNameOf(n) + ".warren"
		}
	}
	network := cfg.IRC.Network
	if network == "" {
		network = n.Genesis().Name
	}
	i := irc.New(irc.Config{
		Name: strings.ReplaceAll(name, " ", "-"), Network: network, Listen: v.irc, TLSListen: v.ircTLS, TLS: ircTLS, Password: cfg.IRC.Password, MOTD: motd, Opers: opers,
		FloodProtection: cfg.IRC.FloodProtection, MaxClientsPerIP: perIP, Hub: hub, Accounts: accountsOf(n),
		RegistrationOpen: cfg.Accounts.Registration == "open", Version: "warren-" + version, Logger: log,
		Limits: irc.Limits{
			SendQueue: int(cfg.Limits.SendQueue), Register: cfg.Limits.LoginTime.Duration, Burst: cfg.Limits.RequestBurst,
			Rate: float64(cfg.Limits.RequestsPerSecond), History: cfg.Limits.History,
		},
	})
	ends = append(ends, func() { _ = i.Close() })
	if err := i.Start(); err != nil {
		return end, err
	}
	xmppTLS, err := certificate(string(cfg.XMPP.TLSCert), string(cfg.XMPP.TLSKey), data, domain)
	if err != nil {
		return end, fmt.Errorf("xmpp: %w", err)
	}
	x := xmpp.New(xmpp.Config{
		Domain: domain, Hub: hub, Accounts: accountsOf(n), TLS: xmppTLS, RegistrationOpen: cfg.Accounts.Registration == "open", Version: version,
		Logger: log, Roster: rosters{n.Store()},
		Limits: xmpp.Limits{MaxStanza: int(cfg.Limits.Stanza), MaxQueue: int(cfg.Limits.SendQueue), MaxConns: cfg.Limits.Clients, MaxPerAddress: perIP},
	})
	ends = append(ends, func() { _ = x.Close() })
	for l, direct := range v.xmppPorts() {
		wg.Go(func() { _ = x.Serve(l, direct) })
	}
	return end, nil
}

// xmppPorts returns the ports for XMPP, and whether TLS begins at once there.
func (v *views) xmppPorts() map[net.Listener]bool {
	out := map[net.Listener]bool{}
	for _, l := range v.xmpp {
		out[l] = false
	}
	for _, l := range v.xmppTLS {
		out[l] = true
	}
	return out
}

func nodeNameOf(n *node.Node) string { return nameOf(n, n.ID()) }

// nameOf returns a node's name in the directory, or, where it has none, the beginning of its id.
func nameOf(n *node.Node, id rooms.NodeID) string {
	name := id.Short()
	n.Host().Directory(func(d *rooms.Directory) {
		if r, ok := d.Nodes[id]; ok {
			name = r.Name
		}
	})
	return name
}

// greet says in five lines what to do next.
func greet(c *call, n *node.Node, cfg config.Config, v *views) {
	g := n.Genesis()
	network := "network"
	if n.Founded() { // who lost a node's disk should not take a network of one for the old one
		network = "a new network,"
	}
	fmt.Fprintf(c.out, "warren %s: node %s of %s %q, data in %s\n", version, nodeNameOf(n), network, g.Name, cfg.Node.Data)
	fmt.Fprintf(c.out, "IRC   connect a client to %s and /join #lobby\n", reachedAt(cfg.IRC.Listen, v.irc))
	fmt.Fprintf(c.out, "XMPP  log in to %s as NAME@%s and join lobby@rooms.%s\n", reachedAt(cfg.XMPP.Listen, v.xmpp), g.Domain, g.Domain)
	fmt.Fprintf(c.out, "Account: warren account create NAME%s (or REGISTER from the client)\n", c.where())
	fmt.Fprintf(c.out, "Another node: warren invite%s, and there: warren join LINK\n", c.where())
}

// reachedAt returns where clients connect: the addresses of the configuration, with the port that was given where they leave it open.
func reachedAt(addrs []string, open []net.Listener) string {
	if len(open) == 0 {
		return "(switched off)"
	}
	var list []string
	for i, l := range open {
		at := addrs[i]
		if host, port, err := net.SplitHostPort(at); err == nil && port == "0" {
			_, port, _ = net.SplitHostPort(l.Addr().String())
			at = net.JoinHostPort(host, port)
		}
		list = append(list, at)
	}
	return strings.Join(list, ", ")
}

// where returns the flags by which another command finds the node of this one, for a shell, each behind a space.
func (c *call) where() string {
	out := ""
	if *c.config != "" {
		out += " --config " + quoted(*c.config)
	}
	if *c.data != "" {
		out += " --data " + quoted(*c.data)
	}
	return out
}

// quoted returns a word for a shell.
func quoted(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@%=,") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
