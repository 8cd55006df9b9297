package irc

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"warren/bridge"
	"warren/rooms"
	"warren/rooms/errs"
)

// archive is the history of one target.
type archive struct {
	name   string // canonical
	direct bool
	query  func(context.Context, bridge.HistoryQuery) ([]rooms.Event, error)
	find   func(ctx context.Context, msgid string) (rooms.Event, error)
	seat   *bridge.Seat
}

// cmdChathistory serves CHATHISTORY (IRCv3 draft/chathistory).
func cmdChathistory(c *conn, r *reply, p []string) {
	sub := strings.ToUpper(p[0])
	want := map[string]int{"LATEST": 4, "BEFORE": 4, "AFTER": 4, "AROUND": 4, "BETWEEN": 5, "TARGETS": 4}[sub]
	switch {
	case want == 0:
		r.fail("CHATHISTORY", "INVALID_PARAMS", middle(cutText(p[0], 32)), "Unknown command")
		return
	case len(p) < want:
		r.fail("CHATHISTORY", "INVALID_PARAMS", sub, "Not enough parameters")
		return
	}
	limit, err := strconv.Atoi(p[want-1])
	if err != nil || limit < 1 {
		r.fail("CHATHISTORY", "INVALID_PARAMS", sub, "The limit must be a number above 0")
		return
	}
	limit = min(limit, c.srv.cfg.Limits.History)
	c.await(r, func(ctx context.Context) {
		if sub == "TARGETS" {
			c.historyTargets(ctx, r, p[1], p[2], limit)
			return
		}
		c.history(ctx, r, sub, p[1], p[2:want-1], limit)
	})
}

func (c *conn) archive(target string) (archive, bool) {
	if strings.HasPrefix(target, "#") {
		t := c.sess.Seat(target[1:])
		if t == nil {
			return archive{}, false
		}
		return archive{name: "#" + t.Name(), query: t.History, find: t.Find, seat: t}, true
	}
	name := target
	if u, ok := c.resolve(target); ok {
		name = u.Nick
	}
	return archive{
		name: middle(name), direct: true,
		query: func(ctx context.Context, q bridge.HistoryQuery) ([]rooms.Event, error) {
			return c.sess.DirectHistory(ctx, name, q)
		},
		find: func(ctx context.Context, id string) (rooms.Event, error) { return c.sess.DirectFind(ctx, name, id) },
	}, true
}

func (c *conn) history(ctx context.Context, r *reply, sub, target string, bounds []string, limit int) {
	a, ok := c.archive(target)
	if !ok {
		r.fail("CHATHISTORY", "INVALID_TARGET", sub, middle(target), "You are not in that channel")
		return
	}
	var points []point
	for _, b := range bounds {
		pt, err := a.point(ctx, b, sub == "LATEST")
		if err != nil {
			ref := middle(cutText(b, 100))
			switch errs.Of(err) {
			case errs.Invalid:
				r.fail("CHATHISTORY", "INVALID_MSGREFTYPE", sub, ref, "Give timestamp=... or msgid=...")
			case errs.NotFound:
				r.fail("CHATHISTORY", "INVALID_PARAMS", sub, ref, "No such message in this history")
			default:
				r.unreadable(sub, target, err)
			}
			return
		}
		points = append(points, pt)
	}
	q := bridge.HistoryQuery{Limit: limit, Ops: c.historyOps()}
	var evs []rooms.Event
	var err error
	switch sub {
	case "LATEST":
		points[0].after(&q)
		q.Newest = true
		evs, err = a.query(ctx, q)
	case "BEFORE":
		points[0].before(&q)
		q.Newest = true
		evs, err = a.query(ctx, q)
	case "AFTER":
		points[0].after(&q)
		evs, err = a.query(ctx, q)
	case "BETWEEN":
		from, to := points[0], points[1]
		if to.less(from) {
			from, to = to, from
			q.Newest = true
		}
		from.after(&q)
		to.before(&q)
		evs, err = a.query(ctx, q)
	case "AROUND":
		evs, err = a.around(ctx, q, points[0])
	}
	if err != nil {
		if errs.Of(err) == errs.NotFound {
			r.fail("CHATHISTORY", "INVALID_TARGET", sub, middle(target), "No such nick or channel")
		} else {
			r.unreadable(sub, target, err)
		}
		return
	}
	r.batch("chathistory", a.name)
	for i := range evs {
		c.out.wait(ctx)
		for _, l := range c.past(a, &evs[i]) {
			r.send(l)
		}
	}
}

