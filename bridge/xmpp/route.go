package xmpp

import (
	"maps"
	"slices"
	"strings"

	"mellium.im/xmpp/jid"
)

// handle takes one stanza of a bound client. An error ends the stream.
func (c *conn) handle(e *element) error {
	if e.Name.Space != nsClient || e.Name.Local != "iq" && e.Name.Local != "message" && e.Name.Local != "presence" {
		if e.Name.Space == nsStream {
			return fault("invalid-xml", "<%s/> is not for clients to send", e.Name.Local)
		}
		return fault("unsupported-stanza-type", "<%s/> is no stanza", e.Name.Local)
	}
	if from := e.attr("from"); from != "" {
		if j, err := jid.Parse(from); err != nil || j.String() != c.full && j.String() != c.bare {
			return fault("invalid-from", "you are %s", c.full)
		}
	}
	e.set("from", c.full)
	var to jid.JID
	if s := e.attr("to"); s != "" {
		var err error
		if to, err = jid.Parse(s); err != nil {
			c.fail(e, stanzaError{"modify", "jid-malformed", "the address in to cannot be"})
			return nil
		}
	}
	if len(e.attr("id")) > maxRef {
		e.set("id", e.attr("id")[:maxRef])
		c.fail(e, stanzaError{"modify", "bad-request", "the id is too long"})
		return nil
	}
	if s, bad := malformed(e); bad {
		c.fail(e, s)
		return nil
	}
	switch {
	case to.Domainpart() == "":
		c.toAccount(e)
	case to.Domainpart() == c.srv.domain && to.Localpart() == "":
		c.toServer(e)
	case to.Domainpart() == c.srv.domain && to.String() == c.bare && e.Name.Local != "message":
		c.toAccount(e)
	case to.Domainpart() == c.srv.domain:
		c.toUser(e, to)
	case to.Domainpart() == c.srv.rooms && to.Localpart() == "":
		c.toService(e)
	case to.Domainpart() == c.srv.rooms:
		c.toRoom(e, to)
	default:
		c.fail(e, stanzaError{"cancel", "remote-server-not-found", "this network speaks with no other"})
	}
	return nil
}

// set replaces the value of an attribute.
func (e *element) set(name, value string) {
	for i := range e.Attr {
		if e.Attr[i].Name.Space == "" && e.Attr[i].Name.Local == name {
			e.Attr[i].Value = value
			return
		}
	}
	e.with(at(name, value))
}

// malformed checks what RFC 6120 §8.2.3 wants of an iq, and the types of the others.
func malformed(e *element) (stanzaError, bool) {
	t := e.attr("type")
	bad := func(text string) (stanzaError, bool) { return stanzaError{"modify", "bad-request", text}, true }
	switch e.Name.Local {
	case "iq":
		switch {
		case !slices.Contains([]string{"get", "set", "result", "error"}, t):
			return bad("an iq has the type get, set, result or error")
		case e.attr("id") == "":
			return bad("an iq needs an id")
		case (t == "get" || t == "set") && len(e.children()) != 1:
			return bad("an iq of type " + t + " holds one element")
		}
	case "presence":
		if !slices.Contains([]string{"", "unavailable", "subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe", "error"}, t) {
			return bad("unknown type of presence")
		}
	}
	return stanzaError{}, false
}

// fail answers e with an error, unless it is itself an answer.
func (c *conn) fail(e *element, s stanzaError) {
	t := e.attr("type")
	if t == "error" || e.Name.Local == "iq" && t == "result" {
		return
	}
	c.send(errorReply(e, s))
}

// unavailable is the answer of RFC 6120 §8.4 for what nobody handles.
func unavailable() stanzaError { return stanzaError{"cancel", "service-unavailable", ""} }

// iqHandler answers a get or set; q is its one child.
type iqHandler func(c *conn, iq, q *element)

// query names a handler: type, namespace and name of the child.
type query struct{ kind, space, local string }

// answer finds the handler of an iq in a table.
func (c *conn) answer(iq *element, table map[query]iqHandler) {
	t := iq.attr("type")
	if t != "get" && t != "set" {
		return
	}
	q := iq.children()[0]
	h := table[query{t, q.Name.Space, q.Name.Local}]
	if h == nil {
		c.fail(iq, unavailable())
		return
	}
	h(c, iq, q)
}

// toServer handles what is sent to the domain itself.
func (c *conn) toServer(e *element) {
	switch e.Name.Local {
	case "iq":
		c.answer(e, serverQueries())
	case "message":
		if e.attr("type") != "error" {
			c.fail(e, unavailable())
		}
	}
}

// toAccount handles what is sent to nobody or to the client's own bare JID.
func (c *conn) toAccount(e *element) {
	switch e.Name.Local {
	case "iq":
		c.answer(e, accountQueries())
	case "presence":
		c.ownPresence(e)
	case "message": // RFC 6120 §10.3.1: as if to the own bare JID
		j, err := jid.Parse(c.bare)
		if err == nil {
			c.toUser(e, j)
		}
	}
}

// merged makes one table of several.
func merged(parts ...map[query]iqHandler) map[query]iqHandler {
	all := map[query]iqHandler{}
	for _, p := range parts {
		maps.Copy(all, p)
	}
	return all
}

// anywhere are the queries that every address answers.
func anywhere() map[query]iqHandler {
	return map[query]iqHandler{
		{"get", nsPing, "ping"}:     (*conn).pong,
		{"get", nsVersion, "query"}: (*conn).version,
		{"get", nsTime, "time"}:     (*conn).time,
	}
}

// atHome are the queries that the domain and an account answer alike.
func atHome() map[query]iqHandler {
	register := func(c *conn, iq, _ *element) { c.registered(iq) }
	return map[query]iqHandler{
		{"set", nsSession, "session"}: (*conn).ok,
		{"get", nsRegister, "query"}:  register,
		{"set", nsRegister, "query"}:  register,
		{"set", nsCarbons, "enable"}:  (*conn).enableCarbons,
		{"set", nsCarbons, "disable"}: (*conn).disableCarbons,
	}
}

func serverQueries() map[query]iqHandler {
	return merged(anywhere(), atHome(), map[query]iqHandler{
		{"get", nsDiscoInfo, "query"}:  (*conn).serverInfo,
		{"get", nsDiscoItems, "query"}: (*conn).serverItems,
	})
}

func accountQueries() map[query]iqHandler {
	return merged(anywhere(), atHome(), map[query]iqHandler{
		{"get", nsDiscoInfo, "query"}:  (*conn).accountInfo,
		{"get", nsDiscoItems, "query"}: (*conn).noItems,
		{"get", nsRoster, "query"}:     (*conn).rosterGet,
		{"set", nsRoster, "query"}:     (*conn).rosterSet,
		{"get", nsVCard, "vCard"}:      (*conn).vcardGet,
		{"set", nsVCard, "vCard"}:      (*conn).vcardSet,
		{"get", nsPrivate, "query"}:    (*conn).privateGet,
		{"set", nsPrivate, "query"}:    (*conn).privateSet,
		{"get", nsMAM, "query"}:        func(c *conn, iq, q *element) { c.archiveForm(iq, q, "") },
		{"set", nsMAM, "query"}:        (*conn).ownArchive,
		{"get", nsBlocking, "blocklist"}: func(c *conn, iq, _ *element) {
			c.send(resultOf(iq, el(nsBlocking, "blocklist")))
		},
	})
}

// ok answers with an empty result.
func (c *conn) ok(iq, _ *element) { c.send(resultOf(iq)) }

// isText reports whether s is more than white space.
func isText(s string) bool { return strings.TrimSpace(s) != "" }
