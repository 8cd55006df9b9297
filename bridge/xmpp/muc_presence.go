package xmpp

import (
	"warren/bridge"
	"warren/perms"
	"warren/rooms"
)

// occupantPresence says that an occupant is there, and how.
func (s *Server) occupantPresence(room string, id rooms.RoomID, o rooms.Occupant, st standing, self *conn, codes ...string) *element {
	p := el(nsClient, "presence", at("from", room+"/"+o.Nick))
	if u, ok := s.userOf(o); ok {
		p.with(showOf(u)...)
	}
	item := el(nsMUCUser, "item", at("affiliation", st.affiliation), at("role", st.role), at("jid", s.occupantJID(o, self)))
	return p.with(mucUser(item, codes...), s.occupantID(id, o.Principal()))
}

// occupantJID is an occupant's real address: the full one for the client itself, else the account's; guests have none.
func (s *Server) occupantJID(o rooms.Occupant, self *conn) string {
	switch {
	case self != nil:
		return self.full
	case o.Account != "":
		return s.bare(o.Account)
	}
	return ""
}

// botPresence is the service occupant, who is in every room.
func (s *Server) botPresence(room string, id rooms.RoomID) *element {
	item := el(nsMUCUser, "item", at("affiliation", "none"), at("role", "participant"))
	return el(nsClient, "presence", at("from", room+"/"+bridge.BotNick), el(nsClient, "status", s.hub.Bot().Real), mucUser(item), s.occupantID(id, perms.Node(bridge.BotNick)))
}

// gonePresence says that somebody is not there any more.
func (s *Server) gonePresence(room string, id rooms.RoomID, o rooms.Occupant, self *conn, status string, item *element, codes ...string) *element {
	p := el(nsClient, "presence", at("from", room+"/"+o.Nick), at("type", "unavailable"))
	if status != "" {
		p.with(el(nsClient, "status", status))
	}
	item.with(at("jid", s.occupantJID(o, self)))
	return p.with(mucUser(item, codes...), s.occupantID(id, o.Principal()))
}

func mucUser(item *element, codes ...string) *element {
	x := el(nsMUCUser, "x")
	if item != nil {
		x.with(item)
	}
	for _, c := range codes {
		x.with(el(nsMUCUser, "status", at("code", c)))
	}
	return x
}

// userOf finds the online person behind an occupant.
func (s *Server) userOf(o rooms.Occupant) (bridge.User, bool) {
	if u, ok := s.hub.UserByNick(o.Nick); ok && u.Account == o.Account {
		return u, true
	}
	if o.Account == "" {
		return bridge.User{}, false
	}
	u, ok := s.hub.UserByNick(o.Account)
	return u, ok && u.Account == o.Account
}

// showOf tells how somebody is there, as parts of a presence (RFC 6121 §4.7.2).
func showOf(u bridge.User) []any {
	var out []any
	show := u.Show
	if show == "" && u.Away != "" {
		show = "away"
	}
	if show != "" {
		out = append(out, el(nsClient, "show", show))
	}
	if u.Away != "" && u.Away != show {
		out = append(out, el(nsClient, "status", u.Away))
	}
	return out
}
