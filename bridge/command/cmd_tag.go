package command

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"warren/bridge"
	"warren/perms"
	"warren/rooms"
	"warren/search/query"
)

// roomWord stands for the room itself where a thing is named.
const roomWord = "room"

func tagCommands() []*command {
	return []*command{
		{
			name: "tag add", args: "THING TAG…", help: "puts tags on a document, an exit, or the room (THING is a name, or room)",
			right: perms.Annotate, thing: true, room: inRoom, min: 2, max: maxWords, run: func(c *call) bridge.Reply { return tag(c, true) },
		},
		{
			name: "tag rm", args: "THING TAG…", help: "takes tags off", right: perms.Annotate, thing: true, room: inRoom, min: 2, max: maxWords,
			run: func(c *call) bridge.Reply { return tag(c, false) },
		},
	}
}

func tagsCommands() []*command {
	return []*command{{
		name: "tags", help: "the tags of the things here, and what this node knows of elsewhere", right: perms.Read, room: anyRoom, run: tags,
	}}
}

// Tagged is the data of !tag.
type Tagged struct {
	Thing string   `json:"thing"`
	Kind  string   `json:"kind"`
	Tags  []string `json:"tags"` // after the change
}

// thing finds what a command's THING means: the room (nil) or an object.
func (c *call) thing(name string) (*rooms.Object, bridge.Reply, bool) {
	if rooms.Fold(name) == roomWord {
		return nil, bridge.Reply{}, true
	}
	var found []rooms.Object
	kind, bare, named := strings.Cut(name, ":")
	for _, k := range []rooms.Kind{rooms.Document, rooms.Exit} {
		if o, ok := c.object(k, name); ok {
			found = append(found, o)
		} else if named && rooms.Kind(rooms.Fold(kind)) == k {
			if o, ok := c.object(k, bare); ok {
				found = append(found, o)
			}
		}
	}
	switch len(found) {
	case 0:
		return nil, failed(fmt.Sprintf("no document or exit %q in #%s (room means the room itself): !look shows what there is", short(name), c.seat.Name())), false
	case 1:
		return &found[0], bridge.Reply{}, true
	}
	return nil, failed(fmt.Sprintf("there is a document and an exit of that name: say %s or %s", quoted("document:"+name), quoted("exit:"+name))), false
}

func tag(c *call, add bool) bridge.Reply {
	obj, r, ok := c.thing(c.args[0])
	if !ok {
		return r
	}
	if a := c.seat.May(perms.Annotate, obj); !a.OK {
		return c.refused(perms.Annotate, a)
	}
	var list []string
	for _, w := range c.args[1:] {
		w = strings.Trim(w, ",")
		if w == "" {
			continue
		}
		t, err := query.FoldTag(w)
		if err != nil {
			return failed(fmt.Sprintf("%q cannot be a tag: %v", short(w), err))
		}
		list = append(list, t)
	}
	if len(list) == 0 {
		return failed("usage: " + c.cmd.usage())
	}
	b := &rooms.Tag{}
	if obj != nil {
		b.ID = obj.ID
	}
	// What changes nothing is not ordered.
	list = slices.DeleteFunc(list, func(t string) bool { return slices.Contains(c.tagsOf(obj), t) == add })
	if len(list) == 0 {
		return c.tagged(b.ID)
	}
	if add {
		b.Add = list
	} else {
		b.Drop = list
	}
	if r, ok := c.do(b); !ok {
		return r
	}
	return c.tagged(b.ID)
}

// tagsOf returns the tags of an object, or of the room (nil).
func (c *call) tagsOf(obj *rooms.Object) (tags []string) {
	if obj != nil {
		return obj.Tags
	}
	c.view(func(v view) { tags = slices.Clone(v.st.Tags) })
	return tags
}

// tagged tells the tags of a thing as they are now.
func (c *call) tagged(id string) bridge.Reply {
	d := Tagged{Thing: "#" + c.seat.Name(), Kind: "room", Tags: []string{}}
	name := "the room"
	c.view(func(v view) {
		if id == "" {
			d.Tags = append(d.Tags, v.st.Tags...)
			return
		}
		o := v.st.Objects[id]
		d.Thing, d.Kind, name = o.Name, string(o.Kind), fmt.Sprintf("%q", o.Name)
		d.Tags = append(d.Tags, o.Tags...)
	})
	if len(d.Tags) == 0 {
		return told(d, name+" has no tags now")
	}
	return told(d, "tags of "+name+": "+strings.Join(d.Tags, ", "))
}

// TagCounts is the data of !tags.
type TagCounts struct {
	Here  map[string]int `json:"here,omitempty"`  // things of this room
	Known map[string]int `json:"known,omitempty"` // things this node knows of
}

func tags(c *call) bridge.Reply {
	var d TagCounts
	var lines []string
	if c.seat != nil {
		d.Here = map[string]int{}
		c.view(func(v view) {
			for _, t := range v.st.Tags {
				d.Here[t]++
			}
			for _, o := range v.list("") {
				for _, t := range o.Tags {
					d.Here[t]++
				}
			}
		})
		if len(d.Here) == 0 {
			lines = append(lines, fmt.Sprintf("nothing is tagged in #%s: !tag add THING TAG does it", c.seat.Name()))
		} else {
			lines = append(lines, fmt.Sprintf("tags in #%s: %s", c.seat.Name(), tagLine(d.Here)))
		}
	}
	if f := c.tree.hub.Finder(); f != nil {
		if d.Known = f.Tags(); len(d.Known) > 0 {
			lines = append(lines, "tags this node knows of: "+tagLine(d.Known))
		}
	}
	if len(lines) == 0 {
		lines = []string{"this node knows of no tags"}
	}
	return told(d, lines...)
}

// tagLine lists tags with their counts, the most used first.
func tagLine(counts map[string]int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	for i, n := range names {
		names[i] = fmt.Sprintf("%s (%d)", n, counts[n])
	}
	return list(names)
}
