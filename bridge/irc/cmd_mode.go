package irc

import (
	"strconv"
	"strings"

	irc "gopkg.in/irc.v4"

	"warren/bridge"
	"warren/bridge/names"
	"warren/perms"
	"warren/rooms"
)

func cmdMode(c *conn, r *reply, p []string) {
	if !strings.HasPrefix(p[0], "#") {
		c.userMode(r, p)
		return
	}
	t := c.seat(r, p[0])
	if t == nil {
		return
	}
	if len(p) == 1 {
		c.channelModes(r, t)
		return
	}
	c.channelMode(r, t, p[1], p[2:])
}

func (c *conn) channelModes(r *reply, t *bridge.Seat) {
	modes, args := "+n", []string{}
	var created int64
	t.View(func(st *rooms.State) {
		m, a := settings(st)
		modes, args = "+"+m, a
		created = st.Created
	})
	if t.Frozen() {
		modes = "+" + frozenMode + modes[1:]
	}
	r.num(irc.RPL_CHANNELMODEIS, append([]string{"#" + t.Name(), modes}, args...)...)
	r.num(rplCreationTime, "#"+t.Name(), strconv.FormatInt(created/1000, 10))
}

// settings returns a room's modes with their parameters.
func settings(st *rooms.State) (modes string, args []string) {
	flag := func(on bool, m string) {
		if on {
			modes += m
		}
	}
	flag(st.InviteOnly(), "i")
	flag(st.Moderated(), "m")
	modes += "n"
	flag(st.Set.Secret, "s")
	flag(st.Set.TopicLock, "t")
	if len(st.Set.Key) > 0 {
		modes, args = modes+"k", append(args, "*")
	}
	if st.Set.Limit > 0 {
		modes, args = modes+"l", append(args, strconv.FormatUint(uint64(st.Set.Limit), 10))
	}
	return modes, args
}

// channelMode changes modes: settings in one wish, each person and mask in its own.
func (c *conn) channelMode(r *reply, t *bridge.Seat, modes string, args []string) {
	var set rooms.Configure
	var changes []rooms.Body
	changed, plus, used := false, true, 0
	next := func() (string, bool) {
		if len(args) == 0 || used >= maxModes {
			return "", false
		}
		a := args[0]
		args = args[1:]
		used++
		return a, true
	}
	for _, m := range modes {
		on := plus
		switch m {
		case '+', '-':
			plus = m == '+'
		case 'i', 'm', 's', 't':
			p := map[rune]**bool{'i': &set.InviteOnly, 'm': &set.Moderated, 's': &set.Secret, 't': &set.TopicLock}[m]
			*p, changed = &on, true
		case 'n', 'F': // always on: who is not here cannot talk here; on while the room is frozen
		case 'k':
			key, ok := next()
			if on && (!ok || key == "" || strings.ContainsAny(key, ", ")) {
				r.num(errInvalidModeArg, "#"+t.Name(), "k", "*", "Give a key without commas and spaces")
				continue
			}
			v := []byte{}
			if on {
				v = rooms.KeyVerifier(rooms.KeyProof(t.Room().ID(), key))
			}
			set.Key, changed = &v, true
		case 'l':
			n := uint64(0)
			if on {
				a, _ := next()
				var err error
				if n, err = strconv.ParseUint(a, 10, 31); err != nil || n == 0 {
					r.num(errInvalidModeArg, "#"+t.Name(), "l", middle(a), "Give a number above 0")
					continue
				}
			}
			v := uint32(n)
			set.Limit, changed = &v, true
		case 'o', 'h', 'v':
			if nick, ok := next(); ok {
				if b := c.rankChange(r, t, byte(m), on, nick); b != nil {
					changes = append(changes, b)
				}
			}
		case 'b':
			mask, ok := next()
			if !ok || mask == "" {
				c.bans(r, t)
				continue
			}
			if b := c.banChange(r, t, on, mask); b != nil {
				changes = append(changes, b)
			}
		default:
			r.num(irc.ERR_UNKNOWNMODE, string(m), "is unknown mode char to me")
		}
	}
	if changed {
		changes = append([]rooms.Body{&set}, changes...)
	}
	if len(changes) > 1 {
		r.stream()
	}
	for _, b := range changes {
		c.do(r, "MODE", t, b)
	}
}

