package overlay

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"sync/atomic"
	"testing"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
)

// A slow consumer loses messages, and it is counted; the node goes on.
func TestSlowTopicConsumerLosesCountedMessages(t *testing.T) {
	a, b := pair(t, onTCP)
	block := make(chan struct{})
	var got atomic.Int64
	tb, err := b.Join("room", func(NodeID, []byte) { <-block; got.Add(1) })
	if err != nil {
		t.Fatal(err)
	}
	ta, err := a.Join("room", nil)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a sees b in the topic", func() bool { return slices.Contains(ta.Peers(), b.id) })
	const n = 4 * topicBuffer
	for i := range uint32(n) {
		if err := ta.Publish(binary.BigEndian.AppendUint32(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "losses are counted", func() bool {
		s := b.Stats()
		return s.GossipUndeliverable+s.GossipThrottled+a.Stats().GossipOutDropped > 0
	})
	if q := len(b.frames); q != 0 {
		t.Errorf("%d frames out of nowhere", q)
	}
	if !a.Send(b.id, []byte("frames go their own way")) {
		t.Error("frame not taken")
	}
	b.waitFrame()
	close(block)
	if err := tb.Leave(); err != nil {
		t.Error(err)
	}
	if g := got.Load(); g == 0 || g >= n {
		t.Errorf("%d of %d were delivered", g, n)
	}
}

// A member that sends more than it may is not listened to.
func TestLongMessagesAreRejected(t *testing.T) {
	a := newNode(t, 1, members(1, 3))
	heard := make(chan []byte, 10)
	ta, err := a.Join("room", func(_ NodeID, m []byte) { heard <- m })
	if err != nil {
		t.Fatal(err)
	}
	h := bareHost(t, 3)
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	if err := h.Connect(ctx, infoOf(a)); err != nil {
		t.Fatal(err)
	}
	psCtx, psCancel := context.WithCancel(ctx)
	defer psCancel()
	ps, err := pubsub.NewGossipSub(psCtx, h, pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign), pubsub.WithNoAuthor(), pubsub.WithMessageIdFn(messageID))
	if err != nil {
		t.Fatal(err)
	}
	topic, err := ps.Join(ta.name)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the member sees the topic", func() bool { return len(topic.ListPeers()) == 1 })
	if err := topic.Publish(ctx, bytes.Repeat([]byte{1}, MaxMessage+1)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the rejection is counted", func() bool { return a.Stats().GossipRejected > 0 })
	if len(heard) > 0 {
		t.Error("a message over the limit was delivered")
	}
}

func TestTopicNamesAreKeyedByTheNetwork(t *testing.T) {
	var names []string
	for n := range byte(2) {
		o, err := New(Config{Key: testKey(1), Network: [32]byte{n}, Listen: []string{}})
		if err != nil {
			t.Fatal(err)
		}
		topic, err := o.Join("#lobby", nil)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, topic.name)
		if err := o.Close(); err != nil {
			t.Error(err)
		}
		if _, err := o.Join("#other", nil); err == nil {
			t.Error("a closed overlay joined a topic")
		}
	}
	if names[0] == names[1] || len(names[0]) != 22 {
		t.Errorf("topic names %q", names)
	}
}
