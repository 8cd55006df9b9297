package xmpp

import (
	"context"
	"slices"
	"strings"
	"time"

	"mellium.im/xmpp/disco/info"
	"mellium.im/xmpp/jid"

	"warren/bridge"
	"warren/rooms"
)

// infoOf makes an answer to disco#info (XEP-0030 §3).
func infoOf(node string, ids []info.Identity, features []string, more ...*element) *element {
	q := el(nsDiscoInfo, "query", at("node", node))
	for _, id := range ids {
		q.with(el(nsDiscoInfo, "identity", at("category", id.Category), at("type", id.Type), at("name", id.Name)))
	}
	for _, f := range features {
		q.with(el(nsDiscoInfo, "feature", at("var", f)))
	}
	return q.with(more)
}

// known refuses nodes that nobody has.
func (c *conn) known(iq, q *element) bool {
	if q.attr("node") == "" {
		return true
	}
	c.fail(iq, stanzaError{"cancel", "item-not-found", ""})
	return false
}

func (c *conn) serverInfo(iq, q *element) {
	if !c.known(iq, q) {
		return
	}
	features := []string{nsDiscoInfo, nsDiscoItems, nsPing, nsVersion, nsTime, nsVCard, nsPrivate, nsCarbons, nsRoster}
	if c.srv.cfg.RegistrationOpen {
		features = append(features, nsRegister)
	}
	c.send(resultOf(iq, infoOf("", []info.Identity{{Category: "server", Type: "im", Name: "Warren"}}, features)))
}

func (c *conn) serverItems(iq, q *element) {
	if !c.known(iq, q) {
		return
	}
	c.send(resultOf(iq, el(nsDiscoItems, "query", el(nsDiscoItems, "item", at("jid", c.srv.rooms), at("name", "Rooms")))))
}

func (c *conn) accountInfo(iq, q *element) {
	if !c.known(iq, q) {
		return
	}
	c.send(resultOf(iq, infoOf("", []info.Identity{{Category: "account", Type: "registered"}}, []string{nsDiscoInfo, nsDiscoItems, nsPing, nsVCard, nsCarbons, nsMAM, nsSID, nsRSM})))
}

func (c *conn) noItems(iq, q *element) {
	c.send(resultOf(iq, el(nsDiscoItems, "query", at("node", q.attr("node")))))
}

// toService handles what is sent to the rooms' host itself.
func (c *conn) toService(e *element) {
	switch e.Name.Local {
	case "iq":
		c.answer(e, merged(anywhere(), map[query]iqHandler{
			{"get", nsDiscoInfo, "query"}:  (*conn).serviceInfo,
			{"get", nsDiscoItems, "query"}: (*conn).serviceItems,
		}))
	case "presence":
		if t := e.attr("type"); t == "" || t == "subscribe" || t == "probe" {
			c.fail(e, unavailable())
		}
	case "message":
		c.fail(e, unavailable())
	}
}

func (c *conn) serviceInfo(iq, q *element) {
	if !c.known(iq, q) {
		return
	}
	ids := []info.Identity{{Category: "conference", Type: "text", Name: "Rooms"}}
	c.send(resultOf(iq, infoOf("", ids, []string{nsDiscoInfo, nsDiscoItems, nsMUC, nsPing, nsVersion, nsTime, nsOccupant, nsMAM, nsSID, nsRSM})))
}

// maxItems is how many rooms one answer lists.
const maxItems = 200

// serviceItems lists the rooms that may be listed, page by page (XEP-0045 §6.3, XEP-0059).
func (c *conn) serviceItems(iq, q *element) {
	if !c.known(iq, q) {
		return
	}
	var list []string
	var recs []rooms.RoomRecord
	c.srv.hub.World().Directory(func(d *rooms.Directory) {
		for _, r := range d.Rooms {
			if r.Listed() && !r.Direct() {
				recs = append(recs, r)
			}
		}
	})
	for _, r := range recs {
		// A copy knows it before the directory does.
		if g, _ := c.srv.hub.Glance(r.ID); !g.Hidden {
			list = append(list, r.Name)
		}
	}
	slices.SortFunc(list, func(a, b string) int { return strings.Compare(rooms.Fold(a), rooms.Fold(b)) })
	var ids []string
	names := map[string]string{}
	for _, n := range list {
		if j := c.srv.roomJID(n); j != "" {
			ids = append(ids, j)
			names[j] = n
		}
	}
	set, page, err := pageOf(q.child(nsRSM, "set"), ids, maxItems)
	if err != nil {
		c.fail(iq, toStanzaError(err))
		return
	}
	out := el(nsDiscoItems, "query")
	for _, j := range page {
		out.with(el(nsDiscoItems, "item", at("jid", j), at("name", names[j])))
	}
	c.send(resultOf(iq, out.with(set)))
}