// unreadable says that a part of the history is not to be had now, for instance because it is still on its way to this node.
func (r *reply) unreadable(sub, target string, err error) {
	r.fail("CHATHISTORY", "MESSAGE_ERROR", sub, middle(target), "The history cannot be read now: "+errs.Of(err).Error())
}

// historyOps are the events a client wants to see again.
func (c *conn) historyOps() []rooms.Op {
	if c.have().has(capPlayback) {
		return []rooms.Op{rooms.OpSay, rooms.OpEnter, rooms.OpLeave, rooms.OpNick, rooms.OpSubject, rooms.OpKick}
	}
	return []rooms.Op{rooms.OpSay}
}

// past returns an event of the history as lines.
func (c *conn) past(a archive, ev *rooms.Event) []*line {
	nick := c.srv.people.shown(nil, ev.Nick)
	if nick == "" {
		nick = middle(ev.Account)
	}
	source := maskOf(nick, ev.Account, ev.Device)
	l := &line{source: source, time: ev.Time, account: ev.Account, msgid: ev.ID.MsgID()}
	switch b := ev.Body.(type) {
	case *rooms.Say:
		if b.Kind == rooms.Signal && !c.have().has(capPlayback) {
			return nil
		}
		target := a.name
		if a.direct && ev.Principal() != rooms.PrincipalOf(c.sess.Account(), c.sess.Nick(), c.srv.hub.World().Self()) {
			target = *c.nick.Load()
		}
		return c.srv.talk(ev, b, target, source)
	case *rooms.Enter:
		l.command, l.params = "JOIN", []string{a.name}
		if c.have().has(capExtendedJoin) {
			l.params = append(l.params, accountOrStar(ev.Account), b.Real)
		}
	case *rooms.Leave:
		l.command, l.params = "PART", partParams(a.name, b.Reason)
		if b.Quit {
			l.command, l.params = "QUIT", []string{b.Reason}
		}
	case *rooms.Nick:
		l.command, l.params = "NICK", []string{c.srv.people.shown(nil, b.New)}
	case *rooms.Subject:
		l.command, l.params = "TOPIC", []string{a.name, b.Text}
	case *rooms.Kick:
		l.command, l.params = "KICK", []string{a.name, c.srv.people.shown(nil, b.Nick), b.Reason}
	default:
		return nil
	}
	return []*line{l}
}

// around returns half of the limit before the point, the rest from it on.
func (a archive) around(ctx context.Context, q bridge.HistoryQuery, p point) ([]rooms.Event, error) {
	before, from := q, q
	before.Limit, before.Newest = max(1, q.Limit/2), true
	p.before(&before)
	if p.seq != 0 {
		from.AfterSeq = p.seq - 1
	} else {
		from.AfterTime = p.time - 1
	}
	var out []rooms.Event
	if q.Limit > 1 {
		var err error
		if out, err = a.query(ctx, before); err != nil {
			return nil, err
		}
	}
	from.Limit = q.Limit - len(out)
	rest, err := a.query(ctx, from)
	return append(out, rest...), err
}

// historyTargets lists channels and people with messages between two times.
func (c *conn) historyTargets(ctx context.Context, r *reply, from, to string, limit int) {
	var bound [2]int64
	for i, s := range []string{from, to} {
		kind, v, _ := strings.Cut(s, "=")
		ms, ok := parseServerTime(v)
		if kind != "timestamp" || !ok {
			r.fail("CHATHISTORY", "INVALID_PARAMS", "TARGETS", middle(cutText(s, 100)), "Give timestamp=YYYY-MM-DDThh:mm:ss.sssZ")
			return
		}
		bound[i] = ms
	}
	lo, hi := min(bound[0], bound[1]), max(bound[0], bound[1])
	type hit struct {
		name string
		at   int64
	}
	var hits []hit
	latest := func(a archive) {
		evs, err := a.query(ctx, bridge.HistoryQuery{Limit: 1, Newest: true, Ops: []rooms.Op{rooms.OpSay}})
		if err == nil && len(evs) == 1 && evs[0].Time > lo && evs[0].Time < hi {
			hits = append(hits, hit{a.name, evs[0].Time})
		}
	}
	for _, t := range c.sess.Seats() {
		latest(archive{name: "#" + t.Name(), query: t.History})
	}
	for _, peer := range c.sess.Peers() {
		if a, ok := c.archive(peer.Nick); ok {
			latest(a)
		}
	}
	slices.SortFunc(hits, func(a, b hit) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		return strings.Compare(a.name, b.name)
	})
	r.batch("draft/chathistory-targets")
	for _, h := range hits[:min(limit, len(hits))] {
		r.send(&line{source: c.srv.cfg.Name, command: "CHATHISTORY", params: []string{"TARGETS", h.name, serverTime(h.at)}})
	}
}
