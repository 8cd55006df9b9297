package bridge

import (
	"slices"

	"warren/rooms"
)

// Fits reports whether the event is in the range and of the kinds that the query asks for.
func (q HistoryQuery) Fits(e *rooms.Event) bool {
	switch {
	case q.AfterSeq != 0 && e.Seq <= q.AfterSeq, q.BeforeSeq != 0 && e.Seq >= q.BeforeSeq,
		q.AfterTime != 0 && e.Time <= q.AfterTime, q.BeforeTime != 0 && e.Time >= q.BeforeTime:
		return false
	}
	return len(q.Ops) == 0 || slices.Contains(q.Ops, e.Op)
}

// Cap returns the query's limit within 1 to MaxHistory.
func (q HistoryQuery) Cap() int {
	if q.Limit <= 0 || q.Limit > MaxHistory {
		return MaxHistory
	}
	return q.Limit
}

// SelectHistory answers a query from events in ascending order.
func SelectHistory(events []rooms.Event, q HistoryQuery) []rooms.Event {
	var out []rooms.Event
	for i := range events {
		if q.Fits(&events[i]) {
			out = append(out, events[i])
		}
	}
	if n := q.Cap(); len(out) > n {
		if q.Newest {
			return out[len(out)-n:]
		}
		return out[:n]
	}
	return out
}
