package overlay

import (
	"sync/atomic"
	"time"
)

// How often heartbeats are sent. In a network of N nodes that are all connected, as many as Config.Heartbeat says would be N² in all, most of them
// on links that nobody uses. So a node sends at most what fastLinks links need: with more, those over which no frame of the consumers' went
// lately are slower, and each heartbeat says when the next one comes. A frame of the consumers' makes its link fast at both ends, at once; who does not
// hear from the other end within the usual time after that takes it for down, however slow the link was. So who wants something of a dead node
// notices as early as ever, and the others a few seconds later.

// stuckAfter is how many times as long as until a peer is down it may be silent before its connection is closed.
const stuckAfter = 3

// pacing is what both ends of a link have agreed on. Times are ns since o.started, where nothing else is said.
type pacing struct {
	paces    atomic.Bool  // the peer understands paces
	used     atomic.Int64 // when a frame of the consumers' last went either way
	promised atomic.Int64 // ns: something is sent within so long after the last
	peerPace atomic.Int64 // ns: the peer has promised the same
	waking   atomic.Int64 // ns of o.ran: when the first frame was sent since the peer was last known to keep the fast pace; 0: none
}

// wrote notes that frames of the consumers' were sent.
func (p *peerLink) wrote(now time.Duration) {
	p.used.Store(int64(now))
	p.promised.Store(int64(p.o.cfg.Heartbeat))
	p.waking.CompareAndSwap(0, int64(p.o.ran.now()))
}

// heardFast notes that the peer is at its fast pace: it has sent a frame of its consumers', or says so.
func (p *peerLink) heardFast() {
	p.peerPace.Store(0)
	p.waking.Store(0)
}

// heardUse notes a frame of the peer's consumers.
func (p *peerLink) heardUse(now time.Duration) {
	p.used.Store(int64(now))
	p.heardFast()
}

// pace is how soon something should be sent again on the link, one of so many.
func (p *peerLink) pace(now time.Duration, links int) time.Duration {
	beat := p.o.cfg.Heartbeat
	if links <= fastLinks || !p.paces.Load() || now-time.Duration(p.used.Load()) < busyFor {
		return beat
	}
	return max(beat, min(beat*time.Duration(links)/fastLinks, maxPace))
}

// overdue says whether the peer has been silent for so many times as long as it may be. Guarded by p.mu.
func (p *peerLink) overdue(times int) bool {
	down := time.Duration(p.o.cfg.DownAfter * times)
	beat := p.beats()
	now, woken := p.o.ran.now(), time.Duration(p.waking.Load())
	return now-time.Duration(p.lastHeard.Load()) >= down*max(beat, time.Duration(p.peerPace.Load())) || woken != 0 && now-woken >= down*beat
}

// beats is how often both ends send on a link that is in use. Guarded by p.mu.
func (p *peerLink) beats() time.Duration { return max(p.o.cfg.Heartbeat, p.peerHB) }

// stopwatch counts the time in which this node ran. A process that is stopped for a while, or gets no processor, finds what others have sent meanwhile
// unread: it must not take them for dead, cut them off and greet all of them anew, which would be the more work the less it gets done. One goroutine
// advances it.
type stopwatch struct {
	ns   atomic.Int64
	last time.Time // when it was advanced
}

// now is never 0.
func (s *stopwatch) now() time.Duration { return time.Duration(s.ns.Load()) + 1 }

// advance is called each period; what comes much later counts as two.
func (s *stopwatch) advance(now time.Time, period time.Duration) {
	if !s.last.IsZero() {
		s.ns.Add(int64(min(now.Sub(s.last), 2*period)))
	}
	s.last = now
}
