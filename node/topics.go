package node

import (
	"fmt"
	"sync"

	"warren/node/overlay"
	"warren/rooms"
)

// topics gives search the overlay's topics: the same one can be listened to and published on, or only published on.
type topics struct {
	o *overlay.Overlay

	mu   sync.Mutex
	open map[string]*openTopic
}

type openTopic struct {
	t     *overlay.Topic
	heard bool // somebody here listens
}

func newTopics(o *overlay.Overlay) *topics { return &topics{o: o, open: map[string]*openTopic{}} }

// Subscribe implements search.Topics: f gets what others publish, until stop.
func (t *topics) Subscribe(name string, f func(from rooms.NodeID, data []byte)) (stop func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old := t.open[name]; old != nil {
		if old.heard {
			return nil, fmt.Errorf("subscribe to %s: subscribed already", name)
		}
		_ = old.t.Leave()
		delete(t.open, name)
	}
	tp, err := t.o.Join(name, f)
	if err != nil {
		return nil, err
	}
	mine := &openTopic{tp, true}
	t.open[name] = mine
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.open[name] == mine {
			delete(t.open, name)
			_ = tp.Leave()
		}
	}, nil
}

// Publish implements search.Topics: it sends to all who listen, without listening. A topic that was once published on stays open for that:
// there are a few hundred of them at most.
func (t *topics) Publish(name string, data []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	tp := t.open[name]
	if tp == nil {
		o, err := t.o.Join(name, nil)
		if err != nil {
			return err
		}
		tp = &openTopic{t: o}
		t.open[name] = tp
	}
	return tp.t.Publish(data)
}
