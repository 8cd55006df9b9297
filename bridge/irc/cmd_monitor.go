package irc

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	irc "gopkg.in/irc.v4"

	"warren/rooms"
)

// cmdMonitor serves MONITOR + - C L S (IRCv3 monitor).
func cmdMonitor(c *conn, r *reply, p []string) {
	list := ""
	if len(p) > 1 {
		list = p[1]
	}
	switch strings.ToUpper(p[0]) {
	case "+":
		c.monitorAdd(r, list)
	case "-":
		gone := map[string]string{}
		c.mu.Lock()
		for _, n := range strings.Split(list, ",") {
			gone[rooms.Fold(n)] = n
			delete(c.watched, rooms.Fold(n))
		}
		c.mu.Unlock()
		c.srv.monitors.forget(c, gone)
	case "C":
		c.mu.Lock()
		gone := c.watched
		c.watched = map[string]string{}
		c.mu.Unlock()
		c.srv.monitors.forget(c, gone)
	case "L":
		c.mu.Lock()
		all := slices.Sorted(maps.Values(c.watched))
		c.mu.Unlock()
		monitorLines(r, irc.RPL_MONLIST, all)
		r.num(irc.RPL_ENDOFMONLIST, "End of MONITOR list")
	case "S":
		c.mu.Lock()
		all := slices.Sorted(maps.Values(c.watched))
		c.mu.Unlock()
		c.monitorState(r, all)
	}
}

func (c *conn) monitorAdd(r *reply, list string) {
	var added []string
	limit := c.srv.cfg.Limits.Monitor
	for _, n := range strings.Split(list, ",") {
		if n == "" || len(n) > rooms.MaxName || strings.ContainsAny(n, " :!@*?") {
			continue
		}
		c.mu.Lock()
		_, had := c.watched[rooms.Fold(n)]
		full := !had && len(c.watched) >= limit
		if !had && !full {
			c.watched[rooms.Fold(n)] = n
		}
		c.mu.Unlock()
		if full {
			r.num(irc.ERR_MONLISTFULL, strconv.Itoa(limit), middle(n), "Monitor list is full")
			break
		}
		c.srv.monitors.add(c, rooms.Fold(n))
		added = append(added, n)
	}
	c.monitorState(r, added)
}

func (c *conn) monitorState(r *reply, nicks []string) {
	var on, off []string
	for _, n := range nicks {
		if u, ok := c.srv.userByNick(n); ok {
			on = append(on, c.srv.userMask(u))
		} else {
			off = append(off, n)
		}
	}
	monitorLines(r, irc.RPL_MONONLINE, on)
	monitorLines(r, irc.RPL_MONOFFLINE, off)
}

// monitorLines sends names, comma-separated, in as many lines as they need.
func monitorLines(r *reply, code string, all []string) {
	for len(all) > 0 {
		n, size := 0, 0
		for n < len(all) && (n == 0 || size+len(all[n]) < 380) {
			size += len(all[n]) + 1
			n++
		}
		r.num(code, strings.Join(all[:n], ","))
		all = all[n:]
	}
}
