package xmpp

import (
	"slices"
	"strings"
	"unicode/utf8"

	"warren/bridge"
	"warren/bridge/names"
	"warren/rooms"
)

// archivedOps are the events that are shown as messages, live and later.
func archivedOps() []rooms.Op {
	return []rooms.Op{
		rooms.OpSay, rooms.OpPut, rooms.OpRemove, rooms.OpTag, rooms.OpKeep, rooms.OpGrant, rooms.OpConfigure, rooms.OpSanction, rooms.OpPardon,
	}
}

// say is a groupchat message: talk, a subject, a chat state, or a command for the bot.
func (c *conn) say(e *element, name string) {
	t := c.seat(name)
	if t == nil {
		c.fail(e, stanzaError{"modify", "not-acceptable", "join the room first"})
		return
	}
	body, subject := e.child(nsClient, "body"), e.child(nsClient, "subject")
	if subject != nil && body == nil {
		c.do(e, t, &rooms.Subject{Text: clean(subject.text())})
		return
	}
	say, ok := c.sayOf(e)
	if !ok {
		c.fail(e, stanzaError{"modify", "policy-violation", "too many extensions in one message"})
		return
	}
	switch {
	case say.Kind != rooms.Signal && c.sess.IsCommand(say.Text):
		c.command(e, t, say)
	case say.Kind == rooms.Signal && onlyState(e):
		t.Signal(signalOf(say))
	case say.Kind == rooms.Signal && len(say.Ext) == 0:
		if body != nil {
			c.fail(e, stanzaError{"modify", "not-acceptable", "the message is empty"})
		}
	default:
		c.do(e, t, &say)
	}
}

// signalOf is a chat state as both protocols tell it.
func signalOf(say rooms.Say) rooms.Say {
	if k := stateOf(&say); k != nil && typingOf(k.Name.Local) != "" {
		say.Tags = map[string]string{"typing": typingOf(k.Name.Local)}
	}
	return say
}

// do wishes something in a room; a refusal goes back to the client as the error of its stanza. It waits while too many wishes are under way.
func (c *conn) do(e *element, t *bridge.Seat, b rooms.Body) {
	select {
	case c.wishes <- struct{}{}:
	case <-c.ctx.Done():
		return
	}
	t.Do(b, nil, func(o bridge.Outcome) {
		<-c.wishes
		if o.Err != nil {
			c.fail(e, toStanzaError(o.Err))
		}
	})
}

// sayOf makes talk of a message. false: its extensions are too large.
func (c *conn) sayOf(e *element) (rooms.Say, bool) {
	say := rooms.Say{Text: clean(e.childText(nsClient, "body")), Ref: strings.ReplaceAll(e.attr("id"), "\r", "")}
	ext := extensions(e)
	if len(ext) > maxExt {
		return say, false
	}
	say.Ext = ext
	switch {
	case say.Text == "":
		say.Kind = rooms.Signal
	case strings.HasPrefix(say.Text, "/me "):
		say.Kind, say.Text = rooms.Action, strings.TrimPrefix(say.Text, "/me ")
		if say.Text == "" {
			say.Kind, say.Text = rooms.Message, "/me"
		}
	}
	return say, true
}

// clean drops what rooms refuse in texts: carriage returns.
func clean(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.ReplaceAll(s, "\r", "\n")
}

// extensions returns the payloads that travel with a message to other XMPP clients. What only a server may say is left out.
func extensions(e *element) []byte {
	var b []byte
	for _, k := range e.children() {
		if passes(k) {
			b = k.appendXML(b, nsClient)
		}
	}
	return b
}

func passes(k *element) bool {
	switch k.Name.Space {
	case nsClient: // body and subject are told in other ways
		return k.Name.Local == "thread"
	case nsSID:
		return k.Name.Local == "origin-id"
	case nsDelay, "jabber:x:delay", nsOccupant, nsMUC, nsMUCUser, nsMUCAdmin, nsMUCOwner, nsMAM, nsCarbons, nsEvent, nsEarly, nsDirect, nsSub, nsHints,
		nsStanzaErr, "http://jabber.org/protocol/address", nsStream, "":
		return false
	case nsForward:
		return false
	}
	return true
}

// onlyState reports whether a message without body holds nothing but a chat state (XEP-0085).
func onlyState(e *element) bool {
	state := false
	for _, k := range e.children() {
		switch {
		case k.Name.Space == nsStates:
			state = true
		case passes(k) && !k.is(nsClient, "thread") && !k.is(nsSID, "origin-id"):
			return false
		}
	}
	return state
}

// shown is the message that an event is to clients, without its address; nil: it is none. Each call makes a new one.
func (s *Server) shown(room string, ev *rooms.Event) *element {
	sid := el(nsSID, "stanza-id", at("by", room), at("id", ev.ID.MsgID()))
	say, ok := ev.Body.(*rooms.Say)
	if !ok {
		line := bridge.Describe(ev, s.hub.NodeName)
		if line == "" || !slices.Contains(archivedOps(), ev.Op) {
			return nil
		}
		return el(nsClient, "message", at("type", "groupchat"), at("id", ev.ID.MsgID()), at("from", room+"/"+bridge.BotNick),
			el(nsClient, "body", line), el(nsEvent, "event", string(bridge.Machine(ev))), sid)
	}
	content := contentOf(say, room)
	if content == nil {
		return nil
	}
	m := el(nsClient, "message", at("type", "groupchat"), at("id", refOf(say, ev)), at("from", room+"/"+ev.Nick))
	return m.with(content, sid, s.occupantID(ev.Room, ev.Principal()))
}

// refOf is the id that a message's author gave it, else its public one.
func refOf(say *rooms.Say, ev *rooms.Event) string {
	if say.Ref != "" {
		return say.Ref
	}
	return ev.ID.MsgID()
}

// contentOf returns body and extensions; nil when there is nothing that an XMPP client could show.
func contentOf(say *rooms.Say, room string) []*element {
	var out []*element
	text := names.IRCToPlain(say.Text)
	if say.Kind == rooms.Action {
		text = "/me " + text
	}
	if say.Kind != rooms.Signal {
		out = append(out, el(nsClient, "body", text))
	}
	for _, k := range parseFragment(say.Ext) {
		if passes(k) {
			out = append(out, k)
		}
	}
	return append(out, fromTags(say, room)...)
}

// fromTags tells XMPP clients what IRC clients say in tags: replies and reactions.
func fromTags(say *rooms.Say, room string) []*element {
	to := say.Tags["draft/reply"]
	if to == "" || len(say.Ext) > 0 {
		return nil
	}
	if r := say.Tags["draft/react"]; r != "" {
		return []*element{el(nsReactions, "reactions", at("id", to), el(nsReactions, "reaction", r))}
	}
	if say.Kind == rooms.Signal {
		return nil
	}
	return []*element{el(nsReply, "reply", at("id", to), at("to", room))}
}

// clip shortens s to n bytes at a character's border.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
