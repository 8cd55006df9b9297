package xmpp

import (
	"maps"
	"slices"

	"mellium.im/xmpp/jid"
)

// rosterGet answers with all contacts (RFC 6121 §2.1.3); from then on the client gets pushes.
func (c *conn) rosterGet(iq, _ *element) {
	c.mu.Lock()
	c.roster = true
	c.mu.Unlock()
	all := c.srv.books.contacts(c.account)
	q := el(nsRoster, "query")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if all[name].shown() {
			q.with(c.srv.rosterItem(name, all[name]))
		}
	}
	c.send(resultOf(iq, q))
}

func (s *Server) rosterItem(name string, k contact) *element {
	item := el(nsRoster, "item", at("jid", s.bare(name)), at("name", k.Name), at("subscription", k.subscription()))
	if k.Ask {
		item.with(at("ask", "subscribe"))
	}
	for _, g := range k.Groups {
		item.with(el(nsRoster, "group", g))
	}
	return item
}

// rosterSet adds, changes or removes one contact (RFC 6121 §2.3 to §2.5).
func (c *conn) rosterSet(iq, q *element) {
	items := q.children()
	if len(items) != 1 || !items[0].is(nsRoster, "item") {
		c.fail(iq, stanzaError{"modify", "bad-request", "one item at a time"})
		return
	}
	item := items[0]
	j, err := jid.Parse(item.attr("jid"))
	switch {
	case err != nil:
		c.fail(iq, stanzaError{"modify", "jid-malformed", ""})
		return
	case j.Domainpart() != c.srv.domain || j.Localpart() == "":
		c.fail(iq, stanzaError{"cancel", "item-not-found", "contacts are accounts of this network"})
		return
	case nickOf(j) == c.account:
		c.fail(iq, stanzaError{"cancel", "not-allowed", "that is you"})
		return
	}
	peer := nickOf(j)
	if item.attr("subscription") == "remove" {
		c.removeContact(iq, peer)
		return
	}
	name, groups := item.attr("name"), []string{}
	tooLong := len(name) > maxName
	for _, g := range item.children() {
		if g.is(nsRoster, "group") && isText(g.text()) && !slices.Contains(groups, g.text()) {
			groups = append(groups, g.text())
			tooLong = tooLong || len(g.text()) > maxName
		}
	}
	if tooLong || len(groups) > maxGroups {
		c.fail(iq, stanzaError{"modify", "not-acceptable", "the name or a group is too long"})
		return
	}
	full := false
	c.srv.books.change(c.account, func(b *book) bool {
		k, known := b.Contacts[peer]
		if full = !known && len(b.Contacts) >= maxContacts; full {
			return false
		}
		k.Listed, k.Name, k.Groups = true, name, groups
		b.Contacts[peer] = k
		return true
	})
	if full {
		c.fail(iq, stanzaError{"wait", "resource-constraint", "the list of contacts is full"})
		return
	}
	c.send(resultOf(iq))
	c.srv.push(c.account, peer)
}

// removeContact takes a contact off the list and ends what the two saw of each other.
func (c *conn) removeContact(iq *element, peer string) {
	k, ok := c.srv.books.contact(c.account, peer)
	if !ok || !k.shown() {
		c.fail(iq, stanzaError{"cancel", "item-not-found", "no such contact"})
		return
	}
	c.srv.books.change(c.account, func(b *book) bool {
		b.Contacts[peer] = contact{Seq: k.Seq}
		return true
	})
	c.send(resultOf(iq))
	c.srv.push(c.account, peer)
	if k.To || k.Ask {
		c.tellSubscription(nil, peer, "unsubscribe")
	}
	if k.From || k.Asked {
		c.tellSubscription(nil, peer, "unsubscribed")
	}
	if k.Seq > 0 { // so that other nodes take it off too
		c.tellSubscription(nil, peer, "removed")
	}
}

// push tells the account's clients how a contact stands now (RFC 6121 §2.1.6).
func (s *Server) push(account, peer string) {
	k, _ := s.books.contact(account, peer)
	item := s.rosterItem(peer, k)
	if !k.shown() {
		item = el(nsRoster, "item", at("jid", s.bare(peer)), at("subscription", "remove"))
	}
	for _, o := range s.resources(account) {
		o.mu.Lock()
		wants := o.roster
		o.mu.Unlock()
		if wants {
			o.send(el(nsClient, "iq", at("type", "set"), at("id", newID()), at("to", o.full), el(nsRoster, "query", item)))
		}
	}
}
