package order

import (
	"fmt"
	"slices"

	pb "go.etcd.io/raft/v3/raftpb"

	"warren/rooms"
	"warren/rooms/errs"
)

// Limits by which batches are judged, in ms.
const (
	// maxClockSkew is how far a leader's clock may be from this node's: half of what endorsements allow. A batch from further ahead is not
	// taken at all, since a room's time never goes back: one such batch would end all deadlines of the room.
	maxClockSkew = 30_000
	// dirPatience is how long after this node a leader may learn of a directory version.
	dirPatience = 10_000
	// withheldLimit is how many times in a row the others certify among themselves before the leader is blamed.
	withheldLimit = 6
	// maxDirSeen bounds the directory versions of which this node remembers when it learned of them.
	maxDirSeen = 16
)

// watch is what a controller remembers to judge others by.
type watch struct {
	contact  int64                 // ms, since when this node hears the present leader without a gap
	leader   rooms.NodeID          // whom contact is about
	dirs     []dirSeen             // oldest first
	excused  map[rooms.NodeID]bool // devices one of whose requests did not take its counter lately, so that later ones come too early
	excuseOf uint64                // the term that excused is about
	withheld int                   // times in a row that decisions came to be certified without the leader
	without  int64                 // ms, when that was last
}

type dirSeen struct {
	version uint64
	at      int64 // ms
}

// note writes down what another member did.
func (c *Controller) note(node rooms.NodeID, m Misdeed, evidence string) {
	if c.blind[m] || node == c.cfg.Self || !c.insider(node) {
		return
	}
	if !c.cfg.Ledger.note(node, m, c.now, evidence) {
		return
	}
	if c.cfg.Log != nil {
		c.cfg.Log.Warn("a controller misbehaves", "room", c.chain.Room.Short(), "node", node.Short(), "misdeed", m.String(), "evidence", evidence)
	}
	c.accuseAt = 0 // tell the others now
}

// judge looks for what no honest leader puts into a batch. The leader checks each request before it proposes, on the same state: whoever is
// last to run it finds what the leader found. counters are those of the batch's devices below it, every is what the room asked for of ticks there.
func (c *Controller) judge(s *step, e *pb.Entry, counters map[rooms.NodeID]uint64, every int64) {
	b := s.batch
	who := b.Leader
	if !c.insider(who) {
		who = c.leaderOf(e.GetTerm()) // signed with a key of its own making
	}
	if who.IsZero() || who == c.cfg.Self {
		return
	}
	c.judgeBeat(b, every, who)
	if c.watch.excuseOf != b.Term {
		c.watch.excuseOf, c.watch.excused = b.Term, nil
	}
	voided := false // a burst has one cause: it counts once
	for i := range b.Requests {
		r := &b.Requests[i]
		say := func(what string) string {
			return fmt.Sprintf("height %d, request %d of %s, counter %d: %s", b.Height, i, r.Device.Short(), r.Counter, what)
		}
		verdict, last := s.verdicts.At(i), counters[r.Device]
		tookTurn := verdict != errs.Void && r.Counter == last+1 && (r.Dir <= s.header.Dir || c.isDirectory)
		if tookTurn {
			counters[r.Device] = r.Counter
		}
		switch verdict {
		case errs.Void:
			if r.Room != c.chain.Room || r.Epoch != s.header.Epoch || !c.cfg.Verify(r, r.ID()) {
				c.note(who, Forged, say("its device did not sign it for this room and epoch"))
				continue
			}
			c.excuse(r.Device)
			if !voided && c.couldSee(b, r) {
				voided = true
				c.note(who, Void, say("its device may not speak for its author"))
			}
		case errs.Quota:
			c.excuse(r.Device)
		case errs.Stale:
			switch {
			case c.isDirectory && r.Dir > 0:
				c.excuse(r.Device) // the leader of the directory does not look at it
			case tookTurn: // what it is about was overtaken: an edit of what is edited, a change of those who have changed
			case r.Counter == last+1:
				c.note(who, StaleDirectory, say(fmt.Sprintf("it has seen directory %d, the batch %d", r.Dir, b.Dir)))
				c.excuse(r.Device)
			case !c.watch.excused[r.Device]:
				c.note(who, Replayed, say(fmt.Sprintf("the last one ordered has %d", last)))
			}
		}
	}
}

