package order

import (
	"fmt"
	"slices"

	"warren/rooms"
)

// A room may ask for ticks (rooms.State.TickEvery): its leader proposes an empty batch when a period has passed without another one. What could not be
// certified in its time is not made up for.

const (
	maxTicksUnderWay = MaxUnderWay / 2 // batches that are not certified yet when a tick is proposed: lines of 150 ms carry some per second, requests find room
	tickWindow       = 10_000          // ms, over which a leader's ticks are counted, by its own times
	tickPatience     = 5_000           // ms without any, until the leader is blamed
)

// beat is what a controller knows of the room's ticks.
type beat struct {
	due int64 // ms, the leader's: when the next one is

	// What this node has seen of another leader's.
	term  uint64
	every int64 // ms between two, as the room asked when the last one was run
	from  int64 // ms, the leader's: since when n are counted; where the room asks for none they are counted whatever the leader's clock says
	n     int64
	ranAt int64 // ms: when a batch was run last, or began to be waited for
	led   rooms.NodeID
}

// every returns the ms between two ticks that the room asks for, as its tentative state stands; 0: it wants none.
func (c *Controller) every() int64 {
	if s, ok := c.chain.Machine.(*rooms.State); ok {
		return s.TickEvery()
	}
	return 0
}

// pace returns the ms between two ticks that this node makes when it leads: what the room asks for, if it is honest.
func (c *Controller) pace() int64 {
	if c.cfg.Pace != nil {
		return c.cfg.Pace(c.every())
	}
	return c.every()
}

// Beat tells the time, like Tick, without counting one of raft's: for who wants the room's ticks in time.
func (c *Controller) Beat(nowMS int64) {
	if c.broken == nil {
		c.clock(nowMS)
	}
}

// NextBeat returns when this node, which leads, has to propose the room's next tick, in ms of the caller's clock; 0: it need not, or it is due and
// waits for what is under way.
func (c *Controller) NextBeat() int64 {
	if c.broken != nil || c.ledTerm == 0 || c.ended || c.pace() == 0 || c.beat.due <= c.now {
		return 0
	}
	return c.beat.due
}

// beaten puts the next tick off until a period after the batch that is just proposed. A tick that comes a little late does not put off the one behind it.
func (c *Controller) beaten(tick bool) {
	every := c.pace()
	if tick {
		c.beat.due = max(c.beat.due+every, c.now+every/2)
	} else {
		c.beat.due = c.now + every
	}
}

// proposeTick puts an empty batch in order when it is due.
func (c *Controller) proposeTick() {
	if c.ledTerm == 0 || c.appliedTerm != c.ledTerm || c.now < c.beat.due || c.ended || c.chain.Unbegun() || c.pace() == 0 ||
		len(c.proposed)+len(c.open) >= maxTicksUnderWay || c.barrier() || !slices.Contains(c.controllers, c.cfg.Self) {
		return
	}
	c.put(nil)
}

// judgeBeat looks whether a leader makes more ticks than the room asks for. every is what the room asked for below the batch.
func (c *Controller) judgeBeat(b *rooms.Batch, every int64, who rooms.NodeID) {
	w := &c.beat
	w.ranAt = c.now
	if w.term != b.Term || w.every != every {
		w.term, w.every, w.from, w.n = b.Term, every, b.Time, 0
	}
	if len(b.Requests) > 0 {
		return
	}
	if every == 0 {
		if w.n++; w.n > MaxUnderWay { // some are under way when a room ceases to ask
			c.note(who, Overticked, fmt.Sprintf("height %d is empty, as %d were since the room has asked for no ticks", b.Height, w.n-1))
			w.n = 0
		}
		return
	}
	if b.Time-w.from >= tickWindow {
		w.from, w.n = b.Time, 0
	}
	if w.n++; w.n > tickWindow/every+MaxUnderWay {
		c.note(who, Overticked, fmt.Sprintf("height %d: %d ticks within %d ms, one in %d ms is asked for", b.Height, w.n, b.Time-w.from, every))
		w.n = 0
	}
}

// tickBeat blames a leader that is heard and makes no ticks though the room asks for them, and nothing is under way.
func (c *Controller) tickBeat() {
	w, lead := &c.beat, c.leader()
	if lead != w.led || lead.IsZero() || lead == c.cfg.Self || c.ticks-c.heard > c.deaf() || !c.still() || c.behind > c.certified || c.ended || c.every() == 0 ||
		!slices.Contains(c.controllers, c.cfg.Self) || !slices.Contains(c.controllers, lead) {
		w.led, w.ranAt = lead, c.now
		return
	}
	if c.now-w.ranAt > tickPatience {
		c.note(lead, Unticked, fmt.Sprintf("height %d was the last, %d ms ago", c.chain.Height, c.now-w.ranAt))
		w.ranAt = c.now
	}
}
