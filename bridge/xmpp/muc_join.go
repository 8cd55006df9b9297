package xmpp

import (
	"strconv"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

	"warren/bridge"
	"warren/bridge/names"
	"warren/rooms"
	"warren/rooms/errs"
)

// Limits of the history that comes with a join.
const (
	defaultHistory = 20  // messages, when the client does not say
	maxHistory     = 500 // whatever it says; the archive has the rest
)

// historyWanted is what a client wants to hear of before (XEP-0045 §7.2.14).
type historyWanted struct {
	stanzas, chars int   // -1: not said
	since          int64 // ms, 0: not said
}

func readHistory(h *element, now int64) historyWanted {
	w := historyWanted{stanzas: -1, chars: -1}
	if h == nil {
		return w
	}
	number := func(name string) int {
		n, err := strconv.ParseUint(h.attr(name), 10, 31)
		if err != nil {
			return -1
		}
		return int(n)
	}
	w.stanzas, w.chars = number("maxstanzas"), number("maxchars")
	if s := number("seconds"); s >= 0 {
		w.since = now - int64(s)*1000
	}
	if t, err := time.Parse(time.RFC3339, h.attr("since")); err == nil {
		w.since = max(w.since, t.UnixMilli())
	}
	return w
}

// enterPresence is presence to a room: a join, a change of nick, or a change of show.
func (c *conn) enterPresence(e *element, to jid.JID, name string) {
	if to.Resourcepart() == "" {
		c.fail(e, stanzaError{"modify", "jid-malformed", "say under which nick: room@" + c.srv.rooms + "/nick"})
		return
	}
	x := e.child(nsMUC, "x")
	nick, err := roomNick(to.Resourcepart())
	if err != nil {
		c.fail(e, stanzaError{"modify", "jid-malformed", err.Error()})
		return
	}
	t := c.seat(name)
	switch {
	case rooms.Fold(nick) == bridge.BotNick:
		c.fail(e, toStanzaError(errs.NickInUse))
	case t != nil && rooms.Fold(t.Nick()) != rooms.Fold(nick):
		c.changeNick(e, t, nick)
	case t != nil && x != nil:
		c.startJoin(e, name, nick, x)
	case t != nil:
		c.setShow(e)
	case x == nil:
		c.fail(e, stanzaError{"modify", "not-acceptable", "you are not in the room"})
	default:
		c.startJoin(e, name, nick, x)
	}
}

// roomNick returns the nick that all protocols can show for the one that an XMPP client asks for.
func roomNick(resource string) (string, error) {
	display, err := names.DisplayNick(resource)
	if err != nil {
		return "", err
	}
	return names.NickForIRC(display), nil
}

// startJoin joins on a goroutine of its own: clients join many rooms at once.
func (c *conn) startJoin(e *element, name, nick string, x *element) {
	select {
	case c.joins <- struct{}{}:
	case <-c.ctx.Done():
		return
	}
	fold := rooms.Fold(name)
	done := make(chan struct{})
	c.mu.Lock()
	c.joining[fold] = done
	c.mu.Unlock()
	c.work.Go(func() {
		defer func() {
			c.mu.Lock()
			delete(c.joining, fold)
			c.mu.Unlock()
			close(done)
			<-c.joins
		}()
		c.join(e, name, nick, x)
	})
}

// join enters the room (XEP-0045 §7.2) and tells the client in the order of §7.1: who is there, itself, what was said, the subject, the rest.
func (c *conn) join(e *element, name, nick string, x *element) {
	ctx, cancel := c.op()
	defer cancel()
	t, err := c.sess.Join(ctx, name, bridge.JoinOptions{Nick: nick, Key: x.childText(nsMUC, "password"), Create: true})
	if err != nil {
		c.fail(e, toStanzaError(err))
		return
	}
	var codes []string
	if to, err := jid.Parse(e.attr("to")); err == nil && to.Resourcepart() != t.Nick() {
		codes = append(codes, "210")
	}
	c.mu.Lock()
	occ := c.seats[t]
	if occ != nil && !occ.catching { // the client lost track and joins again
		occ.catching, occ.from = true, 0
	}
	c.mu.Unlock()
	if occ != nil {
		c.introduce(occ, readHistory(x.child(nsMUC, "history"), c.srv.hub.World().Now()), codes)
	}
}

// introduce tells a client that has just got a seat what it needs to know.
func (c *conn) introduce(occ *occupancy, want historyWanted, codes []string) {
	defer c.release(occ)
	occupants, self, subject, seq := c.scene(occ, codes)
	if occ.from == 0 { // the room did not see the client come: it was there before, by another client
		occ.from = seq + 1
		c.mu.Lock()
		occ.floor = seq
		c.mu.Unlock()
	}
	for _, p := range occupants {
		c.sendSlow(p)
	}
	c.sendSlow(self)
	for _, m := range c.history(occ, want) {
		c.sendSlow(m)
	}
	c.sendSlow(subject)
}

