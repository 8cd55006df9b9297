package xmpp

import "warren/rooms"

// vcardGet answers with the client's own card (XEP-0054).
func (c *conn) vcardGet(iq, _ *element) { c.vcardOf(iq, c.account) }

// vcardOf answers with an account's card: what its client put there while connected here, else just the name.
func (c *conn) vcardOf(iq *element, account string) {
	exists := false
	c.srv.hub.World().Directory(func(d *rooms.Directory) { exists = d.Now().HasAccount(account) })
	if !exists {
		c.fail(iq, unavailable())
		return
	}
	card := ""
	c.srv.books.change(account, func(k *book) bool {
		card = k.Card
		return false
	})
	if kids := parseFragment([]byte(card)); len(kids) == 1 {
		c.send(resultOf(iq, kids[0]))
		return
	}
	v := el(nsVCard, "vCard")
	if account != c.account {
		v.with(el(nsVCard, "FN", account), el(nsVCard, "NICKNAME", account))
	}
	c.send(resultOf(iq, v))
}

func (c *conn) vcardSet(iq, q *element) {
	c.keep(iq, func(k *book) { k.Card = string(q.bytes()) })
}

// privateGet answers with what the client stored under a name (XEP-0049): bookmarks, mostly.
func (c *conn) privateGet(iq, q *element) {
	kids := q.children()
	if len(kids) != 1 {
		c.fail(iq, stanzaError{"modify", "bad-request", "ask for one thing"})
		return
	}
	data := ""
	c.srv.books.change(c.account, func(k *book) bool {
		data = k.Private[kids[0].Name.Space+" "+kids[0].Name.Local]
		return false
	})
	out := el(nsPrivate, "query")
	if found := parseFragment([]byte(data)); len(found) == 1 {
		out.with(found[0])
	} else {
		out.with(el(kids[0].Name.Space, kids[0].Name.Local))
	}
	c.send(resultOf(iq, out))
}

func (c *conn) privateSet(iq, q *element) {
	kids := q.children()
	if len(kids) == 0 || kids[0].Name.Space == nsPrivate || kids[0].Name.Space == nsClient {
		c.fail(iq, stanzaError{"modify", "bad-request", "private data has a namespace of its own"})
		return
	}
	c.keep(iq, func(k *book) {
		for _, e := range kids {
			k.Private[e.Name.Space+" "+e.Name.Local] = string(e.bytes())
		}
	})
}

// keep changes the account's private data within its limits.
func (c *conn) keep(iq *element, f func(k *book)) {
	full := false
	c.srv.books.change(c.account, func(k *book) bool {
		card, private := k.Card, map[string]string{}
		size := 0
		for name, v := range k.Private {
			private[name] = v
		}
		f(k)
		for name, v := range k.Private {
			size += len(name) + len(v)
		}
		if full = size+len(k.Card) > maxPrivateBytes || len(k.Private) > maxPrivate; full {
			k.Card, k.Private = card, private
		}
		return !full
	})
	if full {
		c.fail(iq, stanzaError{"wait", "resource-constraint", "there is no room for that much"})
		return
	}
	c.send(resultOf(iq))
}
