package bridge

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
)

// direct is a conversation of two, at least one of whom is connected here.
type direct struct {
	hub     *Hub
	room    Room
	members []perms.Principal
	stop    func()

	mu        sync.Mutex
	replaying bool
	held      []arrival
	last      uint64 // sequence number of the last event delivered
}

// arrival is an event of a conversation with the cookie of its wish.
type arrival struct {
	ev     *rooms.Event
	cookie any
}

func (s *Session) principal() perms.Principal {
	p := s.Person()
	return rooms.PrincipalOf(p.Account, p.Nick, s.hub.world.Self())
}

// Tell says something to one person: a user's nick, or an account's name (who may be offline). It blocks until the message is ordered.
// The session and the other clients of both people get DirectEvent deliveries. Errors: errs.NotFound, errs.Frozen, errs.Timeout.
func (s *Session) Tell(ctx context.Context, target string, say rooms.Say, cookie any) error {
	s.begin()
	defer s.end()
	to, ok := s.principalOf(target)
	if !ok {
		return errs.NotFound
	}
	d, err := s.hub.direct(ctx, s, to)
	if err != nil {
		return asError(err)
	}
	p := s.Person()
	res := make(chan error, 1)
	d.room.Submit(p.Account, p.Nick, &say, &mark{s, cookie}, func(o Outcome) { res <- o.Err })
	select {
	case err := <-res:
		return err
	case <-ctx.Done():
		return asError(ctx.Err())
	}
}

// DirectHistory returns what the session's person and another said to each other; empty when they never did.
func (s *Session) DirectHistory(ctx context.Context, target string, q HistoryQuery) ([]rooms.Event, error) {
	d, err := s.talkedTo(ctx, target)
	if d == nil {
		return nil, err
	}
	return d.room.History(ctx, q)
}

// DirectFind returns what was said under this public id in the conversation with another. Errors: errs.NotFound.
func (s *Session) DirectFind(ctx context.Context, target, id string) (rooms.Event, error) {
	d, err := s.talkedTo(ctx, target)
	if d == nil {
		return rooms.Event{}, cmp.Or(err, error(errs.NotFound))
	}
	return d.room.Find(ctx, id)
}

// talkedTo returns the conversation with another if there is one, else nil.
func (s *Session) talkedTo(ctx context.Context, target string) (*direct, error) {
	to, ok := s.principalOf(target)
	if !ok {
		return nil, errs.NotFound
	}
	found := false
	s.hub.world.Directory(func(d *rooms.Directory) { _, found = d.RoomByName(rooms.DirectName(s.principal(), to)) })
	if !found {
		return nil, nil
	}
	d, err := s.hub.direct(ctx, s, to)
	if err != nil {
		return nil, asError(err)
	}
	return d, nil
}

// PrincipalOf finds whom a nick or an account's name means: somebody online first.
func (h *Hub) PrincipalOf(name string) (perms.Principal, bool) {
	if u, ok := h.UserByNick(name); ok && !u.Bot {
		return u.Principal(), true
	}
	fold, ok := rooms.Fold(name), false
	h.world.Directory(func(d *rooms.Directory) { ok = d.Now().HasAccount(fold) })
	return perms.Account(fold), ok
}

// principalOf finds whom a nick or an account's name means to this session: as Hub.PrincipalOf, or an occupant of a room it sits in, of whom
// news of presence has not come yet.
func (s *Session) principalOf(name string) (perms.Principal, bool) {
	if p, ok := s.hub.PrincipalOf(name); ok {
		return p, true
	}
	for _, t := range s.Seats() {
		var o rooms.Occupant
		ok := false
		t.View(func(st *rooms.State) { o, ok = st.Occupant(name) })
		if ok {
			return o.Principal(), true
		}
	}
	return "", false
}

// direct returns the conversation of the session's person with to, made when it is the first.
func (h *Hub) direct(ctx context.Context, s *Session, to perms.Principal) (*direct, error) {
	me, p := s.principal(), s.Person()
	name := rooms.DirectName(me, to)
	var rec rooms.RoomRecord
	found := false
	h.world.Directory(func(d *rooms.Directory) { rec, found = d.RoomByName(name) })
	id := rec.ID
	if !found {
		var err error
		id, err = h.world.Create(ctx, p.Account, p.Nick, rooms.CreateRoom{
			Name: name, Members: []perms.Principal{me, to}, Temporary: !me.IsAccount() || !to.IsAccount(),
		})
		if err != nil && (!errors.Is(err, errs.Exists) || id.IsZero()) {
			return nil, err
		}
	}
	return h.openDirect(ctx, id, p.Account, p.Nick)
}

func (h *Hub) openDirect(ctx context.Context, id rooms.RoomID, account, nick string) (*direct, error) {
	h.mu.Lock()
	if d, ok := h.directs[id]; ok {
		h.mu.Unlock()
		return d, nil
	}
	h.mu.Unlock()
	room, err := h.world.Open(ctx, id, account, nick)
	if err != nil {
		return nil, err
	}
	d := &direct{hub: h, room: room}
	h.world.Directory(func(dir *rooms.Directory) { d.members = slices.Clone(dir.Rooms[id].Members) })
	h.mu.Lock()
	if old, ok := h.directs[id]; ok {
		h.mu.Unlock()
		return old, nil
	}
	if h.closed {
		h.mu.Unlock()
		return nil, errs.Closed
	}
	d.replaying = true
	d.stop = room.Watch(d.arrive)
	h.directs[id] = d
	h.mu.Unlock()
	d.replay(ctx)
	return d, nil
}

