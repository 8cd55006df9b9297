package replica

import (
	"context"
	"slices"
	"sort"

	"warren/rooms"
	"warren/rooms/errs"
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

// Events returns events of the log in ascending order, as Decision.TalkEvents tells them. It reads the disk. Where the log here is being filled
// still (gap.go) it waits for what the answer needs, for historyTime at most; errs.Busy: it is not here yet. A part of the newest events that
// were asked for is an answer too. What the room has let go (retain.go) is no part of its log any more.
func (r *Replica) Events(ctx context.Context, q Query) ([]rooms.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, historyTime)
	defer cancel()
	for {
		floor, moved := r.reach()
		out, whole, err := r.events(q, floor)
		if err != nil || whole || moved == nil {
			return out, err
		}
		select {
		case <-moved:
		case <-r.done:
			return nil, errs.Closed
		case <-ctx.Done():
			if q.Newest && len(out) > 0 {
				return out, nil
			}
			return nil, errs.Busy
		}
	}
}

// events is Events of the log from the height floor on; whole: what is below would not change the answer.
func (r *Replica) events(q Query, floor uint64) (out []rooms.Event, whole bool, err error) {
	height, _ := r.Head()
	low, high := floor, height
	if q.AfterSeq > 0 || q.AfterTime > 0 {
		n, err := r.search(floor, height, func(h *rooms.Header) bool { return h.Seq > q.AfterSeq && h.Time > q.AfterTime })
		if err != nil {
			return nil, false, err
		}
		low, whole = max(floor, n-min(n, 1)), n > floor // the decision below may hold events behind the bound
	}
	if q.BeforeSeq > 0 || q.BeforeTime > 0 {
		n, err := r.search(floor, height, func(h *rooms.Header) bool {
			return q.BeforeSeq > 0 && h.Seq+1 >= q.BeforeSeq || q.BeforeTime > 0 && h.Time >= q.BeforeTime
		})
		if err != nil {
			return nil, false, err
		}
		high = min(height, n)
	}
	out, err = r.pick(q, low, high)
	return out, whole || q.Newest && len(out) >= q.Limit, err
}

// pick returns the events that a query selects from a range of heights.
func (r *Replica) pick(q Query, low, high uint64) ([]rooms.Event, error) {
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

// search returns the lowest height from floor on whose header fits, height+1 when none does. Headers' Seq and Time never go back, so it halves the
// range.
func (r *Replica) search(floor, height uint64, fits func(*rooms.Header) bool) (uint64, error) {
	if floor > height {
		return height + 1, nil
	}
	var failed error
	n := sort.Search(int(height-floor+1), func(i int) bool {
		d, err := r.h.covering(r.id, uint64(i)+floor)
		if err != nil || d == nil {
			failed = err
			return true
		}
		return fits(&d.Header) // of ticks that lie in it nothing is ever asked for
	})
	return uint64(n) + floor, failed
}

func (r *Replica) decisions(from, to uint64) ([]rooms.Decision, error) {
	return r.h.decisions(r.id, from, to)
}

// decisions reads what the disk holds of a range of heights, both ends included.
func (h *Host) decisions(id rooms.RoomID, from, to uint64) ([]rooms.Decision, error) {
	list, err := h.cfg.Store.Range(Decisions, roomKey(id, from), roomKey(id, to+1), int(to-from)+1, false)
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
