package xmpp

import (
	"errors"
	"strings"

	"mellium.im/xmpp/jid"

	"warren/bridge"
	"warren/bridge/names"
	"warren/rooms/errs"
)

// bindResource gives the client a full JID and a session (RFC 6120 §7). done: bound; not done: refused with a stanza error.
func (c *conn) bindResource(iq *element) (done bool, err error) {
	refuse := func(s stanzaError) (bool, error) { return false, c.write(errorReply(iq, s).bytes()) }
	if iq.attr("type") != "set" || iq.attr("id") == "" {
		return refuse(stanzaError{"modify", "bad-request", ""})
	}
	resource := strings.TrimSpace(iq.child(nsBind, "bind").childText(nsBind, "resource"))
	if resource == "" {
		resource = newID()[:8]
	}
	j, err := jid.New(names.AccountToLocal(c.account), c.srv.domain, resource)
	if err != nil || len(j.Resourcepart()) > maxResource {
		return refuse(stanzaError{"modify", "bad-request", "not a possible resource"})
	}
	c.resource = j.Resourcepart()
	c.bare, c.full = j.Bare().String(), j.String()
	c.to = appendAttr(nil, "to", c.full)
	c.srv.bind(c, c.account, c.resource)
	c.srv.books.acquire(c.ctx, c.account)
	if c.sess, err = c.attach(); err != nil {
		c.sess = nil
		c.srv.books.release(c.account)
		c.srv.unbind(c)
		return refuse(toStanzaError(err))
	}
	if err := c.write(resultOf(iq, el(nsBind, "bind", el(nsBind, "jid", c.full))).bytes()); err != nil {
		return false, err
	}
	c.startWriting()
	c.lanes.start()
	return true, nil
}

// attach makes the session, under the account's name or, when a guest is called so, under one like it.
func (c *conn) attach() (*bridge.Session, error) {
	for i := range 5 {
		nick := c.account
		if i > 0 {
			nick = names.NickVariant(nick, i)
		}
		s, err := c.srv.hub.Attach(c, bridge.Person{Account: c.account, Nick: nick, Real: c.account, View: "xmpp", Deaf: true})
		if !errors.Is(err, errs.NickInUse) {
			return s, err
		}
	}
	return nil, errs.NickInUse
}
