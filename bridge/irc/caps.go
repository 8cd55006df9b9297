package irc

import (
	"slices"
	"strings"
)

// caps is a set of IRCv3 capabilities.
type caps uint64

// The capabilities this server knows; the order is that of capNames.
const (
	capAccountNotify caps = 1 << iota
	capAccountTag
	capAwayNotify
	capBatch
	capCapNotify
	capRegistration
	capChathistory
	capPlayback
	capEchoMessage
	capExtendedJoin
	capExtendedMonitor
	capInviteNotify
	capLabeledResponse
	capMessageTags
	capMultiPrefix
	capNoImplicitNames
	capSASL
	capServerTime
	capSetname
	capStandardReplies
	capUserhostInNames
)

func capNames() []string {
	return []string{
		"account-notify", "account-tag", "away-notify", "batch", "cap-notify", "draft/account-registration", "draft/chathistory",
		"draft/event-playback", "echo-message", "extended-join", "extended-monitor", "invite-notify", "labeled-response", "message-tags",
		"multi-prefix", "no-implicit-names", "sasl", "server-time", "setname", "standard-replies", "userhost-in-names",
	}
}

// shaping are the capabilities that change how an event of a room is encoded.
const shaping = capAccountTag | capAwayNotify | capExtendedJoin | capInviteNotify | capMessageTags | capServerTime | capAccountNotify | capSetname

func (c caps) has(want caps) bool { return c&want == want }

// capByName returns the capability, 0 for an unknown one.
func capByName(name string) caps {
	if i := slices.Index(capNames(), name); i >= 0 {
		return 1 << i
	}
	return 0
}

// offered returns the names this connection may ask for, in order.
func (c *conn) offered() []string {
	var out []string
	for i, n := range capNames() {
		if b := caps(1) << i; b == capSASL && c.srv.cfg.Accounts == nil || b == capRegistration && !c.srv.mayRegister() {
			continue
		}
		out = append(out, n)
	}
	return out
}

func (s *Server) mayRegister() bool { return s.cfg.Accounts != nil && s.cfg.RegistrationOpen }

// capList returns lines of names for CAP LS or LIST; the values go only to clients that know version 302.
func capList(names []string, value func(string) string, room int) []string {
	var lines []string
	cur := ""
	for _, n := range names {
		if v := value(n); v != "" {
			n += "=" + v
		}
		if cur != "" && len(cur)+1+len(n) > room {
			lines = append(lines, cur)
			cur = ""
		}
		cur = strings.TrimPrefix(cur+" "+n, " ")
	}
	return append(lines, cur)
}

func cmdCap(c *conn, r *reply, p []string) {
	sub := strings.ToUpper(p[0])
	arg := ""
	if len(p) > 1 {
		arg = p[1]
	}
	switch sub {
	case "LS":
		if !c.registered() {
			c.capOpen = true
		}
		if version(arg) >= 302 {
			c.cap302 = true
			c.setCaps(c.have() | capCapNotify)
		}
		c.capLines(r, "LS", c.offered(), func(n string) string {
			switch {
			case !c.cap302:
				return ""
			case n == "sasl":
				return strings.Join(c.mechanisms(), ",")
			case n == "draft/account-registration":
				return "before-connect,custom-account-name"
			}
			return ""
		})
	case "LIST":
		var on []string
		for i, n := range capNames() {
			if c.have().has(1 << i) {
				on = append(on, n)
			}
		}
		c.capLines(r, "LIST", on, func(string) string { return "" })
	case "REQ":
		if !c.registered() {
			c.capOpen = true
		}
		c.capRequest(r, arg)
	case "END":
		if c.capOpen {
			c.capOpen = false
			c.tryRegister(r)
		}
	default:
		r.num(errInvalidCap, middle(p[0]), "Invalid CAP command")
	}
}

func (c *conn) capRequest(r *reply, arg string) {
	next := c.have()
	offered := c.offered()
	for _, f := range strings.Fields(arg) {
		name, off := strings.CutPrefix(f, "-")
		b := capByName(name)
		if b == 0 || !slices.Contains(offered, name) || off && b == capCapNotify && c.cap302 {
			r.send(&line{source: c.srv.cfg.Name, command: "CAP", params: []string{c.target(), "NAK", arg}})
			return
		}
		if off {
			next &^= b
		} else {
			next |= b
		}
	}
	r.send(&line{source: c.srv.cfg.Name, command: "CAP", params: []string{c.target(), "ACK", arg}})
	c.setCaps(next)
}

func (c *conn) capLines(r *reply, sub string, names []string, value func(string) string) {
	lines := capList(names, value, 400)
	for i, l := range lines {
		params := []string{c.target(), sub, l}
		if i < len(lines)-1 && c.cap302 {
			params = []string{c.target(), sub, "*", l}
		}
		r.send(&line{source: c.srv.cfg.Name, command: "CAP", params: params})
	}
}

func version(s string) int {
	n := 0
	for _, d := range s {
		if d < '0' || d > '9' || n > 9999 {
			return 0
		}
		n = n*10 + int(d-'0')
	}
	return n
}
