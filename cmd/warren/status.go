package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	slices.SortFunc(s.Nodes, func(a, b nodeInfo) int { return byName(a.Name, b.Name) })
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
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(c.out)
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
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%s\n", r.Name, r.Occupants, r.Height, leader, strings.Join(named(names, r.Controllers), " "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := printClock(c, s.Clock); err != nil {
		return err
	}
	return printCharges(c, append(s.Rooms, s.Directory), names)
}

// named returns the names of nodes in order. A node without one goes by the beginning of its id.
func named(names map[string]string, ids []string) []string {
	var list []string
	for _, id := range ids {
		list = append(list, cmp.Or(names[id], id[:8]))
	}
	slices.SortFunc(list, byName)
	return list
}

// byName orders names as people count: n2 before n10.
func byName(a, b string) int {
	const digits = "0123456789"
	return cmp.Or(strings.Compare(strings.TrimRight(a, digits), strings.TrimRight(b, digits)), cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// printClock tells people to set this node's clock, when it is wrong.
func printClock(c *call, k clockInfo) (err error) {
	off := (time.Duration(k.Ahead) * time.Millisecond).Round(time.Second)
	switch {
	case !k.Wrong:
	case k.Heard == 0:
		_, err = fmt.Fprintf(c.out, "\nThe clock of this node, or that of those that it calls, is wrong by more than an hour: by it the certificates of %d nodes are not valid, and they cannot connect. Set it.\n", k.Refused)
	case off > 0:
		_, err = fmt.Fprintf(c.out, "\nThe clock of this node is %v ahead of most others (%d heard): set it.\n", off, k.Heard)
	default:
		_, err = fmt.Fprintf(c.out, "\nThe clock of this node is %v behind most others (%d heard): set it.\n", -off, k.Heard)
	}
	return err
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
