package bridge

import (
	"context"
	"slices"
	"sync"

	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
)

// channel is a room with seats at this node: it hands each event to each seat.
type channel struct {
	hub  *Hub
	room Room
	name string

	mu         sync.Mutex
	seats      []*Seat // entering and active
	refs       int     // guarded by hub.mu
	stopEvents func()
	stopSignal func()
	stopFrozen func()
	stopTalk   func()
	stopTicks  func()
	isFrozen   bool
	lost       map[*Seat]struct{} // the room took them for gone, and was frozen when they came back
	early      early[*Seat]
	beats      map[*Seat]struct{} // who is told of ticks
}

// channel returns the hub's channel of the room, held once for the caller, who releases it or puts a seat into it.
func (h *Hub) channel(ctx context.Context, id rooms.RoomID, account, nick string) (*channel, error) {
	h.mu.Lock()
	if c, ok := h.channels[id]; ok {
		c.refs++
		h.mu.Unlock()
		return c, nil
	}
	h.mu.Unlock()
	room, err := h.world.Open(ctx, id, account, nick)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if c, ok := h.channels[id]; ok {
		c.refs++
		return c, nil
	}
	if h.closed {
		return nil, errs.Closed
	}
	c := &channel{hub: h, room: room, refs: 1, lost: map[*Seat]struct{}{}, early: early[*Seat]{}, beats: map[*Seat]struct{}{}}
	room.View(func(st *rooms.State) { c.name = st.Name })
	c.stopEvents = room.Watch(c.event)
	c.stopSignal = room.WatchSignals(c.signal)
	c.stopTalk = room.WatchProvisional(c.provisional)
	c.stopFrozen = room.WatchFrozen(c.frozen)
	c.stopTicks = room.WatchTicks(c.tick)
	h.channels[id] = c
	return c, nil
}

func (c *channel) hold() {
	c.hub.mu.Lock()
	c.refs++
	c.hub.mu.Unlock()
}

func (c *channel) release() {
	c.hub.mu.Lock()
	c.refs--
	last := c.refs == 0
	if last {
		delete(c.hub.channels, c.room.ID())
	}
	c.hub.mu.Unlock()
	if last {
		c.stop()
	}
}

func (c *channel) stop() {
	c.stopEvents()
	c.stopSignal()
	c.stopFrozen()
	c.stopTalk()
	c.stopTicks()
}

// enter seats the session; on success the reference of the caller is the seat's.
func (c *channel) enter(ctx context.Context, s *Session, nick string, o JoinOptions) (*Seat, error) {
	p := s.Person()
	t := &Seat{s: s, ch: c, nick: nick, reads: true}
	if c.joinShared(t, p, o.Cookie) {
		return t, nil
	}
	b := &rooms.Enter{View: p.View, Real: p.Real}
	if o.Key != "" {
		b.Key = rooms.KeyProof(c.room.ID(), o.Key)
	}
	c.mu.Lock()
	c.seats = append(c.seats, t)
	c.mu.Unlock()
	res := make(chan error, 1)
	c.room.Submit(p.Account, nick, b, &mark{s: s, cookie: o.Cookie}, func(o Outcome) { res <- o.Err })
	var err error
	select {
	case err = <-res:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if errs.Of(err) == errs.Exists { // still here from before, or by another client of the same person
		c.activate(t, o.Cookie)
		err = nil
	}
	if err != nil {
		c.drop(t)
		if ctx.Err() != nil { // it may still be ordered: undo it then
			c.room.Submit(p.Account, nick, &rooms.Leave{Reason: "gave up"}, nil, nil)
		}
		return nil, err
	}
	return t, nil
}

// joinShared seats t beside another client of the same person under the same nick: the room need not know.
func (c *channel) joinShared(t *Seat, p Person, cookie any) bool {
	c.mu.Lock()
	shared := p.Account != "" && slices.ContainsFunc(c.seats, func(o *Seat) bool {
		return o.active && o.s.Account() == p.Account && rooms.Fold(o.Nick()) == rooms.Fold(t.nick)
	})
	if shared {
		c.seats = append(c.seats, t)
	}
	c.mu.Unlock()
	if shared {
		c.activate(t, cookie)
	}
	return shared
}

// activate makes t active with an Enter that only its session sees.
func (c *channel) activate(t *Seat, cookie any) {
	ev := &rooms.Event{Room: c.room.ID(), Op: rooms.OpEnter, Nick: t.Nick(), Account: t.s.Account(), Device: c.hub.world.Self(), Body: &rooms.Enter{}}
	c.room.View(func(st *rooms.State) {
		if o, ok := st.Occupant(t.Nick()); ok {
			ev.Target = &o
			ev.Time = o.Since
		}
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seated(t)
	t.s.deliver(Delivery{Kind: RoomEvent, Seat: t, Event: ev, Shared: &Shared{}, Mine: true, Self: true, Cookie: cookie})
	c.tellFrozen(t)
}

// seated marks the seat as taken. c.mu is held.
func (c *channel) seated(t *Seat) {
	t.s.mu.Lock()
	t.active = true
	t.s.seats[c.room.ID()] = t
	t.s.mu.Unlock()
}

// sharedSeat reports whether another seat of the same person under the same nick stays when t goes.
func (c *channel) sharedSeat(t *Seat) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.seats, func(o *Seat) bool {
		return o != t && o.active && o.s.Account() == t.s.Account() && rooms.Fold(o.Nick()) == rooms.Fold(t.Nick())
	})
}

// detach ends t with a Leave that only its session sees.
func (c *channel) detach(t *Seat, b *rooms.Leave, cookie any) {
	ev := &rooms.Event{Room: c.room.ID(), Op: rooms.OpLeave, Nick: t.Nick(), Account: t.s.Account(), Device: c.hub.world.Self(), Body: b, Time: c.hub.world.Now()}
	c.mu.Lock()
	c.unseat(t)
	c.mu.Unlock()
	t.s.deliver(Delivery{Kind: RoomEvent, Seat: t, Event: ev, Shared: &Shared{}, Mine: true, Self: true, Last: true, Cookie: cookie})
	c.remove(t)
}

// drop takes t off the list without touching the reference.
func (c *channel) drop(t *Seat) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.seats, t)
	if i < 0 {
		return false
	}
	c.seats = slices.Delete(slices.Clone(c.seats), i, i+1)
	c.early.drop(t)
	delete(c.lost, t)
	delete(c.beats, t)
	c.unseat(t)
	return true
}

