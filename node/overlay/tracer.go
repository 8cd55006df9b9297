package overlay

import (
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// dropTracer counts what gossipsub loses without saying so. It is called from pubsub's goroutines.
type dropTracer struct{ s *stats }

func (t dropTracer) RejectMessage(_ *pubsub.Message, reason string) {
	switch reason {
	case pubsub.RejectValidationQueueFull, pubsub.RejectValidationThrottled:
		t.s.gossipThrottled.Add(1)
	default:
		t.s.gossipRejected.Add(1)
	}
}

func (t dropTracer) DropRPC(*pubsub.RPC, peer.ID)           { t.s.gossipOutDropped.Add(1) }
func (t dropTracer) UndeliverableMessage(*pubsub.Message)   { t.s.gossipUndeliverable.Add(1) }
func (dropTracer) OnNewOutboundStream(peer.ID, protocol.ID) {}
func (dropTracer) OnClosedOutboundStream(peer.ID)           {}
func (dropTracer) Join(string)                              {}
func (dropTracer) Leave(string)                             {}
func (dropTracer) Graft(peer.ID, string)                    {}
func (dropTracer) Prune(peer.ID, string)                    {}
func (dropTracer) ValidateMessage(*pubsub.Message)          {}
func (dropTracer) DeliverMessage(*pubsub.Message)           {}
func (dropTracer) DuplicateMessage(*pubsub.Message)         {}
func (dropTracer) ThrottlePeer(peer.ID)                     {}
func (dropTracer) RecvRPC(*pubsub.RPC)                      {}
func (dropTracer) SendRPC(*pubsub.RPC, peer.ID)             {}
