package irc

import (
	"context"
	"strings"

	"warren/bridge"
	"warren/rooms"
)

// Deliver implements bridge.Client.
func (c *conn) Deliver(d bridge.Delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.reason != "":
	case c.welcomed:
		c.show(d)
	case len(c.early) < maxEarly:
		c.early = append(c.early, d)
	}
}

// Pace implements bridge.Pacer.
func (c *conn) Pace(ctx context.Context) {
	select {
	case <-c.greeted:
		c.out.wait(ctx)
	case <-ctx.Done():
	}
}

// show is called with c.mu held.
func (c *conn) show(d bridge.Delivery) {
	switch d.Kind {
	case bridge.RoomEvent:
		c.roomEvent(d)
	case bridge.DirectEvent:
		c.direct(d)
	case bridge.UserChange:
		c.userChange(d)
	case bridge.Renamed:
		c.ownNick(d.New, 0, "", nil)
	case bridge.Invited:
		source := c.srv.cfg.Name
		if u, ok := c.srv.hub.UserByNick(d.By); ok {
			source = c.srv.userMask(u)
		}
		c.put(&line{source: source, command: "INVITE", params: []string{*c.nick.Load(), "#" + d.Room}})
	case bridge.SignalEvent:
		c.signal(d)
	case bridge.SeatLost:
		c.lost(d.Seat, d.Text)
	case bridge.ServerNotice:
		for _, t := range splitText(d.Text, 400) {
			c.put(&line{source: c.srv.cfg.Name, command: "NOTICE", params: []string{c.target(), t}})
		}
	case bridge.FrozenChange:
		c.frozenChange(d)
	case bridge.ProvisionalEvent:
		c.provisional(d)
	case bridge.Confirmed, bridge.Withdrawn:
		c.fate(d)
	case bridge.TickEvent:
		c.tick(d)
	case bridge.BotReply:
		c.botReply(d)
	case bridge.GoTo:
		room := d.Room
		c.spawn(func(ctx context.Context) { c.joinOne(ctx, c.begin(""), "#"+strings.TrimPrefix(room, "#"), "") })
	}
}

// tick tells a bot of a tick, when it keeps up: by the tag that events have, or as text, which nobody gets who has not asked for it.
func (c *conn) tick(d bridge.Delivery) {
	if _, in := c.joined[d.Seat]; !in || !c.out.easy() {
		return
	}
	have := c.have() & shaping
	c.push(d.Shared.Get(have, func() any {
		form := string(bridge.MachineTick(d.Seat.Room().ID(), d.Tick))
		l := line{source: c.srv.botMask(), command: "TAGMSG", params: []string{"#" + d.Seat.Name()}, time: d.Tick.Time, bot: true, machine: form}
		if !have.has(capMessageTags) {
			l.command, l.params = "NOTICE", append(l.params, form)
		}
		return l.bytes(have)
	}).([]byte), false)
}

// answer returns the reply that a delivery belongs to, or nil.
func answer(d bridge.Delivery) *reply {
	r, _ := d.Cookie.(*reply)
	return r
}

func (c *conn) roomEvent(d bridge.Delivery) {
	ev := d.Event
	switch ev.Op {
	case rooms.OpEnter:
		c.entered(d)
		return
	case rooms.OpLeave:
		c.left(d)
		return
	case rooms.OpNick:
		c.renamed(d)
		return
	case rooms.OpNodeGone:
		for _, o := range ev.Gone {
			c.quit(d, o, ev.Body.(*rooms.NodeGone).Node, "node gone")
		}
		return
	case rooms.OpClose:
		c.lost(d.Seat, "the channel is closed")
		return
	case rooms.OpSay:
		if d.Self && d.Mine && !c.have().has(capEchoMessage) {
			return
		}
	}
	if _, in := c.joined[d.Seat]; !in {
		return
	}
	c.common(d)
	if d.Last {
		c.leaveSeat(d.Seat)
	}
}

// common shows an event that looks alike to all clients: encoded once for each set of capabilities.
func (c *conn) common(d bridge.Delivery) {
	if r := answer(d); r != nil {
		for _, l := range c.srv.lines(d, c.special(d)) {
			r.send(l)
		}
		return
	}
	if sp := c.special(d); sp != nil {
		for _, l := range c.srv.lines(d, sp) {
			c.put(l)
		}
		return
	}
	have := c.have() & shaping
	c.push(d.Shared.Get(have, func() any { return c.srv.encode(d, have) }).([]byte), false)
}

// special returns names that this client knows differently from others: its own nick in a room where it sits under another, and those who
// have a new nick already. Nil: none.
func (c *conn) special(d bridge.Delivery) map[string]string {
	var m map[string]string
	if n := d.Seat.Nick(); n != *c.nick.Load() {
		m = map[string]string{rooms.Fold(n): *c.nick.Load()}
	}
	if len(c.gone) > 0 {
		for g, to := range c.gone {
			if g.room == d.Event.Room && to != "" {
				if m == nil {
					m = map[string]string{}
				}
				m[g.fold] = to
			}
		}
	}
	return m
}

