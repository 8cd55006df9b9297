package main

import (
	"fmt"
	"strings"
)

// roomCommand is what a person does with whole rooms.
func roomCommand(c *call) error {
	file := c.flags.String("o", "", "write to `FILE` instead of NAME.warren; - is standard output (export)")
	var r recovery
	c.flags.StringVar(&r.account, "account", "", "the `ACCOUNT` that manages the room (recover)")
	c.flags.StringVar(&r.keyFile, "key", "", "the recovery key's `FILE` instead of the one in the data directory (recover)")
	c.flags.BoolVar(&r.yes, "yes", false, "do not ask (recover)")
	c.flags.BoolVar(&r.fromStdin, "password-stdin", false, "read the password from standard input (recover)")
	directory := c.flags.Bool("directory", false, "recover the directory itself, with the recovery key (recover)")
	if err := c.parse(); err != nil {
		return err
	}
	if len(c.args) == 1 && c.args[0] == "recover" && *directory {
		return c.recoverRoom(r)
	}
	name := ""
	if len(c.args) == 2 {
		name = strings.TrimPrefix(c.args[1], "#")
	}
	if name == "" {
		return usageError("say: warren room export NAME [-o FILE], room import FILE, or room recover NAME --account ACCOUNT")
	}
	switch c.args[0] {
	case "export":
		return c.exportRoom(name, *file)
	case "import":
		return c.importRoom(c.args[1])
	case "recover":
		r.name = name
		return c.recoverRoom(r)
	default:
		return usageError(fmt.Sprintf("there is no %q: say export, import or recover", c.args[0]))
	}
}
