package overlay

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
)

// newPubSub makes gossipsub: unsigned (envelopes carry our own signatures), ids over all bytes (anything
// less lets a peer suppress messages), long queues with counted drops.
func (o *Overlay) newPubSub() (*pubsub.PubSub, error) {
	ps, err := pubsub.NewGossipSub(o.ctx, o.gated,
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(messageID),
		pubsub.WithFloodPublish(true),
		pubsub.WithPeerOutboundQueueSize(topicBuffer),
		pubsub.WithValidateQueueSize(topicBuffer),
		pubsub.WithPeerFilter(func(p peer.ID, _ string) bool { return o.admitted(p) }),
		pubsub.WithDefaultValidator(o.checkMessage, pubsub.WithValidatorInline(true)),
		pubsub.WithRawTracer(dropTracer{&o.stats}),
	)
	if err != nil {
		return nil, fmt.Errorf("make pubsub: %w", err)
	}
	return ps, nil
}

func messageID(m *pb.Message) string {
	h := sha256.New()
	h.Write([]byte(m.GetTopic()))
	h.Write([]byte{0})
	h.Write(m.GetData())
	return string(h.Sum(nil)[:20])
}

func (o *Overlay) checkMessage(_ context.Context, from peer.ID, m *pubsub.Message) pubsub.ValidationResult {
	switch {
	case len(m.GetData()) > MaxMessage:
		return pubsub.ValidationReject
	case from != o.h.ID() && !o.admitted(from):
		return pubsub.ValidationIgnore
	}
	return pubsub.ValidationAccept
}

// Topic is a multicast group that this node has joined. Delivery is at most once, in no order, and silent
// about losses.
type Topic struct {
	o    *Overlay
	name string
	t    *pubsub.Topic
	sub  *pubsub.Subscription // nil: publish only

	leave sync.Once
	done  chan struct{} // closed when onMsg is called no more
	err   error         // of Leave
}

// Join enters the topic of that name (any bytes; peers see only a keyed hash of it). onMsg gets what other
// nodes published, from one goroutine per topic; from is the node that passed it on, not its author. It owns
// data and must not block for long: 1024 messages wait, more are dropped and counted. With a nil onMsg the
// topic is only published to, and this node's peers do not see it as a subscriber.
func (o *Overlay) Join(name string, onMsg func(from NodeID, data []byte)) (*Topic, error) {
	mac := hmac.New(sha256.New, o.cfg.Network[:])
	mac.Write([]byte(name))
	hashed := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil, fmt.Errorf("join topic: %w", ErrClosed)
	}
	if o.topics[hashed] != nil {
		return nil, fmt.Errorf("join topic %q: already joined", name)
	}
	var opts []pubsub.TopicOpt
	if onMsg == nil {
		opts = append(opts, pubsub.FanoutOnly())
	}
	t, err := o.ps.Join(hashed, opts...)
	if err != nil {
		return nil, fmt.Errorf("join topic %q: %w", name, err)
	}
	topic := &Topic{o: o, name: hashed, t: t, done: make(chan struct{})}
	if onMsg == nil {
		close(topic.done)
	} else {
		if topic.sub, err = t.Subscribe(pubsub.WithBufferSize(topicBuffer)); err != nil {
			return nil, fmt.Errorf("join topic %q: %w", name, errors.Join(err, t.Close()))
		}
		o.wg.Add(1)
		go func() {
			defer o.wg.Done()
			defer close(topic.done)
			topic.deliver(onMsg)
		}()
	}
	o.topics[hashed] = topic
	return topic, nil
}

func (t *Topic) deliver(onMsg func(NodeID, []byte)) {
	for {
		m, err := t.sub.Next(t.o.ctx)
		if err != nil {
			return
		}
		if id, ok := nodeID(m.ReceivedFrom); ok && id != t.o.id {
			onMsg(id, m.GetData())
		}
	}
}

// Publish hands data to the peers in the topic; at most MaxMessage bytes. Nil says nothing about delivery:
// there may be no peer. It owns data from then on.
func (t *Topic) Publish(data []byte) error {
	if len(data) > MaxMessage {
		return fmt.Errorf("publish: %d bytes, limit %d: %w", len(data), MaxMessage, errTooLong)
	}
	if err := t.t.Publish(t.o.ctx, data); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// Peers returns the connected members known to be in the topic.
func (t *Topic) Peers() []NodeID {
	var out []NodeID
	for _, p := range t.t.ListPeers() {
		if id, ok := nodeID(p); ok {
			out = append(out, id)
		}
	}
	return out
}

// Leave leaves the topic and returns when onMsg is called no more; so do not call it from there.
func (t *Topic) Leave() error {
	t.leave.Do(func() {
		if t.sub != nil {
			t.sub.Cancel()
		}
		<-t.done
		t.err = t.t.Close()
		t.o.mu.Lock()
		delete(t.o.topics, t.name)
		t.o.mu.Unlock()
	})
	return t.err
}
