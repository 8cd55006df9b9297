package xmpp

import (
	"mellium.im/xmpp/jid"

	"warren/bridge"
	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
)

// adminGet lists who has a role or an affiliation (XEP-0045 §9, §10).
func (c *conn) adminGet(iq, q *element, name string) {
	item := q.child(nsMUCAdmin, "item")
	if item == nil {
		c.fail(iq, stanzaError{"modify", "bad-request", "say which role or affiliation"})
		return
	}
	c.inRoom(iq, name, func(t *bridge.Seat) {
		role, affiliation := item.attr("role"), item.attr("affiliation")
		if !t.May(perms.Sanction, nil).OK && (role != "" || affiliation == "outcast") {
			c.fail(iq, stanzaError{"auth", "forbidden", ""})
			return
		}
		out := el(nsMUCAdmin, "query")
		c.srv.judging(t, func(j judge) {
			if role != "" {
				c.listRole(out, j, role)
			} else {
				c.listAffiliation(out, j, affiliation)
			}
		})
		c.send(resultOf(iq, out))
	})
}

func (c *conn) listRole(out *element, j judge, role string) {
	for _, fold := range j.st.Nicks() {
		o := j.st.Occupants[fold]
		if st := j.of(o); st.role == role && len(out.Kids) < maxShownAgain {
			out.with(el(nsMUCAdmin, "item", at("role", role), at("affiliation", st.affiliation), at("nick", o.Nick), at("jid", c.srv.occupantJID(o, nil))))
		}
	}
}

func (c *conn) listAffiliation(out *element, j judge, affiliation string) {
	if affiliation == "outcast" {
		for _, s := range j.st.Sanctions {
			if s.Denies.Has(perms.Enter) && s.Active(j.now) && s.Who.IsAccount() {
				item := el(nsMUCAdmin, "item", at("affiliation", "outcast"), at("jid", c.srv.bare(string(s.Who))))
				if s.Reason != "" {
					item.with(el(nsMUCAdmin, "reason", s.Reason))
				}
				out.with(item)
			}
		}
		return
	}
	for _, e := range j.st.ACL {
		if !e.Who.IsAccount() {
			continue
		}
		o := rooms.Occupant{Nick: string(e.Who), Account: string(e.Who)}
		if j.affiliation(e.Who, o) == affiliation {
			out.with(el(nsMUCAdmin, "item", at("affiliation", affiliation), at("jid", c.srv.bare(string(e.Who)))))
		}
	}
}

// adminSet changes roles and affiliations: every item is applied, in order; the first that fails is told when all were tried.
func (c *conn) adminSet(iq, q *element, name string) {
	items := q.children()
	if len(items) == 0 {
		c.fail(iq, stanzaError{"modify", "bad-request", "no item"})
		return
	}
	c.inRoom(iq, name, func(t *bridge.Seat) {
		var failed error
		for _, item := range items {
			if err := c.adminItem(t, item); err != nil && failed == nil {
				failed = err
			}
		}
		if failed != nil {
			c.fail(iq, toStanzaError(failed))
			return
		}
		c.send(resultOf(iq))
	})
}

// adminItem applies one item.
func (c *conn) adminItem(t *bridge.Seat, item *element) error {
	who, nick, err := c.meant(t, item)
	if err != nil {
		return err
	}
	reason := clip(clean(item.childText(nsMUCAdmin, "reason")), rooms.MaxReason)
	if a := item.attr("affiliation"); a != "" {
		return c.setAffiliation(t, who, a, reason)
	}
	return c.setRole(t, who, nick, item.attr("role"), reason)
}

// meant finds whom an item is about: an occupant by nick, anybody by address.
func (c *conn) meant(t *bridge.Seat, item *element) (who perms.Principal, nick string, err error) {
	if nick = item.attr("nick"); nick != "" {
		t.View(func(st *rooms.State) {
			if o, ok := st.Occupant(nick); ok {
				who, nick = o.Principal(), o.Nick
			}
		})
		if who != "" {
			return who, nick, nil
		}
	}
	if item.attr("jid") == "" {
		if nick == "" {
			return "", "", stanzaError{"modify", "bad-request", "an item has a nick or a jid"}
		}
		return "", "", stanzaError{"cancel", "item-not-found", "nobody has this nick here"}
	}
	j, err := jid.Parse(item.attr("jid"))
	if err != nil {
		return "", "", stanzaError{"modify", "jid-malformed", ""}
	}
	who, ok := c.srv.principalOf(j)
	if !ok {
		return "", "", stanzaError{"cancel", "item-not-found", "nobody here has this address"}
	}
	t.View(func(st *rooms.State) {
		for _, fold := range st.Nicks() {
			if o := st.Occupants[fold]; o.Principal() == who {
				nick = o.Nick
			}
		}
	})
	return who, nick, nil
}

