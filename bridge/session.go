package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// Limits of one session.
const (
	MaxSeats     = 200             // rooms one connection sits in
	BarrierLimit = 2 * time.Second // a client's PONG is held for at most this long
	commandTime  = 15 * time.Second
	maxCommands  = 64 // bot commands of one session that wait; a pasted script fits
)

// Session is one connected client. Its methods are safe for concurrent use; those with a context may block.
type Session struct {
	hub    *Hub
	client Client
	ctx    context.Context
	cancel context.CancelFunc
	since  int64

	mu        sync.Mutex
	person    Person // Nick and the hub's table of nicks change together, under hub.mu and mu
	away      string
	show      string
	heardFrom int64 // ms: since when direct messages count as shown to the person
	closed    bool
	seats     map[rooms.RoomID]*Seat
	pending   int
	idle      []chan struct{}
	commands  []order
}

// Hub returns the session's hub.
func (s *Session) Hub() *Hub { return s.hub }

// Context ends when the session is closed.
func (s *Session) Context() context.Context { return s.ctx }

// Person returns who it is now.
func (s *Session) Person() Person {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.person
}

// Nick returns the nick.
func (s *Session) Nick() string { return s.Person().Nick }

// Account returns the account, empty for a guest.
func (s *Session) Account() string { return s.Person().Account }

// Since returns when the session was made, ms.
func (s *Session) Since() int64 { return s.since }

// User returns how others see the person.
func (s *Session) User() User {
	s.mu.Lock()
	defer s.mu.Unlock()
	return User{
		Account: s.person.Account, Nick: s.person.Nick, Real: s.person.Real, View: s.person.View, Node: s.hub.world.Self(),
		Away: s.away, Show: s.show, Online: true, Since: s.since,
	}
}

// SetPresence says that the person is away (empty: here), and how (XMPP show: away, xa, dnd, chat, or empty).
func (s *Session) SetPresence(away, show string) {
	s.mu.Lock()
	s.away, s.show = away, show
	fold := rooms.Fold(s.person.Nick)
	s.mu.Unlock()
	s.hub.users.localChanged(fold)
}

// Seats returns the seats in no particular order.
func (s *Session) Seats() []*Seat {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*Seat, 0, len(s.seats))
	for _, t := range s.seats {
		if t.active {
			out = append(out, t)
		}
	}
	return out
}

// Seat returns the session's seat in the room of that name (any case, without '#'), or nil.
func (s *Session) Seat(name string) *Seat {
	fold := rooms.Fold(name)
	for _, t := range s.Seats() {
		if rooms.Fold(t.Name()) == fold {
			return t
		}
	}
	return nil
}

// Rename gives the session another nick, here and in every room where it sits under the old one. It returns when all rooms have it.
// Errors: errs.NickInUse, errs.Invalid, errs.Frozen.
func (s *Session) Rename(ctx context.Context, nick string, cookie any) error {
	h := s.hub
	h.mu.Lock()
	if err := h.nickFree(nick, s.Account(), s); err != nil {
		h.mu.Unlock()
		return err
	}
	old := s.Nick()
	var seats []*Seat
	for _, t := range s.Seats() {
		if t.Nick() != old {
			continue
		}
		taken := false
		t.View(func(st *rooms.State) {
			if o, ok := st.Occupant(nick); ok && rooms.Fold(nick) != rooms.Fold(old) {
				taken = o.Account == "" || o.Account != s.Account()
			}
		})
		if taken {
			h.mu.Unlock()
			return errs.NickInUse
		}
		seats = append(seats, t)
	}
	h.dropNick(s)
	s.mu.Lock()
	s.person.Nick = nick
	s.mu.Unlock()
	h.addNick(s)
	if s.Account() == "" {
		h.openDirectsOf(s) // a guest is its nick: this one may have conversations
	}
	h.mu.Unlock()
	h.users.localChanged(rooms.Fold(old))
	h.users.localChanged(rooms.Fold(nick))
	var failed error
	for _, t := range seats {
		if err := t.Wait(ctx, &rooms.Nick{New: nick}, cookie); err != nil {
			failed = fmt.Errorf("rename in #%s: %w", t.Name(), err)
		}
	}
	return failed
}

