package command

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"warren/bridge"
	"warren/perms"
)

// MaxLine bounds a command line in bytes: a document of 64 KiB (rooms.MaxDocument) with its command and name.
const MaxLine = 66 << 10

// need says what a command has to do with a room.
type need uint8

const (
	noRoom  need = iota
	anyRoom      // uses a room when there is one
	inRoom       // makes no sense without
)

// command is one row of the table.
type command struct {
	name  string       // "look", "doc put"
	args  string       // as the usage line shows them
	help  string       // one line
	right perms.Rights // needed in the room, or, with thing, to the thing that it is about; 0: none
	thing bool
	room  need
	min   int // arguments
	max   int // arguments, the rest of the line counting as one
	rest  bool
	run   func(*call) bridge.Reply
}

func (c *command) usage() string { return strings.TrimRight("!"+c.name+" "+c.args, " ") }

// group is all commands that share a first word, in the order of the table.
type group struct {
	word string
	help string
	cmds []*command
}

// Config is what a tree needs.
type Config struct {
	Hub *bridge.Hub
	Now func() int64 // ms since the Unix epoch; nil: the hub's world's clock
}

// Tree is all commands. It is immutable and safe for concurrent use.
type Tree struct {
	hub    *bridge.Hub
	now    func() int64
	groups []*group
	words  map[string]*group
}

var _ bridge.Runner = (*Tree)(nil)

// New makes the tree. It has no goroutines and needs no closing.
func New(cfg Config) *Tree {
	t := &Tree{hub: cfg.Hub, now: cfg.Now, words: map[string]*group{}}
	if t.now == nil {
		t.now = cfg.Hub.World().Now
	}
	t.add("help", "lists the commands, or explains one", helpCommands(t)...)
	t.add("look", "shows what is here", lookCommands()...)
	t.add("who", "shows who is here", whoCommands()...)
	t.add("doc", "documents of the room", docCommands()...)
	t.add("exit", "ways to other rooms", exitCommands()...)
	t.add("go", "leads you through an exit", goCommands()...)
	t.add("tag", "words by which things are found", tagCommands()...)
	t.add("tags", "shows the tags of the things here, and what is tagged elsewhere", tagsCommands()...)
	t.add("find", "finds tagged things in the whole network", findCommands()...)
	t.add("why", "shows who orders the room and who signed its last decision", whyCommands()...)
	t.add("ticks", "tells a bot the room's ticks", ticksCommands()...)
	t.add("room", "the room itself and its rights", roomCommands()...)
	return t
}

func (t *Tree) add(word, help string, cmds ...*command) {
	g := &group{word: word, help: help, cmds: cmds}
	t.groups = append(t.groups, g)
	t.words[word] = g
}

// Info describes one command, for forms, man pages and other lists.
type Info struct {
	Name  string       `json:"name"`  // "doc put"
	Args  string       `json:"args"`  // "NAME TEXT"
	Usage string       `json:"usage"` // "!doc put NAME TEXT"
	Help  string       `json:"help"`
	Right perms.Rights `json:"-"`
	Needs string       `json:"needs,omitempty"` // the right by name
	Room  bool         `json:"room"`            // makes no sense outside a room
}

func (c *command) info() Info {
	i := Info{Name: c.name, Args: c.args, Usage: c.usage(), Help: c.help, Right: c.right, Room: c.room == inRoom}
	if c.right != 0 {
		i.Needs = c.right.String()
	}
	return i
}

// List returns all commands in the order of the help.
func (t *Tree) List() []Info {
	var out []Info
	for _, g := range t.groups {
		for _, c := range g.cmds {
			out = append(out, c.info())
		}
	}
	return out
}

// Is implements bridge.Runner: a line said in a room is for the bot when it begins with '!' and the word of a command. "!!", and '!' before
// any other word, are talk.
func (t *Tree) Is(line string) bool {
	if len(line) > MaxLine || !strings.HasPrefix(line, "!") {
		return false
	}
	word, _ := cutWord(line[1:])
	_, ok := t.words[strings.ToLower(word)]
	return ok
}

// Run implements bridge.Runner. With a seat the line is about its room; without, in private, a command that needs a room takes '#room' as
// the first word of the line or after its own name, or uses the only room the session sits in. The '!' may be left out.
func (t *Tree) Run(ctx context.Context, s *bridge.Session, seat *bridge.Seat, line string) bridge.Reply {
	return clean(t.run(ctx, s, seat, line))
}

func (t *Tree) run(ctx context.Context, s *bridge.Session, seat *bridge.Seat, line string) bridge.Reply {
	if len(line) > MaxLine {
		return failed(fmt.Sprintf("the line is too long: at most %d bytes", MaxLine))
	}
	line, err := tidy(line)
	if err != nil {
		return failed(err.Error())
	}
	c := &call{tree: t, ctx: ctx, session: s, seat: seat}
	line = strings.TrimSpace(line)
	if seat == nil && strings.HasPrefix(line, "#") {
		c.roomName, line = cutWord(line)
	}
	cmd, rest, reply := t.find(strings.TrimPrefix(strings.TrimSpace(line), "!"))
	if cmd == nil {
		return reply
	}
	if seat == nil && cmd.room != noRoom && c.roomName == "" && strings.HasPrefix(strings.TrimSpace(rest), "#") {
		c.roomName, rest = cutWord(strings.TrimSpace(rest))
	}
	c.cmd = cmd
	if c.args, err = arguments(rest, cmd.max, cmd.rest); err != nil {
		return failed(err.Error(), "usage: "+cmd.usage())
	}
	if len(c.args) < cmd.min || len(c.args) > cmd.max {
		return failed("usage: " + cmd.usage())
	}
	if cmd.room != noRoom {
		if reply, ok := c.takeSeat(); !ok {
			return reply
		}
	}
	if cmd.right != 0 && !cmd.thing && c.seat != nil {
		if a := c.seat.May(cmd.right, nil); !a.OK {
			return c.refused(cmd.right, a)
		}
	}
	return cmd.run(c)
}

// find returns the command that the line names and what follows its name; else the reply says what is wrong.
func (t *Tree) find(line string) (*command, string, bridge.Reply) {
	word, rest := cutWord(line)
	if word == "" {
		return nil, "", failed("say a command: try !help")
	}
	g, ok := t.words[strings.ToLower(word)]
	if !ok {
		return nil, "", failed("unknown command: " + short(word) + " (try !help)")
	}
	if g.cmds[0].name == g.word {
		return g.cmds[0], rest, bridge.Reply{}
	}
	sub, rest := cutWord(strings.TrimLeftFunc(rest, unicode.IsSpace))
	for _, c := range g.cmds {
		if c.name == g.word+" "+strings.ToLower(sub) {
			return c, rest, bridge.Reply{}
		}
	}
	lines := make([]string, 0, len(g.cmds))
	for _, c := range g.cmds {
		lines = append(lines, "usage: "+c.usage())
	}
	return nil, "", failed(lines...)
}

// when shows a time to people.
func when(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04 UTC") }
