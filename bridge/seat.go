package bridge

import (
	"context"
	"errors"
	"strings"
	"sync"

	"warren/bridge/names"
	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
)

// Seat is a session in a room. Its methods are safe for concurrent use.
type Seat struct {
	s      *Session
	ch     *channel
	active bool // its Enter was delivered; guarded by ch.mu for writing and s.mu for reading
	nick   string
	reads  bool
	mu     sync.Mutex // guards nick and reads
}

// mark is the cookie that the hub passes with wishes: who wished, and what the protocol wants back.
type mark struct {
	s      *Session
	cookie any
	kept   func(id rooms.Hash) // called when it has become provisional; nil: nobody asks
}

// sign makes the delivery the session's own when it is what the session wished. m may be nil: nobody here wished it.
func (m *mark) sign(d *Delivery, s *Session) {
	d.Mine, d.Cookie = false, nil
	if m != nil && m.s == s {
		d.Mine, d.Cookie = true, m.cookie
	}
}

// keep tells who waits that the wish has become provisional.
func (m *mark) keep(p Provisional) {
	if m != nil && m.kept != nil && p.Err == nil {
		m.kept(p.Event.ID)
	}
}

// JoinOptions say how to enter a room.
type JoinOptions struct {
	Nick   string // empty: the session's
	Key    string // the room's password, in clear
	Create bool   // make a temporary room when the name is unknown
	Cookie any
}

// Join takes a seat in the room of that name (without '#'). The session gets its own Enter as the seat's first delivery before Join returns.
// A guest whose nick is taken there by a guest of another node is renamed to nick~node (a Renamed delivery) and enters under that.
// Joining a room twice returns the seat. Errors: errs.NotFound, errs.Invalid (the name), errs.NickInUse, errs.Banned, errs.InviteOnly,
// errs.NeedKey, errs.Full, errs.Quota, errs.Frozen, errs.Timeout.
func (s *Session) Join(ctx context.Context, name string, o JoinOptions) (*Seat, error) {
	if t := s.Seat(name); t != nil {
		return t, nil
	}
	if !rooms.ValidRoomName(name) || strings.HasPrefix(name, "=") {
		return nil, errs.Invalid
	}
	if len(s.Seats()) >= MaxSeats {
		return nil, errs.Quota
	}
	s.begin()
	defer s.end()
	id, err := s.hub.resolve(ctx, s, name, o.Create)
	if err != nil {
		return nil, asError(err)
	}
	p := s.Person()
	ch, err := s.hub.channel(ctx, id, p.Account, p.Nick)
	if err != nil {
		return nil, asError(err)
	}
	nick := o.Nick
	if nick == "" {
		nick = p.Nick
	}
	if rooms.Fold(nick) == BotNick {
		ch.release()
		return nil, errs.NickInUse
	}
	t, err := ch.enter(ctx, s, nick, o)
	if errors.Is(err, errs.NickInUse) && p.Account == "" && nick == p.Nick && !strings.Contains(nick, "~") {
		other := names.GuestName(nick, s.hub.NodeName(s.hub.world.Self()))
		if s.Rename(ctx, other, nil) == nil {
			s.deliver(Delivery{Kind: Renamed, Old: nick, New: other, Mine: true, Self: true})
			t, err = ch.enter(ctx, s, other, o)
		}
	}
	if err != nil {
		ch.release()
		return nil, asError(err)
	}
	return t, nil
}

// resolve finds the room of that name, or makes it.
func (h *Hub) resolve(ctx context.Context, s *Session, name string, create bool) (rooms.RoomID, error) {
	var rec rooms.RoomRecord
	found, inventory := false, strings.HasPrefix(name, "~")
	h.world.Directory(func(d *rooms.Directory) { rec, found = d.RoomByName(name) })
	if found {
		return rec.ID, nil
	}
	p := s.Person()
	b := rooms.CreateRoom{Name: name, Temporary: true}
	switch {
	case inventory && p.Account != "" && rooms.Fold(name) == rooms.InventoryName(p.Account):
		b = rooms.CreateRoom{Name: rooms.InventoryName(p.Account), Members: []perms.Principal{perms.Account(p.Account)}}
	case inventory:
		return rec.ID, errs.NotFound
	case !create:
		return rec.ID, errs.NotFound
	}
	id, err := h.world.Create(ctx, p.Account, p.Nick, b)
	if errors.Is(err, errs.Exists) && !id.IsZero() {
		return id, nil
	}
	return id, err
}

