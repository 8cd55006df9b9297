package bridge

import (
	"warren/perms"
	"warren/rooms"
)

// invited tells the sessions of the invited person.
func (h *Hub) invited(room, by string, who perms.Principal) {
	for _, s := range h.Sessions() {
		if s.principal() == who {
			s.deliver(Delivery{Kind: Invited, Room: room, By: by})
		}
	}
}

// signalled is the encoded form of an unordered signal.
type signalled struct {
	_       struct{} `cbor:",toarray"`
	Account string
	Nick    string
	Say     rooms.Say
}

// Signal sends an unordered, unreliable signal (typing) to all who sit in the room now; too large ones are dropped.
func (t *Seat) Signal(say rooms.Say) {
	data := rooms.Marshal(signalled{Account: t.s.Account(), Nick: t.Nick(), Say: say})
	if len(data) > MaxSignal {
		return
	}
	t.ch.room.Signal(data)
	t.ch.signalFrom(t.s.hub.world.Self(), t, signalled{Account: t.s.Account(), Nick: t.Nick(), Say: say})
}

func (c *channel) signal(from rooms.NodeID, data []byte) {
	var m signalled
	if rooms.Unmarshal(data, &m) != nil {
		return
	}
	c.signalFrom(from, nil, m)
}

// signalFrom hands a signal to the seats, if its author sits in the room at the node it came from.
func (c *channel) signalFrom(from rooms.NodeID, by *Seat, m signalled) {
	ok := false
	c.room.View(func(st *rooms.State) {
		o, here := st.Occupant(m.Nick)
		if here && o.Account == m.Account {
			for _, n := range o.Nodes {
				ok = ok || n == from
			}
		}
	})
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.seats {
		if t.active && t != by {
			t.s.deliver(Delivery{Kind: SignalEvent, Seat: t, By: m.Nick, Say: &m.Say})
		}
	}
}
