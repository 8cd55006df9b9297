package bridge

import (
	"context"
	"slices"
	"sync"

	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
)

// maxMissed is how many messages of one conversation are shown that came while nobody was here; its history has the rest.
const maxMissed = 200

// direct is a conversation of two, at least one of whom is connected here. A session joins it: it is shown what it missed, from the log, and
// then every event as it is applied.
type direct struct {
	hub     *Hub
	room    Room
	members []perms.Principal
	stops   []func()
	ready   chan struct{} // closed when last is known

	mu    sync.Mutex
	last  uint64                     // sequence number of the last event
	live  map[*Session]bool          // who is shown events; true: it counts as heard by the person
	joins map[*Session]chan struct{} // who is being shown what it missed; closed when it is live
	early earlyDirect
}

// openDirect opens a conversation for a reader; in the background all sessions here of both people join it.
func (h *Hub) openDirect(ctx context.Context, id rooms.RoomID, account, nick string) (*direct, error) {
	h.mu.Lock()
	d, ok := h.directs[id]
	h.mu.Unlock()
	if ok {
		return d, nil
	}
	room, err := h.world.Open(ctx, id, account, nick)
	if err != nil {
		return nil, err
	}
	d = &direct{hub: h, room: room, ready: make(chan struct{}), live: map[*Session]bool{}, joins: map[*Session]chan struct{}{}, early: earlyDirect{}}
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
	d.stops = []func(){room.Watch(d.event), room.WatchProvisional(d.provisional)}
	h.directs[id] = d
	h.mu.Unlock()
	d.begin(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.sessions {
		if slices.Contains(d.members, s.principal()) && !h.closed {
			h.work.Go(func() { d.join(s.ctx, s) })
		}
	}
	return d, nil
}

// begin finds how far the log is.
func (d *direct) begin(ctx context.Context) {
	evs, _ := d.read(ctx, HistoryQuery{Limit: 1, Newest: true})
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(evs) > 0 {
		d.last = max(d.last, evs[0].Seq)
	}
	close(d.ready)
}

// read reads the log; false: it cannot be read.
func (d *direct) read(ctx context.Context, q HistoryQuery) ([]rooms.Event, bool) {
	evs, err := d.room.History(ctx, q)
	if err != nil && ctx.Err() == nil {
		d.hub.log.Warn("what was said in a conversation cannot be read", "room", d.room.ID().Short(), "err", err)
	}
	return evs, err == nil
}

// join shows the session what it missed, and lets it have what comes. It returns when the session has all, or, with less, when ctx ends or the
// log cannot be read: then it may be called again.
func (d *direct) join(ctx context.Context, s *Session) {
	select {
	case <-d.ready:
	case <-ctx.Done():
		return
	}
	d.mu.Lock()
	if _, ok := d.live[s]; ok {
		d.mu.Unlock()
		return
	}
	if wait := d.joins[s]; wait != nil {
		d.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
		}
		return
	}
	done := make(chan struct{})
	d.joins[s] = done
	d.mu.Unlock()
	listened := s.listens() // when it begins to listen meanwhile, it joins anew
	shown, ok := d.shown(ctx, s)
	for {
		d.mu.Lock()
		to := d.last
		if ok = ok && s.ctx.Err() == nil; !ok || shown >= to {
			delete(d.joins, s)
			close(done)
			heard := ok && listened && s.listens()
			if ok {
				d.live[s] = heard
			}
			d.mu.Unlock()
			if heard {
				d.hub.saw(s.Account(), d.room.ID(), to)
			}
			return
		}
		d.mu.Unlock()
		var evs []rooms.Event
		evs, ok = d.read(ctx, HistoryQuery{AfterSeq: shown, BeforeSeq: to + 1, Limit: maxMissed, Newest: true, Ops: []rooms.Op{rooms.OpSay}})
		for i := range evs {
			if p, ok := s.client.(Pacer); ok {
				p.Pace(s.ctx)
			}
			ok = ok && d.show(s, Delivery{Kind: DirectEvent, Event: &evs[i], Shared: &Shared{}, Heard: listened}, nil, true)
		}
		shown = to
	}
}

