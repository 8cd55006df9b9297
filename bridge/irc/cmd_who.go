package irc

import (
	"strconv"
	"strings"

	irc "gopkg.in/irc.v4"

	"warren/bridge"
	"warren/perms"
	"warren/rooms"
)

// whoRow is one person of a WHO answer.
type whoRow struct {
	channel, user, host, server, nick, flags, account, real string
	away                                                    bool
}

func (c *conn) whoRow(u bridge.User, nick, channel, signs string) whoRow {
	w := whoRow{
		channel: channel, user: userOf(nick, u.Account), host: hostFor(u.Account, []rooms.NodeID{u.Node}), server: c.srv.nodeName(u.Node),
		nick: nick, account: u.Account, real: u.Real, away: awayText(u) != "",
	}
	w.flags = "H"
	if w.away {
		w.flags = "G"
	}
	if u.Bot {
		w.flags += "B"
		w.user, w.host = bridge.BotNick, "services/"+c.srv.cfg.Name
	}
	if !u.Bot && c.srv.isBot(nick) {
		w.flags += "B"
	}
	if !c.have().has(capMultiPrefix) && len(signs) > 1 {
		signs = signs[:1]
	}
	w.flags += signs
	return w
}

func cmdWho(c *conn, r *reply, p []string) {
	mask := "*"
	if len(p) > 0 && p[0] != "" {
		mask = p[0]
	}
	fields := ""
	if len(p) > 1 {
		if i := strings.IndexByte(p[1], '%'); i >= 0 {
			fields = p[1][i+1:]
		}
	}
	for _, w := range c.whoRows(mask) {
		if fields != "" {
			c.whox(r, w, fields)
		} else {
			r.num(irc.RPL_WHOREPLY, middle(w.channel), w.user, w.host, w.server, w.nick, w.flags, "0 "+w.real)
		}
	}
	r.num(irc.RPL_ENDOFWHO, middle(mask), "End of WHO list")
}

func (c *conn) whoRows(mask string) []whoRow {
	var out []whoRow
	if strings.HasPrefix(mask, "#") {
		t := c.sess.Seat(mask[1:])
		if t == nil {
			return nil
		}
		c.mu.Lock()
		list := c.members(t)
		c.mu.Unlock()
		for _, m := range list {
			u := bridge.User{Nick: m.shown, Account: m.Account, Real: m.Real, Node: m.Nodes[0], View: m.View}
			if now, ok := c.srv.hub.UserByNick(m.Nick); ok && now.Account == m.Account {
				u.Away = awayText(now)
			}
			out = append(out, c.whoRow(u, m.shown, "#"+t.Name(), m.signs))
		}
		if c.srv.hub.HasBot() {
			out = append(out, c.whoRow(c.srv.hub.Bot(), bridge.BotNick, "#"+t.Name(), ""))
		}
		return out
	}
	if !strings.ContainsAny(mask, "*?") {
		if u, ok := c.resolve(mask); ok {
			out = append(out, c.whoRow(u, c.srv.display(u), "*", ""))
		}
		return out
	}
	for _, u := range c.srv.hub.Users() {
		if len(out) >= maxWho {
			break
		}
		nick := c.srv.display(u)
		if perms.MatchMask(mask, nick) || perms.MatchMask(mask, c.srv.userMask(u)) || perms.MatchMask(mask, u.Real) {
			out = append(out, c.whoRow(u, nick, "*", ""))
		}
	}
	return out
}

// whox answers with the asked fields in the order that the specification fixes.
func (c *conn) whox(r *reply, w whoRow, asked string) {
	asked, token, _ := strings.Cut(asked, ",")
	var f []string
	add := func(letter, v string) {
		if strings.Contains(asked, letter) {
			f = append(f, v)
		}
	}
	if len(token) > 3 {
		token = token[:3]
	}
	add("t", middle(token))
	add("c", middle(w.channel))
	add("u", w.user)
	add("i", "255.255.255.255") // addresses are nobody's business
	add("h", w.host)
	add("s", w.server)
	add("n", w.nick)
	add("f", w.flags)
	add("d", "0")
	add("l", "0")
	account := w.account
	if account == "" {
		account = "0"
	}
	add("a", middle(account))
	add("o", "n/a")
	add("r", w.real)
	r.num(rplWhoSpecial, f...)
}

func cmdWhois(c *conn, r *reply, p []string) {
	if len(p) == 0 || p[0] == "" {
		r.num(irc.ERR_NONICKNAMEGIVEN, "No nickname given")
		return
	}
	nick := p[len(p)-1]
	if u, ok := c.resolve(nick); ok {
		c.whois(r, u)
		nick = c.srv.display(u)
	} else if rooms.Fold(nick) == rooms.Fold(nickServ) {
		r.num(irc.RPL_WHOISUSER, nickServ, nickServ, "services/"+c.srv.cfg.Name, "*", "keeps nicks")
	} else {
		r.num(irc.ERR_NOSUCHNICK, middle(nick), "No such nick")
	}
	r.num(irc.RPL_ENDOFWHOIS, middle(nick), "End of /WHOIS list")
}

