package xmpp

import (
	"warren/bridge"
	"warren/rooms"
)

// ownPresence is presence to nobody in particular: how the person is (RFC 6121 §4.2, §4.4, §4.5).
func (c *conn) ownPresence(e *element) {
	switch e.attr("type") {
	case "":
		first := c.setShow(e)
		if first {
			c.later("contacts", func() {
				c.catchUp()
				c.showContacts()
			})
		}
		c.setListening(priorityOf(e) >= 0) // RFC 6121 §8.5.2
	case "unavailable":
		c.mu.Lock()
		c.presence = nil
		c.mu.Unlock()
		c.setListening(false)
		c.sess.SetPresence(orElse(clip(clean(e.childText(nsClient, "status")), maxName), "not available"), "xa")
		for _, t := range c.sess.Seats() {
			c.leaveRoom(e, t.Name())
		}
	}
}

// setListening says whether messages to the account's bare address are for this client. When they become so, it gets what the account missed
// (XEP-0160), unless it has shown that it asks the archive for that.
func (c *conn) setListening(on bool) {
	c.mu.Lock()
	recalls := c.recalls
	c.mu.Unlock()
	switch {
	case !on:
		c.sess.Deafen()
	case c.sess.Listen(recalls):
		c.later("contacts", func() { c.sess.CatchUp(c.ctx) })
	}
}

// setShow takes over show and status; it reports whether the client was unavailable before.
func (c *conn) setShow(e *element) (first bool) {
	show, status := e.childText(nsClient, "show"), clip(clean(e.childText(nsClient, "status")), maxName)
	away := ""
	switch show {
	case "away", "xa", "dnd":
		away = orElse(status, show)
	case "chat":
	default:
		show = ""
	}
	c.mu.Lock()
	first = c.presence == nil
	c.presence = e
	c.mu.Unlock()
	c.sess.SetPresence(away, show)
	return first
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// available reports whether the client has said that it is there.
func (c *conn) available() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.presence != nil
}

// showContacts tells a client that has just come who of its contacts is there, and who asked to be one.
func (c *conn) showContacts() {
	for peer, k := range c.srv.books.contacts(c.account) {
		if k.To {
			for _, u := range c.srv.hub.UsersOf(peer) {
				c.sendPresence(u)
			}
		}
		if k.Asked {
			c.sendSubscription(peer, "subscribe", "")
		}
	}
}

// showPeer tells the account's clients how a contact is whose presence they may see from now on, or no longer.
func (s *Server) showPeer(account, peer string) {
	sees := s.books.seesPresence(account, peer)
	for _, u := range s.hub.UsersOf(peer) {
		u.Online = u.Online && sees
		for _, o := range s.resources(account) {
			if o.available() {
				o.sendPresence(u)
			}
		}
	}
}

// sendPresence shows how a person is at one node. Others know no more of a person than the node: it is the resource.
func (c *conn) sendPresence(u bridge.User) {
	p := el(nsClient, "presence", at("from", withResource(c.srv.bare(u.Account), c.srv.hub.NodeName(u.Node))), at("to", c.full))
	if !u.Online {
		p.with(at("type", "unavailable"))
	} else {
		p.with(showOf(u)...)
	}
	c.send(p)
}

// userChanged tells the contacts of somebody who came, went or changed. It is called by the hub and does not block.
func (s *Server) userChanged(was, now bridge.User) {
	if now.Account == "" || was == now {
		return
	}
	s.mu.Lock()
	var all []*conn
	for account, m := range s.bound {
		if account == now.Account {
			continue
		}
		for _, c := range m {
			all = append(all, c)
		}
	}
	s.mu.Unlock()
	for _, c := range all {
		if c.available() && s.books.seesPresence(c.account, rooms.Fold(now.Account)) {
			c.sendPresence(now)
		}
	}
}