// rankChange is the wish behind +o, +h, +v and their opposites; nil: nothing to do.
func (c *conn) rankChange(r *reply, t *bridge.Seat, mode byte, on bool, nick string) rooms.Body {
	o, ok := c.occupant(t, nick)
	if !ok {
		r.num(irc.ERR_USERNOTINCHANNEL, middle(nick), "#"+t.Name(), "They aren't on that channel")
		return nil
	}
	for _, k := range ranks() {
		if k.mode != mode {
			continue
		}
		has := false
		t.View(func(st *rooms.State) { has = st.ACL.Get(o.Principal()).Allow.Has(k.right) })
		switch {
		case has == on:
			return nil
		case on:
			return &rooms.Grant{Who: o.Principal(), Allow: k.right}
		}
		return &rooms.Grant{Who: o.Principal(), Forget: k.right}
	}
	return nil
}

// banChange is the wish behind +b and -b; nil: nothing to do.
func (c *conn) banChange(r *reply, t *bridge.Seat, on bool, mask string) rooms.Body {
	m, err := names.ParseMask(mask)
	if err != nil || len(m.String()) > 256 {
		r.num(errInvalidModeArg, "#"+t.Name(), "b", middle(cutText(mask, 100)), "Give a mask like nick!user@host")
		return nil
	}
	var known *perms.Penalty
	t.View(func(st *rooms.State) {
		for i := range st.Sanctions {
			if p := st.Sanctions[i]; p.Denies.Has(perms.Enter) && p.Active(c.srv.now()) && rooms.Fold(banMask(p.Who, p.Mask)) == rooms.Fold(m.String()) {
				known = &p
			}
		}
	})
	switch {
	case on && known == nil:
		return &rooms.Sanction{Mask: m.String(), Denies: perms.Enter | perms.Say}
	case !on && known != nil:
		return &rooms.Pardon{Who: known.Who, Mask: known.Mask}
	}
	return nil
}

func (c *conn) bans(r *reply, t *bridge.Seat) {
	var list []perms.Penalty
	t.View(func(st *rooms.State) { list = append(list, st.Sanctions...) })
	for _, p := range list {
		if p.Active(c.srv.now()) && p.Denies.Has(perms.Enter) {
			r.num(irc.RPL_BANLIST, "#"+t.Name(), banMask(p.Who, p.Mask), middle(p.By.Display()), strconv.FormatInt(p.Time/1000, 10))
		}
	}
	r.num(irc.RPL_ENDOFBANLIST, "#"+t.Name(), "End of channel ban list")
}

// umodes are the client's own modes.
func (c *conn) umodes() string {
	m := "+"
	if c.bot {
		m += "B"
	}
	if c.hidden {
		m += "i"
	}
	if c.oper {
		m += "o"
	}
	return m
}

func (c *conn) userMode(r *reply, p []string) {
	if rooms.Fold(p[0]) != rooms.Fold(*c.nick.Load()) {
		if _, ok := c.srv.userByNick(p[0]); ok {
			r.num(irc.ERR_USERSDONTMATCH, "Cannot see or change modes of others")
		} else {
			r.num(irc.ERR_NOSUCHNICK, middle(p[0]), "No such nick")
		}
		return
	}
	if len(p) == 1 {
		r.num(irc.RPL_UMODEIS, c.umodes())
		return
	}
	plus, on, off, unknown := true, "", "", false
	for _, m := range p[1] {
		switch m {
		case '+', '-':
			plus = m == '+'
			continue
		case 'i':
			if c.hidden == plus {
				continue
			}
			c.hidden = plus
		case 'B':
			if c.bot == plus {
				continue
			}
			c.bot = plus
			c.srv.setBot(c, plus)
		case 'o':
			if plus || !c.oper {
				continue
			}
			c.oper = false
		case 'w', 's':
			continue // what other servers know and nobody needs
		default:
			unknown = true
			continue
		}
		if plus {
			on += string(m)
		} else {
			off += string(m)
		}
	}
	change := ""
	if on != "" {
		change = "+" + on
	}
	if off != "" {
		change += "-" + off
	}
	if change != "" {
		r.send(&line{source: c.mask(), command: "MODE", params: []string{*c.nick.Load(), change}})
	}
	if unknown {
		r.num(irc.ERR_UMODEUNKNOWNFLAG, "Unknown MODE flag")
	}
}