func (c *conn) whois(r *reply, u bridge.User) {
	s := c.srv
	nick := c.srv.display(u)
	row := c.whoRow(u, nick, "*", "")
	r.num(irc.RPL_WHOISUSER, nick, row.user, row.host, "*", u.Real)
	var chans []string
	for _, t := range c.sess.Seats() {
		t.View(func(st *rooms.State) {
			for _, o := range st.Occupants {
				if o.Principal() == u.Principal() {
					signs, _ := s.signs(st, o)
					chans = append(chans, member{signs: signs}.prefix(c.have())+"#"+t.Name())
				}
			}
		})
	}
	for _, t := range splitText(strings.Join(chans, " "), 380) {
		r.num(irc.RPL_WHOISCHANNELS, nick, t)
	}
	r.num(irc.RPL_WHOISSERVER, nick, row.server, "a node of "+s.cfg.Network)
	if awayText(u) != "" {
		r.num(irc.RPL_AWAY, nick, awayText(u))
	}
	if u.Account != "" {
		r.num(rplWhoisAccount, nick, middle(u.Account), "is logged in as")
	}
	local := s.connOf(nick)
	if u.Bot || s.isBot(nick) {
		r.num(rplWhoisBot, nick, "is a bot")
	}
	if u.View == "xmpp" {
		r.num(rplWhoisSpecial, nick, "is connected by XMPP")
	}
	if local != nil {
		if local.secure {
			r.num(rplWhoisSecure, nick, "is using a secure connection")
		}
		idle := max(0, (s.now()-local.idle.Load())/1000)
		r.num(irc.RPL_WHOISIDLE, nick, strconv.FormatInt(idle, 10), strconv.FormatInt(u.Since/1000, 10), "seconds idle, signon time")
	}
}

// connOf returns a connection of this server under that nick, or nil.
func (s *Server) connOf(nick string) *conn {
	fold := rooms.Fold(nick)
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if rooms.Fold(*c.nick.Load()) == fold {
			return c
		}
	}
	return nil
}

func cmdWhowas(c *conn, r *reply, p []string) {
	if len(p) == 0 || p[0] == "" {
		r.num(irc.ERR_NONICKNAMEGIVEN, "No nickname given")
		return
	}
	us, at := c.srv.people.past(p[0])
	for i, u := range us {
		row := c.whoRow(u, c.srv.display(u), "*", "")
		r.num(irc.RPL_WHOWASUSER, row.nick, row.user, row.host, "*", u.Real)
		r.num(irc.RPL_WHOISSERVER, row.nick, row.server, serverTime(at[i]))
	}
	if len(us) == 0 {
		r.num(irc.ERR_WASNOSUCHNICK, middle(p[0]), "There was no such nickname")
	}
	r.num(irc.RPL_ENDOFWHOWAS, middle(p[0]), "End of WHOWAS")
}

func cmdIson(c *conn, r *reply, p []string) {
	var on []string
	for _, arg := range p {
		for _, n := range strings.Fields(arg) {
			if u, ok := c.srv.userByNick(n); ok {
				on = append(on, c.srv.display(u))
			}
		}
	}
	r.num(irc.RPL_ISON, cutText(strings.Join(on, " "), 400))
}

func cmdUserhost(c *conn, r *reply, p []string) {
	var out []string
	for _, n := range p[:min(5, len(p))] {
		if u, ok := c.srv.userByNick(n); ok {
			sign := "+"
			if awayText(u) != "" {
				sign = "-"
			}
			row := c.whoRow(u, c.srv.display(u), "*", "")
			out = append(out, row.nick+"="+sign+row.user+"@"+row.host)
		}
	}
	r.num(irc.RPL_USERHOST, strings.Join(out, " "))
}

func cmdAway(c *conn, r *reply, p []string) {
	if len(p) == 0 || p[0] == "" {
		c.sess.SetPresence("", "")
		r.num(irc.RPL_UNAWAY, "You are no longer marked as being away")
		return
	}
	c.sess.SetPresence(cutText(p[0], awayLen), "away")
	r.num(irc.RPL_NOWAWAY, "You have been marked as being away")
}

func cmdSetname(c *conn, r *reply, p []string) {
	if len(p[0]) > 200 {
		r.fail("SETNAME", "INVALID_REALNAME", "That name is too long")
		return
	}
	c.sess.SetReal(p[0])
	l := &line{source: c.mask(), command: "SETNAME", params: []string{p[0]}, account: c.sess.Account()}
	if c.have().has(capSetname) {
		r.send(l)
	}
}
