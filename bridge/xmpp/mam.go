package xmpp

import (
	"strconv"
	"time"

	"mellium.im/xmpp/jid"

	"warren/bridge"
	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
)

// Limits of the archive.
const (
	maxPage    = 100  // messages of one answer
	maxMoments = 4000 // ids of one client of which paging in the account's own archive remembers where they are
)

// archiveForm answers which fields a query may have (XEP-0313 §4.1).
func (c *conn) archiveForm(iq, _ *element, _ string) {
	f := form{kind: "form"}
	f.hidden("FORM_TYPE", nsMAM)
	f.field("jid-single", "with", "")
	f.field("text-single", "start", "")
	f.field("text-single", "end", "")
	f.field("text-single", "before-id", "")
	f.field("text-single", "after-id", "")
	c.send(resultOf(iq, el(nsMAM, "query", f.element())))
}

// archiveQuery answers from a room's log, a page at a time (XEP-0313 §4, XEP-0059). The ids are those of the messages' stanza-id.
func (c *conn) archiveQuery(iq, q *element, name string) {
	c.inRoom(iq, name, func(t *bridge.Seat) {
		if !t.May(perms.Read, nil).OK {
			c.fail(iq, stanzaError{"auth", "forbidden", ""})
			return
		}
		if err := c.archivePage(iq, q, t); err != nil {
			c.fail(iq, toStanzaError(err))
		}
	})
}

// archiveWanted is a query, read.
type archiveWanted struct {
	bridge.HistoryQuery
	with          *jid.JID
	flip          bool
	after, before []string // ids
}

func (c *conn) archivePage(iq, q *element, t *bridge.Seat) error {
	w, err := readArchiveQuery(q)
	if err != nil {
		return err
	}
	for _, id := range w.after {
		seq, err := c.locate(t, id)
		if err != nil {
			return err
		}
		w.AfterSeq = max(w.AfterSeq, seq)
	}
	for _, id := range w.before {
		seq, err := c.locate(t, id)
		if err != nil {
			return err
		}
		if w.BeforeSeq == 0 || seq < w.BeforeSeq {
			w.BeforeSeq = seq
		}
	}
	room, none := c.srv.roomJID(t.Name()), w.Limit == 0
	if none {
		w.Limit = 1
	}
	page := w.Limit
	w.Limit++ // one more tells whether that was all
	ctx, cancel := c.op()
	defer cancel()
	evs, err := t.History(ctx, w.HistoryQuery)
	if err != nil {
		return err
	}
	complete := len(evs) <= page
	if !complete {
		if w.Newest {
			evs = evs[1:]
		} else {
			evs = evs[:page]
		}
	}
	if none {
		evs = nil
	}
	order := make([]int, len(evs))
	for i := range order {
		order[i] = i
		if w.flip {
			order[i] = len(evs) - 1 - i
		}
	}
	for _, i := range order {
		c.sendArchived(q.attr("queryid"), room, &evs[i], w.with)
	}
	fin := el(nsMAM, "fin")
	if complete {
		fin.with(at("complete", "true"))
	}
	first, last := "", ""
	if n := len(evs); n > 0 {
		first, last = evs[0].ID.MsgID(), evs[n-1].ID.MsgID()
	}
	c.send(resultOf(iq, fin.with(pageSet(first, last, -1, -1))))
	return nil
}

// sendArchived sends one result.
func (c *conn) sendArchived(queryID, room string, ev *rooms.Event, with *jid.JID) {
	m := c.srv.shown(room, ev)
	if m == nil {
		return
	}
	if with != nil && with.Domainpart() == c.srv.domain && c.srv.bare(ev.Account) != with.Bare().String() {
		return
	}
	if ev.Account != "" && ev.Op == rooms.OpSay {
		m.with(el(nsMUCUser, "x", el(nsMUCUser, "item", at("jid", c.srv.bare(ev.Account)))))
	}
	forwarded := el(nsForward, "forwarded", el(nsDelay, "delay", at("stamp", stamp(ev.Time))), m)
	result := el(nsMAM, "result", at("queryid", queryID), at("id", ev.ID.MsgID()), forwarded)
	c.sendSlow(el(nsClient, "message", at("from", room), result))
}

func readArchiveQuery(q *element) (archiveWanted, error) {
	w := archiveWanted{HistoryQuery: bridge.HistoryQuery{Ops: archivedOps(), Limit: maxPage}}
	w.flip = q.child(nsMAM, "flip-page") != nil
	p, err := pageWanted(q.child(nsRSM, "set"))
	if err != nil {
		return w, err
	}
	if p.max >= 0 && p.max < maxPage {
		w.Limit = p.max
	}
	v := formValues(q.child(nsForm, "x"))
	bad := func(text string) (archiveWanted, error) { return w, stanzaError{"modify", "bad-request", text} }
	if s := v["start"]; s != "" {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return bad("start is no time")
		}
		w.AfterTime = at.UnixMilli() - 1
	}
	if s := v["end"]; s != "" {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return bad("end is no time")
		}
		w.BeforeTime = at.UnixMilli() + 1
	}
	if s := v["with"]; s != "" {
		j, err := jid.Parse(s)
		if err != nil {
			return bad("with is no address")
		}
		w.with = &j
	}
	for _, id := range []string{p.after, v["after-id"]} {
		if id != "" {
			w.after = append(w.after, id)
		}
	}
	for _, id := range []string{p.before, v["before-id"]} {
		if id != "" {
			w.before = append(w.before, id)
		}
	}
	w.Newest = p.last || p.before != ""
	return w, nil
}

// locate finds the sequence number of an archive id.
func (c *conn) locate(t *bridge.Seat, id string) (uint64, error) {
	ctx, cancel := c.op()
	defer cancel()
	ev, err := t.Find(ctx, id)
	if errs.Of(err) == errs.NotFound {
		return 0, stanzaError{"cancel", "item-not-found", "no message " + strconv.Quote(clip(id, 64)) + " in this archive"}
	}
	return ev.Seq, err
}
