package command

import (
	"fmt"
	"strings"

	"warren/bridge"
	"warren/perms"
	"warren/rooms"
)

func exitCommands() []*command {
	return []*command{
		{
			name: "exit add", args: "NAME #ROOM", help: "makes a way to another room", right: perms.Insert, room: inRoom,
			min: 2, max: 2, run: exitAdd,
		},
		{name: "exit list", args: "[PAGE]", help: "lists the exits", right: perms.Read, room: inRoom, max: 1, run: exitList},
		{
			name: "exit rm", args: "NAME", help: "removes an exit", right: perms.Delete, thing: true, room: inRoom,
			min: 1, max: 1, run: exitRemove,
		},
	}
}

func goCommands() []*command {
	return []*command{{
		name: "go", args: "EXIT", help: "leads you through an exit into its room", right: perms.Read, thing: true, room: inRoom,
		min: 1, max: 1, run: goThrough,
	}}
}

// ExitInfo is an exit in the data of !look, !exit and !go.
type ExitInfo struct {
	ID   string   `json:"id"`
	Name string   `json:"name"`
	Room string   `json:"room"` // with '#'
	Tags []string `json:"tags"`
}

func exitInfo(o rooms.Object) ExitInfo {
	return ExitInfo{ID: o.ID, Name: o.Name, Room: "#" + o.Target, Tags: append([]string{}, o.Tags...)}
}

// String returns the exit as a line of a list.
func (e ExitInfo) String() string {
	s := e.Name + " → " + e.Room
	if len(e.Tags) > 0 {
		s += " [" + list(e.Tags) + "]"
	}
	return s
}

func exitAdd(c *call) bridge.Reply {
	name, target := c.args[0], strings.TrimPrefix(c.args[1], "#")
	if wrong := checkName(name); wrong != "" {
		return failed(wrong)
	}
	if !rooms.ValidRoomName(target) || strings.HasPrefix(target, "=") {
		return failed(fmt.Sprintf("%q is not the name of a room: like #lobby or #physics.lab1", short(c.args[1])), "usage: "+c.cmd.usage())
	}
	if o, ok := c.object(rooms.Exit, name); ok {
		return failed(fmt.Sprintf("there is an exit %q already, to #%s: !exit rm removes it", o.Name, o.Target))
	}
	known := false
	c.tree.hub.World().Directory(func(d *rooms.Directory) { _, known = d.RoomByName(target) })
	if r, ok := c.do(&rooms.Put{Kind: rooms.Exit, Name: name, Target: target}); !ok {
		return r
	}
	o, _ := c.object(rooms.Exit, name)
	line := fmt.Sprintf("exit %q leads to #%s", name, target)
	if !known {
		line += ", which does not exist yet: who goes there first makes it"
	}
	return told(exitInfo(o), line)
}

func exitList(c *call) bridge.Reply {
	page, ok := c.page(0)
	if !ok {
		return c.badPage()
	}
	var all []rooms.Object
	c.view(func(v view) { all = v.list(rooms.Exit) })
	if len(all) == 0 {
		return told([]ExitInfo{}, fmt.Sprintf("no exits in #%s: !exit add NAME #ROOM makes one", c.seat.Name()))
	}
	part, _, more := pageOf(all, page, "!exit list")
	lines, data := []string{fmt.Sprintf("exits of #%s (%d):", c.seat.Name(), len(all))}, []ExitInfo{}
	for _, o := range part {
		e := exitInfo(o)
		lines, data = append(lines, e.String()), append(data, e)
	}
	if more != "" {
		lines = append(lines, more)
	}
	return told(data, lines...)
}

func exitRemove(c *call) bridge.Reply {
	o, r, ok := c.need(rooms.Exit, c.args[0])
	if !ok {
		return r
	}
	if r, ok := c.do(&rooms.Remove{ID: o.ID}); !ok {
		return r
	}
	return told(exitInfo(o), fmt.Sprintf("exit %q is removed", o.Name))
}

func goThrough(c *call) bridge.Reply {
	o, r, ok := c.need(rooms.Exit, c.args[0])
	if !ok {
		return r
	}
	c.session.GoTo(o.Target)
	return told(exitInfo(o), fmt.Sprintf("through %q to #%s", o.Name, o.Target))
}
