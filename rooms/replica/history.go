package replica

import (
	"slices"
	"sort"

	"warren/rooms"
)

// Query selects events of a room's log. Bounds are exclusive; zero: no bound.
type Query struct {
	AfterSeq, BeforeSeq   uint64
	AfterTime, BeforeTime int64 // ms
	Limit                 int   // at least 1
	Newest                bool  // when there are more than Limit, the newest of the range (else the oldest)
	Ops                   []rooms.Op
}

// historyStep is how many decisions are read from disk at once.
const historyStep = 128

// Events returns events of the log in ascending order, as Decision.TalkEvents tells them. It reads the disk.
func (r *Replica) Events(q Query) ([]rooms.Event, error) {
	height, _ := r.Head()
	low, high := uint64(1), height
	if q.AfterSeq > 0 || q.AfterTime > 0 {
		n, err := r.search(height, func(h *rooms.Header) bool { return h.Seq > q.AfterSeq && h.Time > q.AfterTime })
		if err != nil {
			return nil, err
		}
		low = max(1, n-min(n, 1)) // the decision below may hold events behind the bound
	}
	if q.BeforeSeq > 0 || q.BeforeTime > 0 {
		n, err := r.search(height, func(h *rooms.Header) bool {
			return q.BeforeSeq > 0 && h.Seq+1 >= q.BeforeSeq || q.BeforeTime > 0 && h.Time >= q.BeforeTime
		})
		if err != nil {
			return nil, err
		}
		high = min(height, n)
	}
	var out []rooms.Event
	for low <= high && len(out) < q.Limit {
		from, to := low, min(high, low+historyStep-1)
		if q.Newest {
			from = max(low, high-min(high, historyStep-1))
			to = high
		}
		list, err := r.decisions(from, to)
		if err != nil {
			return nil, err
		}
		var part []rooms.Event
		for i := range list {
			for _, e := range list[i].TalkEvents() {
				if q.fits(&e) {
					part = append(part, e)
				}
			}
		}
		if q.Newest {
			out = append(part, out...)
			if from == 0 || from == low {
				break
			}
			high = from - 1
		} else {
			out = append(out, part...)
			low = to + 1
		}
	}
	if len(out) > q.Limit {
		if q.Newest {
			return out[len(out)-q.Limit:], nil
		}
		return out[:q.Limit], nil
	}
	return out, nil
}

func (q *Query) fits(e *rooms.Event) bool {
	return !(q.AfterSeq != 0 && e.Seq <= q.AfterSeq || q.BeforeSeq != 0 && e.Seq >= q.BeforeSeq ||
		q.AfterTime != 0 && e.Time <= q.AfterTime || q.BeforeTime != 0 && e.Time >= q.BeforeTime) &&
		(len(q.Ops) == 0 || slices.Contains(q.Ops, e.Op))
}

// search returns the lowest height whose header fits, height+1 when none does. Headers' Seq and Time never go back, so it halves the range.
func (r *Replica) search(height uint64, fits func(*rooms.Header) bool) (uint64, error) {
	var failed error
	n := sort.Search(int(height), func(i int) bool {
		list, err := r.decisions(uint64(i)+1, uint64(i)+1)
		if err != nil || len(list) == 0 {
			failed = err
			return true
		}
		return fits(&list[0].Header)
	})
	return uint64(n) + 1, failed
}

func (r *Replica) decisions(from, to uint64) ([]rooms.Decision, error) {
	list, err := r.h.cfg.Store.Range(Decisions, roomKey(r.id, from), roomKey(r.id, to+1), int(to-from)+1, false)
	if err != nil {
		return nil, err
	}
	out := make([]rooms.Decision, len(list))
	for i, e := range list {
		if err := rooms.Unmarshal(e.Value, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}