// wish orders one change and waits for it.
func (c *conn) wish(t *bridge.Seat, b rooms.Body) error {
	ctx, cancel := c.op()
	defer cancel()
	return t.Wait(ctx, b, nil)
}

func (c *conn) setRole(t *bridge.Seat, who perms.Principal, nick, role, reason string) error {
	switch role {
	case "none":
		return c.wish(t, &rooms.Kick{Nick: nick, Reason: reason})
	case "visitor":
		if err := c.forget(t, who, perms.Sanction); err != nil {
			return err
		}
		return c.wish(t, &rooms.Sanction{Who: who, Denies: perms.Say, Reason: reason})
	case "participant":
		if err := c.pardon(t, who); err != nil {
			return err
		}
		if err := c.forget(t, who, perms.Sanction); err != nil {
			return err
		}
		if moderated(t) {
			return c.wish(t, &rooms.Grant{Who: who, Allow: perms.Say})
		}
		return nil
	case "moderator":
		if err := c.pardon(t, who); err != nil {
			return err
		}
		return c.wish(t, &rooms.Grant{Who: who, Allow: perms.Say | perms.Sanction})
	}
	return stanzaError{"modify", "bad-request", "unknown role"}
}

func moderated(t *bridge.Seat) (m bool) {
	t.View(func(st *rooms.State) { m = st.Moderated() })
	return m
}

func (c *conn) setAffiliation(t *bridge.Seat, who perms.Principal, affiliation, reason string) error {
	if affiliation != "owner" && lastOwner(t, who) {
		return stanzaError{"cancel", "conflict", "a room needs somebody who manages it"}
	}
	switch affiliation {
	case "outcast":
		// Standing goes with it: who may manage is let in past every sanction.
		if t.May(perms.Manage, nil).OK {
			if err := c.forget(t, who, perms.All); err != nil {
				return err
			}
		}
		return c.ban(t, who, reason)
	case "none", "member", "admin", "owner":
	default:
		return stanzaError{"modify", "bad-request", "unknown affiliation"}
	}
	if err := c.pardon(t, who); err != nil {
		return err
	}
	g := rooms.Grant{Who: who, Forget: perms.All}
	switch affiliation {
	case "member":
		g.Allow = memberRights
	case "admin":
		g.Allow = memberRights | perms.Sanction
	case "owner":
		g.Allow = memberRights | perms.Sanction | perms.Manage
	}
	return c.wish(t, &g)
}

// ban keeps somebody out and removes who is inside.
func (c *conn) ban(t *bridge.Seat, who perms.Principal, reason string) error {
	if err := c.wish(t, &rooms.Sanction{Who: who, Denies: banRights, Reason: reason}); err != nil {
		return err
	}
	var nicks []string
	t.View(func(st *rooms.State) {
		for _, fold := range st.Nicks() {
			if o := st.Occupants[fold]; o.Principal() == who {
				nicks = append(nicks, o.Nick)
			}
		}
	})
	for _, n := range nicks {
		if err := c.wish(t, &rooms.Kick{Nick: n, Reason: reason}); err != nil && errs.Of(err) != errs.NotFound {
			return err
		}
	}
	return nil
}

// pardon lifts what stands against somebody by name, if anything does.
func (c *conn) pardon(t *bridge.Seat, who perms.Principal) error {
	stands := false
	t.View(func(st *rooms.State) {
		for _, s := range st.Sanctions {
			stands = stands || s.Who == who
		}
	})
	if !stands {
		return nil
	}
	return c.wish(t, &rooms.Pardon{Who: who})
}

// forget takes a right back that was given by name, if it was.
func (c *conn) forget(t *bridge.Seat, who perms.Principal, r perms.Rights) error {
	given := false
	t.View(func(st *rooms.State) { given = st.ACL.Get(who).Allow&r != 0 })
	if !given {
		return nil
	}
	return c.wish(t, &rooms.Grant{Who: who, Forget: r})
}

// lastOwner reports whether who is the only one that manages the room.
func lastOwner(t *bridge.Seat, who perms.Principal) bool {
	mine, others := false, false
	t.View(func(st *rooms.State) {
		for _, e := range st.ACL {
			if e.Allow.Has(perms.Manage) {
				mine = mine || e.Who == who
				others = others || e.Who != who
			}
		}
	})
	return mine && !others
}
