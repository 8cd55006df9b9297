package world

import (
	"slices"
	"sync"
	"time"

	"warren/rooms"
	"warren/rooms/replica"
)

// Wish is something that a user wanted ordered.
type Wish struct {
	User, Node, Room string
	RoomID           rooms.RoomID
	Op               rooms.Op
	Text             string     // of talk
	ID               rooms.Hash // of the request
	Asked, Done      time.Time
	Err              error // nil: it was acknowledged
}

// Seat is a user's place in a room.
type Seat struct {
	Room string

	w     *World
	u     *User
	node  *Node
	id    rooms.RoomID
	r     *replica.Replica
	nick  string
	began time.Time
	stop  func()

	mu        sync.Mutex
	heard     []string
	shown     []string
	early     map[rooms.Hash]string // shown, not ordered yet
	withdrawn []string
	frozen    bool
}

// watch takes what the room tells from now on.
func (s *Seat) watch() {
	s.early = map[rooms.Hash]string{}
	stops := []func(){s.r.Watch(s.hear), s.r.WatchProvisional(s.hearEarly), s.r.WatchFrozen(func(is bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.frozen = is
	})}
	s.stop = func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// hear takes what is ordered; it is called from the copy's goroutine. What the user was shown provisionally is not shown again.
func (s *Seat) hear(ev *rooms.Event, _ any) {
	if b, ok := ev.Body.(*rooms.Say); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.heard = append(s.heard, b.Text)
		if _, known := s.early[ev.ID]; !known {
			s.shown = append(s.shown, b.Text)
		}
		delete(s.early, ev.ID)
	}
}

// hearEarly takes what is provisional; it is called from the copy's goroutine.
func (s *Seat) hearEarly(p replica.Provisional) {
	text := p.Event.Body.(*rooms.Say).Text
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.Err != nil {
		s.withdrawn = append(s.withdrawn, text)
		return
	}
	s.early[p.Event.ID] = text
	s.shown = append(s.shown, text)
}

// Shown returns all talk that the user's screen shows, provisional or ordered, as it came.
func (s *Seat) Shown() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.shown)
}

// Withdrawn returns what of it was taken back.
func (s *Seat) Withdrawn() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.withdrawn)
}

// Frozen reports whether the room says here that it is.
func (s *Seat) Frozen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.frozen
}

// Talk says something without waiting for what comes of it.
func (s *Seat) Talk(text string) {
	asked := time.Now()
	s.r.Submit(s.u.accountName(), s.nick, &rooms.Say{Text: text}, nil, func(o replica.Outcome) {
		s.w.mu.Lock()
		defer s.w.mu.Unlock()
		s.w.wishes = append(s.w.wishes, Wish{
			User: s.u.Name, Node: s.node.Name, Room: s.Room, RoomID: s.id, Op: rooms.OpSay, Text: text, ID: o.ID, Asked: asked, Done: time.Now(), Err: o.Err,
		})
	})
}

// Heard returns all talk that was told since the user came, in order.
func (s *Seat) Heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.heard)
}

// Nick returns under which nick the user sits here.
func (s *Seat) Nick() string { return s.nick }

// ID returns the room's id.
func (s *Seat) ID() rooms.RoomID { return s.id }

// Say says something, and waits until it is ordered.
func (s *Seat) Say(text string) *Seat {
	s.w.t.Helper()
	return s.ask(&rooms.Say{Text: text})
}

// Put writes a document, and waits until it is ordered. The user must have the right to: the room's maker and accounts have.
func (s *Seat) Put(name, text string) *Seat {
	s.w.t.Helper()
	return s.ask(&rooms.Put{Kind: rooms.Document, Name: name, Type: "text/plain", Text: []byte(text)})
}

// Leave leaves the room.
func (s *Seat) Leave() {
	s.w.t.Helper()
	s.ask(&rooms.Leave{})
	s.stop()
}

func (s *Seat) ask(b rooms.Body) *Seat {
	s.w.t.Helper()
	if err := s.TryAsk(b); err != nil {
		s.w.tell()
		s.w.t.Fatalf("%s on %s in %s: %T: %v", s.u.Name, s.node.Name, s.Room, b, err)
	}
	return s
}

// TryAsk wants something ordered, in the user's name, and waits for what comes of it: nil when it is acknowledged. For any goroutine.
func (s *Seat) TryAsk(b rooms.Body) error {
	ctx, cancel := s.w.patience()
	defer cancel()
	asked := time.Now()
	id, err := s.r.Ask(ctx, s.u.accountName(), s.nick, b)
	op, text := rooms.NewRequest(s.id, "", "", b).Op, ""
	if say, ok := b.(*rooms.Say); ok {
		text = say.Text
	}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.w.wishes = append(s.w.wishes, Wish{
		User: s.u.Name, Node: s.node.Name, Room: s.Room, RoomID: s.id, Op: op, Text: text, ID: id, Asked: asked, Done: time.Now(), Err: err,
	})
	return err
}

// Go gives up the seat without a word, as when the user's node died.
func (s *Seat) Go() { s.stop() }

// Wishes returns all that users wanted ordered so far, in the order in which they learned what came of it.
func (w *World) Wishes() []Wish {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.wishes)
}
