package bridge

import (
	"cmp"
	"context"
	"errors"

	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
)

func (s *Session) principal() perms.Principal {
	p := s.Person()
	return rooms.PrincipalOf(p.Account, p.Nick, s.hub.world.Self())
}

// Tell says something to one person: a user's nick, or an account's name (who may be offline). It blocks until the message is ordered, or
// provisional: then a Confirmed or Withdrawn delivery follows.
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
	d.join(ctx, s) // so that the echo finds it
	p := s.Person()
	res := make(chan error, 2) // it may be kept, and settled later
	m := &mark{s: s, cookie: cookie}
	m.kept = func(rooms.Hash) { m.cookie = nil; res <- nil }
	d.room.Submit(p.Account, p.Nick, &say, m, func(o Outcome) { res <- o.Err })
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
