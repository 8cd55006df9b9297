package command

import (
	"fmt"
	"strings"

	"warren/bridge"
	"warren/perms"
	"warren/rooms"
)

func docCommands() []*command {
	return []*command{
		{
			name: "doc put", args: "NAME TEXT", help: "makes a document; the text may have several lines", right: perms.Insert, room: inRoom,
			min: 2, max: 2, rest: true, run: docPut,
		},
		{
			name: "doc show", args: "NAME [PAGE]", help: "shows a document", right: perms.Read, thing: true, room: inRoom,
			min: 1, max: 2, run: docShow,
		},
		{
			name: "doc edit", args: "NAME TEXT", help: "gives a document another text", right: perms.Write, thing: true, room: inRoom,
			min: 2, max: 2, rest: true, run: docEdit,
		},
		{name: "doc list", args: "[PAGE]", help: "lists the documents", right: perms.Read, room: inRoom, max: 1, run: docList},
		{
			name: "doc rm", args: "NAME", help: "removes a document", right: perms.Delete, thing: true, room: inRoom,
			min: 1, max: 1, run: docRemove,
		},
	}
}

// DocInfo is a document in the data of the !doc commands.
type DocInfo struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Rev     uint64   `json:"rev"`
	Owner   string   `json:"owner"`
	By      string   `json:"by"` // who changed it last
	Changed int64    `json:"changed"`
	Size    int      `json:"size"` // bytes
	Type    string   `json:"type,omitempty"`
	Tags    []string `json:"tags"`

	Text   string `json:"text,omitempty"` // of the page shown
	Page   int    `json:"page,omitempty"`
	Pages  int    `json:"pages,omitempty"`
	Remain int    `json:"remain,omitempty"` // bytes after the page
}

func docInfo(o rooms.Object) DocInfo {
	return DocInfo{
		ID: o.ID, Name: o.Name, Rev: o.Rev, Owner: string(o.Owner), By: string(o.By), Changed: o.Changed, Size: len(o.Text), Type: o.Type,
		Tags: append([]string{}, o.Tags...),
	}
}

// String returns the document as a line of a list.
func (d DocInfo) String() string {
	s := fmt.Sprintf("%s: revision %d, %s, by %s", d.Name, d.Rev, count(d.Size, "byte"), bridge.People(perms.Principal(d.By)))
	if len(d.Tags) > 0 {
		s += " [" + list(d.Tags) + "]"
	}
	return s
}

func docPut(c *call) bridge.Reply {
	name := c.args[0]
	if wrong := checkName(name); wrong != "" {
		return failed(wrong)
	}
	if o, ok := c.object(rooms.Document, name); ok {
		return failed(fmt.Sprintf("there is a document %q already (revision %d): !doc edit changes it", o.Name, o.Rev))
	}
	if r, ok := c.do(&rooms.Put{Kind: rooms.Document, Name: name, Type: "text/plain", Text: []byte(c.args[1])}); !ok {
		return r
	}
	o, _ := c.object(rooms.Document, name)
	return told(docInfo(o), fmt.Sprintf("document %q is in #%s", name, c.seat.Name()))
}

func docEdit(c *call) bridge.Reply {
	o, r, ok := c.need(rooms.Document, c.args[0])
	if !ok {
		return r
	}
	b := &rooms.Put{ID: o.ID, Kind: o.Kind, Name: o.Name, Type: o.Type, Text: []byte(c.args[1]), Rev: o.Rev}
	if r, ok := c.do(b); !ok {
		return r
	}
	o, _ = c.object(rooms.Document, o.Name)
	return told(docInfo(o), fmt.Sprintf("document %q is changed (revision %d)", b.Name, b.Rev+1))
}

func docShow(c *call) bridge.Reply {
	page, ok := c.page(1)
	if !ok {
		return c.badPage()
	}
	o, r, ok := c.need(rooms.Document, c.args[0])
	if !ok {
		return r
	}
	d := docInfo(o)
	text := strings.ToValidUTF8(string(o.Text), "\ufffd")
	lines, at, pages, remain := textPages(text, page)
	d.Text, d.Page, d.Pages, d.Remain = strings.Join(lines, "\n"), at, pages, remain
	out := append([]string{d.String()}, lines...)
	if at < pages {
		out = append(out, fmt.Sprintf("(page %d of %d, %s remain: !doc show %s %d)", at, pages, count(remain, "byte"), quoted(o.Name), at+1))
	}
	return told(d, out...)
}

func docList(c *call) bridge.Reply {
	page, ok := c.page(0)
	if !ok {
		return c.badPage()
	}
	var all []rooms.Object
	c.view(func(v view) { all = v.list(rooms.Document) })
	if len(all) == 0 {
		return told([]DocInfo{}, fmt.Sprintf("no documents in #%s: !doc put NAME TEXT makes one", c.seat.Name()))
	}
	part, _, more := pageOf(all, page, "!doc list")
	lines, data := []string{fmt.Sprintf("documents in #%s (%d):", c.seat.Name(), len(all))}, []DocInfo{}
	for _, o := range part {
		d := docInfo(o)
		lines, data = append(lines, d.String()), append(data, d)
	}
	if more != "" {
		lines = append(lines, more)
	}
	return told(data, lines...)
}

func docRemove(c *call) bridge.Reply {
	o, r, ok := c.need(rooms.Document, c.args[0])
	if !ok {
		return r
	}
	if r, ok := c.do(&rooms.Remove{ID: o.ID}); !ok {
		return r
	}
	return told(docInfo(o), fmt.Sprintf("document %q is removed", o.Name))
}
