package irc

import (
	"context"
	"strings"

	"warren/bridge"
	"warren/rooms/errs"
)

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

// point reads a selector. Errors: errs.NotFound (no such msgid), errs.Invalid (no selector), and those of reading the history.
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
		ev, err := a.find(ctx, v)
		return point{seq: ev.Seq, time: ev.Time}, err
	}
	return point{}, errs.Invalid
}