// couldSee reports whether who made the batch could know that the request is void, by the directory version that the batch names: what takes the
// right away in a later one may have been ordered after the batch was. A leader of the directory itself has run all but the last few batches.
func (c *Controller) couldSee(b *rooms.Batch, r *rooms.Request) bool {
	if d, ok := c.chain.Machine.(*rooms.Directory); ok {
		known := max(b.Dir, b.Height-min(b.Height, MaxUnderWay+1))
		return !speaks(d.At(min(known, d.Version)), r)
	}
	view, ok := c.viewAt(b.Dir)
	return !ok || !speaks(view, r)
}

// excuse notes that a device's counter did not move although its request was ordered: those behind it came too early through no fault of
// the leader's.
func (c *Controller) excuse(device rooms.NodeID) {
	if c.watch.excused == nil || len(c.watch.excused) > 256 {
		c.watch.excused = map[rooms.NodeID]bool{}
	}
	c.watch.excused[device] = true
}

// leaderOf returns who leads a term, zero when that is not the present one.
func (c *Controller) leaderOf(term uint64) rooms.NodeID {
	if c.rn.BasicStatus().GetTerm() != term {
		return rooms.NodeID{}
	}
	return c.leader()
}

// inspect looks at entries on their way into the log: it returns an error when they must not get there.
func (c *Controller) inspect(from rooms.NodeID, r *raftMessage) error {
	t := pb.MessageType(r.Type)
	if t != pb.MsgApp && t != pb.MsgHeartbeat && t != pb.MsgSnap {
		return nil
	}
	w := &c.watch
	last, err := c.log.LastIndex()
	if err != nil {
		return err
	}
	if w.leader != from || c.ticks-c.heard > c.cfg.ElectionTicks/2 || t == pb.MsgSnap || t == pb.MsgApp && r.Index > last {
		w.leader, w.contact = from, c.now // what comes now may have been waiting for this node
	}
	for i := range r.Entries {
		e := &r.Entries[i]
		if term, err := c.log.Term(e.Index); err == nil && term == e.Term {
			continue // known
		}
		var b *rooms.Batch
		if !c.blind[Garbage] {
			if b, err = c.vouch(from, e, e.Term == r.Term); err != nil {
				return err
			}
		}
		if b == nil {
			continue
		}
		at := max(b.Time, 0)
		// Also one of an earlier term, or in another one's place: who led when nobody took it may lead again. Where the room's time is already, it does no harm.
		if ahead := at - c.now; ahead > maxClockSkew && at > c.chain.Time && !c.blind[WrongTime] {
			err := fmt.Errorf("step: a batch from %d s ahead", ahead/1000)
			if b.Leader == from {
				err = blame(WrongTime, err)
			}
			return err
		}
		if e.Term != r.Term || e.Index <= last {
			continue // not of this leader's making, or not new
		}
		if c.now-w.contact <= dirPatience {
			continue
		}
		if c.now-at > maxClockSkew {
			c.note(from, WrongTime, fmt.Sprintf("height %d: %d s behind", b.Height, (c.now-at)/1000))
		}
		if known := c.dirKnown(c.now - dirPatience); b.Dir < known && !c.isDirectory {
			c.note(from, StaleDirectory, fmt.Sprintf("height %d: by version %d, %d is known for long", b.Height, b.Dir, known))
		}
	}
	return nil
}

// dirKnown returns the newest directory version that this node knew at a time.
func (c *Controller) dirKnown(at int64) uint64 {
	v := uint64(0)
	for _, d := range c.watch.dirs {
		if d.at <= at {
			v = d.version
		}
	}
	return v
}

