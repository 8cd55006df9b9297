package main

import (
	"fmt"
	"strings"
)

// roomCommand is what a person does with whole rooms.
func roomCommand(c *call) error {
	file := c.flags.String("o", "", "write to `FILE` instead of NAME.warren; - is standard output (export)")
	account := c.flags.String("account", "", "the `ACCOUNT` that manages the room (recover)")
	directory := c.flags.Bool("directory", false, "recover the directory itself, with the recovery key (recover)")
	key := c.flags.String("key", "", "the recovery key's `FILE` instead of the one in the data directory (recover)")
	yes := c.flags.Bool("yes", false, "do not ask (recover)")
	fromStdin := c.flags.Bool("password-stdin", false, "read the password from standard input (recover)")
	if err := c.parse(); err != nil {
		return err
	}
	if len(c.args) == 1 && c.args[0] == "recover" && *directory {
		return c.recoverRoom("", "", *key, true, *yes, *fromStdin)
	}
	if len(c.args) != 2 {
		return usageError("say: warren room export NAME [-o FILE], room import FILE, or room recover NAME --account ACCOUNT")
	}
	switch c.args[0] {
	case "export":
		return c.exportRoom(strings.TrimPrefix(c.args[1], "#"), *file)
	case "import":
		return c.importRoom(c.args[1])
	case "recover":
		return c.recoverRoom(strings.TrimPrefix(c.args[1], "#"), *account, *key, false, *yes, *fromStdin)
	default:
		return usageError(fmt.Sprintf("there is no %q: say export, import or recover", c.args[0]))
	}
}
