package search

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"time"

	"warren/perms"
	"warren/rooms"
)

// Topics is the multicast that carries questions.
type Topics interface {
	// Subscribe calls f with what other nodes publish on the topic; from passed it on, and need not be its author. It may block for a
	// moment; stop returns when f is called no more.
	Subscribe(topic string, f func(from rooms.NodeID, data []byte)) (stop func(), err error)
	// Publish sends to all subscribers; the publisher need not be one. It owns data. Nil says nothing about delivery.
	Publish(topic string, data []byte) error
}

// Sender carries answers from node to node. The channel says truly who sent them.
type Sender interface {
	// Send sends to one node; it does not block and may lose. It owns data.
	Send(to rooms.NodeID, data []byte)
	// Receive calls f with what others sent; f does not block.
	Receive(f func(from rooms.NodeID, data []byte)) (stop func())
}

// Config is what a service needs. All but the times and Logger are required.
type Config struct {
	Self      rooms.NodeID
	Sign      func(digest []byte) []byte // Ed25519 signature by the node's key: topics do not tell who asks
	Topics    Topics
	Sender    Sender
	Directory func(func(*rooms.Directory)) // calls with the directory under a read lock
	Now       func() int64                 // ms since the Unix epoch
	Logger    *slog.Logger                 // nil: silent

	Quiet  time.Duration // a search ends when no answer came for so long; 0: 700 ms
	Total  time.Duration // and at the latest after this; 0: 2 s
	Linger time.Duration // how long a tag topic that nothing here needs any more is kept; 0: 1 min
}

// Topic names.
const (
	topicPrefix = "tag/"
	topicCount  = 256 // one byte of the hash: gossip copes with a thousand topics of a node, and rooms need some too
)

// TopicOf returns the tag topic of a folded tag: "tag/00" to "tag/ff".
func TopicOf(tag string) string { return topicName(shardOf(tag)) }

func shardOf(tag string) byte { return sha256.Sum256([]byte(tag))[0] }

func topicName(shard byte) string { return fmt.Sprintf("%s%02x", topicPrefix, shard) }

// Limits of what others can make this node do, and of what it asks of them.
const (
	maxQuestion = 4 << 10  // bytes of a question: 1 KiB of expression, a name, a nick, a signature
	maxAnswer   = 64 << 10 // bytes of an answer
	maxHits     = 64       // things in one answer
	maxFound    = 128      // things that one search returns
	maxGathered = 1024     // things that a search under way keeps before it ranks and cuts
	maxPending  = 64       // searches under way at this node
	maxWaiting  = 256      // questions that wait to be looked at
	maxPerRoom  = 512      // things of one room that one question makes this node look at: no room hides the others
	maxChecked  = 8192     // of all rooms
	maxSeen     = 4096     // questions remembered, to answer each once
	questionAge = 5 * time.Minute
	politeNodes = 64 // networks of up to so many nodes also say that they found nothing

	askerRate, askerBurst = 20, 40   // questions per second of one asking node
	hopRate, hopBurst     = 200, 400 // per neighbour who passes them on: bounds signature checks (66 µs each)
	ownRate, ownBurst     = 10, 30   // searches per second of this node's people, below what others accept
)

// Hit is one thing found.
type Hit struct {
	RoomID  rooms.RoomID
	Room    string // with '#'
	ID      string // of the object; empty: the room itself
	Kind    string // document, exit, room
	Name    string
	Owner   string // an account, or nick~node for a guest; for rooms the maker
	Tags    []string
	Target  string // an exit's room, without '#'
	Changed int64  // ms
}

// asker is on whose behalf something is looked for.
type asker struct {
	account string // believed
	nick    string
	node    rooms.NodeID
	groups  perms.Groups
}