// Session returns whose seat it is.
func (t *Seat) Session() *Session { return t.s }

// Room returns the room.
func (t *Seat) Room() Room { return t.ch.room }

// Name returns the room's name without '#', as first written.
func (t *Seat) Name() string { return t.ch.name }

// Nick returns the nick in this room.
func (t *Seat) Nick() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.nick
}

func (t *Seat) canRead() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reads
}

// View calls f with the room's state, as Room.View does.
func (t *Seat) View(f func(*rooms.State)) { t.ch.room.View(f) }

// May answers whether the session may do right in the room now (obj nil) or to an object of it; for hiding what would be refused, and for
// reads.
func (t *Seat) May(right perms.Rights, obj *rooms.Object) perms.Answer {
	var a perms.Answer
	var groups perms.Groups
	t.s.hub.world.Directory(func(d *rooms.Directory) { groups = d.Now() })
	account, nick := t.s.Account(), t.Nick()
	t.View(func(st *rooms.State) {
		a = st.Decide(st.SubjectOf(account, nick, t.s.hub.world.Self()), right, obj, t.s.hub.world.Now(), groups)
	})
	return a
}

// Do wishes b in the session's name; it does not block. done (may be nil) is called once: when the event was delivered here, when it was
// delivered as provisional because the room is frozen, or with the reason why there is none. The cookie comes with the delivery to this
// session, and with none after done was called.
func (t *Seat) Do(b rooms.Body, cookie any, done func(Outcome)) {
	t.s.begin()
	m := &mark{s: t.s, cookie: cookie}
	over := false // only the room's goroutine calls, one after the other
	end := func(o Outcome) {
		if over {
			return
		}
		over, m.cookie = true, nil
		if done != nil {
			done(o)
		}
		t.s.end()
	}
	m.kept = func(id rooms.Hash) { end(Outcome{ID: id, Provisional: true}) }
	t.ch.room.Submit(t.s.Account(), t.Nick(), b, m, end)
}

// Wait is Do that blocks until the outcome, and returns its error.
func (t *Seat) Wait(ctx context.Context, b rooms.Body, cookie any) error {
	res := make(chan error, 1)
	t.Do(b, cookie, func(o Outcome) { res <- o.Err })
	select {
	case err := <-res:
		return err
	case <-ctx.Done():
		return asError(ctx.Err())
	}
}

// Leave gives up the seat; the session gets its own Leave (Last) before it returns.
func (t *Seat) Leave(ctx context.Context, reason string, cookie any) error {
	if t.ch.sharedSeat(t) {
		t.ch.detach(t, &rooms.Leave{Reason: reason}, cookie)
		return nil
	}
	if t.ch.frozenNow() { // the room learns it later: nobody is kept in a room that does not answer
		b := &rooms.Leave{Reason: reason}
		account, nick, ch := t.s.Account(), t.Nick(), t.ch
		ch.hold()
		ch.detach(t, b, cookie)
		ch.room.Submit(account, nick, b, nil, func(Outcome) { ch.release() })
		return nil
	}
	return t.Wait(ctx, &rooms.Leave{Reason: reason}, cookie)
}

// leave gives up the seat without telling the session, and without waiting.
func (t *Seat) leave(b *rooms.Leave) {
	shared := t.ch.sharedSeat(t)
	nick := t.Nick()
	t.ch.remove(t)
	if shared {
		return
	}
	ch := t.ch
	ch.hold()
	ch.room.Submit(t.s.Account(), nick, b, nil, func(Outcome) { ch.release() })
}

// History returns what was said before, as Room.History does, if the session may read it (else errs.Denied).
func (t *Seat) History(ctx context.Context, q HistoryQuery) ([]rooms.Event, error) {
	if a := t.May(perms.Read, nil); !a.OK {
		return nil, errs.Denied
	}
	return t.ch.room.History(ctx, q)
}

// Find returns the event with this public id, as Room.Find does, if the session may read it (else errs.Denied).
func (t *Seat) Find(ctx context.Context, id string) (rooms.Event, error) {
	if a := t.May(perms.Read, nil); !a.OK {
		return rooms.Event{}, errs.Denied
	}
	return t.ch.room.Find(ctx, id)
}
