package bridge

import (
	"context"
	"slices"
	"sync"

	"warren/perms"
	"warren/rooms"
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
	early early[*Session]
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
	d.early.drop(s)
}

// hears reports whether the session has joined, and what it is shown counts as heard.
func (d *direct) hears(s *Session) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.live[s]
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
	early := d.early.take(ev.ID)
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
	dl, shown := d.early.note(p)
	for s := range d.live {
		if _, saw := shown[s]; saw == (p.Err != nil) && d.show(s, dl, by, false) && p.Err == nil {
			shown[s] = struct{}{}
		}
	}
	d.mu.Unlock()
	by.keep(p)
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
	// Who began to listen during this join is shown it in the next one.
	if dl.Quiet = missed && dl.Heard && ev.Time < s.listensSince(); dl.Quiet && dl.Self {
		return true // said by the person, elsewhere
	}
	dl.From = dl.Peer
	if dl.Self {
		dl.From = s.User()
	} else if ev.Nick != "" {
		dl.From.Nick = ev.Nick
	}
	by.sign(&dl, s)
	return s.deliver(dl)
}
