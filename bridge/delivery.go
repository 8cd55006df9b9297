package bridge

import (
	"context"
	"sync"

	"warren/rooms"
)

// Kind says what a delivery tells.
type Kind uint8

// The kinds of deliveries.
const (
	// RoomEvent: something was ordered in a room the session sits in. Event and Seat are set. The session's own Enter is the first
	// delivery of a seat; a Leave, Kick, sanction or NodeGone that ends the session's own presence is the last (Last is set).
	RoomEvent Kind = iota
	// DirectEvent: a message of or to the session's person in a conversation of two. Event and Peer are set.
	DirectEvent
	// UserChange: somebody who shares a room with the session (or is on its roster) came, went, or changed state. User is set.
	UserChange
	// Renamed: the hub gave the session another nick, because another node's guest has it in a room. Old and New are set.
	Renamed
	// Invited: somebody invited the session's person. Room (name without '#'), By (nick) are set.
	Invited
	// SignalEvent: an unordered signal (typing). By and Say are set; Seat when it is of a room, else From: it is for the session's person alone.
	SignalEvent
	// SeatLost: the room is gone or closed under the seat. Seat and Text are set.
	SeatLost
	// ServerNotice: a line of the node itself for the person. Text is set.
	ServerNotice
	// BotReply: the bot answers this session alone. Reply is set, Seat when it was asked in a room, Cookie always.
	BotReply
	// GoTo: the person asked to be led into Room (name without '#'): IRC joins, XMPP gets an invitation.
	GoTo
	// FrozenChange: the room of the seat froze (Frozen) or thawed; Text says so. Also the second delivery of a seat in a frozen room.
	FrozenChange
	// ProvisionalEvent: talk that cannot be ordered yet. Event is set, its Seq is 0; the rest as in a RoomEvent, or, when Seat is nil, a
	// DirectEvent. It comes again as Confirmed or Withdrawn, by the id of the event, but not as a RoomEvent.
	ProvisionalEvent
	// Confirmed: what the session was shown provisionally is ordered. As ProvisionalEvent, and Event.Seq is set.
	Confirmed
	// Withdrawn: what the session was shown provisionally will not be ordered; Text says why. As ProvisionalEvent.
	Withdrawn
	// TickEvent: a tick of a room, for who asked for them (Seat.Ticks). Seat and Tick are set. Clients whose queue fills up are not told of all.
	TickEvent
)

// Delivery is one thing that a protocol shows to its client. Its parts are shared between sessions: nobody changes them.
type Delivery struct {
	Kind   Kind
	Seat   *Seat
	Event  *rooms.Event
	Shared *Shared // one for all deliveries of the same event in the same room: for encoded forms
	Mine   bool    // caused by this very session
	Self   bool    // about or by the session's own occupant (another client of the same person may have caused it)
	Last   bool    // the seat ends with this delivery
	Cookie any     // what the session passed along with the wish that caused it; only when Mine

	Peer   User   // DirectEvent: the other person
	From   User   // DirectEvent: the sender
	User   User   // UserChange: as it is now
	Was    User   // UserChange: as it was
	Room   string // Invited
	By     string
	Old    string
	New    string
	Text   string
	Frozen bool       // FrozenChange
	Tick   Tick       // TickEvent
	Say    *rooms.Say // SignalEvent
	Reply  Reply      // BotReply
	Heard  bool       // DirectEvent: it counts as shown to the person; false while the session is deaf
	Quiet  bool       // DirectEvent: it was said while the person was away
}

// Shared caches what many sessions would otherwise compute again for one event. Safe for concurrent use; the zero value is ready.
type Shared struct {
	mu sync.Mutex
	m  map[any]any
}

// Get returns the value of key, made by make when it is asked for the first time.
func (s *Shared) Get(key any, make func() any) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.m[key]; ok {
		return v
	}
	if s.m == nil {
		s.m = map[any]any{}
	}
	v := make()
	s.m[key] = v
	return v
}

// Client is a protocol's side of a session.
type Client interface {
	// Deliver shows d. It is called in order within one room, but at the same time from several rooms, and must never block: it encodes and puts into a bounded queue,
	// and ends the connection when that is full.
	Deliver(d Delivery)
}

// Pacer is a Client that slows down what a session missed, so that it need not fit into the queue.
type Pacer interface {
	// Pace blocks until the client can take more, or until ctx ends.
	Pace(ctx context.Context)
}
