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

// pacing is what both ends of a link have agreed on. All times are ns since o.started.
type pacing struct {
	paces    atomic.Bool  // the peer understands paces
	used     atomic.Int64 // when a frame of the consumers' last went either way
	promised atomic.Int64 // ns: something is sent within so long after the last
	peerPace atomic.Int64 // ns: the peer has promised the same
	waking   atomic.Int64 // when the first frame was sent since the peer was last known to keep the fast pace; 0: none
}

// wrote notes that frames of the consumers' were sent.
func (p *peerLink) wrote(now time.Duration) {
	p.used.Store(int64(now))
	p.promised.Store(int64(p.o.cfg.Heartbeat))
	p.waking.CompareAndSwap(0, int64(now))
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
func (p *peerLink) overdue(now time.Time, times int) bool {
	down := time.Duration(p.o.cfg.DownAfter * times)
	beat := max(p.o.cfg.Heartbeat, p.peerHB)
	woken := time.Duration(p.waking.Load())
	return p.silence(now) >= down*max(beat, time.Duration(p.peerPace.Load())) || woken != 0 && now.Sub(p.o.started)-woken >= down*beat
}
