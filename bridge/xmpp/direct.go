package xmpp

import (
	"context"
	"strconv"
	"strings"

	"mellium.im/xmpp/jid"

	"warren/bridge"
	"warren/bridge/names"
	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
)

// contextTag names the room in which a direct message began (IRCv3 +draft/channel-context).
const contextTag = "draft/channel-context"

// nickOf is the account or nick that the localpart of a JID stands for.
func nickOf(j jid.JID) string {
	if a, err := names.LocalToAccount(j.Localpart()); err == nil {
		return a
	}
	return j.Localpart()
}

// userJID is a person's bare JID.
func (s *Server) userJID(u bridge.User) string {
	name := u.Account
	if name == "" {
		name = u.Nick
	}
	j, err := jid.New(names.AccountToLocal(name), s.domain, "")
	if err != nil {
		return s.domain
	}
	return j.String()
}

// toUser handles what is sent to a person.
func (c *conn) toUser(e *element, to jid.JID) {
	switch e.Name.Local {
	case "message":
		c.message(e, to)
	case "presence":
		c.contactPresence(e, to)
	case "iq":
		c.userQuery(e, to)
	}
}

// userQuery passes an iq on to a client of this node, or says that nobody answers.
func (c *conn) userQuery(iq *element, to jid.JID) {
	account := nickOf(to)
	if to.Resourcepart() != "" {
		if o := c.srv.resource(account, to.Resourcepart()); o != nil && (account == c.account || c.srv.books.seesPresence(c.account, account)) {
			o.send(iq)
			return
		}
		c.fail(iq, unavailable())
		return
	}
	q := iq.children()
	if iq.attr("type") == "get" && len(q) == 1 && q[0].is(nsVCard, "vCard") {
		c.vcardOf(iq, account)
		return
	}
	c.fail(iq, unavailable())
}

// message tells something to one person (RFC 6121 §5.2, §8.5).
func (c *conn) message(e *element, to jid.JID) {
	t := e.attr("type")
	switch {
	case t == "error":
		return
	case t == "groupchat":
		c.fail(e, unavailable())
		return
	}
	target := nickOf(to)
	if rooms.Fold(target) == bridge.BotNick {
		c.commandPrivate(e, nil)
		return
	}
	say, ok := c.sayOf(e)
	if !ok {
		c.fail(e, stanzaError{"modify", "policy-violation", "too many extensions in one message"})
		return
	}
	if say.Kind == rooms.Signal && onlyState(e) {
		c.sess.SignalTo(target, signalOf(say))
		return
	}
	if say.Kind == rooms.Signal && len(say.Ext) == 0 {
		return
	}
	say.Ext = c.envelope(t, to.Resourcepart()).appendXML(say.Ext, nsClient)
	c.tell(e, target, say)
}

// envelope travels with a direct message: what the bridge does not carry otherwise.
func (c *conn) envelope(kind, resource string) *element {
	return el(nsDirect, "envelope", at("type", kind), at("to", resource), at("from", c.resource))
}

// tell sends a direct message on the lane of that person, so that they are ordered as they were sent.
func (c *conn) tell(e *element, target string, say rooms.Say) {
	ok := c.later("to "+target, func() {
		ctx, cancel := c.op()
		defer cancel()
		err := c.sess.Tell(ctx, target, say, nil)
		switch {
		case errs.Of(err) == errs.NotFound:
			c.fail(e, stanzaError{"cancel", "service-unavailable", "nobody here has this address"})
		case err != nil:
			c.fail(e, toStanzaError(err))
		}
	})
	if !ok {
		c.fail(e, stanzaError{"wait", "resource-constraint", "too much is waiting"})
	}
}

// private is a message to one occupant (XEP-0045 §7.5).
func (c *conn) private(e *element, nick, name string) {
	t := c.seat(name)
	if t == nil {
		c.fail(e, stanzaError{"modify", "not-acceptable", "join the room first"})
		return
	}
	if rooms.Fold(nick) == bridge.BotNick {
		c.commandPrivate(e, t)
		return
	}
	var o rooms.Occupant
	here := false
	t.View(func(st *rooms.State) { o, here = st.Occupant(nick) })
	if !here {
		c.fail(e, stanzaError{"cancel", "item-not-found", "nobody has this nick here"})
		return
	}
	say, ok := c.sayOf(e)
	if !ok {
		c.fail(e, stanzaError{"modify", "policy-violation", "too many extensions in one message"})
		return
	}
	if say.Kind == rooms.Signal && (len(say.Ext) == 0 || onlyState(e)) {
		return
	}
	say.Ext = c.envelope("chat", "").appendXML(say.Ext, nsClient)
	say.Tags = map[string]string{contextTag: "#" + t.Name()}
	target := o.Account
	if target == "" {
		target = o.Nick
	}
	c.tell(e, target, say)
}

// letter is a direct message as it is shown.
type letter struct {
	ev       *rooms.Event
	say      *rooms.Say
	envelope *element
	kind     string // type of the stanza
	content  []*element
}

func (s *Server) letterOf(ev *rooms.Event) (letter, bool) {
	say, ok := ev.Body.(*rooms.Say)
	if !ok {
		return letter{}, false
	}
	l := letter{ev: ev, say: say, kind: "chat", content: contentOf(say, "")}
	for _, k := range parseFragment(say.Ext) {
		if k.is(nsDirect, "envelope") {
			l.envelope = k
			if t := k.attr("type"); t == "normal" || t == "headline" {
				l.kind = t
			} else if t == "" {
				l.kind = "normal"
			}
		}
	}
	return l, len(l.content) > 0
}

