package command

import (
	"fmt"
	"strconv"

	"warren/bridge"
	"warren/perms"
	"warren/rooms"
)

func ticksCommands() []*command {
	return []*command{{
		name: "ticks", args: "on|off", help: "for bots: tells your client each of the room's ticks, until it leaves", right: perms.Read, room: inRoom,
		min: 1, max: 1, run: ticks,
	}}
}

func ticks(c *call) bridge.Reply {
	on := rooms.Fold(c.args[0]) == "on"
	if !on && rooms.Fold(c.args[0]) != "off" {
		return failed("on or off?", "usage: "+c.cmd.usage())
	}
	c.seat.Ticks(on)
	n := uint8(0)
	c.view(func(v view) { n = v.st.Set.Ticks })
	data := map[string]any{"room": "#" + c.seat.Name(), "on": on, "ticks": n}
	switch {
	case !on:
		return told(data, fmt.Sprintf("you are told no ticks of #%s", c.seat.Name()))
	case n == 0:
		return told(data, fmt.Sprintf("you will be told the ticks of #%s; it has none now: !room ticks N", c.seat.Name()))
	}
	return told(data, fmt.Sprintf("you are told the ticks of #%s, %d per second", c.seat.Name(), n))
}

// tickBytes is about what a tick takes on a node's disk once it is packed, see docs/BENCH.md.
const tickBytes = 55

func roomTicks(c *call) bridge.Reply {
	n := uint64(0)
	if rooms.Fold(c.args[0]) != "off" {
		var err error
		if n, err = strconv.ParseUint(c.args[0], 10, 8); err != nil || n > rooms.MaxTicks {
			return failed(fmt.Sprintf("how many per second? up to %d, or off", rooms.MaxTicks), "usage: "+c.cmd.usage())
		}
	}
	if r, ok := c.do(&rooms.Configure{Ticks: new(uint8(n))}); !ok {
		return r
	}
	data := map[string]any{"room": "#" + c.seat.Name(), "ticks": n}
	if n == 0 {
		return told(data, fmt.Sprintf("#%s makes no ticks", c.seat.Name()))
	}
	lines := []string{fmt.Sprintf("#%s makes %d ticks per second while somebody is in it; bots ask for them with !ticks on", c.seat.Name(), n)}
	keeps := uint16(0)
	c.view(func(v view) { keeps = v.st.Set.Retention })
	if keeps == 0 {
		lines = append(lines, fmt.Sprintf("that is some %d MB a day on each of its nodes, for ever: !room retention DAYS bounds it", max(1, n*tickBytes*86400/1e6)))
	}
	return told(data, lines...)
}
