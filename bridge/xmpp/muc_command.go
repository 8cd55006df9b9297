package xmpp

import (
	"strings"

	"warren/bridge"
	"warren/rooms"
)

// asked says where the answer of the bot goes: it is the cookie of a command.
type asked struct {
	room    string // bare JID, empty: a conversation with the bot itself
	private bool
}

// command gives a line said in a room to the bot. Only its author sees it, as if it had been said.
func (c *conn) command(e *element, t *bridge.Seat, say rooms.Say) {
	room := c.srv.roomJID(t.Name())
	echo := el(nsClient, "message", at("type", "groupchat"), at("id", e.attr("id")), at("from", room+"/"+t.Nick()), at("to", c.full), contentOf(&say, room))
	c.send(echo)
	if err := c.sess.Command(t, say.Text, asked{room: room}); err != nil {
		c.fail(e, toStanzaError(err))
	}
}

// commandPrivate gives a private line to the bot.
func (c *conn) commandPrivate(e *element, t *bridge.Seat) {
	line := strings.TrimSpace(clean(e.childText(nsClient, "body")))
	if line == "" {
		return
	}
	a := asked{private: true}
	if t != nil {
		a.room = c.srv.roomJID(t.Name())
	}
	if err := c.sess.Command(t, line, a); err != nil {
		c.fail(e, toStanzaError(err))
	}
}

// botReply shows what the bot answers to this client alone.
func (c *conn) botReply(d bridge.Delivery) {
	a, _ := d.Cookie.(asked)
	m := el(nsClient, "message", at("id", newID()), at("to", c.full), el(nsClient, "body", strings.Join(d.Reply.Lines, "\n")))
	switch {
	case len(d.Reply.Lines) == 0:
		return
	case a.room == "":
		m.with(at("type", "chat"), at("from", c.srv.bare(bridge.BotNick)))
	case a.private:
		m.with(at("type", "chat"), at("from", a.room+"/"+bridge.BotNick), el(nsMUCUser, "x"))
	default:
		m.with(at("type", "groupchat"), at("from", a.room+"/"+bridge.BotNick))
	}
	c.send(m)
}