// sawDirectory remembers when this node learned of a version.
func (c *Controller) sawDirectory(version uint64) {
	w := &c.watch
	if n := len(w.dirs); n > 0 && w.dirs[n-1].version >= version {
		return
	}
	if len(w.dirs) >= maxDirSeen {
		w.dirs = slices.Delete(w.dirs, 1, 2) // the oldest stays: it says what was known all the time
	}
	w.dirs = append(w.dirs, dirSeen{version, c.now})
}

// misplaced is a signed batch that stands in another place of this node's log than its leader meant.
type misplaced struct {
	height  uint64
	payload rooms.Hash
}

// noHeight looks at an entry that gives no height and is no seal: an honest leader makes none. b is the batch that it holds, nil for none, good:
// its signature is known to be. One with a good batch for another place says that the log below it is not the leader's: somebody has lied to one of
// the two. It is found out when that batch is certified, see comeback.
func (c *Controller) noHeight(e *pb.Entry, b *rooms.Batch, good bool, height uint64) {
	if len(e.GetData()) == 0 {
		return // raft's own, at the start of a term
	}
	if b != nil && b.Height != height+1 && b.Epoch == c.chain.Epoch && b.Term == e.GetTerm() && (good || b.SignatureOK(c.chain.Room)) {
		c.strayed = &misplaced{b.Height, b.Hash()}
		return
	}
	if who := c.leaderOf(e.GetTerm()); !who.IsZero() && c.strayed == nil {
		c.note(who, Garbage, fmt.Sprintf("entry %d means nothing", e.GetIndex()))
	}
}

// comeback gives up a log that lacks what is certified: this node can sign nothing by it. It comes back with a new life.
func (c *Controller) comeback() {
	if !c.lacks() {
		c.lacked = 0
	} else if c.lacked++; c.lacked > 2*c.cfg.ElectionTicks { // who was only just deposed, and does not know it yet, leads no more by then
		c.fail(fmt.Errorf("%w: the log ends at height %d, certified is %d", ErrDiverged, c.height, c.certified))
		return
	}
	s := c.strayed
	if s == nil || s.height > c.certified {
		return
	}
	c.strayed = nil
	if payload, ok := c.cfg.PayloadHash(s.height); ok && payload == s.payload {
		c.fail(fmt.Errorf("%w: the log has the batch of height %d in another place", ErrDiverged, s.height))
	}
}

// lacks reports whether this node leads with a log that lacks what is certified. Whatever was committed before its term is in an honest leader's log, and has been
// run once something of its own term has; but somebody who led before may have sent it other entries than the rest.
func (c *Controller) lacks() bool {
	return c.leads() && c.ledTerm != 0 && c.appliedTerm == c.ledTerm && c.applied == c.rn.BasicStatus().GetCommit() && c.height < c.certified
}

// watchCert follows how a step came to its certificate: from the leader, or by asking around.
func (c *Controller) watchCert(s *step, byLeader bool) {
	switch lead := c.leader(); {
	case lead.IsZero() || lead == c.cfg.Self:
		c.watch.withheld = 0
	case byLeader:
		c.watch.withheld = 0
	case s.batch.Leader == lead && c.now-c.watch.contact > signPatience && c.now-c.watch.without >= signPatience:
		// What comes at one moment has one cause: the signatures that the leader lacks may have been lost together.
		c.watch.without = c.now
		if c.watch.withheld++; c.watch.withheld >= withheldLimit {
			c.watch.withheld = 0
			c.note(lead, WithheldCertificate, fmt.Sprintf("height %d and those of %d moments before came without", s.header.Height, withheldLimit-1))
		}
	}
}

// otherHeader notes a signature over another header than the one that is certified.
func (c *Controller) otherHeader(from rooms.NodeID, height uint64, header rooms.Hash) {
	if r, ok := c.recent[height]; ok && r.hash != header {
		c.note(from, OtherHeader, fmt.Sprintf("height %d: %s, certified is %s", height, header.Short(), r.hash.Short()))
	}
}
