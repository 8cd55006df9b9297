package xmpp

import (
	"strconv"

	"warren/bridge"
	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
)

// Fields of the configuration form (XEP-0045 §15.5.3).
const (
	fieldName      = "muc#roomconfig_roomname"
	fieldKeep      = "muc#roomconfig_persistentroom"
	fieldPublic    = "muc#roomconfig_publicroom"
	fieldModerated = "muc#roomconfig_moderatedroom"
	fieldMembers   = "muc#roomconfig_membersonly"
	fieldProtected = "muc#roomconfig_passwordprotectedroom"
	fieldSecret    = "muc#roomconfig_roomsecret"
	fieldMax       = "muc#roomconfig_maxusers"
	fieldSubject   = "muc#roomconfig_changesubject"
)

// ownerGet answers with the room's settings as a form (XEP-0045 §10.2).
func (c *conn) ownerGet(iq, _ *element, name string) {
	c.inRoom(iq, name, func(t *bridge.Seat) {
		if !t.May(perms.Manage, nil).OK {
			c.fail(iq, stanzaError{"auth", "forbidden", ""})
			return
		}
		f := form{kind: "form", title: "Settings of #" + t.Name()}
		t.View(func(st *rooms.State) {
			f.hidden("FORM_TYPE", nsMUCConfig)
			f.text(fieldName, "Title", st.Set.Title)
			f.flag(fieldKeep, "Keep the room when it is empty (for good)", !st.Temporary)
			f.flag(fieldPublic, "List the room", !st.Set.Secret)
			f.flag(fieldModerated, "Only those with the right by name may talk", st.Moderated())
			f.flag(fieldMembers, "Only those with the right by name, or invited, may enter", st.InviteOnly())
			f.flag(fieldProtected, "Ask for a password", len(st.Set.Key) > 0)
			f.field("text-private", fieldSecret, "A new password (empty: as it is)", "")
			f.text(fieldMax, "Most occupants (0: any number)", strconv.FormatUint(uint64(st.Set.Limit), 10))
			f.flag(fieldSubject, "Everyone who may talk changes the subject", !st.Set.TopicLock)
		})
		c.send(resultOf(iq, el(nsMUCOwner, "query", f.element())))
	})
}

// ownerSet takes a submitted form (XEP-0045 §10.1.2, §10.1.3). An empty one makes an instant room: as it is.
func (c *conn) ownerSet(iq, q *element, name string) {
	if q.child(nsMUCOwner, "destroy") != nil {
		c.fail(iq, stanzaError{"cancel", "not-allowed", "a room goes when it has been empty and without things for a while"})
		return
	}
	x := q.child(nsForm, "x")
	if x == nil || x.attr("type") != "submit" && x.attr("type") != "cancel" {
		c.fail(iq, stanzaError{"modify", "bad-request", "a form is needed"})
		return
	}
	c.inRoom(iq, name, func(t *bridge.Seat) {
		if !t.May(perms.Manage, nil).OK {
			c.fail(iq, stanzaError{"auth", "forbidden", ""})
			return
		}
		var err error
		if x.attr("type") == "submit" {
			err = c.configure(t, formValues(x))
		}
		if err != nil {
			c.fail(iq, toStanzaError(err))
			return
		}
		c.send(resultOf(iq))
	})
}

// configure orders what differs from how the room is.
func (c *conn) configure(t *bridge.Seat, v map[string]string) error {
	var b rooms.Configure
	var limit uint64
	changed, keep := false, false
	if s, ok := v[fieldMax]; ok && s != "none" && s != "" {
		var err error
		if limit, err = strconv.ParseUint(s, 10, 32); err != nil {
			return stanzaError{"modify", "not-acceptable", "the most occupants are a number"}
		}
	}
	t.View(func(st *rooms.State) {
		flag := func(to **bool, field string, now, inverted bool) {
			s, ok := v[field]
			if want := truth(s) != inverted; ok && want != now {
				*to, changed = &want, true
			}
		}
		flag(&b.Secret, fieldPublic, st.Set.Secret, true)
		flag(&b.Moderated, fieldModerated, st.Moderated(), false)
		flag(&b.InviteOnly, fieldMembers, st.InviteOnly(), false)
		flag(&b.TopicLock, fieldSubject, st.Set.TopicLock, true)
		if s, ok := v[fieldName]; ok && clean(s) != st.Set.Title {
			title := clean(s)
			b.Title, changed = &title, true
		}
		if _, ok := v[fieldMax]; ok && uint32(limit) != st.Set.Limit {
			n := uint32(limit)
			b.Limit, changed = &n, true
		}
		protected, said := v[fieldProtected]
		switch password := v[fieldSecret]; {
		case said && !truth(protected):
			if len(st.Set.Key) > 0 {
				b.Key, changed = &[]byte{}, true
			}
		case password != "":
			key := rooms.KeyVerifier(rooms.KeyProof(t.Room().ID(), password))
			b.Key, changed = &key, true
		}
		keep = st.Temporary && truth(v[fieldKeep])
	})
	if changed {
		if err := c.wish(t, &b); err != nil {
			return err
		}
	}
	if keep {
		if err := c.wish(t, &rooms.Keep{}); err != nil && errs.Of(err) != errs.Exists {
			return err
		}
	}
	return nil
}
