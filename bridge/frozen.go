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

// early tells which readers, seats in a room or sessions in a conversation, were shown which provisional message.
type early[R comparable] map[rooms.Hash]map[R]struct{}

// note notes provisional talk, or forgets what is withdrawn. It returns the delivery, and who was shown the message before: talk is for all
// others, who must be added, its withdrawal for these alone.
func (e early[R]) note(p Provisional) (d Delivery, shown map[R]struct{}) {
	d = Delivery{Kind: ProvisionalEvent, Event: p.Event, Shared: &Shared{}}
	shown = e[p.Event.ID]
	switch {
	case p.Err != nil:
		d.Kind, d.Text = Withdrawn, p.Err.Error()
		delete(e, p.Event.ID)
	case shown == nil:
		shown = map[R]struct{}{}
		if len(e) < maxEarly {
			e[p.Event.ID] = shown
		}
	}
	return d, shown
}

// take returns the readers that were shown it, and forgets it.
func (e early[R]) take(id rooms.Hash) map[R]struct{} {
	shown := e[id]
	delete(e, id)
	return shown
}

// drop forgets a reader.
func (e early[R]) drop(r R) {
	for _, shown := range e {
		delete(shown, r)
	}
}

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
	d, shown := c.early.note(p)
	for _, t := range slices.Clone(c.seats) {
		if _, saw := shown[t]; !t.active || saw != (p.Err != nil) {
			continue
		}
		d.Seat, d.Self = t, c.by(p.Event, t)
		if !t.canRead() && !d.Self {
			continue
		}
		by.sign(&d, t.s)
		if p.Err == nil {
			shown[t] = struct{}{}
		}
		t.s.deliver(d)
	}
	c.mu.Unlock()
	by.keep(p)
}

// FrozenTalk says, for people, what becomes of a provisional message to somebody: a conversation of two has no subject or mode to tell it. Empty when
// nothing need be said: to others than who said it, and of receipts and the like.
func FrozenTalk(d Delivery, to string) string {
	if say, ok := d.Event.Body.(*rooms.Say); !ok || !d.Mine || say.Kind == rooms.Signal {
		return ""
	}
	return "the conversation with " + to + " is frozen: no quorum of its controllers can be reached. What you say is provisional, and delivered when it goes on."
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
