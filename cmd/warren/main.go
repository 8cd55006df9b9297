// Command warren runs a node of a network of IRC and XMPP rooms without a server, and speaks with running ones.
//
// Who prints what: results go to standard output, in words for people, or as JSON with -json. What goes wrong is one line on standard error
// that says what to do, and the exit code is 1; a wrong call is exit code 2. Logs go to standard error, warnings and above unless log.level
// says otherwise.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
)

// version is set when a release is built.
var version = "0.1-dev"

type subcommand struct {
	name, args, help string
	run              func(c *call) error
}

// call is one invocation of a subcommand.
type call struct {
	cmd    subcommand
	flags  *flag.FlagSet
	args   []string // behind the flags, and between them
	in     io.Reader
	out    io.Writer
	err    io.Writer
	data   *string
	config *string
	json   *bool
}

func commands() []subcommand {
	return []subcommand{
		{"serve", "", "run a node; an empty data directory founds a network", serve},
		{"join", "[LINK | NETWORK]", "make an empty directory a member of a network; alone: list those nearby", join},
		{"invite", "", "print an invitation to the network", invite},
		{"admit", "[CODE]", "let a node in that shows this code; alone: list who waits", admit},
		{"account", "create NAME | list | passwd NAME", "accounts of people and bots", accountCommand},
		{"status", "", "how the node and its rooms are", status},
		{"room", "export NAME | import FILE | recover NAME", "a room in one file; or one that goes on without most of its controllers", roomCommand},
		{"verify", "FILE", "check a room's file, and say what it proves; needs no node", verify},
		{"demo", "", "run some nodes on this machine with fresh data, to see the point", demo},
		{"config", "example", "print a commented configuration file", configCommand},
		{"version", "", "print the version", func(c *call) error { fmt.Fprintln(c.out, "warren", version); return nil }},
	}
}

// usageError is a wrong call: exit code 2.
type usageError string

func (e usageError) Error() string { return string(e) }

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

func run(args []string, in io.Reader, out, errw io.Writer) int {
	if len(args) == 0 || len(args) == 1 && args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		usage(out)
		if len(args) == 0 {
			return 2
		}
		return 0
	}
	if len(args) == 2 && args[0] == "help" {
		args = []string{args[1], "--help"}
	}
	for _, cmd := range commands() {
		if cmd.name == args[0] {
			return invoke(cmd, args[1:], in, out, errw)
		}
	}
	fmt.Fprintf(errw, "warren: there is no command %q; see warren help\n", args[0])
	return 2
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "warren: IRC and XMPP rooms without a server")
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, c := range commands() {
		fmt.Fprintf(table, "  warren %s\t%s\n", strings.TrimSpace(c.name+" "+c.args), c.help)
	}
	_ = table.Flush() // as all that is printed here
	fmt.Fprintln(w, "\nAll take --data DIR (where the node keeps its things). Begin with: warren demo, or warren serve.")
}

func invoke(cmd subcommand, args []string, in io.Reader, out, errw io.Writer) int {
	c := &call{cmd: cmd, in: in, out: out, err: errw}
	c.flags = flag.NewFlagSet("warren "+cmd.name, flag.ContinueOnError)
	c.flags.SetOutput(io.Discard)
	c.data = c.flags.String("data", "", "data directory `DIR` (default: warren in the folder for user data)")
	c.config = c.flags.String("config", "", "configuration `FILE` (default: warren.toml in the data directory)")
	c.json = c.flags.Bool("json", false, "print JSON")
	c.args = args
	err := cmd.run(c)
	var wrong usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(out, "usage: warren %s [flags]\n  %s\n\nflags:\n", strings.TrimSpace(cmd.name+" "+cmd.args), cmd.help)
		c.flags.VisitAll(func(f *flag.Flag) {
			kind, what := flag.UnquoteUsage(f)
			if f.DefValue != "" && f.DefValue != "false" {
				what += " (default " + f.DefValue + ")"
			}
			fmt.Fprintf(out, "  %-18s %s\n", strings.TrimSpace("--"+f.Name+" "+kind), what)
		})
		return 0
	case errors.As(err, &wrong):
		fmt.Fprintf(errw, "warren %s: %s\n", cmd.name, oneLine(err))
		return 2
	}
	fmt.Fprintf(errw, "warren %s: %s\n", cmd.name, oneLine(err))
	return 1
}

func oneLine(err error) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "\n", "; ")), " ")
}

// parse reads the flags, which may stand before, between and behind the arguments.
func (c *call) parse() error {
	rest, args := c.args, []string(nil)
	for {
		if err := c.flags.Parse(rest); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return err
			}
			return usageError(err.Error() + "; see warren " + c.cmd.name + " --help")
		}
		rest = c.flags.Args()
		if len(rest) == 0 {
			c.args = args
			return nil
		}
		args, rest = append(args, rest[0]), rest[1:]
	}
}
