package overlay

import "sync/atomic"

// stats counts what was dropped or refused.
type stats struct {
	sentFrames, receivedFrames      atomic.Uint64
	sentBytes, receivedBytes        atomic.Uint64
	ownFrames, ownBytes             atomic.Uint64
	introductions                   atomic.Uint64
	dials, lookups                  atomic.Uint64
	droppedFull, droppedDown        atomic.Uint64
	refusedStreams, badFrames       atomic.Uint64
	gossipRejected, gossipThrottled atomic.Uint64
	gossipUndeliverable             atomic.Uint64
	gossipOutDropped                atomic.Uint64
	admissionRefused                atomic.Uint64
}

// Stats is a copy of the overlay's counters since its start.
type Stats struct {
	SentFrames, ReceivedFrames uint64 // the consumer's frames
	SentBytes, ReceivedBytes   uint64 // of these, with their headers, before encryption
	OwnFrames, OwnBytes        uint64 // sent by the overlay itself: greetings, heartbeats, addresses of nodes
	Introductions              uint64 // of these, with addresses of nodes
	Dials, Lookups             uint64 // connections tried, and questions to the DHT for addresses
	DroppedFull                uint64 // Send: the peer's queue was full
	DroppedDown                uint64 // Send: unknown or unreachable peer, or its link broke with frames waiting
	RefusedStreams             uint64 // streams of peers that are not admitted
	BadFrames                  uint64 // frame streams reset because of what they carried
	GossipRejected             uint64 // topic messages too long or from strangers
	GossipThrottled            uint64 // topic messages lost because the validation queue was full
	GossipUndeliverable        uint64 // topic messages lost because the consumer was slow
	GossipOutDropped           uint64 // topic messages not sent because a peer was slow
	AdmissionRefused           uint64 // admission requests over the rate or size limit
	Strangers                  int    // connections of peers that are not admitted, now
}

// Stats returns the counters.
func (o *Overlay) Stats() Stats {
	s := &o.stats
	return Stats{
		SentFrames:          s.sentFrames.Load(),
		ReceivedFrames:      s.receivedFrames.Load(),
		SentBytes:           s.sentBytes.Load(),
		ReceivedBytes:       s.receivedBytes.Load(),
		OwnFrames:           s.ownFrames.Load(),
		OwnBytes:            s.ownBytes.Load(),
		Introductions:       s.introductions.Load(),
		Dials:               s.dials.Load(),
		Lookups:             s.lookups.Load(),
		DroppedFull:         s.droppedFull.Load(),
		DroppedDown:         s.droppedDown.Load(),
		RefusedStreams:      s.refusedStreams.Load(),
		BadFrames:           s.badFrames.Load(),
		GossipRejected:      s.gossipRejected.Load(),
		GossipThrottled:     s.gossipThrottled.Load(),
		GossipUndeliverable: s.gossipUndeliverable.Load(),
		GossipOutDropped:    s.gossipOutDropped.Load(),
		AdmissionRefused:    s.admissionRefused.Load(),
		Strangers:           o.strangers.count(),
	}
}
