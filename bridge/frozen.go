package bridge

import (
	"fmt"
	"slices"

	"warren/rooms"
)

// What people read when a room freezes and thaws.
const (
	frozenText = "this room is frozen: no quorum of its controllers can be reached. What you say is provisional: who can be reached sees it now, the " +
		"others when the room goes on. Nothing else can be done until then."
	thawedText = "this room goes on: a quorum of its controllers is back."
)

// maxEarly bounds what one room's clients were shown and what has no verdict; what is beyond it may be shown to them twice.
const maxEarly = 2048

// early tells which seats were shown which provisional message.
type early map[rooms.Hash]map[*Seat]struct{}

// take returns the seats that were shown it, and forgets it.
func (e early) take(id rooms.Hash) map[*Seat]struct{} {
	shown := e[id]
	delete(e, id)
	return shown
}

// drop forgets a seat.
func (e early) drop(t *Seat) {
	for _, shown := range e {
		delete(shown, t)
	}
}

// earlyDirect tells which sessions were shown which provisional message of a conversation.
type earlyDirect map[rooms.Hash]map[*Session]struct{}

// frozen tells all seats that nothing is ordered, or that things go on.
func (c *channel) frozen(is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isFrozen == is {
		return
	}
	c.isFrozen = is
	for _, t := range c.seats {
		if t.active {
			t.s.deliver(Delivery{Kind: FrozenChange, Seat: t, Frozen: is, Text: frozenWords(is)})
		}
	}
	if !is {
		for t := range c.lost {
			c.reenter(t)
		}
		clear(c.lost)
	}
}

func frozenWords(is bool) string {
	if is {
		return frozenText
	}
	return thawedText
}

// tellFrozen tells who has just come that the room is frozen, if it is. c.mu is held.
func (c *channel) tellFrozen(t *Seat) {
	if c.isFrozen {
		t.s.deliver(Delivery{Kind: FrozenChange, Seat: t, Frozen: true, Text: frozenText})
	}
}

func (c *channel) frozenNow() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isFrozen
}

// Frozen reports whether nothing can be ordered in the room now.
func (t *Seat) Frozen() bool { return t.ch.frozenNow() }

// provisional shows talk that cannot be ordered yet, or takes it back from those who were shown it. It is called in order and never blocks.
func (c *channel) provisional(p Provisional) {
	by, _ := p.Cookie.(*mark)
	c.mu.Lock()
	known, twice := c.early[p.Event.ID]
	d := Delivery{Kind: ProvisionalEvent, Event: p.Event, Shared: &Shared{}}
	shown := map[*Seat]struct{}{}
	switch {
	case p.Err != nil:
		d.Kind, d.Text = Withdrawn, p.Err.Error()
		delete(c.early, p.Event.ID)
	case !twice && len(c.early) < maxEarly:
		c.early[p.Event.ID] = shown
	}
	for _, t := range slices.Clone(c.seats) {
		_, saw := known[t]
		if !t.active || saw != (p.Err != nil) {
			continue
		}
		d.Seat, d.Mine, d.Cookie = t, false, nil
		if by != nil && by.s == t.s {
			d.Mine, d.Cookie = true, by.cookie
		}
		d.Self = c.by(p.Event, t)
		if !t.canRead() && !d.Self {
			continue
		}
		shown[t] = struct{}{}
		t.s.deliver(d)
	}
	c.mu.Unlock()
	if by != nil && by.kept != nil && p.Err == nil {
		by.kept(p.Event.ID)
	}
}

// by reports whether the seat's own person is the author.
func (c *channel) by(ev *rooms.Event, t *Seat) bool {
	return ev.Account == t.s.Account() && rooms.Fold(ev.Nick) == rooms.Fold(t.Nick()) && (ev.Account != "" || ev.Device == c.hub.world.Self())
}

// Fate says in one line, for people, what became of a provisional message: to its author when it is confirmed, and to all who were shown it when
// it is withdrawn. Empty when nothing need be said.
func Fate(d Delivery) string {
	say, ok := d.Event.Body.(*rooms.Say)
	if !ok || say.Kind == rooms.Signal {
		return ""
	}
	text := fmt.Sprintf("%q", cut(flat(say.Text), maxQuoted))
	switch {
	case d.Kind == Confirmed && d.Self:
		return "confirmed: " + text
	case d.Kind == Withdrawn && d.Self:
		return "withdrawn, it was provisional: " + text + ": " + d.Text
	case d.Kind == Withdrawn:
		return "withdrawn, it was provisional, by " + author(d.Event) + ": " + text
	}
	return ""
}

// maxQuoted is how many bytes of a message are told again, for people to know which it was.
const maxQuoted = 80