func (s *Server) encode(d bridge.Delivery, have caps) []byte {
	var out []byte
	for _, l := range s.lines(d, nil) {
		out = append(out, l.bytes(have)...)
	}
	return out
}

// entered shows somebody who came.
func (c *conn) entered(d bridge.Delivery) {
	if d.Self {
		if _, in := c.joined[d.Seat]; !in {
			c.ownJoin(d)
		}
		return
	}
	if _, in := c.joined[d.Seat]; !in {
		return
	}
	delete(c.gone, ghost{d.Event.Room, rooms.Fold(d.Event.Nick)})
	c.common(d)
}

// ownJoin shows the client its own JOIN, and the room as it is.
func (c *conn) ownJoin(d bridge.Delivery) {
	r := answer(d)
	if r == nil {
		r = c.begin("")
		defer r.release()
	}
	c.joined[d.Seat] = struct{}{}
	name := "#" + d.Seat.Name()
	u := c.sess.User()
	j := &line{source: c.mask(), command: "JOIN", params: []string{name}, time: d.Event.Time, account: u.Account}
	if !d.Event.ID.IsZero() {
		j.msgid = d.Event.ID.MsgID()
	}
	if c.have().has(capExtendedJoin) {
		j.params = append(j.params, accountOrStar(u.Account), u.Real)
	}
	r.send(j)
	c.topic(r, d.Seat, false)
	if !c.have().has(capNoImplicitNames) {
		c.names(r, d.Seat)
	}
}

func accountOrStar(a string) string {
	if a == "" {
		return "*"
	}
	return a
}

// left shows PART or QUIT.
func (c *conn) left(d bridge.Delivery) {
	ev := d.Event
	b := ev.Body.(*rooms.Leave)
	if d.Last {
		if _, in := c.joined[d.Seat]; !in {
			return
		}
		l := &line{source: c.mask(), command: "PART", params: partParams("#"+d.Seat.Name(), b.Reason), time: ev.Time, account: ev.Account}
		if r := answer(d); r != nil {
			r.send(l)
		} else {
			c.put(l)
		}
		c.leaveSeat(d.Seat)
		return
	}
	if d.Self || rooms.Fold(ev.Nick) == rooms.Fold(d.Seat.Nick()) {
		return // the guest becomes an account
	}
	if _, in := c.joined[d.Seat]; !in {
		return
	}
	if b.Quit && len(ev.Gone) > 0 {
		c.quit(d, ev.Gone[0], ev.Device, b.Reason)
		return
	}
	k := ghost{ev.Room, rooms.Fold(ev.Nick)}
	if to, ok := c.gone[k]; ok && to == "" {
		delete(c.gone, k)
		return
	}
	c.common(d)
	delete(c.gone, k)
}

func partParams(channel, reason string) []string {
	if reason == "" {
		return []string{channel}
	}
	return []string{channel, reason}
}

// lost shows the end of a seat that nobody in the room caused.
func (c *conn) lost(t *bridge.Seat, why string) {
	if t == nil {
		return
	}
	if _, in := c.joined[t]; !in {
		return
	}
	if why == "" {
		why = "the channel cannot be reached"
	}
	c.put(&line{source: c.srv.cfg.Name, command: "KICK", params: []string{"#" + t.Name(), *c.nick.Load(), why}, time: c.srv.now()})
	c.leaveSeat(t)
}

func (c *conn) leaveSeat(t *bridge.Seat) {
	delete(c.joined, t)
	for g := range c.gone {
		if g.room == t.Room().ID() {
			delete(c.gone, g)
		}
	}
}

// userChange shows AWAY, SETNAME and ACCOUNT.
func (c *conn) userChange(d bridge.Delivery) {
	if d.Self && rooms.Fold(d.User.Nick) != rooms.Fold(*c.nick.Load()) {
		return
	}
	c.userLines(d.Was, d.User, d.Self)
}

func (c *conn) userLines(was, now bridge.User, self bool) {
	at := c.srv.now()
	if awayText(was) != awayText(now) && !self && c.have().has(capAwayNotify) {
		c.put(&line{source: c.srv.userMask(now), command: "AWAY", params: partParams("", awayText(now))[1:], time: at, account: now.Account})
	}
	if was.Real != now.Real && c.have().has(capSetname) && !self {
		c.put(&line{source: c.srv.userMask(now), command: "SETNAME", params: []string{now.Real}, time: at, account: now.Account})
	}
	if was.Account != now.Account && c.have().has(capAccountNotify) && !self {
		c.put(&line{source: c.srv.userMask(now), command: "ACCOUNT", params: []string{accountOrStar(now.Account)}, time: at})
	}
}
