package irc

import (
	"strings"

	irc "gopkg.in/irc.v4"

	"warren/bridge"
	"warren/rooms"
)

func cmdNames(c *conn, r *reply, p []string) {
	if len(p) == 0 {
		r.num(irc.RPL_ENDOFNAMES, "*", "End of /NAMES list")
		return
	}
	for _, name := range strings.Split(p[0], ",") {
		if t := c.sess.Seat(strings.TrimPrefix(name, "#")); t != nil {
			c.mu.Lock()
			c.names(r, t)
			c.mu.Unlock()
			continue
		}
		r.num(irc.RPL_ENDOFNAMES, middle(name), "End of /NAMES list")
	}
}

// member is an occupant as this client sees it.
type member struct {
	rooms.Occupant
	shown string // nick
	signs string // prefixes, highest first
	self  bool
}

// members returns the occupants of a seat's room, sorted by nick, without those whose QUIT the client has seen. c.mu is held.
func (c *conn) members(t *bridge.Seat) []member {
	var out []member
	own := rooms.Fold(t.Nick())
	t.View(func(st *rooms.State) {
		id := t.Room().ID()
		out = make([]member, 0, len(st.Occupants))
		for _, fold := range st.Nicks() {
			o := st.Occupants[fold]
			m := member{Occupant: o, self: fold == own}
			if to, ok := c.gone[ghost{id, fold}]; ok {
				if to == "" {
					continue
				}
				m.shown = to
			} else if m.self {
				m.shown = *c.nick.Load()
			} else {
				m.shown = c.srv.people.shown(st, o.Nick)
			}
			m.signs, _ = c.srv.signs(st, o)
			out = append(out, m)
		}
	})
	return out
}

// prefix returns the member's prefixes as the client wants them.
func (m member) prefix(have caps) string {
	if have.has(capMultiPrefix) || len(m.signs) < 2 {
		return m.signs
	}
	return m.signs[:1]
}

// names sends 353 and 366. c.mu is held.
func (c *conn) names(r *reply, t *bridge.Seat) {
	have := c.have()
	name, kind := "#"+t.Name(), "="
	t.View(func(st *rooms.State) {
		if st.Set.Secret {
			kind = "@"
		}
	})
	room := maxLine - len(":"+c.srv.cfg.Name+" 353 "+c.target()+" = "+name+" :\r\n")
	cur := ""
	add := func(s string) {
		if cur != "" && len(cur)+1+len(s) > room {
			r.num(irc.RPL_NAMREPLY, kind, name, cur)
			cur = ""
		}
		cur = strings.TrimPrefix(cur+" "+s, " ")
	}
	for _, m := range c.members(t) {
		s := m.prefix(have) + m.shown
		if have.has(capUserhostInNames) {
			s = m.prefix(have) + maskOf(m.shown, m.Account, m.Nodes[0])
		}
		add(s)
	}
	if c.srv.hub.HasBot() {
		if have.has(capUserhostInNames) {
			add(c.srv.botMask())
		} else {
			add(bridge.BotNick)
		}
	}
	if cur != "" {
		r.num(irc.RPL_NAMREPLY, kind, name, cur)
	}
	r.num(irc.RPL_ENDOFNAMES, name, "End of /NAMES list")
}
