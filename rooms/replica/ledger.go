package replica

import (
	"slices"
	"sync"
	"time"

	"warren/rooms"
	"warren/rooms/order"
)

// unfitEvery is the time between tries to replace a controller that misbehaves, when the others do not agree: perhaps it wronged this node alone,
// and no other change shall wait for them.
const unfitEvery = time.Minute

// maxLedgers bounds the rooms whose ledgers are kept beyond the copy's life.
const maxLedgers = 1024

// ledgers are those of rooms in which somebody misbehaved: a room that is parked meanwhile does not forget it. Safe for concurrent use; a ledger
// itself belongs to the room's copy, of which there is one at a time.
type ledgers struct {
	mu    sync.Mutex
	rooms map[rooms.RoomID]*order.Ledger
}

// of returns the room's ledger, a new one when nothing is kept.
func (l *ledgers) of(id rooms.RoomID) *order.Ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	if kept := l.rooms[id]; kept != nil {
		return kept
	}
	return order.NewLedger()
}

func (l *ledgers) keep(id rooms.RoomID, kept *order.Ledger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rooms == nil {
		l.rooms = map[rooms.RoomID]*order.Ledger{}
	}
	if len(l.rooms) < maxLedgers {
		l.rooms[id] = kept
	}
}

// tickLedger shows readers what the controller has against others.
func (r *Replica) tickLedger() {
	v := r.ledger.Version()
	if v == r.ledgerSeen {
		return
	}
	r.ledgerSeen = v
	r.h.ledgers.keep(r.id, r.ledger)
	list := slices.DeleteFunc(r.ledger.Charges(), func(c order.Charge) bool { return c.Strikes == 0 })
	r.mu.Lock()
	r.charges = list
	r.mu.Unlock()
	r.stew.weighedAt = time.Time{} // perhaps somebody else should control the room
}

// wantsOut tells which controllers this node, which leads, wants replaced for what they do.
func (r *Replica) wantsOut(now time.Time) func(rooms.NodeID) bool {
	if now.Sub(r.stew.refused) < unfitEvery {
		return nil
	}
	return func(n rooms.NodeID) bool { return r.ledger.Unfit(n, r.h.Now(), false) }
}

// notAgreed remembers that a change did not come about which put out a controller for what it did.
func (r *Replica) notAgreed(c *change, now time.Time) {
	for _, n := range r.controllers() {
		if !slices.Contains(c.target, n) && r.ledger.Unfit(n, r.h.Now(), false) {
			r.stew.refused = now
		}
	}
}
