package net

import (
	"fmt"
	"time"

	"warren/rooms"
	"warren/test/world"
)

// ticking is the room that ticks.
const ticking = "room0"

// clock is who makes the first room, and has it tick as long as people act.
type clock struct {
	w *world.World
	u *world.User
	c Config
}

// clockmaker has the first room tick; nil: nobody asked for that.
func clockmaker(w *world.World, c Config) *clock {
	if c.Ticks == 0 {
		return nil
	}
	k := &clock{w, w.User("clock").WithAccount(), c}
	k.u.On("n1").Join(ticking)
	k.set(uint8(c.Ticks))
	return k
}

// stop ends the ticks: a room that ticks never comes to rest.
func (k *clock) stop() {
	if k != nil {
		k.set(0)
	}
}

// set asks until it is done: nodes may be about to find each other again.
func (k *clock) set(perSecond uint8) {
	k.w.Eventually(fmt.Sprintf("%s ticks %d times a second", ticking, perSecond), settleTime, func() bool {
		for i := range k.c.Nodes {
			if k.u.TryOn(fmt.Sprint("n", 1+i)) != nil {
				continue
			}
			s, err := k.u.TryJoin(ticking)
			if err != nil {
				continue
			}
			err = s.TryAsk(&rooms.Configure{Ticks: &perSecond})
			s.Go()
			if err == nil {
				return true
			}
		}
		time.Sleep(time.Second) // virtual
		return false
	})
}
