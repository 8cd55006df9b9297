package config

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/multiformats/go-multiaddr"
)

// Validate returns the first value that is out of its range as an *[Error] of one line, nil when there is none. It looks at
// the values alone: whether a file is there or a port is free shows when the node starts.
func (c Config) Validate() error {
	for _, check := range []func() *Error{
		c.checkNode, c.checkNetwork, c.checkIRC, c.checkXMPP, c.checkChoices, c.checkOrder, c.checkLimits,
	} {
		if e := check(); e != nil {
			return e
		}
	}
	return nil
}

func fault(key, format string, args ...any) *Error {
	return &Error{Key: key, Problem: oneLine(fmt.Sprintf(format, args...))}
}

func (c Config) checkNode() *Error {
	if c.Node.Data == "" {
		return fault("node.data", "there is no data directory")
	}
	if c.Node.Name != "" && !isNodeName(c.Node.Name) {
		return fault("node.name", "expected at most 24 of a-z, 0-9, - and _, the first no - or _, found %q", clip(c.Node.Name))
	}
	return firstOf(
		text("node.label", c.Node.Label, 64),
		text("node.sponsor", c.Node.Sponsor, 32),
	)
}

func isNodeName(s string) bool {
	for i, r := range s {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
		case (r == '-' || r == '_') && i > 0:
		default:
			return false
		}
	}
	return s != "" && len(s) <= 24
}

func (c Config) checkNetwork() *Error {
	if strings.TrimSpace(c.Network.Name) == "" {
		return fault("network.name", "a network needs a name")
	}
	for _, a := range c.Network.Listen {
		if _, err := multiaddr.NewMultiaddr(a); err != nil {
			return fault("network.listen", "expected multiaddrs such as /ip4/0.0.0.0/tcp/4067, found %q", clip(a))
		}
	}
	for _, a := range c.Network.Bootstrap {
		m, err := multiaddr.NewMultiaddr(a)
		if err == nil {
			_, err = m.ValueForProtocol(multiaddr.P_P2P)
		}
		if err != nil {
			return fault("network.bootstrap", "expected multiaddrs that end in /p2p/ and a node's id, found %q", clip(a))
		}
	}
	return firstOf(
		text("network.name", c.Network.Name, 64),
		span("network.heartbeat", c.Network.Heartbeat, 50*time.Millisecond, 10*time.Second),
	)
}

func (c Config) checkIRC() *Error {
	if strings.ContainsFunc(c.IRC.Name, unicode.IsSpace) {
		return fault("irc.name", "may not hold spaces")
	}
	seen := map[string]bool{}
	for _, o := range c.IRC.Opers {
		switch {
		case o.Name == "" || o.Password == "" || strings.ContainsFunc(o.Name, unicode.IsSpace):
			return fault("irc.opers", "each needs a name without spaces and a password")
		case seen[o.Name]:
			return fault("irc.opers", "the name %q is there twice", clip(o.Name))
		}
		seen[o.Name] = true
		if e := firstOf(text("irc.opers", o.Name, 64), text("irc.opers", o.Password, 300)); e != nil {
			return e
		}
	}
	if !utf8.ValidString(c.IRC.MOTD) || len(c.IRC.MOTD) > maxMOTD {
		return fault("irc.motd", "expected at most 64 KiB of UTF-8")
	}
	if strings.TrimSpace(c.IRC.MOTD) == filePrefix {
		return fault("irc.motd", "expected the path of a file after file:")
	}
	return firstOf(
		text("irc.name", c.IRC.Name, 63),
		text("irc.network", c.IRC.Network, 64),
		text("irc.password", c.IRC.Password, 300),
		addresses("irc.listen", c.IRC.Listen),
		addresses("irc.tls_listen", c.IRC.TLSListen),
		pair("irc", c.IRC.TLSCert, c.IRC.TLSKey),
		number("irc.max_clients_per_ip", c.IRC.MaxClientsPerIP, 0, 1_000_000),
	)
}

