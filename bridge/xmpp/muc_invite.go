package xmpp

import (
	"mellium.im/xmpp/jid"

	"warren/bridge"
	"warren/perms"
	"warren/rooms"
)

// principalOf returns whom a JID of this network means: an account, or a guest who is online under that nick.
func (s *Server) principalOf(j jid.JID) (perms.Principal, bool) {
	if j.Domainpart() != s.domain || j.Localpart() == "" {
		return "", false
	}
	return s.hub.PrincipalOf(nickOf(j))
}

// inviteMediated passes invitations on through the room (XEP-0045 §7.8.2).
func (c *conn) inviteMediated(e *element, name string) {
	c.inRoom(e, name, func(t *bridge.Seat) {
		for _, inv := range e.child(nsMUCUser, "x").children() {
			if !inv.is(nsMUCUser, "invite") {
				continue
			}
			j, err := jid.Parse(inv.attr("to"))
			if err != nil {
				c.fail(e, stanzaError{"modify", "jid-malformed", ""})
				return
			}
			who, ok := c.srv.principalOf(j)
			if !ok {
				c.fail(e, stanzaError{"cancel", "item-not-found", "nobody here has this address"})
				return
			}
			ctx, cancel := c.op()
			err = t.Wait(ctx, &rooms.Invite{Who: who}, nil)
			cancel()
			if err != nil {
				c.fail(e, toStanzaError(err))
				return
			}
		}
	})
}

// invited tells of an invitation, in both forms that clients know.
func (c *conn) invited(d bridge.Delivery) {
	room := c.srv.roomJID(d.Room)
	if room == "" {
		return
	}
	from := c.srv.domain
	if u, ok := c.srv.hub.UserByNick(d.By); ok {
		from = c.srv.userJID(u)
	}
	m := el(nsClient, "message", at("from", room), at("to", c.full), at("id", newID()), el(nsClient, "body", d.By+" invites you to the room "+room))
	c.send(m.with(el(nsMUCUser, "x", el(nsMUCUser, "invite", at("from", from))), el(nsConference, "x", at("jid", room))))
}

// goTo leads the person to another room: with a direct invitation (XEP-0249), which clients offer to follow.
func (c *conn) goTo(d bridge.Delivery) {
	room := c.srv.roomJID(d.Room)
	if room == "" {
		return
	}
	m := el(nsClient, "message", at("from", c.srv.bare(bridge.BotNick)), at("to", c.full), at("id", newID()),
		el(nsClient, "body", "This way: "+room), el(nsConference, "x", at("jid", room), at("reason", "you asked to go there")))
	c.send(m)
}
