package command

import (
	"fmt"
	"strings"

	"warren/bridge"
	"warren/perms"
	"warren/rooms"
)

func lookCommands() []*command {
	return []*command{{
		name: "look", help: "title, subject, who is here, exits, documents and tags of the room", right: perms.Read, room: inRoom, run: look,
	}}
}

func whoCommands() []*command {
	return []*command{{
		name: "who", args: "[PAGE]", help: "who is here, with account, node and since when", right: perms.Read, room: inRoom, max: 1, run: who,
	}}
}

// Look is the data of !look.
type Look struct {
	Room      string     `json:"room"` // with '#'
	Title     string     `json:"title,omitempty"`
	Temporary bool       `json:"temporary"`
	Subject   string     `json:"subject,omitempty"`
	SubjectBy string     `json:"subject_by,omitempty"`
	Here      []string   `json:"here"` // nicks
	Exits     []ExitInfo `json:"exits"`
	Documents []string   `json:"documents"`
	Tags      []string   `json:"tags"`
}

func look(c *call) bridge.Reply {
	l := Look{Room: "#" + c.seat.Name(), Here: []string{}, Exits: []ExitInfo{}, Documents: []string{}, Tags: []string{}}
	c.view(func(v view) {
		l.Title, l.Temporary, l.Subject, l.SubjectBy = v.st.Set.Title, v.st.Temporary, v.st.Subject, v.st.SubjectBy
		for _, n := range v.st.Nicks() {
			l.Here = append(l.Here, v.st.Occupants[n].Nick)
		}
		for _, o := range v.list(rooms.Exit) {
			l.Exits = append(l.Exits, exitInfo(o))
		}
		for _, o := range v.list(rooms.Document) {
			l.Documents = append(l.Documents, o.Name)
		}
		l.Tags = append(l.Tags, v.st.Tags...)
	})
	head := l.Room
	if l.Title != "" {
		head += ": " + l.Title
	}
	if l.Temporary {
		head += " (temporary: !room keep makes it permanent)"
	}
	lines := []string{head}
	if l.Subject != "" {
		lines = append(lines, "subject: "+l.Subject+" ("+l.SubjectBy+")")
	}
	lines = append(lines, fmt.Sprintf("here (%d): %s", len(l.Here), list(l.Here)))
	if len(l.Exits) > 0 {
		names := make([]string, 0, len(l.Exits))
		for _, e := range l.Exits {
			names = append(names, e.Name+" → "+e.Room)
		}
		lines = append(lines, fmt.Sprintf("exits (%d): %s", len(names), list(names)))
	}
	if len(l.Documents) > 0 {
		lines = append(lines, fmt.Sprintf("documents (%d): %s", len(l.Documents), list(l.Documents)))
	}
	if len(l.Tags) > 0 {
		lines = append(lines, "tags: "+list(l.Tags))
	}
	if len(l.Exits)+len(l.Documents) == 0 {
		lines = append(lines, "no exits and no documents yet")
	}
	return told(l, lines...)
}

// Who is one row of the data of !who.
type Who struct {
	Nick    string   `json:"nick"`
	Account string   `json:"account,omitempty"`
	View    string   `json:"view,omitempty"`
	Nodes   []string `json:"nodes"`
	Since   int64    `json:"since"` // ms
	Away    string   `json:"away,omitempty"`
}

func who(c *call) bridge.Reply {
	page, ok := c.page(0)
	if !ok {
		return c.badPage()
	}
	var all []rooms.Occupant
	c.view(func(v view) {
		for _, n := range v.st.Nicks() {
			all = append(all, v.st.Occupants[n])
		}
	})
	part, _, more := pageOf(all, page, "!who")
	lines := []string{fmt.Sprintf("in #%s (%d):", c.seat.Name(), len(all))}
	data := []Who{}
	for _, o := range part {
		w := Who{Nick: o.Nick, Account: o.Account, View: o.View, Since: o.Since, Nodes: []string{}}
		for _, n := range o.Nodes {
			w.Nodes = append(w.Nodes, c.tree.hub.NodeName(n))
		}
		if u, ok := c.tree.hub.UserByNick(o.Nick); ok && u.Account == o.Account {
			w.Away = u.Away
		}
		lines, data = append(lines, w.String()), append(data, w)
	}
	if more != "" {
		lines = append(lines, more)
	}
	return told(data, lines...)
}

// String returns the row as people read it.
func (w Who) String() string {
	s := w.Nick
	switch {
	case w.Account == "":
		s += " (guest)"
	case rooms.Fold(w.Nick) != w.Account:
		s += " (account " + w.Account + ")"
	}
	if w.View != "" {
		s += " by " + w.View
	}
	s += " on " + strings.Join(w.Nodes, ", ") + " since " + when(w.Since)
	if w.Away != "" {
		s += ", away: " + w.Away
	}
	return s
}
