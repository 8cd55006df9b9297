package command

import (
	"fmt"
	"strconv"
	"strings"

	"warren/bridge"
	"warren/perms"
	"warren/rooms"
)

func roomCommands() []*command {
	grant := func(name, args, help string, set func(*rooms.Grant, perms.Rights)) *command {
		return &command{
			name: name, args: args, help: help, right: perms.Manage, thing: true, room: inRoom, min: 2, max: 3,
			run: func(c *call) bridge.Reply { return grantRights(c, set) },
		}
	}
	return []*command{
		{name: "room info", help: "who made the room, its settings and its rights", right: perms.Read, room: inRoom, run: roomInfo},
		{
			name: "room controllers", args: "N", help: "asks for 3 to 7 nodes to order the room, as far as there are; 0: as many as the network's size says",
			right: perms.Manage, room: inRoom, min: 1, max: 1, run: roomControllers,
		},
		{
			name: "room retention", args: "DAYS|keep", help: "how long what was said is kept, like 30d; older talk is deleted everywhere, for ever. keep: for ever",
			right: perms.Manage, room: inRoom, min: 1, max: 1, run: roomRetention,
		},
		{
			name: "room ticks", args: "N|off", help: "for games: up to 20 ticks per second while somebody is in the room; people see nothing of them",
			right: perms.Manage, room: inRoom, min: 1, max: 1, run: roomTicks,
		},
		{name: "room keep", help: "makes a temporary room permanent", right: perms.Manage, room: inRoom, run: roomKeep},
		grant("room grant", "WHO RIGHTS [THING]", "gives rights, like write,delete, to a person, everyone, or registered (all with an account)",
			func(b *rooms.Grant, r perms.Rights) { b.Allow = r }),
		grant("room deny", "WHO RIGHTS [THING]", "denies rights", func(b *rooms.Grant, r perms.Rights) { b.Deny = r }),
		grant("room forget", "WHO RIGHTS [THING]", "takes back what was given or denied", func(b *rooms.Grant, r perms.Rights) { b.Forget = r }),
	}
}

// RoomInfo is the data of !room info.
type RoomInfo struct {
	Room      string      `json:"room"`
	ID        string      `json:"id"`
	Title     string      `json:"title,omitempty"`
	Maker     string      `json:"maker,omitempty"`
	Created   int64       `json:"created"`
	Temporary bool        `json:"temporary"`
	Settings  []string    `json:"settings"`
	Rights    []RightInfo `json:"rights"`

	Controllers int   `json:"controllers"`     // how many order the room now
	Asked       uint8 `json:"asked,omitempty"` // how many it asks for; 0: as many as the network's size says
}

// RightInfo is one entry of a room's access list.
type RightInfo struct {
	Who   string `json:"who"`
	Allow string `json:"allow,omitempty"`
	Deny  string `json:"deny,omitempty"`
}

func roomInfo(c *call) bridge.Reply {
	d := RoomInfo{Room: "#" + c.seat.Name(), ID: c.seat.Room().ID().String(), Settings: []string{}, Rights: []RightInfo{}}
	var lines, rights []string
	c.view(func(v view) {
		st := v.st
		d.Title, d.Maker, d.Created, d.Temporary = st.Set.Title, string(st.Maker), st.Created, st.Temporary
		d.Controllers, d.Asked = len(st.Base().Controllers), st.Set.Controllers
		note := func(on bool, text string) {
			if on {
				d.Settings = append(d.Settings, text)
			}
		}
		note(st.Set.Secret, "secret")
		note(st.InviteOnly(), "by invitation only")
		note(st.Moderated(), "moderated")
		note(st.Set.TopicLock, "subject locked")
		note(len(st.Set.Key) > 0, "password")
		if st.Set.Limit > 0 {
			d.Settings = append(d.Settings, fmt.Sprintf("at most %d occupants", st.Set.Limit))
		}
		if n := st.Set.Controllers; n > 0 {
			d.Settings = append(d.Settings, fmt.Sprintf("asks for %d controllers", n))
		}
		if n := st.Set.Ticks; n > 0 {
			d.Settings = append(d.Settings, fmt.Sprintf("%d ticks per second", n))
		}
		if n := st.Set.Retention; n > 0 {
			d.Settings = append(d.Settings, "keeps its log for "+bridge.Days(n))
		}
		for _, e := range st.ACL {
			r := RightInfo{Who: bridge.People(e.Who)}
			line := r.Who + ":"
			if e.Allow != 0 {
				r.Allow = e.Allow.String()
				line += " " + r.Allow
			}
			if e.Deny != 0 {
				r.Deny = e.Deny.String()
				line += " not " + r.Deny
			}
			d.Rights, rights = append(d.Rights, r), append(rights, line)
		}
	})
	head := d.Room
	if d.Title != "" {
		head += ": " + d.Title
	}
	by := "the network"
	if d.Maker != "" {
		by = bridge.People(perms.Principal(d.Maker))
	}
	kind := "permanent"
	if d.Temporary {
		kind = "temporary"
	}
	order := "1 node"
	if d.Controllers != 1 {
		order = fmt.Sprintf("%d nodes", d.Controllers)
	}
	lines = append(lines, head, fmt.Sprintf("%s, made by %s on %s, ordered by %s", kind, by, when(d.Created), order))
	if len(d.Settings) > 0 {
		lines = append(lines, "settings: "+strings.Join(d.Settings, ", "))
	}
	for i, r := range rights {
		if i == pageItems {
			lines = append(lines, fmt.Sprintf("… and %d more", len(rights)-i))
			break
		}
		lines = append(lines, "rights of "+r)
	}
	return told(d, lines...)
}