// sendSlow queues a stanza when the client has read most of what came before. Only for goroutines that may wait.
func (c *conn) sendSlow(e *element) {
	e.set("to", c.full)
	if c.out.wait(c.ctx.Done()) {
		c.sendBytes(e.bytes())
	}
}

// scene builds the presences of all occupants, of the client itself, and the subject, as of one moment; seq is that of the last event.
func (c *conn) scene(occ *occupancy, codes []string) (others []*element, self, subject *element, seq uint64) {
	nick := occ.seat.Nick()
	type there struct {
		o  rooms.Occupant
		st standing
	}
	var all []there
	c.srv.judging(occ.seat, func(j judge) {
		seq = j.st.B.Seq
		for _, fold := range j.st.Nicks() {
			o := j.st.Occupants[fold]
			all = append(all, there{o, j.of(o)})
		}
		subject = subjectOf(occ.jid, j.st)
		if occ.from == 1 && j.st.Maker == rooms.PrincipalOf(c.account, "", rooms.NodeID{}) {
			codes = append(codes, "201")
		}
	})
	others = append(others, c.srv.botPresence(occ.jid, occ.id))
	codes = append([]string{"100"}, codes...)
	codes = append(codes, "110")
	for _, x := range all {
		if rooms.Fold(x.o.Nick) == rooms.Fold(nick) {
			self = c.srv.occupantPresence(occ.jid, occ.id, x.o, x.st, c, codes...)
			continue
		}
		others = append(others, c.srv.occupantPresence(occ.jid, occ.id, x.o, x.st, nil))
	}
	if self == nil { // gone again already: what is held back tells
		o := rooms.Occupant{Nick: nick, Account: c.account}
		self = c.srv.occupantPresence(occ.jid, occ.id, o, standing{"participant", "none"}, c, codes...)
	}
	return others, self, subject, seq
}

// subjectOf is the message that ends what a joining client is told; it comes with an empty subject too (XEP-0045 §7.2.15).
func subjectOf(room string, st *rooms.State) *element {
	from := room
	if st.Subject != "" && st.SubjectBy != "" {
		from += "/" + st.SubjectBy
	}
	m := el(nsClient, "message", at("type", "groupchat"), at("from", from), el(nsClient, "subject", st.Subject))
	if st.Subject != "" && st.SubjectTime > 0 {
		m.with(el(nsDelay, "delay", at("from", room), at("stamp", stamp(st.SubjectTime))))
	}
	return m
}

// history returns what was said before, oldest first.
func (c *conn) history(occ *occupancy, want historyWanted) []*element {
	limit := want.stanzas
	switch {
	case limit == 0 || want.chars == 0:
		return nil
	case limit < 0 && want.since == 0:
		limit = defaultHistory
	case limit < 0 || limit > maxHistory:
		limit = maxHistory
	}
	q := bridge.HistoryQuery{BeforeSeq: occ.from, Limit: limit, Newest: true, Ops: archivedOps()}
	if want.since > 0 {
		q.AfterTime = want.since - 1
	}
	ctx, cancel := c.op()
	defer cancel()
	evs, err := occ.seat.History(ctx, q)
	if err != nil {
		c.srv.log.Debug("xmpp: history", "room", occ.jid, "err", err)
		return nil
	}
	var out []*element
	size := 0
	for i := len(evs) - 1; i >= 0; i-- {
		m := c.srv.shown(occ.jid, &evs[i])
		if m == nil {
			continue
		}
		m.with(el(nsDelay, "delay", at("from", occ.jid), at("stamp", stamp(evs[i].Time))))
		if want.chars > 0 {
			if size += len(m.bytes()); size > want.chars {
				break
			}
		}
		out = append(out, m)
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// leaveRoom gives up the seat (XEP-0045 §7.14).
func (c *conn) leaveRoom(e *element, name string) {
	reason := strings.ReplaceAll(e.childText(nsClient, "status"), "\r", "")
	ok := c.later("room "+rooms.Fold(name), func() {
		t := c.seat(name)
		if t == nil {
			return
		}
		ctx, cancel := c.op()
		defer cancel()
		if err := t.Leave(ctx, clip(reason, rooms.MaxReason), nil); err != nil {
			c.fail(e, toStanzaError(err))
		}
	})
	if !ok {
		c.fail(e, stanzaError{"wait", "resource-constraint", "too much is waiting"})
	}
}

// changeNick takes another nick in one room (XEP-0045 §7.6).
func (c *conn) changeNick(e *element, t *bridge.Seat, nick string) {
	t.Do(&rooms.Nick{New: nick}, nil, func(o bridge.Outcome) {
		if o.Err != nil {
			c.fail(e, toStanzaError(o.Err))
		}
	})
}