// shown returns the last event that the session need not be shown: the last before it began to listen, or, before that, the last that its
// account has seen, at this node or another.
func (d *direct) shown(ctx context.Context, s *Session) (seq uint64, ok bool) {
	p, since := s.Person(), s.listensSince()
	if p.Deaf || p.Recalls { // what it recalls may end anywhere after its beginning
		since = s.since
	}
	evs, ok := d.read(ctx, HistoryQuery{BeforeTime: since, Limit: 1, Newest: true})
	if len(evs) > 0 {
		seq = evs[0].Seq
	}
	if p.Account != "" && !p.Recalls && !p.Deaf {
		seq = min(seq, d.hub.seen(p.Account, d.room.ID()))
	}
	return seq, ok
}

// part forgets a session that is closed, or that shall join anew.
func (d *direct) part(s *Session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.live, s)
	for _, shown := range d.early {
		delete(shown, s)
	}
}

// deafen says that what the session is shown does not count as heard any more.
func (d *direct) deafen(s *Session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.live[s]; ok {
		d.live[s] = false
	}
}

// event hands one event of the conversation to all sessions that have joined; who was shown it before is told that it is confirmed.
func (d *direct) event(ev *rooms.Event, cookie any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ev.Seq <= d.last {
		return // the log had it already when begin looked: who joined was shown it
	}
	d.last = ev.Seq
	if ev.Op != rooms.OpSay {
		return
	}
	by, _ := cookie.(*mark)
	shared, heard := &Shared{}, map[string]bool{}
	early := d.early[ev.ID]
	delete(d.early, ev.ID)
	for s, counts := range d.live {
		dl := Delivery{Kind: DirectEvent, Event: ev, Shared: shared, Heard: counts}
		if _, known := early[s]; known {
			dl.Kind = Confirmed
		}
		if d.show(s, dl, by, false) && counts {
			heard[s.Account()] = true
		}
	}
	for account := range heard {
		d.hub.saw(account, d.room.ID(), ev.Seq)
	}
}

// provisional hands out talk that cannot be ordered yet, or takes it back from those who were shown it.
func (d *direct) provisional(p Provisional) {
	by, _ := p.Cookie.(*mark)
	d.mu.Lock()
	defer d.mu.Unlock()
	known, twice := d.early[p.Event.ID]
	dl := Delivery{Kind: ProvisionalEvent, Event: p.Event, Shared: &Shared{}}
	shown := map[*Session]struct{}{}
	switch {
	case p.Err != nil:
		dl.Kind, dl.Text = Withdrawn, p.Err.Error()
		delete(d.early, p.Event.ID)
	case !twice && len(d.early) < maxEarly:
		d.early[p.Event.ID] = shown
	}
	for s := range d.live {
		if _, saw := known[s]; saw == (p.Err != nil) && d.show(s, dl, by, false) {
			shown[s] = struct{}{}
		}
	}
	if by != nil && by.kept != nil && p.Err == nil {
		by.kept(p.Event.ID)
	}
}

// show delivers a message to one session; false: it is closed, or not (any more) of one of the two. missed: it comes from the log.
func (d *direct) show(s *Session, dl Delivery, by *mark, missed bool) bool {
	me := s.principal()
	i := slices.Index(d.members, me)
	if i < 0 {
		return false
	}
	ev := dl.Event
	from, other := ev.Principal(), d.members[1-i]
	dl.Self, dl.Peer = from == me, d.hub.UserOf(other)
	if dl.Quiet = missed && ev.Time < s.listensSince(); dl.Quiet && dl.Self {
		return true // said by the person, elsewhere
	}
	dl.From = dl.Peer
	if dl.Self {
		dl.From = s.User()
	} else if ev.Nick != "" {
		dl.From.Nick = ev.Nick
	}
	if by != nil && by.s == s {
		dl.Mine, dl.Cookie = true, by.cookie
	}
	return s.deliver(dl)
}

