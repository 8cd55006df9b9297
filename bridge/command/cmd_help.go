package command

import (
	"strings"

	"warren/bridge"
)

func helpCommands(t *Tree) []*command {
	return []*command{{name: "help", args: "[COMMAND]", help: "lists the commands, or explains one", max: 2, run: t.help}}
}

func (t *Tree) help(c *call) bridge.Reply {
	if len(c.args) == 0 {
		lines := []string{`commands (!help COMMAND tells more; names with spaces go in "quotes"; in private the ! may be left out):`}
		for _, g := range t.groups {
			lines = append(lines, g.summary()+" - "+g.help)
		}
		return told(t.List(), lines...)
	}
	word := strings.ToLower(strings.TrimPrefix(c.args[0], "!"))
	g, ok := t.words[word]
	if !ok {
		return failed("unknown command: " + short(c.args[0]) + " (try !help)")
	}
	var lines []string
	var data []Info
	for _, cmd := range g.cmds {
		if len(c.args) == 2 && cmd.name != word+" "+strings.ToLower(c.args[1]) {
			continue
		}
		line := cmd.usage() + " - " + cmd.help
		if cmd.right != 0 {
			line += " (needs: " + cmd.right.String() + ")"
		}
		lines, data = append(lines, line), append(data, cmd.info())
	}
	if len(lines) == 0 {
		return failed("unknown command: " + short(word+" "+c.args[1]) + " (try !help " + word + ")")
	}
	return told(data, lines...)
}

// summary is the usage of all commands of a group in one line.
func (g *group) summary() string {
	parts := make([]string, 0, len(g.cmds))
	for _, c := range g.cmds {
		parts = append(parts, strings.TrimSpace(strings.TrimPrefix(c.name, g.word)+" "+c.args))
	}
	return strings.TrimRight("!"+g.word+" "+strings.Join(parts, " | "), " ")
}