// replay delivers what was said before the conversation was open here, since the first session of its people began; whoever opens it.
func (d *direct) replay(ctx context.Context) {
	var since int64
	for _, s := range d.hub.Sessions() {
		if slices.Contains(d.members, s.principal()) && (since == 0 || s.since < since) {
			since = s.since
		}
	}
	var evs []rooms.Event
	if since > 0 {
		var err error
		evs, err = d.room.History(ctx, HistoryQuery{AfterTime: since - 1, Limit: MaxHistory, Newest: true, Ops: []rooms.Op{rooms.OpSay}})
		if err != nil {
			d.hub.log.Info("what was said in a conversation cannot be read", "room", d.room.ID().Short(), "err", err)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range evs {
		if !slices.ContainsFunc(d.held, func(a arrival) bool { return a.ev.Seq == evs[i].Seq }) { // that one has the cookie
			d.once(arrival{&evs[i], nil})
		}
	}
	for _, a := range d.held {
		d.once(a)
	}
	d.held, d.replaying = nil, false
}

// arrive takes an event from the room; while older ones are still being read it waits.
func (d *direct) arrive(ev *rooms.Event, cookie any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.replaying {
		d.once(arrival{ev, cookie})
	} else if len(d.held) < MaxHistory {
		d.held = append(d.held, arrival{ev, cookie})
	}
}

// once delivers an event unless it has been. d.mu is held.
func (d *direct) once(a arrival) {
	if a.ev.Seq > d.last {
		d.last = a.ev.Seq
		d.event(a.ev, a.cookie)
	}
}

// directoryEvent opens conversations that somebody elsewhere began with a person who is connected here.
func (h *Hub) directoryEvent(ev *rooms.Event) {
	b, ok := ev.Body.(*rooms.CreateRoom)
	if !ok || len(b.Members) != 2 || ev.Device == h.world.Self() {
		return
	}
	h.mu.Lock()
	var reader *Session
	for s := range h.sessions {
		if slices.Contains(b.Members, s.principal()) {
			reader = s
		}
	}
	closed := h.closed
	if reader != nil && !closed {
		h.work.Add(1)
	}
	h.mu.Unlock()
	if reader == nil || closed {
		return
	}
	go func() {
		defer h.work.Done()
		var rec rooms.RoomRecord
		found := false
		h.world.Directory(func(d *rooms.Directory) { rec, found = d.RoomByName(b.Name) })
		if found {
			h.follow(rec.ID, reader)
		}
	}()
}

// follow opens a conversation on behalf of a session.
func (h *Hub) follow(id rooms.RoomID, s *Session) {
	ctx, cancel := context.WithTimeout(h.ctx, commandTime)
	defer cancel()
	p := s.Person()
	if _, err := h.openDirect(ctx, id, p.Account, p.Nick); err != nil {
		h.log.Info("a conversation cannot be opened", "room", id.Short(), "err", err)
	}
}

// openDirectsOf opens, in the background, all conversations of the session's account. h.mu is held.
func (h *Hub) openDirectsOf(s *Session) {
	me := s.principal()
	var ids []rooms.RoomID
	h.world.Directory(func(d *rooms.Directory) {
		for id, r := range d.Rooms {
			if r.Direct() && slices.Contains(r.Members, me) {
				ids = append(ids, id)
			}
		}
	})
	if len(ids) == 0 || h.closed {
		return
	}
	h.work.Add(1)
	go func() {
		defer h.work.Done()
		for _, id := range ids {
			if h.ctx.Err() != nil {
				return
			}
			h.follow(id, s)
		}
	}()
}

// releaseDirects closes the conversations that nobody here takes part in any more.
func (h *Hub) releaseDirects(*Session) {
	h.mu.Lock()
	var stops []func()
	for id, d := range h.directs {
		used := false
		for s := range h.sessions {
			used = used || slices.Contains(d.members, s.principal())
		}
		if !used {
			delete(h.directs, id)
			stops = append(stops, d.stop)
		}
	}
	h.mu.Unlock()
	for _, stop := range stops {
		stop()
	}
}

// event hands one message of the conversation to all clients here of both people.
func (d *direct) event(ev *rooms.Event, cookie any) {
	if ev.Op != rooms.OpSay {
		return
	}
	by, _ := cookie.(*mark)
	shared := &Shared{}
	from := ev.Principal()
	for _, s := range d.hub.Sessions() {
		me := s.principal()
		i := slices.Index(d.members, me)
		if i < 0 {
			continue
		}
		other := d.members[1-i]
		dl := Delivery{Kind: DirectEvent, Event: ev, Shared: shared, Self: from == me, Peer: d.hub.UserOf(other)}
		dl.From = dl.Peer
		if dl.Self {
			dl.From = s.User()
		} else if ev.Nick != "" {
			dl.From.Nick = ev.Nick
		}
		if by != nil && by.s == s {
			dl.Mine, dl.Cookie = true, by.cookie
		}
		s.deliver(dl)
	}
}