func roomControllers(c *call) bridge.Reply {
	n, err := strconv.ParseUint(c.args[0], 10, 8)
	if err != nil || n != 0 && (n < 3 || n > rooms.MaxControllers) {
		return failed(fmt.Sprintf("how many controllers? 3 to %d, or 0 for as many as the network's size says", rooms.MaxControllers), "usage: "+c.cmd.usage())
	}
	if r, ok := c.do(&rooms.Configure{Controllers: new(uint8(n))}); !ok {
		return r
	}
	line := fmt.Sprintf("#%s asks for %d controllers; it gets them as soon as so many nodes are up: see !why", c.seat.Name(), n)
	if n == 0 {
		line = fmt.Sprintf("#%s has as many controllers as the network's size says", c.seat.Name())
	}
	return told(map[string]any{"room": "#" + c.seat.Name(), "controllers": n}, line)
}

func roomRetention(c *call) bridge.Reply {
	n := uint64(0)
	if rooms.Fold(c.args[0]) != "keep" {
		var err error
		n, err = strconv.ParseUint(strings.TrimSuffix(rooms.Fold(c.args[0]), "d"), 10, 16)
		if err != nil || n < rooms.MinRetention || n > rooms.MaxRetention {
			return failed(fmt.Sprintf("for how many days? %d to %d, like 30d, or keep", rooms.MinRetention, rooms.MaxRetention), "usage: "+c.cmd.usage())
		}
	}
	if r, ok := c.do(&rooms.Configure{Retention: new(uint16(n))}); !ok {
		return r
	}
	line := fmt.Sprintf("#%s keeps what is said for %s; what is older is deleted bit by bit", c.seat.Name(), bridge.Days(uint16(n)))
	if n == 0 {
		line = fmt.Sprintf("#%s keeps what is said for ever, from now on", c.seat.Name())
	}
	return told(map[string]any{"room": "#" + c.seat.Name(), "retention": n}, line)
}

func roomKeep(c *call) bridge.Reply {
	temporary := false
	c.view(func(v view) { temporary = v.st.Temporary })
	switch {
	case !temporary:
		return failed(fmt.Sprintf("#%s is permanent already", c.seat.Name()))
	case c.session.Account() == "":
		return failed("only somebody with an account can keep a room: log in first")
	}
	if r, ok := c.do(&rooms.Keep{}); !ok {
		return r
	}
	return told(map[string]any{"room": "#" + c.seat.Name(), "temporary": false}, fmt.Sprintf("#%s is permanent now", c.seat.Name()))
}

// Granted is the data of !room grant, deny and forget.
type Granted struct {
	Who    string `json:"who"` // a principal
	Thing  string `json:"thing"`
	Rights string `json:"rights"`
}

func grantRights(c *call, set func(*rooms.Grant, perms.Rights)) bridge.Reply {
	rights, err := perms.ParseRights(c.args[1])
	if err != nil || rights == 0 {
		if err == nil {
			err = fmt.Errorf("no right named: use %s or all", perms.All)
		}
		return failed(err.Error(), "usage: "+c.cmd.usage())
	}
	who, ok := c.principal(c.args[0])
	if !ok {
		return failed(fmt.Sprintf("nobody here is called %q, and no account has that name (everyone and registered are possible too)", short(c.args[0])))
	}
	d := Granted{Who: string(who), Thing: "#" + c.seat.Name(), Rights: rights.String()}
	b := &rooms.Grant{Who: who}
	set(b, rights)
	var obj *rooms.Object
	if name := c.arg(2); name != "" {
		var r bridge.Reply
		if obj, r, ok = c.thing(name); !ok {
			return r
		}
	}
	mine := false
	if obj != nil {
		b.Object, d.Thing = obj.ID, obj.Name
		c.view(func(v view) { mine = obj.Owner == v.who.Principal })
	}
	if a := c.seat.May(perms.Manage, obj); !a.OK && !mine {
		return c.refused(perms.Manage, a)
	}
	if r, ok := c.do(b); !ok {
		return r
	}
	return told(d, fmt.Sprintf("done: %s %s %s on %s", strings.TrimPrefix(c.cmd.name, "room "), bridge.People(who), d.Rights, d.Thing))
}

// principal finds whom a name means: words for many, who is in the room, who is online, an account.
func (c *call) principal(name string) (perms.Principal, bool) {
	switch rooms.Fold(name) {
	case "everyone", string(perms.Everyone):
		return perms.Everyone, true
	case "registered", string(perms.Registered):
		return perms.Registered, true
	}
	if group := perms.Principal(rooms.Fold(name)); group.IsGroup() && len(group) <= rooms.MaxName {
		return group, true
	}
	var who perms.Principal
	here := false
	c.view(func(v view) {
		if o, ok := v.st.Occupant(name); ok {
			who, here = o.Principal(), true
		}
	})
	if here {
		return who, true
	}
	return c.tree.hub.PrincipalOf(name)
}
