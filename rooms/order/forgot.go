package order

import (
	"errors"
	"fmt"

	"warren/rooms"
)

// ErrForgot: the disk lacks what this node is known to have written to it: an old copy of its data directory was put back, or the disk lied about
// what it had synced. This life may have forgotten a vote, so the node comes back with another one. It comes wrapped in Ready.Broken.
var ErrForgot = errors.New("controller: this node's disk has forgotten what it stored; was an old copy of the data directory put back?")

// memory is how far this life, read from the disk, is to be trusted. Only lives that go on are looked at: a new one has nothing to have forgotten.
type memory struct {
	read     bool // this life goes on from the disk
	believed bool // a leader took no more for stored here than there is
	by       rooms.NodeID
	term     uint64
	since    int // tick at which the leader by first took more for stored here than there is, in that term; it has done so ever since
}

// doubt looks at whether the leader, in a heartbeat, says more is committed than this log holds. Leaders say so only of what this member has acknowledged,
// so one of the two is wrong, and raft itself never gets out of that while the leader leads. A leader that lies like that can make a node begin a new
// life, but only one that has just started: who has led, or was believed once, is not asked again. The directory has no epoch of its own in which it
// could go on if that leader falls silent afterwards, so there a leader's word alone does not do.
func (c *Controller) doubt(from rooms.NodeID, r *raftMessage, last uint64) {
	m := &c.memory
	switch {
	case !m.read || m.believed || c.isDirectory:
	case r.Commit <= last:
		m.believed = r.Commit > 0
	case m.by != from || m.term != r.Term:
		m.by, m.term, m.since = from, r.Term, c.ticks
	case c.ticks-m.since > 2*c.cfg.ElectionTicks:
		c.fail(fmt.Errorf("%w (%s knows of entry %d, the last one here is %d)", ErrForgot, from.Short(), r.Commit, last))
	}
}

// recall looks for this node's own signature under a decision that it learns from others. Promises are stored before they are signed, and kept until
// the decision is, so one that is not here is forgotten.
func (c *Controller) recall(d *rooms.Decision) {
	if !c.memory.read {
		return
	}
	hash := d.Header.Hash()
	for _, s := range d.Cert {
		if s.Node == c.cfg.Self && c.signed[d.Header.Height].Header != hash && c.cfg.CheckSignature(s, hash) {
			c.fail(fmt.Errorf("%w (it has signed height %d)", ErrForgot, d.Header.Height))
		}
	}
}