func (c Config) checkXMPP() *Error {
	if d := c.XMPP.Domain; d != "" && !isDomain(d) {
		return fault("xmpp.domain", "expected a domain name such as example.org, found %q", clip(d))
	}
	return firstOf(
		addresses("xmpp.listen", c.XMPP.Listen),
		addresses("xmpp.tls_listen", c.XMPP.TLSListen),
		pair("xmpp", c.XMPP.TLSCert, c.XMPP.TLSKey),
	)
}

// isDomain accepts host names of LDH labels in lower case (RFC 1123 §2.1); names of other scripts are written in their
// xn-- form.
func isDomain(s string) bool {
	if len(s) > 253 {
		return false
	}
	for _, label := range strings.Split(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

func (c Config) checkChoices() *Error {
	return firstOf(
		choice("accounts.registration", c.Accounts.Registration, "open", "closed"),
		choice("log.level", c.Log.Level, "debug", "info", "warn", "error"),
		choice("log.format", c.Log.Format, "text", "json"),
	)
}

func (c Config) checkOrder() *Error {
	if c.Order.ElectionTimeout.Duration < 3*c.Order.Heartbeat.Duration {
		return fault("order.election_timeout", "%s is less than 3 times order.heartbeat (%s)", c.Order.ElectionTimeout, c.Order.Heartbeat)
	}
	return firstOf(
		span("order.heartbeat", c.Order.Heartbeat, 10*time.Millisecond, 5*time.Second),
		span("order.election_timeout", c.Order.ElectionTimeout, 30*time.Millisecond, time.Minute),
	)
}

func (c Config) checkLimits() *Error {
	l := c.Limits
	return firstOf(
		number("limits.clients", l.Clients, 1, 1_000_000),
		size("limits.send_queue", l.SendQueue, 16*KiB, 64*MiB),
		size("limits.stanza", l.Stanza, 10_000, MiB),
		number("limits.requests_per_second", l.RequestsPerSecond, 1, 10_000),
		number("limits.request_burst", l.RequestBurst, 1, 100_000),
		span("limits.login_time", l.LoginTime, time.Second, 10*time.Minute),
		number("limits.history", l.History, 1, 1000),
	)
}

func firstOf(all ...*Error) *Error {
	if i := slices.IndexFunc(all, func(e *Error) bool { return e != nil }); i >= 0 {
		return all[i]
	}
	return nil
}

func text(key, s string, most int) *Error {
	if len(s) > most {
		return fault(key, "longer than %d bytes", most)
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return fault(key, "may not hold control characters")
	}
	return nil
}

func number(key string, n, least, most int) *Error {
	if n < least || n > most {
		return fault(key, "expected %d to %d, found %d", least, most, n)
	}
	return nil
}

func size(key string, n, least, most Size) *Error {
	if n < least || n > most {
		return fault(key, "expected %s to %s, found %s", least, most, n)
	}
	return nil
}

func span(key string, d Duration, least, most time.Duration) *Error {
	if d.Duration < least || d.Duration > most {
		return fault(key, "expected %s to %s, found %s", Duration{least}, Duration{most}, d)
	}
	return nil
}

func choice(key, s string, from ...string) *Error {
	if !slices.Contains(from, s) {
		return fault(key, "expected one of %s, found %q", strings.Join(from, ", "), clip(s))
	}
	return nil
}

func pair(section string, cert, key Path) *Error {
	switch {
	case cert != "" && key == "":
		return fault(section+".tls_cert", "needs %s.tls_key too", section)
	case cert == "" && key != "":
		return fault(section+".tls_key", "needs %s.tls_cert too", section)
	}
	return nil
}

// addresses checks host:port; the host is an IP address, localhost, or nothing for all.
func addresses(key string, list []string) *Error {
	for _, a := range list {
		host, port, err := net.SplitHostPort(a)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil || host != "" && host != "localhost" && !isIP(host) {
			return fault(key, "expected addresses such as 127.0.0.1:6667, [::1]:6667 or :6667, found %q", clip(a))
		}
	}
	return nil
}

// isIP reports whether host is an IP address, with or without an IPv6 zone.
func isIP(host string) bool {
	host, _, _ = strings.Cut(host, "%")
	return net.ParseIP(host) != nil
}
