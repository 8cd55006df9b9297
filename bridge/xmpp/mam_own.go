package xmpp

import (
	"cmp"
	"slices"

	"warren/bridge"
	"warren/rooms"
	"warren/rooms/errs"
)

// moment is a place in the archive of an account, which merges its conversations: by time, and each conversation in its own order.
type moment struct {
	time int64 // ms
	peer string
	seq  uint64
}

func (s *spoken) moment() moment { return moment{s.ev.Time, s.peer, s.ev.Seq} }

func (m moment) compare(o moment) int {
	return cmp.Or(cmp.Compare(m.time, o.time), cmp.Compare(m.peer, o.peer), cmp.Compare(m.seq, o.seq))
}

// sameTime is how many messages of one conversation may bear the same ms at a page's border.
const sameTime = 64

// spoken is a message of one of the account's conversations.
type spoken struct {
	ev   rooms.Event
	peer string
}

// ownArchive answers from the account's conversations (XEP-0313 for users).
func (c *conn) ownArchive(iq, q *element) {
	c.mu.Lock()
	c.recalls = true
	c.mu.Unlock()
	ok := c.later("archive", func() {
		if err := c.ownPage(iq, q); err != nil {
			c.fail(iq, toStanzaError(err))
		}
	})
	if !ok {
		c.fail(iq, stanzaError{"wait", "resource-constraint", "too much is waiting"})
	}
}

func (c *conn) ownPage(iq, q *element) error {
	w, err := readArchiveQuery(q)
	if err != nil {
		return err
	}
	peers := c.conversations()
	if w.with != nil {
		peers = slices.DeleteFunc(peers, func(p string) bool { return c.srv.bare(p) != w.with.Bare().String() })
	}
	after, err := c.moments(w.after)
	if err != nil {
		return err
	}
	before, err := c.moments(w.before)
	if err != nil {
		return err
	}
	for _, m := range after {
		w.AfterTime = max(w.AfterTime, m.time-1)
	}
	for _, m := range before {
		if w.BeforeTime == 0 || m.time+1 < w.BeforeTime {
			w.BeforeTime = m.time + 1
		}
	}
	page, none := max(w.Limit, 1), w.Limit == 0
	w.Limit = page + sameTime
	w.Ops = []rooms.Op{rooms.OpSay}
	all, err := c.spokenIn(peers, w.HistoryQuery, func(s *spoken) bool {
		m := s.moment()
		for _, a := range after {
			if m.compare(a) <= 0 {
				return false
			}
		}
		for _, b := range before {
			if m.compare(b) >= 0 {
				return false
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	complete := len(all) <= page
	if !complete && w.Newest {
		all = all[len(all)-page:]
	} else if !complete {
		all = all[:page]
	}
	if none {
		all = nil
	}
	first, last := "", ""
	if n := len(all); n > 0 {
		first, last = all[0].ev.ID.MsgID(), all[n-1].ev.ID.MsgID()
		c.rememberMoment(&all[0])
		c.rememberMoment(&all[n-1])
	}
	if w.flip {
		slices.Reverse(all)
	}
	for i := range all {
		c.sendOwnArchived(q.attr("queryid"), &all[i])
	}
	fin := el(nsMAM, "fin")
	if complete {
		fin.with(at("complete", "true"))
	}
	c.send(resultOf(iq, fin.with(pageSet(first, last, -1, -1))))
	return nil
}

// spokenIn returns what was said in the conversations and fits, in the archive's order. Conversations that cannot be read are left out; one that
// this node is still fetching (errs.Busy) is worth a second try.
func (c *conn) spokenIn(peers []string, q bridge.HistoryQuery, fits func(*spoken) bool) ([]spoken, error) {
	var all []spoken
	for _, peer := range peers {
		ctx, cancel := c.op()
		evs, err := c.sess.DirectHistory(ctx, peer, q)
		cancel()
		if errs.Of(err) == errs.Busy {
			return nil, err
		}
		if err != nil {
			c.srv.log.Debug("xmpp: archive of a conversation", "err", err)
			continue
		}
		for i := range evs {
			if s := (spoken{evs[i], peer}); fits(&s) {
				all = append(all, s)
			}
		}
	}
	slices.SortFunc(all, func(a, b spoken) int { return a.moment().compare(b.moment()) })
	return all, nil
}

// letterBetween is a message of a conversation as the client sees it; nil: nothing to show.
func (c *conn) letterBetween(s *spoken) *element {
	l, ok := c.srv.letterOf(&s.ev)
	if !ok {
		return nil
	}
	from, to := c.srv.bare(s.peer), c.bare
	if s.ev.Account == c.account {
		from, to = to, from
	}
	return l.stanza(withResource(from, l.envelope.attrOr("from")), withResource(to, l.envelope.attrOr("to")), c.bare)
}

func (c *conn) sendOwnArchived(queryID string, s *spoken) {
	m := c.letterBetween(s)
	if m == nil {
		return
	}
	forwarded := el(nsForward, "forwarded", el(nsDelay, "delay", at("stamp", stamp(s.ev.Time))), m)
	c.sendSlow(el(nsClient, "message", at("from", c.bare), el(nsMAM, "result", at("queryid", queryID), at("id", s.ev.ID.MsgID()), forwarded)))
}

func (c *conn) rememberMoment(s *spoken) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.moment) >= maxMoments {
		clear(c.moment)
	}
	c.moment[s.ev.ID.MsgID()] = s.moment()
}

// moments finds when the messages with these ids were: remembered, else asked of each conversation.
func (c *conn) moments(ids []string) ([]moment, error) {
	var out []moment
	for _, id := range ids {
		c.mu.Lock()
		m, ok := c.moment[id]
		c.mu.Unlock()
		if !ok {
			s, err := c.spokenAs(id)
			if err != nil {
				return nil, err
			}
			c.rememberMoment(&s)
			m = s.moment()
		}
		out = append(out, m)
	}
	return out, nil
}

// spokenAs finds the message of any of the account's conversations with this id. Where one of them cannot be read, it may be there.
func (c *conn) spokenAs(id string) (spoken, error) {
	var unread error = stanzaError{"cancel", "item-not-found", "no such message in your archive"}
	for _, peer := range c.conversations() {
		ctx, cancel := c.op()
		ev, err := c.sess.DirectFind(ctx, peer, id)
		cancel()
		switch {
		case err == nil:
			return spoken{ev, peer}, nil
		case errs.Of(err) != errs.NotFound:
			unread = err
		}
	}
	return spoken{}, unread
}
