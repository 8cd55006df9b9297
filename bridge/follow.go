package bridge

import (
	"context"
	"slices"

	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
)

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
	d = &direct{hub: h, room: room, ready: make(chan struct{}), live: map[*Session]bool{}, joins: map[*Session]chan struct{}{}, early: early[*Session]{}}
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
	defer h.mu.Unlock()
	var reader *Session
	for s := range h.sessions {
		if slices.Contains(b.Members, s.principal()) {
			reader = s
		}
	}
	if reader == nil || h.closed {
		return
	}
	h.work.Go(func() {
		var rec rooms.RoomRecord
		found := false
		h.world.Directory(func(d *rooms.Directory) { rec, found = d.RoomByName(b.Name) })
		if found {
			h.follow(h.ctx, rec.ID, reader, false)
		}
	})
}

// follow opens a conversation on behalf of a session, which joins it. anew: it joins again if it joined before it listened, to be shown what it did
// not count as hearing.
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
	if anew && !d.hears(s) {
		d.part(s)
		d.join(ctx, s)
	}
}

// directsOf returns the conversations of a person, in no particular order. Each has two members.
func (h *Hub) directsOf(who perms.Principal) []rooms.RoomRecord {
	var list []rooms.RoomRecord
	h.world.Directory(func(d *rooms.Directory) {
		for _, r := range d.Rooms {
			if r.Direct() && len(r.Members) == 2 && slices.Contains(r.Members, who) {
				list = append(list, r)
			}
		}
	})
	return list
}

// openDirectsOf opens, in the background, all conversations of the session's person. h.mu is held.
func (h *Hub) openDirectsOf(s *Session) {
	list := h.directsOf(s.principal())
	if len(list) == 0 || h.closed {
		return
	}
	h.work.Go(func() { h.followAll(s.ctx, list, s, false) })
}

// followAll opens conversations one after the other; first it asks other nodes what the account has seen there.
func (h *Hub) followAll(ctx context.Context, list []rooms.RoomRecord, s *Session, anew bool) {
	if p := s.Person(); p.Account != "" && !p.Recalls && !p.Deaf {
		h.users.askSeen(ctx, p.Account)
	}
	for i := range list {
		if ctx.Err() != nil {
			return
		}
		h.follow(ctx, list[i].ID, s, anew)
	}
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