// stanza makes the message from one address to another; by is the account in whose archive it lies.
func (l letter) stanza(from, to, by string) *element {
	m := el(nsClient, "message", at("type", l.kind), at("id", refOf(l.say, l.ev)), at("from", from), at("to", to), l.content)
	return m.with(el(nsSID, "stanza-id", at("by", by), at("id", l.ev.ID.MsgID())))
}

// directEvent shows a message of or to the client's person.
func (c *conn) directEvent(d bridge.Delivery) {
	if c.subscriptionEvent(d) {
		return
	}
	l, ok := c.srv.letterOf(d.Event)
	if !ok || d.Mine || d.Quiet && l.kind == "headline" {
		return
	}
	peer := c.peerJID(d, l)
	if peer == "" {
		return
	}
	if d.Kind == bridge.ProvisionalEvent {
		l.content = append(l.content, earlyMarks()...)
	}
	if d.Self {
		if c.wantsCarbons() && !strings.Contains(peer, "/") {
			to := peer
			if r := l.envelope.attrOr("to"); r != "" {
				to += "/" + r
			}
			c.carbon("sent", l.stanza(withResource(c.bare, l.envelope.attrOr("from")), to, c.bare), l)
		}
		return
	}
	from := peer
	if !strings.Contains(peer, "/") {
		from = withResource(peer, l.envelope.attrOr("from"))
	} else {
		l.content = append(l.content, el(nsMUCUser, "x"))
	}
	target := l.envelope.attrOr("to")
	switch {
	case d.Quiet:
		m := l.stanza(from, c.full, c.bare)
		c.send(m.with(el(nsDelay, "delay", at("from", c.srv.domain), at("stamp", stamp(d.Event.Time)))))
	case target == "" || target == c.resource:
		if target == "" && !d.Heard {
			return
		}
		c.send(l.stanza(from, withResource(c.bare, c.resource), c.bare))
	case c.wantsCarbons():
		c.carbon("received", l.stanza(from, withResource(c.bare, target), c.bare), l)
	case c.srv.resource(c.account, target) == nil && d.Heard: // RFC 6121 §8.5.3.2.1: as if sent to the bare JID
		c.send(l.stanza(from, c.full, c.bare))
	}
}

// Pace implements bridge.Pacer.
func (c *conn) Pace(ctx context.Context) { c.out.wait(ctx.Done()) }

// attrOr is attr for an element that may be missing.
func (e *element) attrOr(name string) string {
	if e == nil {
		return ""
	}
	return e.attr(name)
}

func withResource(bare, resource string) string {
	if resource == "" {
		return bare
	}
	return bare + "/" + resource
}

// peerJID is the address under which the client knows the other person: room@…/nick when the conversation began in a room where both sit or
// when the other is a guest in one, else the account's or guest's own.
func (c *conn) peerJID(d bridge.Delivery, l letter) string {
	peer := d.Peer.Principal()
	if !d.Self {
		peer = d.Event.Principal() // the other may not be known here any more, or not yet
	}
	if ch := l.say.Tags[contextTag]; ch != "" {
		if j := c.occupantOf(peer, d.Peer.Nick, strings.TrimPrefix(ch, "#")); j != "" {
			return j
		}
	}
	if !peer.IsAccount() {
		if j := c.occupantOf(peer, d.Peer.Nick, ""); j != "" {
			return j
		}
	}
	return c.srv.userJID(d.Peer)
}

// occupantOf finds the person in the room of that name (in any, when empty), as room@…/nick.
func (c *conn) occupantOf(p perms.Principal, nick, room string) string {
	c.mu.Lock()
	all := make([]*occupancy, 0, len(c.seats))
	for _, occ := range c.seats {
		if room == "" || rooms.Fold(occ.seat.Name()) == rooms.Fold(room) {
			all = append(all, occ)
		}
	}
	c.mu.Unlock()
	for _, occ := range all {
		found := ""
		occ.seat.View(func(st *rooms.State) {
			if o, ok := st.Occupant(nick); ok && o.Principal() == p {
				found = o.Nick
				return
			}
			for _, fold := range st.Nicks() {
				if o := st.Occupants[fold]; found == "" && o.Principal() == p {
					found = o.Nick
				}
			}
		})
		if found != "" {
			return occ.jid + "/" + found
		}
	}
	return ""
}

func (c *conn) wantsCarbons() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.carbons
}

// carbon copies a message that the account's other client sent or got (XEP-0280).
func (c *conn) carbon(how string, m *element, l letter) {
	if l.kind != "chat" && l.kind != "normal" {
		return
	}
	c.send(el(nsClient, "message", at("type", l.kind), at("from", c.bare), at("to", c.full), el(nsCarbons, how, el(nsForward, "forwarded", m))))
}

func (c *conn) enableCarbons(iq, _ *element) { c.setCarbons(iq, true) }

func (c *conn) disableCarbons(iq, _ *element) { c.setCarbons(iq, false) }

func (c *conn) setCarbons(iq *element, on bool) {
	c.mu.Lock()
	c.carbons = on
	c.mu.Unlock()
	c.send(resultOf(iq))
}

// priorityOf reads a presence's priority; what is no number from -128 to 127 counts as 0.
func priorityOf(p *element) int {
	n, err := strconv.ParseInt(strings.TrimSpace(p.childText(nsClient, "priority")), 10, 8)
	if err != nil {
		return 0
	}
	return int(n)
}
