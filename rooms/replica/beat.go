package replica

import (
	"time"

	"warren/rooms"
)

// Tick is one step of a room that asks for ticks: a decision was applied, whether anything was in it or not. What lives on ticks (a game, a clock)
// sees the same ones on every node, in the same order among the events.
type Tick struct {
	Height uint64
	Time   int64 // ms since the Unix epoch, certified; it may stand still, but never goes back
}

// WatchTicks calls f with every tick from now on, after the events of its decision; f must not block. A room that asks for none has none.
func (r *Replica) WatchTicks(f func(Tick)) (stop func()) { return r.ticked.add(f) }

// tellTick tells that a decision was applied.
func (r *Replica) tellTick() {
	if r.settings().Ticks == 0 {
		return
	}
	for _, f := range r.ticked.all() {
		(*f)(Tick{Height: r.chain.Height, Time: r.chain.Time})
	}
}

// beat is the timer for the room's next tick, where this node leads. Owned by the copy's loop; the zero value is off.
type beat struct {
	timer *time.Timer
	at    int64 // ms, for which it is set; 0: it is off
}

func (b *beat) due() <-chan time.Time {
	if b.timer == nil || b.at == 0 {
		return nil
	}
	return b.timer.C
}

func (b *beat) stop() {
	if b.timer != nil {
		b.timer.Stop()
	}
}

// beats has the controller propose what is due.
func (r *Replica) beats() {
	r.beat.at = 0
	if r.ctl != nil {
		r.ctl.Beat(r.h.Now())
	}
}

// setBeat sets the timer.
func (r *Replica) setBeat() {
	at := int64(0)
	if r.ctl != nil && r.leads {
		at = r.ctl.NextBeat()
	}
	if at == r.beat.at {
		return
	}
	r.beat.stop()
	if r.beat.at = at; at == 0 {
		return
	}
	wait := time.Duration(at-r.h.Now()) * time.Millisecond
	if r.beat.timer == nil {
		r.beat.timer = time.NewTimer(wait)
	} else {
		r.beat.timer.Reset(wait)
	}
}

// ticking reports whether the room asks for ticks: it does not rest then.
func (r *Replica) ticking() bool {
	s, ok := r.chain.Machine.(*rooms.State)
	return ok && r.ctl != nil && s.TickEvery() > 0
}
