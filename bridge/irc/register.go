package irc

import (
	"context"
	"crypto/subtle"
	"errors"
	"strconv"
	"strings"

	irc "gopkg.in/irc.v4"

	"warren/bridge"
	"warren/bridge/names"
	"warren/rooms"
	"warren/rooms/errs"
)

func cmdPass(c *conn, r *reply, p []string) {
	if c.registered() {
		r.num(irc.ERR_ALREADYREGISTERED, "You may not reregister")
		return
	}
	c.pass = p[0]
}

func cmdUser(c *conn, r *reply, p []string) {
	switch {
	case c.registered():
		r.num(irc.ERR_ALREADYREGISTERED, "You may not reregister")
		return
	case p[0] == "":
		r.num(irc.ERR_NEEDMOREPARAMS, "USER", "Not enough parameters")
		return
	}
	c.user, c.real = p[0], cutText(oneLine(p[3]), 200)
	c.tryRegister(r)
}

func cmdNick(c *conn, r *reply, p []string) {
	if len(p) == 0 || p[0] == "" {
		r.num(irc.ERR_NONICKNAMEGIVEN, "No nickname given")
		return
	}
	nick := p[0]
	if names.ValidNick(nick) != nil {
		r.num(irc.ERR_ERRONEUSNICKNAME, middle(cutText(nick, 64)), "Erroneous nickname: letters, digits and []\\`_^{|}- only, no digit or - first, at most "+strconv.Itoa(names.NickLen)+" bytes")
		return
	}
	if c.registered() {
		c.rename(r, nick)
		return
	}
	if !c.capOpen && c.auth.account == "" && c.nickFree(nick) != nil {
		r.num(irc.ERR_NICKNAMEINUSE, nick, "Nickname is already in use")
		return
	}
	c.want = nick
	c.tryRegister(r)
}

func (c *conn) nickFree(nick string) error {
	if rooms.Fold(nick) == rooms.Fold(nickServ) || c.srv.people.stands(nick) {
		return errs.NickInUse
	}
	return c.srv.hub.CheckNick(nick, c.auth.account)
}

func (c *conn) rename(r *reply, nick string) {
	if nick == *c.nick.Load() {
		return
	}
	if rooms.Fold(nick) == rooms.Fold(nickServ) || c.srv.people.stands(nick) {
		r.failed("NICK", nick, errs.NickInUse)
		return
	}
	r.stream()
	c.await(r, func(ctx context.Context) {
		err := c.sess.Rename(ctx, nick, r)
		if now := c.sess.Nick(); now == nick {
			c.mu.Lock()
			c.ownNick(now, 0, "", r) // no room told it: the client sits in none
			c.mu.Unlock()
		}
		if err != nil {
			r.failed("NICK", nick, err)
		}
	})
}

// tryRegister ends registration when all is there that it needs.
func (c *conn) tryRegister(r *reply) {
	if c.registered() || c.capOpen || c.want == "" || c.user == "" {
		return
	}
	if want := c.srv.cfg.Password; want != "" && subtle.ConstantTimeCompare([]byte(want), []byte(c.pass)) != 1 {
		r.num(irc.ERR_PASSWDMISMATCH, "Password incorrect")
		c.kill("Bad password")
		return
	}
	nick := c.want
	err := c.nickFree(nick)
	var sess *bridge.Session
	if err == nil {
		sess, err = c.srv.hub.Attach(c, bridge.Person{Account: c.auth.account, Nick: nick, Real: c.real, View: "irc", Recalls: c.have().has(capChathistory)})
	}
	switch {
	case errors.Is(err, errs.Closed):
		c.kill("the node stops")
		return
	case err != nil:
		c.want = ""
		r.num(irc.ERR_NICKNAMEINUSE, nick, "Nickname is already in use, or belongs to an account")
		return
	}
	c.sess = sess
	c.nick.Store(&nick)
	context.AfterFunc(sess.Context(), func() { c.kill("the node stops") })
	c.welcome(r)
	c.mu.Lock()
	c.welcomed = true
	for _, d := range c.early {
		c.show(d)
	}
	c.early = nil
	c.mu.Unlock()
	close(c.greeted)
}

func (c *conn) welcome(r *reply) {
	s := c.srv
	r.num(irc.RPL_WELCOME, "Welcome to the "+s.cfg.Network+" network, "+c.mask())
	r.num(irc.RPL_YOURHOST, "Your host is "+s.cfg.Name+", running version "+s.cfg.Version)
	r.num(irc.RPL_CREATED, "This server was created "+s.started.UTC().Format("2006-01-02 15:04:05 UTC"))
	r.num(irc.RPL_MYINFO, s.cfg.Name, middle(s.cfg.Version), "Biow", "bhiklmnostv", "bhklov")
	for _, tokens := range s.support {
		r.num(irc.RPL_ISUPPORT, append(append([]string{}, tokens...), "are supported by this server")...)
	}
	cmdLusers(c, r, nil)
	cmdMotd(c, r, nil)
	r.num(irc.RPL_UMODEIS, c.umodes())
	if c.auth.account != "" {
		return
	}
	if s.cfg.Accounts != nil && s.mayRegister() {
		c.service(r, "You are a guest. To keep your nick: /msg NickServ REGISTER <password>")
	}
}

// isupport returns the tokens of 005.
func (s *Server) isupport() [][]string {
	l := s.cfg.Limits
	n := strconv.Itoa
	targ := n(l.Targets)
	tokens := []string{
		"AWAYLEN=" + n(awayLen), "BOT=B", "CASEMAPPING=ascii", "CHANLIMIT=#:" + n(bridge.MaxSeats), "CHANMODES=b,k,l,Fimnst",
		"CHANNELLEN=" + n(names.ChannelLen), "CHANTYPES=#", "CHATHISTORY=" + n(l.History), "ELIST=CMNTU", "HOSTLEN=" + n(64),
		"INVITE", "KICKLEN=" + n(kickLen), "MAXLIST=b:" + n(512), "MAXTARGETS=" + targ, "MODES=" + n(maxModes), "MONITOR=" + n(l.Monitor),
		"MSGREFTYPES=timestamp,msgid", "NETWORK=" + strings.ReplaceAll(s.cfg.Network, "=", `\x3D`), "NICKLEN=" + n(names.NickLen),
		"PREFIX=(ohv)@%+", "SAFELIST",
		"TARGMAX=JOIN:" + n(maxJoins) + ",KICK:" + targ + ",LIST:,NAMES:,NOTICE:" + targ + ",PART:,PRIVMSG:" + targ + ",TAGMSG:" + targ + ",WHOIS:1",
		"TOPICLEN=" + n(topicLen), "UTF8ONLY", "WHOX",
	}
	var out [][]string
	for len(tokens) > 0 {
		k := min(13, len(tokens))
		out = append(out, tokens[:k])
		tokens = tokens[k:]
	}
	return out
}

func cmdPing(c *conn, r *reply, p []string) {
	if len(p) == 0 || p[0] == "" {
		r.num(irc.ERR_NOORIGIN, "No origin specified")
		return
	}
	if c.sess != nil {
		c.sess.Barrier(c.ctx)
	}
	r.send(&line{source: c.srv.cfg.Name, command: "PONG", params: []string{c.srv.cfg.Name, p[0]}})
}

func cmdIgnore(*conn, *reply, []string) {}
