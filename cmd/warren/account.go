package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"
)

func accountCommand(c *call) error {
	fromStdin := c.flags.Bool("password-stdin", false, "read the password from standard input (passwd: the old one, then the new one)")
	if err := c.parse(); err != nil {
		return err
	}
	if len(c.args) == 0 {
		return usageError("say: warren account create NAME, account list, or account passwd NAME")
	}
	switch verb, args := c.args[0], c.args[1:]; verb {
	case "create":
		if len(args) != 1 {
			return usageError("say: warren account create NAME")
		}
		pw, err := c.password(*fromStdin, "Password for "+args[0]+": ")
		if err != nil {
			return err
		}
		var name string
		if err := c.toNode(true, "POST", "/account/create", accountRequest{Name: args[0], Password: pw}, &name); err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		if *c.json {
			return printJSON(c, map[string]string{"name": name})
		}
		fmt.Fprintf(c.out, "account %s is ready: log in with any IRC client (SASL) or XMPP client, at any node\n", name)
		return nil
	case "list":
		return accountList(c)
	case "passwd":
		if len(args) != 1 {
			return usageError("say: warren account passwd NAME")
		}
		old, err := c.password(*fromStdin, "Old password: ")
		if err != nil {
			return err
		}
		pw, err := c.password(*fromStdin, "New password: ")
		if err != nil {
			return err
		}
		var name string
		if err := c.toNode(false, "POST", "/account/passwd", accountRequest{Name: args[0], Old: old, Password: pw}, &name); err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		if *c.json {
			return printJSON(c, map[string]string{"name": name})
		}
		fmt.Fprintf(c.out, "the password of %s is changed\n", name)
		return nil
	default:
		return usageError(fmt.Sprintf("there is no %q: say create, list or passwd", verb))
	}
}

func accountList(c *call) error {
	var list []accountInfo
	if err := c.toNode(false, "GET", "/account/list", struct{}{}, &list); err != nil {
		return err
	}
	if *c.json {
		return printJSON(c, list)
	}
	if len(list) == 0 {
		fmt.Fprintln(c.out, "no accounts yet: warren account create NAME")
		return nil
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ACCOUNT\tNODES\tKEYS HERE")
	for _, a := range list {
		fmt.Fprintf(w, "%s\t%d\t%s\n", a.Name, a.Devices, map[bool]string{true: "yes", false: "no"}[a.Here])
	}
	return w.Flush()
}

// password reads one line, without echo on a terminal.
func (c *call) password(fromStdin bool, prompt string) (string, error) {
	f, isFile := c.in.(*os.File)
	if !fromStdin && isFile && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(c.err, prompt)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(c.err)
		return string(b), err
	}
	if !fromStdin {
		return "", usageError("no terminal to ask for the password: use --password-stdin")
	}
	r, ok := c.in.(*bufio.Reader)
	if !ok {
		r = bufio.NewReader(c.in)
		c.in = r
	}
	line, err := r.ReadString('\n')
	if line == "" && err != nil {
		return "", errors.New("no password on standard input")
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func sortedNames[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
