package irc

import (
	"crypto/subtle"
	"strconv"
	"strings"
	"time"

	irc "gopkg.in/irc.v4"

	"warren/rooms"
)

func cmdMotd(c *conn, r *reply, _ []string) {
	if c.srv.cfg.MOTD == "" {
		r.num(irc.ERR_NOMOTD, "MOTD File is missing")
		return
	}
	r.num(irc.RPL_MOTDSTART, "- "+c.srv.cfg.Name+" Message of the day - ")
	for _, l := range strings.Split(strings.TrimRight(c.srv.cfg.MOTD, "\n"), "\n") {
		for _, t := range append(splitText(l, 400), "")[:max(1, len(splitText(l, 400)))] {
			r.num(irc.RPL_MOTD, "- "+t)
		}
	}
	r.num(irc.RPL_ENDOFMOTD, "End of /MOTD command.")
}

func cmdLusers(c *conn, r *reply, _ []string) {
	s := c.srv
	users, channels, nodes := len(s.hub.Users()), 0, 0
	s.hub.World().Directory(func(d *rooms.Directory) {
		for _, rec := range d.Rooms {
			if !rec.Direct() {
				channels++
			}
		}
		for _, n := range d.Nodes {
			if n.To == 0 {
				nodes++
			}
		}
	})
	s.mu.Lock()
	here, most := len(s.conns), s.max
	s.mu.Unlock()
	n := strconv.Itoa
	r.num(irc.RPL_LUSERCLIENT, "There are "+n(users)+" users and 0 invisible on "+n(nodes)+" servers")
	r.num(irc.RPL_LUSEROP, n(0), "operators online")
	r.num(irc.RPL_LUSERUNKNOWN, n(0), "unregistered connections")
	r.num(irc.RPL_LUSERCHANNELS, n(channels), "channels formed")
	r.num(irc.RPL_LUSERME, "I have "+n(here)+" clients and "+n(nodes-1)+" servers")
	r.num(rplLocalUsers, n(here), n(most), "Current local users "+n(here)+", max "+n(most))
	r.num(rplGlobalUsers, n(users), n(users), "Current global users "+n(users)+", max "+n(users))
}

func cmdVersion(c *conn, r *reply, _ []string) {
	r.num(irc.RPL_VERSION, middle(c.srv.cfg.Version), c.srv.cfg.Name, "Warren: rooms without a server")
	for _, tokens := range c.srv.support {
		r.num(irc.RPL_ISUPPORT, append(append([]string{}, tokens...), "are supported by this server")...)
	}
}

func cmdTime(c *conn, r *reply, _ []string) {
	at := time.UnixMilli(c.srv.now()).UTC()
	r.num(irc.RPL_TIME, c.srv.cfg.Name, strconv.FormatInt(at.Unix(), 10), "0", at.Format(time.RFC1123))
}

func cmdInfo(c *conn, r *reply, _ []string) {
	for _, t := range []string{
		"Warren: IRC and XMPP rooms that live on no single server.",
		"Version " + c.srv.cfg.Version + ", this node is up since " + c.srv.started.UTC().Format(time.RFC1123),
		"Say !help in a channel to see what the bot can do.",
	} {
		r.num(irc.RPL_INFO, t)
	}
	r.num(irc.RPL_ENDOFINFO, "End of /INFO list")
}

func cmdAdmin(c *conn, r *reply, _ []string) {
	r.num(irc.RPL_ADMINME, c.srv.cfg.Name, "Administrative info")
	r.num(irc.RPL_ADMINLOC1, "This is one node of the network "+c.srv.cfg.Network)
	r.num(irc.RPL_ADMINLOC2, "Each node has its own operator")
	r.num(irc.RPL_ADMINEMAIL, "Ask in a channel whose node this is")
}

func cmdLinks(c *conn, r *reply, _ []string) {
	var nodes []string
	s := c.srv
	self := s.hub.World().Self()
	s.hub.World().Directory(func(d *rooms.Directory) {
		for _, id := range d.NodeIDs() {
			if n := d.Nodes[id]; id != self && n.To == 0 {
				nodes = append(nodes, n.Name)
			}
		}
	})
	r.num(irc.RPL_LINKS, s.cfg.Name, s.cfg.Name, "0 this node")
	for i, n := range nodes {
		if i >= maxWho {
			break
		}
		r.num(irc.RPL_LINKS, s.serverName(n), s.cfg.Name, "1 a node of the network")
	}
	r.num(irc.RPL_ENDOFLINKS, "*", "End of /LINKS list")
}

func cmdHelp(c *conn, r *reply, p []string) {
	about := "index"
	if len(p) > 0 && p[0] != "" {
		about = middle(cutText(p[0], 60))
	}
	lines := helpText()
	r.num(rplHelpStart, about, lines[0])
	for _, l := range lines[1:] {
		r.num(rplHelpText, about, l)
	}
	r.num(rplEndOfHelp, about, "End of /HELP")
}

func helpText() []string {
	return []string{
		"Warren: channels that live on no single server",
		"/join #name        enter a channel, or make one",
		"/msg NickServ HELP keep your nick with an account",
		"!help              said in a channel: documents, exits, tags and search",
		"Channel modes: o manages, h sanctions, v may talk in a moderated channel;",
		"i by invitation, k password, l limit, m moderated, s not listed, t topic only for o and h, b bans",
	}
}

func cmdOper(c *conn, r *reply, p []string) {
	for _, o := range c.srv.cfg.Opers {
		if o.Name == p[0] && o.Password != "" && subtle.ConstantTimeCompare([]byte(o.Password), []byte(p[1])) == 1 {
			c.oper = true
			r.num(irc.RPL_YOUREOPER, "You are now an IRC operator")
			r.send(&line{source: c.mask(), command: "MODE", params: []string{*c.nick.Load(), "+o"}})
			return
		}
	}
	r.num(irc.ERR_PASSWDMISMATCH, "Password incorrect")
}