// Login makes a guest's session one of an account. In rooms where it sits the guest leaves and the account enters.
// Errors: errs.Exists when the session has an account already, errs.NickInUse.
func (s *Session) Login(ctx context.Context, account string) error {
	s.hub.mu.Lock()
	if s.Account() != "" {
		s.hub.mu.Unlock()
		return errs.Exists
	}
	if err := s.hub.nickFree(s.Nick(), account, s); err != nil {
		s.hub.mu.Unlock()
		return err
	}
	s.mu.Lock()
	s.person.Account = account
	nick := s.person.Nick
	s.mu.Unlock()
	s.hub.openDirectsOf(s)
	s.hub.mu.Unlock()
	s.hub.users.localChanged(rooms.Fold(nick))
	var failed error
	for _, t := range s.Seats() {
		t.Room().Submit("", t.Nick(), &rooms.Leave{Reason: "logs in"}, nil, nil)
		if err := t.Wait(ctx, &rooms.Enter{View: s.Person().View, Real: s.Person().Real}, nil); err != nil {
			failed = err
		}
	}
	return failed
}

// Barrier blocks until all that this session caused is done and delivered, and until all that its rooms had ordered when it was called is
// delivered too, and changes of presence at this node; at most BarrierLimit. A client's PONG waits for it.
func (s *Session) Barrier(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, BarrierLimit)
	defer cancel()
	s.mu.Lock()
	var done chan struct{}
	if s.pending > 0 {
		done = make(chan struct{})
		s.idle = append(s.idle, done)
	}
	s.mu.Unlock()
	if done != nil {
		select {
		case <-done:
		case <-ctx.Done():
			return
		}
	}
	var wg sync.WaitGroup
	for _, t := range s.Seats() {
		wg.Go(func() { _ = t.Room().Sync(ctx) })
	}
	wg.Wait()
	s.hub.users.settle(ctx)
}

func (s *Session) begin() {
	s.mu.Lock()
	s.pending++
	s.mu.Unlock()
}

func (s *Session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending--; s.pending == 0 {
		for _, c := range s.idle {
			close(c)
		}
		s.idle = nil
	}
}

// deliver hands the client something; false: the session is closed.
func (s *Session) deliver(d Delivery) bool {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if !closed {
		s.client.Deliver(d)
	}
	return !closed
}

// Command runs a line for the bot; the answer comes as a BotReply delivery with the cookie. It does not block. Commands of one session run one
// after the other, as they were given. Errors: errs.NotFound when there is no bot, errs.Busy when too many commands of this session wait.
func (s *Session) Command(seat *Seat, line string, cookie any) error {
	if s.hub.runner == nil {
		return errs.NotFound
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.commands) >= maxCommands || s.closed {
		return errs.Busy
	}
	s.pending++
	s.commands = append(s.commands, order{seat, line, cookie})
	if len(s.commands) == 1 {
		s.hub.work.Add(1)
		go s.runCommands()
	}
	return nil
}

// order is a line for the bot that waits for its turn.
type order struct {
	seat   *Seat
	line   string
	cookie any
}

// runCommands runs what waits until nothing does; the one that runs stays at the head of the list.
func (s *Session) runCommands() {
	defer s.hub.work.Done()
	for {
		s.mu.Lock()
		if len(s.commands) == 0 {
			s.mu.Unlock()
			return
		}
		o := s.commands[0]
		s.mu.Unlock()
		ctx, cancel := context.WithTimeout(s.ctx, commandTime)
		r := s.hub.runner.Run(ctx, s, o.seat, o.line)
		cancel()
		s.deliver(Delivery{Kind: BotReply, Seat: o.seat, Reply: r, Cookie: o.cookie, Mine: true})
		s.mu.Lock()
		s.commands = s.commands[1:]
		last := len(s.commands) == 0
		s.mu.Unlock()
		s.end()
		if last {
			return
		}
	}
}

// IsCommand reports whether a line said in a room is for the bot.
func (s *Session) IsCommand(line string) bool { return s.hub.runner != nil && s.hub.runner.Is(line) }

// GoTo asks the protocol to lead the person into the room of that name.
func (s *Session) GoTo(room string) { s.deliver(Delivery{Kind: GoTo, Room: room}) }

// Close ends the session: it leaves all rooms with this reason. It does not wait for the rooms to have ordered that.
func (s *Session) Close(reason string) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	seats := make([]*Seat, 0, len(s.seats))
	for _, t := range s.seats {
		seats = append(seats, t)
	}
	s.mu.Unlock()
	for _, t := range seats {
		t.leave(&rooms.Leave{Reason: reason, Quit: true})
	}
	s.cancel()
	h := s.hub
	h.mu.Lock()
	delete(h.sessions, s)
	h.dropNick(s)
	fold := rooms.Fold(s.person.Nick)
	h.mu.Unlock()
	h.users.localChanged(fold)
	h.releaseDirects(s)
}

// asError makes what a context says one of our kinds.
func asError(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w (%w)", errs.Timeout, err)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%w (%w)", errs.Closed, err)
	}
	return err
}
