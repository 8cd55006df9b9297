package bridge

import (
	"encoding/json"

	"warren/rooms"
)

// Tick is one step of a room that asks for ticks: a decision was applied at this height and certified time, whether anything was in it or not. It
// comes after the events of its decision.
type Tick struct {
	Height uint64
	Time   int64 // ms since the Unix epoch; it may stand still, but never goes back
}

// Ticks has the session told of the room's ticks (TickEvent), or no more; whether the room makes any is its own setting. For bots: people see nothing
// of them. It ends with the seat.
func (t *Seat) Ticks(on bool) {
	t.ch.mu.Lock()
	defer t.ch.mu.Unlock()
	if on && t.active {
		t.ch.beats[t] = struct{}{}
	} else {
		delete(t.ch.beats, t)
	}
}

// tick tells those who asked for it. It never blocks.
func (c *channel) tick(k Tick) {
	c.mu.Lock()
	defer c.mu.Unlock()
	shared := &Shared{}
	for t := range c.beats {
		if t.canRead() {
			t.s.deliver(Delivery{Kind: TickEvent, Seat: t, Tick: k, Shared: shared})
		}
	}
}

// MachineTick returns a tick as JSON for bots, like Machine.
func MachineTick(room rooms.RoomID, k Tick) []byte {
	b, err := json.Marshal(struct {
		Op     string `json:"op"`
		Room   string `json:"room"`
		Height uint64 `json:"height"`
		Time   int64  `json:"time"`
	}{"tick", room.String(), k.Height, k.Time})
	if err != nil {
		return nil // strings and numbers: cannot fail
	}
	return b
}
