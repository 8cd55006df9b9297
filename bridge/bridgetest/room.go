package bridgetest

import (
	"context"
	"slices"

	"warren/bridge"
	"warren/rooms"
	"warren/rooms/errs"
)

// copyOf is a room as one node sees it.
type copyOf struct {
	w *Node
	o *ordered
}

func (r *copyOf) ID() rooms.RoomID { return r.o.chain.Room }

func (r *copyOf) View(f func(*rooms.State)) {
	r.w.net.mu.RLock()
	defer r.w.net.mu.RUnlock()
	f(r.o.chain.Machine.(*rooms.State))
}

func (r *copyOf) Submit(account, nick string, b rooms.Body, cookie any, done func(bridge.Outcome)) {
	select {
	case r.o.in <- job{node: r.w, account: account, nick: nick, body: b, cookie: cookie, done: done}:
	case <-r.w.net.quit:
		if done != nil {
			done(bridge.Outcome{Err: errs.Closed})
		}
	}
}

func (r *copyOf) Watch(f func(*rooms.Event, any)) func() { return r.o.subscribe(r.w.id, f) }

func (r *copyOf) Sync(ctx context.Context) error {
	c := make(chan struct{})
	select {
	case r.o.in <- job{sync: c}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *copyOf) History(_ context.Context, q bridge.HistoryQuery) ([]rooms.Event, error) {
	r.w.net.mu.RLock()
	defer r.w.net.mu.RUnlock()
	if r.o.gap {
		return nil, errs.Busy
	}
	return selected(r.o.log, q), nil
}

// selected answers a query from events in ascending order.
func selected(events []rooms.Event, q bridge.HistoryQuery) []rooms.Event {
	var out []rooms.Event
	for _, e := range events {
		switch {
		case q.AfterSeq != 0 && e.Seq <= q.AfterSeq, q.BeforeSeq != 0 && e.Seq >= q.BeforeSeq,
			q.AfterTime != 0 && e.Time <= q.AfterTime, q.BeforeTime != 0 && e.Time >= q.BeforeTime,
			len(q.Ops) > 0 && !slices.Contains(q.Ops, e.Op):
		default:
			out = append(out, e)
		}
	}
	n := min(q.Cap(), len(out))
	if q.Newest {
		return out[len(out)-n:]
	}
	return out[:n]
}

func (r *copyOf) Find(_ context.Context, id string) (rooms.Event, error) {
	r.w.net.mu.RLock()
	defer r.w.net.mu.RUnlock()
	for _, e := range r.o.log {
		if e.ID.MsgID() == id {
			return e, nil
		}
	}
	if r.o.gap {
		return rooms.Event{}, errs.Busy
	}
	return rooms.Event{}, errs.NotFound
}

func (r *copyOf) Status() bridge.RoomStatus {
	var s bridge.RoomStatus
	r.View(func(st *rooms.State) {
		s = bridge.RoomStatus{Name: "#" + st.Name, ID: r.ID().String(), Epoch: 1, Height: r.o.chain.Height, Occupants: len(st.Occupants)}
		for _, c := range st.B.Controllers {
			s.Controllers = append(s.Controllers, c.String())
			s.ControlIDs = append(s.ControlIDs, c)
		}
		s.Leader, s.LeaderID = s.Controllers[0], s.ControlIDs[0]
	})
	return s
}

func (r *copyOf) Signal(data []byte) {
	r.o.mu.Lock()
	ws := make([]signalWatcher, 0, len(r.o.sigs))
	for _, w := range r.o.sigs {
		ws = append(ws, w)
	}
	r.o.mu.Unlock()
	for _, w := range ws {
		if w.node != r.w.id {
			w.f(r.w.id, data)
		}
	}
}

// WatchProvisional implements bridge.Room: all nodes hear what is said while the room is frozen.
func (r *copyOf) WatchProvisional(f func(bridge.Provisional)) func() {
	r.o.mu.Lock()
	defer r.o.mu.Unlock()
	id := r.o.next
	r.o.next++
	r.o.talk[id] = func(p bridge.Provisional, from rooms.NodeID) {
		if from != r.w.id {
			p.Cookie = nil
		}
		f(p)
	}
	return func() { r.o.mu.Lock(); defer r.o.mu.Unlock(); delete(r.o.talk, id) }
}

// WatchTicks implements bridge.Room: Network.Tick makes a room tick.
func (r *copyOf) WatchTicks(f func(bridge.Tick)) func() {
	r.o.mu.Lock()
	defer r.o.mu.Unlock()
	id := r.o.next
	r.o.next++
	r.o.beats[id] = f
	return func() { r.o.mu.Lock(); defer r.o.mu.Unlock(); delete(r.o.beats, id) }
}

// WatchFrozen implements bridge.Room: Network.Freeze makes a room freeze and thaw.
func (r *copyOf) WatchFrozen(f func(bool)) func() {
	r.o.mu.Lock()
	defer r.o.mu.Unlock()
	id := r.o.next
	r.o.next++
	r.o.freeze[id] = f
	if r.o.frozen {
		f(true)
	}
	return func() { r.o.mu.Lock(); defer r.o.mu.Unlock(); delete(r.o.freeze, id) }
}

func (r *copyOf) WatchSignals(f func(rooms.NodeID, []byte)) func() {
	r.o.mu.Lock()
	defer r.o.mu.Unlock()
	id := r.o.next
	r.o.next++
	r.o.sigs[id] = signalWatcher{r.w.id, f}
	return func() { r.o.mu.Lock(); defer r.o.mu.Unlock(); delete(r.o.sigs, id) }
}
