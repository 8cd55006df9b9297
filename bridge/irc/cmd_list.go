package irc

import (
	"strconv"
	"strings"

	irc "gopkg.in/irc.v4"

	"warren/perms"
	"warren/rooms"
)

// listed is one room of a LIST answer.
type listed struct {
	name    string
	users   int
	topic   string
	created int64 // ms
	topicAt int64 // ms, 0: none
}

// listFilter is a condition of LIST (ISUPPORT ELIST=CMNTU).
type listFilter func(listed) bool

func cmdList(c *conn, r *reply, p []string) {
	var filters []listFilter
	var named []listFilter // any of these is enough
	if len(p) > 0 {
		for _, f := range strings.Split(p[0], ",") {
			switch cond := c.listCondition(f); {
			case f == "":
			case cond != nil:
				filters = append(filters, cond)
			default:
				mask, not := strings.CutPrefix(f, "!")
				match := func(l listed) bool { return perms.MatchMask(mask, l.name) != not }
				if not {
					filters = append(filters, match)
				} else {
					named = append(named, match)
				}
			}
		}
	}
	r.num(irc.RPL_LISTSTART, "Channel", "Users  Name")
	n := 0
	for _, l := range c.listRooms() {
		ok := len(named) == 0
		for _, f := range named {
			ok = ok || f(l)
		}
		for _, f := range filters {
			ok = ok && f(l)
		}
		if ok && n < maxListed {
			n++
			r.num(irc.RPL_LIST, l.name, strconv.Itoa(l.users), l.topic)
		}
	}
	r.num(irc.RPL_LISTEND, "End of /LIST")
}

// listCondition reads <n, >n, C<m, C>m, T<m, T>m (m in minutes ago); nil: it is a name or mask.
func (c *conn) listCondition(f string) listFilter {
	kind := byte('U')
	if len(f) > 1 && (f[0]|0x20 == 'c' || f[0]|0x20 == 't') && (f[1] == '<' || f[1] == '>') {
		kind, f = f[0]&^0x20, f[1:]
	}
	if len(f) < 2 || f[0] != '<' && f[0] != '>' {
		return nil
	}
	n, err := strconv.Atoi(f[1:])
	if err != nil || n < 0 || n > 1<<30 {
		return nil
	}
	less := f[0] == '<'
	now := c.srv.now()
	return func(l listed) bool {
		v := l.users
		switch kind {
		case 'C':
			v = int((now - l.created) / 60_000)
		case 'T':
			if l.topicAt == 0 {
				return false
			}
			v = int((now - l.topicAt) / 60_000)
		}
		if less {
			return v < n
		}
		return v > n
	}
}

// listRooms returns the rooms that the client may know of, by name: those that are not secret, and those where it sits. Of rooms of which this
// node has no copy it knows the name, and whether they were secret when the directory was last told.
func (c *conn) listRooms() []listed {
	var ids []rooms.RoomID
	var out []listed
	seated := map[rooms.RoomID]bool{}
	for _, t := range c.sess.Seats() {
		seated[t.Room().ID()] = true
	}
	c.srv.hub.World().Directory(func(d *rooms.Directory) {
		for _, id := range d.RoomIDs() {
			rec := d.Rooms[id]
			if !rec.Direct() && (rec.Listed() || rec.Secret && seated[id]) && !strings.HasPrefix(rec.Name, "~") {
				ids = append(ids, id)
				out = append(out, listed{name: "#" + rec.Name, created: rec.Time})
			}
		}
	})
	kept := out[:0]
	for i, l := range out {
		g, _ := c.srv.hub.Glance(ids[i])
		l.users = g.Users
		if seated[ids[i]] || g.Open {
			l.topic, l.topicAt = g.Subject, g.SubjectTime
		}
		if !g.Hidden || seated[ids[i]] {
			kept = append(kept, l)
		}
	}
	return kept
}
