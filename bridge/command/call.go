package command

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"warren/bridge"
	"warren/perms"
	"warren/rooms"
)

// call is one run of one command.
type call struct {
	tree     *Tree
	cmd      *command
	ctx      context.Context
	session  *bridge.Session
	seat     *bridge.Seat // nil without a room
	roomName string       // as it was said in private, with '#'; or empty
	args     []string
}

// arg returns an argument, empty when it was not given.
func (c *call) arg(i int) string {
	if i < len(c.args) {
		return c.args[i]
	}
	return ""
}

// takeSeat finds the seat that a command in private is about.
func (c *call) takeSeat() (bridge.Reply, bool) {
	if c.seat != nil {
		return bridge.Reply{}, true
	}
	if c.roomName != "" {
		if c.seat = c.session.Seat(c.roomName[1:]); c.seat == nil {
			return failed("you are not in " + short(c.roomName) + ": join it first"), false
		}
		return bridge.Reply{}, true
	}
	seats := c.session.Seats()
	switch {
	case len(seats) == 1:
		c.seat = seats[0]
	case c.cmd.room == anyRoom:
	case len(seats) == 0:
		return failed("this is about a room, and you are in none: join one first"), false
	default:
		names := make([]string, 0, len(seats))
		for _, t := range seats {
			names = append(names, "#"+t.Name())
		}
		slices.Sort(names)
		return failed("which room? say it first, like: "+names[0]+" "+c.cmd.usage(), "you are in "+list(names)), false
	}
	return bridge.Reply{}, true
}

// refused says that a right is missing, which one, and why.
func (c *call) refused(right perms.Rights, a perms.Answer) bridge.Reply {
	return failed("you need the right to " + right.String() + " for !" + c.cmd.name + ": " + a.Why)
}

// do orders a change; a reply says why it did not happen.
func (c *call) do(b rooms.Body) (bridge.Reply, bool) {
	if err := c.seat.Wait(c.ctx, b, nil); err != nil {
		return failed(c.why(err)), false
	}
	return bridge.Reply{}, true
}

// view is a room as the caller may see it. It is good only inside call.view.
type view struct {
	st     *rooms.State
	who    perms.Subject
	now    int64
	groups perms.Groups
}

// view calls f with the room's state. f copies what it wants to keep; lists and texts of objects are never changed in place.
func (c *call) view(f func(view)) {
	w := c.tree.hub.World()
	v := view{now: c.tree.now()}
	w.Directory(func(d *rooms.Directory) { v.groups = d.Now() })
	account, nick, self := c.session.Account(), c.seat.Nick(), w.Self()
	c.seat.View(func(st *rooms.State) {
		v.st, v.who = st, st.SubjectOf(account, nick, self)
		f(v)
	})
}

func (v view) may(right perms.Rights, obj *rooms.Object) perms.Answer {
	return v.st.Decide(v.who, right, obj, v.now, v.groups)
}

// list returns the objects of a kind (all when empty) that the caller may read, sorted by name.
func (v view) list(kind rooms.Kind) []rooms.Object {
	return slices.DeleteFunc(v.st.List(kind), func(o rooms.Object) bool { return !v.may(perms.Read, &o).OK })
}

// object finds a thing of this kind by name. One that the caller may not read is not there.
func (c *call) object(kind rooms.Kind, name string) (o rooms.Object, ok bool) {
	c.view(func(v view) {
		if o, ok = v.st.ObjectNamed(kind, name); ok && !v.may(perms.Read, &o).OK {
			o, ok = rooms.Object{}, false
		}
	})
	return o, ok
}

// need finds a thing and asks whether the command's right to it is there.
func (c *call) need(kind rooms.Kind, name string) (o rooms.Object, reply bridge.Reply, ok bool) {
	o, ok = c.object(kind, name)
	if !ok {
		return o, c.missing(kind, name), false
	}
	if a := c.seat.May(c.cmd.right, &o); !a.OK {
		return o, c.refused(c.cmd.right, a), false
	}
	return o, bridge.Reply{}, true
}

func (c *call) missing(kind rooms.Kind, name string) bridge.Reply {
	what, how := "document", "!doc list shows what there is, !doc put makes one"
	if kind == rooms.Exit {
		what, how = "exit", "!exit list shows them, !exit add makes one"
	}
	return failed(fmt.Sprintf("no %s %q in #%s: %s", what, short(name), c.seat.Name(), how))
}

// page reads the number of a page, 1 when it was not given.
func (c *call) page(i int) (int, bool) {
	s := c.arg(i)
	if s == "" {
		return 1, true
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 1 && n <= 1e6
}

func (c *call) badPage() bridge.Reply {
	return failed(errNoNumber.Error(), "usage: "+c.cmd.usage())
}

// checkName says what is wrong with a name for a new thing, empty when nothing is.
func checkName(name string) string {
	switch {
	case strings.TrimSpace(name) == "":
		return "a name must not be empty"
	case strings.TrimSpace(name) != name:
		return "a name must not begin or end with a space"
	case len(name) > rooms.MaxName:
		return fmt.Sprintf("the name is too long: at most %d bytes", rooms.MaxName)
	case strings.ContainsAny(name, "\n\t"):
		return "a name must not hold line breaks or tabs"
	}
	return ""
}