// unseat takes the seat from its session. c.mu is held.
func (c *channel) unseat(t *Seat) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	if t.s.seats[c.room.ID()] == t {
		delete(t.s.seats, c.room.ID())
	}
	t.active = false
}

// remove takes t off the list and gives its reference back.
func (c *channel) remove(t *Seat) {
	if c.drop(t) {
		// Not in this call: it may come from the room's own goroutine, which stop waits for.
		c.hub.mu.Lock()
		closed := c.hub.closed // Close stops the room itself then
		if !closed {
			c.hub.work.Add(1)
		}
		c.hub.mu.Unlock()
		if closed {
			return
		}
		go func() { defer c.hub.work.Done(); c.release() }()
	}
}

// event hands one event of the room to all seats. It is called in order and never blocks.
func (c *channel) event(ev *rooms.Event, cookie any) {
	by, _ := cookie.(*mark)
	shared := &Shared{}
	changesRights := ev.Op == rooms.OpGrant || ev.Op == rooms.OpSanction || ev.Op == rooms.OpPardon || ev.Op == rooms.OpConfigure
	hidden := hiddenFromOthers(ev)
	var gone []*Seat
	c.mu.Lock()
	seats := slices.Clone(c.seats)
	shown := c.early.take(ev.ID)
	for _, t := range seats {
		d := Delivery{Kind: RoomEvent, Seat: t, Event: ev, Shared: shared}
		by.sign(&d, t.s)
		d.Self = c.by(ev, t)
		if !t.active {
			if ev.Op != rooms.OpEnter || !d.Self || ev.Device != c.hub.world.Self() {
				continue
			}
			c.seated(t)
		} else if hidden && !d.Self {
			continue
		}
		switch ev.Op {
		case rooms.OpNick:
			if d.Self {
				t.mu.Lock()
				t.nick = ev.Body.(*rooms.Nick).New
				t.mu.Unlock()
			}
		case rooms.OpLeave:
			d.Last = d.Self && ev.Device == c.hub.world.Self()
			if hidden && !d.Last {
				continue
			}
		case rooms.OpNodeGone:
			if ev.Body.(*rooms.NodeGone).Node == c.hub.world.Self() {
				c.reenter(t)
				continue
			}
		case rooms.OpClose:
			d.Last = true
		default:
			d.Last = slices.ContainsFunc(ev.Gone, func(o rooms.Occupant) bool { return rooms.Fold(o.Nick) == rooms.Fold(t.Nick()) })
		}
		if changesRights || ev.Op == rooms.OpEnter && d.Self {
			c.refresh(t)
		}
		if !t.canRead() && ev.Op == rooms.OpSay && !d.Self {
			continue
		}
		if d.Last { // before the client hears it: it may join again at once
			c.unseat(t)
			gone = append(gone, t)
		}
		if _, known := shown[t]; known {
			d.Kind = Confirmed
		}
		t.s.deliver(d)
		if ev.Op == rooms.OpEnter && d.Self {
			c.tellFrozen(t)
		}
	}
	c.mu.Unlock()
	for _, t := range gone {
		c.remove(t)
	}
	if inv, ok := ev.Body.(*rooms.Invite); ok && ev.Op == rooms.OpInvite {
		c.hub.invited(c.name, ev.Nick, inv.Who)
		if ev.Device == c.hub.world.Self() {
			c.hub.users.callOut(call{Room: c.name, By: ev.Nick, Who: inv.Who})
		}
	}
}

// hiddenFromOthers reports whether the event only adds or takes a node of somebody who is here all the time.
func hiddenFromOthers(ev *rooms.Event) bool {
	switch ev.Op {
	case rooms.OpEnter:
		return ev.Target != nil && len(ev.Target.Nodes) > 1
	case rooms.OpLeave:
		return len(ev.Gone) == 0
	}
	return false
}

// reenter brings a seat back that the room took for gone because this node could not be reached; when the room is still frozen, at its thaw.
// c.mu is held.
func (c *channel) reenter(t *Seat) {
	if c.isFrozen {
		c.lost[t] = struct{}{}
		return
	}
	p := t.s.Person()
	c.room.Submit(p.Account, t.Nick(), &rooms.Enter{View: p.View, Real: p.Real}, nil, nil)
}

// refresh asks anew whether the seat may read.
func (c *channel) refresh(t *Seat) {
	ok := t.May(perms.Read, nil).OK
	t.mu.Lock()
	t.reads = ok
	t.mu.Unlock()
}
