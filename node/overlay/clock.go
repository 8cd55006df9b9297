package overlay

import (
	"crypto/x509"
	"slices"
	"strings"
	"time"
)

const (
	// clockTolerance is how far a node's clock may be from those of the others: rooms bear leaders up to twice as far from a backup.
	clockTolerance = 15 * time.Second
	// clockReminder is the time between warnings while it is further off.
	clockReminder = time.Hour
)

// Clock is how this node's clock looks beside those of the nodes that it hears. Nothing rests on it: it is for people, who can set a clock.
type Clock struct {
	Ahead   time.Duration // of the others' clocks: half of them, or more, are at least so far off, to the same side; negative: behind
	Heard   int           // so many clocks
	Refused int           // nodes that this one cannot connect with, since their certificates are not valid at its time
}

// Wrong reports whether the clock should be set.
func (c Clock) Wrong() bool { return c.Ahead.Abs() > clockTolerance || c.Refused > 0 && c.Heard == 0 }

// Clock compares this node's clock with the others'.
func (o *Overlay) Clock() (c Clock) {
	var ahead []time.Duration
	for _, p := range o.allPeers() {
		p.mu.Lock()
		if p.untimely {
			c.Refused++
		}
		if d, ok := p.clockAhead(); ok && p.up {
			ahead = append(ahead, -d)
		}
		p.mu.Unlock()
	}
	if c.Heard = len(ahead); c.Heard > 0 {
		slices.Sort(ahead)
		c.Ahead = nearer(ahead[(c.Heard-1)/2], ahead[c.Heard/2])
	}
	return c
}

// nearer returns which of two is nearer to zero: zero, when it lies between them. So where half of the others blame this node, the other half decides.
func nearer(a, b time.Duration) time.Duration {
	switch {
	case (a < 0) != (b < 0):
		return 0
	case a.Abs() <= b.Abs():
		return a
	}
	return b
}

// maxClock bounds what a peer may say its clock shows, in ms since 1970: the year 9999.
const maxClock = 253_402_300_799_999

// wallClock is what the sender's clock showed, zero when it has not told, or what no clock shows.
func (h hello) wallClock() time.Time {
	if h.clock <= 0 || h.clock > maxClock {
		return time.Time{}
	}
	return time.UnixMilli(h.clock)
}

// clockAhead says how far the peer's clock is ahead of this node's, to what a frame takes on its way; false: it has not told. What it showed when it said
// hello is carried on, so a clock here that jumps is seen. Called with p.mu held.
func (p *peerLink) clockAhead() (time.Duration, bool) {
	if p.clock.IsZero() {
		return 0, false
	}
	return p.clock.Add(time.Since(p.clockAt)).Sub(p.o.cfg.Now().Round(0)), true
}

// untimely reports whether a connection failed because the other end's certificate is not valid yet, or not any more, at this node's time. libp2p gives
// the text alone. Nodes make their certificates when they start, valid from an hour before for a hundred years.
func untimely(err error) bool {
	return err != nil && strings.Contains(err.Error(), x509.CertificateInvalidError{Reason: x509.Expired}.Error())
}

// watchClock warns when this node's clock is wrong, and again as long as it is. It returns when it did so last, zero: it is right.
func (o *Overlay) watchClock(now, warned time.Time) time.Time {
	c := o.Clock()
	switch {
	case !c.Wrong():
		if !warned.IsZero() && c.Heard > 0 {
			o.log.Info("this node's clock is right now")
			return time.Time{}
		}
		return warned
	case !warned.IsZero() && now.Sub(warned) < clockReminder:
		return warned
	case c.Heard == 0:
		o.log.Warn("this node's clock, or that of those that it calls, is wrong by more than an hour: by it their certificates are not valid, and they cannot connect; set it", "nodes", c.Refused)
	default:
		o.log.Warn("this node's clock is wrong, or most of the others' are: set it; rooms take nothing from a leader that is 30 s ahead", "ahead", c.Ahead.Round(time.Millisecond), "heard", c.Heard)
	}
	return now
}