// directoryEvent opens conversations that somebody elsewhere began with a person who is connected here, and forgets those that are no more.
func (h *Hub) directoryEvent(ev *rooms.Event) {
	if b, ok := ev.Body.(*rooms.DropRoom); ok {
		h.archive.Forget(b.Room)
		return
	}
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
			h.follow(h.ctx, rec.ID, reader, false)
		}
	}()
}

// follow opens a conversation on behalf of a session, which joins it. anew: it joins again, to be shown what it did not count as hearing.
func (h *Hub) follow(ctx context.Context, id rooms.RoomID, s *Session, anew bool) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	p := s.Person()
	d, err := h.openDirect(ctx, id, p.Account, p.Nick)
	if err != nil {
		h.log.Info("a conversation cannot be opened", "room", id.Short(), "err", err)
		return
	}
	d.join(ctx, s)
	if anew {
		d.part(s)
		d.join(ctx, s)
	}
}

// directsOf returns the conversations of a person.
func (h *Hub) directsOf(who perms.Principal) []rooms.RoomID {
	var ids []rooms.RoomID
	h.world.Directory(func(d *rooms.Directory) {
		for id, r := range d.Rooms {
			if r.Direct() && slices.Contains(r.Members, who) {
				ids = append(ids, id)
			}
		}
	})
	return ids
}

// openDirectsOf opens, in the background, all conversations of the session's person. h.mu is held.
func (h *Hub) openDirectsOf(s *Session) {
	ids := h.directsOf(s.principal())
	if len(ids) == 0 || h.closed {
		return
	}
	h.work.Add(1)
	go func() {
		defer h.work.Done()
		h.followAll(s.ctx, ids, s, false)
	}()
}

// followAll opens conversations one after the other; first it asks other nodes what the account has seen there.
func (h *Hub) followAll(ctx context.Context, ids []rooms.RoomID, s *Session, anew bool) {
	if p := s.Person(); p.Account != "" && !p.Recalls && !p.Deaf {
		h.users.askSeen(ctx, p.Account)
	}
	for _, id := range ids {
		if ctx.Err() != nil {
			return
		}
		h.follow(ctx, id, s, anew)
	}
}

// Listen says that direct messages which come from now on are shown to the person, after they were not (see Person.Deaf). CatchUp must follow.
// recalls: the client fetches itself what it missed.
func (s *Session) Listen(recalls bool) {
	now := s.hub.world.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.person.Deaf, s.person.Recalls, s.heardFrom = false, recalls, now
}

// CatchUp shows a session that began to listen what its account missed. It blocks until it has, or until ctx ends.
func (s *Session) CatchUp(ctx context.Context) {
	if s.listens() {
		s.hub.followAll(ctx, s.hub.directsOf(s.principal()), s, true)
	}
}

// Deafen says that direct messages are not shown to the person any more.
func (s *Session) Deafen() {
	s.mu.Lock()
	s.person.Deaf = true
	s.mu.Unlock()
	for _, d := range s.hub.allDirects() {
		d.deafen(s)
	}
}

func (s *Session) listens() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.person.Deaf
}

func (s *Session) listensSince() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heardFrom
}

func (h *Hub) allDirects() []*direct {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]*direct, 0, len(h.directs))
	for _, d := range h.directs {
		out = append(out, d)
	}
	return out
}

// releaseDirects forgets a session that is closed, and closes the conversations that nobody here takes part in any more.
func (h *Hub) releaseDirects(gone *Session) {
	for _, d := range h.allDirects() {
		d.part(gone)
	}
	h.mu.Lock()
	var stops []func()
	for id, d := range h.directs {
		used := false
		for s := range h.sessions {
			used = used || slices.Contains(d.members, s.principal())
		}
		if !used {
			delete(h.directs, id)
			stops = append(stops, d.stops...)
		}
	}
	h.mu.Unlock()
	for _, stop := range stops {
		stop()
	}
}
