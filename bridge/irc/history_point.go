package irc

import (
	"context"
	"strings"

	"warren/bridge"
	"warren/rooms/errs"
)

// maxPages bounds how far back a msgid is looked for, in pages of bridge.MaxHistory events.
const maxPages = 20

// point is a place in a history.
type point struct {
	seq  uint64 // of the event there, when it was named by its id
	time int64  // ms
	none bool   // '*'
}

func (p point) after(q *bridge.HistoryQuery) {
	if p.seq != 0 {
		q.AfterSeq = p.seq
	} else if !p.none {
		q.AfterTime = p.time
	}
}

func (p point) before(q *bridge.HistoryQuery) {
	if p.seq != 0 {
		q.BeforeSeq = p.seq
	} else if !p.none {
		q.BeforeTime = p.time
	}
}

func (p point) less(o point) bool {
	if p.seq != 0 && o.seq != 0 {
		return p.seq < o.seq
	}
	return p.time < o.time
}

// point reads a selector. Errors: errs.NotFound (no such msgid), errs.Invalid.
func (a archive) point(ctx context.Context, s string, star bool) (point, error) {
	if s == "*" && star {
		return point{none: true}, nil
	}
	kind, v, _ := strings.Cut(s, "=")
	switch kind {
	case "timestamp":
		if ms, ok := parseServerTime(v); ok {
			return point{time: ms}, nil
		}
	case "msgid":
		return a.find(ctx, v)
	}
	return point{}, errs.Invalid
}

// find looks for an event by its id, from the newest back.
func (a archive) find(ctx context.Context, id string) (point, error) {
	q := bridge.HistoryQuery{Limit: bridge.MaxHistory, Newest: true}
	for range maxPages {
		evs, err := a.query(ctx, q)
		if err != nil {
			return point{}, err
		}
		for i := range evs {
			if evs[i].ID.MsgID() == id {
				return point{seq: evs[i].Seq, time: evs[i].Time}, nil
			}
		}
		if len(evs) < bridge.MaxHistory {
			break
		}
		q.BeforeSeq = evs[0].Seq
	}
	return point{}, errs.NotFound
}
