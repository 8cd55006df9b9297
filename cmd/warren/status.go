package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"warren/bridge"
)

func status(c *call) error {
	if err := c.parse(); err != nil {
		return err
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), controlTime)
	defer cancel()
	var s statusInfo
	if err := ask(ctx, string(cfg.Node.Data), "GET", "/status", struct{}{}, &s); err != nil {
		if errors.Is(err, errNotRunning) {
			return fmt.Errorf("%w (%s): start it with warren serve%s", err, cfg.Node.Data, c.where())
		}
		return err
	}
	if *c.json {
		return printJSON(c, s)
	}
	fmt.Fprintf(c.out, "%s of network %q (XMPP domain %s), up %s, clients here: %d\n\n", s.Name, s.Network, s.Domain, time.Duration(s.Uptime)*time.Second, s.Sessions)
	names := map[string]string{}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NODE\tID\tSTATE\tROUND TRIP")
	for _, n := range s.Nodes {
		names[n.ID] = n.Name
		state := "away"
		if n.Up {
			state = "up"
		}
		if n.ID == s.ID {
			state = "this one"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", n.Name, n.ID[:8], state, n.RTT)
	}
	fmt.Fprintln(w, "\t\t\t")
	fmt.Fprintln(w, "ROOM\tPEOPLE\tHEIGHT\tLED BY\tCONTROLLED BY")
	for _, r := range append(s.Rooms, s.Directory) {
		if strings.HasPrefix(r.Name, "#=") {
			continue // conversations of two are nobody else's business; --json has them
		}
		leader := names[r.Leader]
		switch {
		case r.Parked && !r.Frozen:
			leader = "nobody: parked"
		case r.Leader == "" || r.Parked:
			leader = "nobody: frozen"
		case r.Frozen:
			leader += " (frozen)"
		}
		list := ""
		for _, id := range r.Controllers {
			name := names[id]
			if name == "" {
				name = id[:8]
			}
			list += name + " "
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%s\n", r.Name, r.Occupants, r.Height, leader, list)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return printCharges(c, append(s.Rooms, s.Directory), names)
}

// printCharges says which controllers misbehaved, as far as this node has seen.
func printCharges(c *call, list []bridge.RoomStatus, names map[string]string) error {
	for _, r := range list {
		if strings.HasPrefix(r.Name, "#=") {
			continue
		}
		for _, x := range r.Charges {
			name := names[x.Node]
			if name == "" {
				name = x.Node[:8]
			}
			if _, err := fmt.Fprintf(c.out, "\n%s\n", x.Line(name, r.Name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func printJSON(c *call, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "%s\n", data)
	return err
}