// peek calls f with the room's state: of the client's seat, else of a copy opened for looking. false: there is none that may be seen.
func (c *conn) peek(name string, f func(*rooms.State)) bool {
	if t := c.sess.Seat(name); t != nil {
		t.View(f)
		return true
	}
	var rec rooms.RoomRecord
	found := false
	w := c.srv.hub.World()
	w.Directory(func(d *rooms.Directory) { rec, found = d.RoomByName(name) })
	if !found || rec.Direct() {
		return false
	}
	ctx, cancel := context.WithTimeout(c.ctx, openTime)
	defer cancel()
	room, err := w.Open(ctx, rec.ID, c.account, c.sess.Nick())
	if err != nil {
		if !rec.Listed() {
			return false
		}
		f(rooms.NewState(rec)) // what the directory knows
		return true
	}
	room.View(f)
	return true
}

// roomInfo answers disco#info to a room (XEP-0045 §6.4).
func (c *conn) roomInfo(iq, q *element, name string) {
	if !c.known(iq, q) {
		return
	}
	if !c.later("room "+rooms.Fold(name), func() { c.roomInfoNow(iq, name) }) {
		c.fail(iq, stanzaError{"wait", "resource-constraint", ""})
	}
}

func (c *conn) roomInfoNow(iq *element, name string) {
	var out *element
	if !c.peek(name, func(st *rooms.State) { out = roomInfoOf(st) }) {
		c.fail(iq, stanzaError{"cancel", "item-not-found", "there is no such room: joining makes it"})
		return
	}
	c.send(resultOf(iq, out))
}

func roomInfoOf(st *rooms.State) *element {
	features := []string{
		nsDiscoInfo, nsDiscoItems, nsMUC, nsPing, nsVersion, nsTime, nsMAM, nsSID, nsOccupant, nsStableID, nsSelfPing,
		nsMUC + "#request", "muc_nonanonymous",
	}
	pick := func(cond bool, yes, no string) {
		if cond {
			features = append(features, yes)
		} else {
			features = append(features, no)
		}
	}
	pick(st.Set.Secret, "muc_hidden", "muc_public")
	pick(st.InviteOnly(), "muc_membersonly", "muc_open")
	pick(st.Moderated(), "muc_moderated", "muc_unmoderated")
	pick(len(st.Set.Key) > 0, "muc_passwordprotected", "muc_unsecured")
	pick(st.Temporary, "muc_temporary", "muc_persistent")
	title := st.Set.Title
	if title == "" {
		title = st.Name
	}
	f := form{kind: "result"}
	f.hidden("FORM_TYPE", nsMUCInfo)
	f.text("muc#roominfo_description", "Description", st.Set.Title)
	f.text("muc#roominfo_subject", "Subject", st.Subject)
	f.text("muc#roominfo_occupants", "Occupants", itoa(len(st.Occupants)))
	f.text("muc#roomconfig_roomname", "Name", title)
	f.flag("muc#roomconfig_changesubject", "Everyone may change the subject", !st.Set.TopicLock)
	if st.Created > 0 {
		f.text("muc#roominfo_created", "Made", time.UnixMilli(st.Created).UTC().Format(time.RFC3339))
	}
	return infoOf("", []info.Identity{{Category: "conference", Type: "text", Name: title}}, features, f.element())
}

// roomItems answers disco#items to a room with its occupants, to those inside.
func (c *conn) roomItems(iq, q *element, name string) {
	if !c.known(iq, q) {
		return
	}
	out := el(nsDiscoItems, "query")
	if t := c.sess.Seat(name); t != nil {
		base := c.srv.roomJID(t.Name())
		t.View(func(st *rooms.State) {
			for i, fold := range st.Nicks() {
				if i < maxItems {
					out.with(el(nsDiscoItems, "item", at("jid", base+"/"+st.Occupants[fold].Nick)))
				}
			}
		})
		out.with(el(nsDiscoItems, "item", at("jid", base+"/"+bridge.BotNick)))
	}
	c.send(resultOf(iq, out))
}

// occupantQuery answers what is asked of an occupant: the self-ping (XEP-0410), and nothing else, since nobody's client is asked.
func (c *conn) occupantQuery(iq *element, to jid.JID, name string) {
	if t := iq.attr("type"); t != "get" && t != "set" {
		return
	}
	t := c.seat(name)
	if t == nil {
		c.fail(iq, stanzaError{"cancel", "not-acceptable", "you are not in the room"})
		return
	}
	here := rooms.Fold(to.Resourcepart()) == bridge.BotNick
	t.View(func(st *rooms.State) {
		_, ok := st.Occupant(to.Resourcepart())
		here = here || ok
	})
	switch {
	case !here:
		c.fail(iq, stanzaError{"cancel", "item-not-found", "nobody has this nick here"})
	case iq.child(nsPing, "ping") != nil && rooms.Fold(to.Resourcepart()) == rooms.Fold(t.Nick()),
		iq.child(nsPing, "ping") != nil && rooms.Fold(to.Resourcepart()) == bridge.BotNick:
		c.pong(iq, nil)
	default:
		c.fail(iq, unavailable())
	}
}
