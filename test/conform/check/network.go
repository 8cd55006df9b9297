package check

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"warren/node/store"
)

// Message is one message of a room, in the room's order.
type Message struct {
	ID      string // msgid
	Account string
	Nick    string
	Text    string
}

// Room is what the nodes say about one room, together.
type Room struct {
	Name     string // without '#'; "" for the directory
	ID       string
	Height   uint64            // highest of all nodes in the newest epoch
	Epoch    uint64            // the newest that anything was decided in
	CutOff   int               // decisions on the disks of nodes that have not heard yet that people had the room go on from below them
	Heights  map[string]uint64 // by data directory
	Messages []Message
}

// Network is the result of a check.
type Network struct {
	Problems []string // what does not fit, in words; nil: everything fits
	Rooms    []*Room  // the directory first, then by name
}

// Room returns the room of that name, nil when there is none.
func (n *Network) Room(name string) *Room {
	for _, r := range n.Rooms {
		if r.Name == name && name != "" {
			return r
		}
	}
	return nil
}

// Summary is one line.
func (n *Network) Summary() string {
	headers, messages := uint64(0), 0
	for _, r := range n.Rooms {
		headers, messages = headers+r.Height, messages+len(r.Messages)
	}
	return fmt.Sprintf("%d rooms, %d headers, %d messages, %d problems", len(n.Rooms), headers, messages, len(n.Problems))
}

// decisionsAtOnce bounds what is read at a time.
const decisionsAtOnce = 1000

// log is one node's log of one room: encoded decisions by height.
type log map[uint64][]byte

// disk is what one data directory holds.
type disk struct {
	dir     string
	genesis []byte
	rooms   map[string]log // by raw room id
}

// read opens a data directory, whose node must have ended.
func read(dir string) (d *disk, err error) {
	s, err := store.Open(dir, store.Options{})
	if err != nil {
		return nil, fmt.Errorf("check %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	d = &disk{dir: dir, rooms: map[string]log{}}
	if d.genesis, err = s.Get(store.Meta, []byte("genesis")); err != nil {
		return nil, fmt.Errorf("check %s: genesis: %w", dir, err)
	}
	if d.genesis == nil {
		return nil, fmt.Errorf("check %s: no node ever kept its data there", dir)
	}
	var from []byte
	for {
		part, err := s.Range(store.Decisions, from, nil, decisionsAtOnce)
		if err != nil {
			return nil, fmt.Errorf("check %s: %w", dir, err)
		}
		for _, kv := range part {
			height, ok := store.KeyNumber(kv.Key)
			if !ok || len(kv.Key) != 40 {
				return nil, fmt.Errorf("check %s: a decision has a key of %d bytes", dir, len(kv.Key))
			}
			room := string(kv.Key[:32])
			if d.rooms[room] == nil {
				d.rooms[room] = log{}
			}
			d.rooms[room][height] = kv.Value
			from = append(slices.Clone(kv.Key), 0)
		}
		if len(part) < decisionsAtOnce {
			return d, nil
		}
	}
}

// Nodes reads the data directories of stopped nodes and checks them against each other. An error says that one cannot be read at all.
func Nodes(dirs ...string) (*Network, error) {
	var disks []*disk
	for _, dir := range dirs {
		d, err := read(dir)
		if err != nil {
			return nil, err
		}
		disks = append(disks, d)
	}
	return examine(disks), nil
}

// founding is how a room begins.
type founding struct {
	name        string
	controllers [][]byte
	rec         *record // as the directory has it at its end; nil for the directory itself
}

func examine(disks []*disk) *Network {
	n := &Network{}
	var g genesis
	if err := cbor.Unmarshal(disks[0].genesis, &g); err != nil {
		n.problem("%s: genesis: %v", disks[0].dir, err)
		return n
	}
	for _, d := range disks[1:] {
		if string(d.genesis) != string(disks[0].genesis) {
			n.problem("%s and %s are of different networks", disks[0].dir, d.dir)
		}
	}
	directory := digest("warren/directory/1", encode(digest("warren/network/1", disks[0].genesis)))
	founded := n.room(disks, directory, founding{controllers: [][]byte{g.Founder}}, g.Recovery)
	ids := map[string]bool{}
	for _, d := range disks {
		for id := range d.rooms {
			ids[id] = true
		}
	}
	delete(ids, string(directory))
	for _, id := range slices.SortedFunc(maps.Keys(ids), func(a, b string) int { return cmpNames(founded, a, b) }) {
		f, ok := founded[id]
		if !ok {
			n.problem("room %s has a log, but no applied request in the directory founded it", short([]byte(id)))
			continue
		}
		n.room(disks, []byte(id), f, nil)
	}
	return n
}

func cmpNames(founded map[string]founding, a, b string) int {
	switch x, y := founded[a].name, founded[b].name; {
	case x < y || x == y && a < b:
		return -1
	default:
		return 1
	}
}

func (n *Network) problem(format string, args ...any) {
	n.Problems = append(n.Problems, fmt.Sprintf(format, args...))
}
