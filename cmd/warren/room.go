package main

import (
	"fmt"
	"strings"
)

// roomCommand is what a person does with whole rooms.
func roomCommand(c *call) error {
	file := c.flags.String("o", "", "write to `FILE` instead of NAME.warren; - is standard output (export)")
	if err := c.parse(); err != nil {
		return err
	}
	if len(c.args) != 2 {
		return usageError("say: warren room export NAME [-o FILE], or warren room import FILE")
	}
	switch c.args[0] {
	case "export":
		return c.exportRoom(strings.TrimPrefix(c.args[1], "#"), *file)
	case "import":
		return c.importRoom(c.args[1])
	default:
		return usageError(fmt.Sprintf("there is no %q: say export or import", c.args[0]))
	}
}
