package check

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"warren/node/store"
)

// actor is a node with a key of its own.
type actor struct {
	key     ed25519.PrivateKey
	counter map[string]uint64
}

func newActor(name string) *actor {
	seed := sha256.Sum256([]byte(name))
	return &actor{key: ed25519.NewKeyFromSeed(seed[:]), counter: map[string]uint64{}}
}

func (a *actor) id() []byte              { return a.key.Public().(ed25519.PublicKey) }
func (a *actor) sign(what []byte) []byte { return ed25519.Sign(a.key, what) }

// wish returns a signed request and its id.
func (a *actor) wish(w *writer, op uint16, body any) (raw, id []byte) {
	a.counter[string(w.room)]++
	r := request{Room: w.room, Nick: "guest", Device: a.id(), Counter: a.counter[string(w.room)], Op: op, Body: encode(body), Epoch: w.epoch}
	id = r.id()
	r.Sig = a.sign(r.signed(id))
	return encode(r), id
}

// writer makes the log of one room, as honest nodes do.
type writer struct {
	room, head []byte
	epoch      uint64
	seq        uint64
	log        log
}

func newWriter(room []byte) *writer { return &writer{room: room, head: room, epoch: 1, log: log{}} }

// decide appends a decision with applied requests, led by the first signer; change may spoil the header before it is signed.
func (w *writer) decide(signers []*actor, change func(*header), requests ...[]byte) {
	b := batch{Epoch: w.epoch, Leader: signers[0].id()}
	for _, r := range requests {
		b.Requests = append(b.Requests, r)
	}
	b.Sig = signers[0].sign(b.signHash(w.room))
	verdicts := make([]byte, len(requests))
	raw := encode(b)
	h := header{
		Room: w.room, Epoch: w.epoch, Height: uint64(len(w.log)) + 1, Prev: w.head, Seq: w.seq, Payload: digest("warren/payload/1", raw),
		Verdicts: digest("warren/verdicts/1", encode(verdicts)), State: make([]byte, 32),
	}
	if change != nil {
		change(&h)
	}
	w.head = digest("warren/header/1", encode(h))
	d := decision{Header: encode(h), Batch: raw, Verdicts: verdicts}
	for _, s := range signers {
		d.Cert = append(d.Cert, signature{Node: s.id(), Sig: s.sign(w.head)})
	}
	w.log[h.Height] = encode(d)
	w.seq += uint64(len(requests))
}

// story is a network in which n1 founds a room of four controllers, and somebody says something.
type story struct {
	nodes     []*actor
	genesis   []byte
	directory *writer
	room      *writer
	hello     []byte // the request of the room's only message
}

func newStory() *story {
	s := &story{}
	for i := range 4 {
		s.nodes = append(s.nodes, newActor(fmt.Sprint("n", i+1)))
	}
	s.genesis = encode(genesis{Name: "town", Domain: "localhost", Founder: s.nodes[0].id(), Recovery: make([]byte, 32)})
	s.directory = newWriter(digest("warren/directory/1", encode(digest("warren/network/1", s.genesis))))
	var all [][]byte
	for _, n := range s.nodes {
		all = append(all, n.id())
	}
	prev := s.directory.head
	found, id := s.nodes[0].wish(s.directory, opCreateRoom, createRoom{Name: "lobby", Controllers: all})
	s.directory.decide(s.nodes[:1], nil, found)
	s.room = newWriter(digest("warren/room/1", list(prev, id)))
	s.hello, _ = s.nodes[1].wish(s.room, opSay, say{Text: "hello"})
	s.room.decide(s.nodes[:3], nil, s.hello)
	return s
}

// disk returns what an honest node keeps.
func (s *story) disk(dir string) *disk {
	return &disk{dir: dir, genesis: s.genesis, rooms: map[string]log{
		string(s.directory.room): maps.Clone(s.directory.log), string(s.room.room): maps.Clone(s.room.log),
	}}
}

func (s *story) says(n int, text string) []byte {
	raw, _ := s.nodes[n].wish(s.room, opSay, say{Text: text})
	return raw
}

func TestAnHonestNetworkHasNoProblems(t *testing.T) {
	s := newStory()
	s.room.decide(s.nodes[1:], nil, s.says(1, "again"), s.says(2, "me too"))
	behind := s.disk("n2")
	delete(behind.rooms[string(s.room.room)], 2)
	n := examine([]*disk{s.disk("n1"), behind})
	if len(n.Problems) > 0 {
		t.Fatalf("problems: %q", n.Problems)
	}
	r := n.Room("lobby")
	if r == nil || r.Height != 2 || len(r.Messages) != 3 || r.Messages[1].Text != "again" || r.Heights["n2"] != 1 {
		t.Errorf("got %+v", r)
	}
}

// TestLiesAreFound spoils one thing of an honest network at a time.
func TestLiesAreFound(t *testing.T) {
	change := func(d *disk, room []byte, height uint64, f func(*decision)) {
		var x decision
		if err := cbor.Unmarshal(d.rooms[string(room)][height], &x); err != nil {
			t.Fatal(err)
		}
		f(&x)
		d.rooms[string(room)][height] = encode(x)
	}
	tests := []struct {
		name, want string
		spoil      func(s *story, d *disk)
	}{
		{"a signature too few", "2 signatures, 3 of 4", func(s *story, d *disk) {
			change(d, s.room.room, 1, func(x *decision) { x.Cert = x.Cert[:2] })
		}},
		{"the same signature twice", "signed twice", func(s *story, d *disk) {
			change(d, s.room.room, 1, func(x *decision) { x.Cert[2] = x.Cert[1] })
		}},
		{"a signature over something else", "does not verify", func(s *story, d *disk) {
			change(d, s.room.room, 1, func(x *decision) { x.Cert[0].Sig = s.nodes[0].sign([]byte("x")) })
		}},
		{"a stranger signs", "does not control", func(s *story, d *disk) {
			e := newActor("eve")
			change(d, s.room.room, 1, func(x *decision) { x.Cert[0] = signature{Node: e.id(), Sig: e.sign(s.room.head)} })
		}},
		{"other verdicts", "verdicts are not those", func(s *story, d *disk) {
			change(d, s.room.room, 1, func(x *decision) { x.Verdicts = []byte{3} })
		}},
		{"another batch", "batch is not the one", func(s *story, d *disk) {
			change(d, s.room.room, 1, func(x *decision) {
				x.Batch = encode(batch{Epoch: 1, Leader: s.nodes[0].id(), Requests: []cbor.RawMessage{s.says(3, "forged")}})
			})
		}},
		{"a decision is missing", "height 1 is missing", func(s *story, d *disk) {
			s.room.decide(s.nodes, nil, s.says(1, "b"))
			d.rooms[string(s.room.room)] = log{2: s.room.log[2]}
		}},
		{"another header at the same height", "FORK", func(s *story, d *disk) {
			w := newWriter(s.room.room)
			w.decide(s.nodes, func(h *header) { h.Time = 7 }, s.hello)
			d.rooms[string(s.room.room)] = w.log
		}},
		{"a message is ordered twice", "counter 1", func(s *story, d *disk) {
			s.room.decide(s.nodes, nil, s.hello)
			d.rooms[string(s.room.room)] = s.room.log
		}},
		{"a header that does not follow", "follows", func(s *story, d *disk) {
			s.room.decide(s.nodes, func(h *header) { h.Prev = make([]byte, 32) }, s.says(1, "b"))
			d.rooms[string(s.room.room)] = s.room.log
		}},
		{"time goes back", "goes back", func(s *story, d *disk) {
			s.room.decide(s.nodes, func(h *header) { h.Time = -1 }, s.says(1, "b"))
			d.rooms[string(s.room.room)] = s.room.log
		}},
		{"a forged author", "author's signature", func(s *story, d *disk) {
			r := request{Room: s.room.room, Device: s.nodes[2].id(), Counter: 1, Op: opSay, Body: encode(say{Text: "not mine"}), Epoch: 1, Sig: make([]byte, 64)}
			s.room.decide(s.nodes, nil, encode(r))
			d.rooms[string(s.room.room)] = s.room.log
		}},
		{"a message signed for another epoch", "for epoch 2", func(s *story, d *disk) {
			w := *s.room
			w.epoch = 2
			raw, _ := s.nodes[1].wish(&w, opSay, say{Text: "later"})
			s.room.decide(s.nodes, nil, raw)
			d.rooms[string(s.room.room)] = s.room.log
		}},
		{"an old set of controllers signs on", "who does not control the room", func(s *story, d *disk) {
			raw, _ := s.nodes[0].wish(s.room, opReconfigure, reconfigure{
				Controllers: [][]byte{s.nodes[0].id()}, Consents: encode([]int{}), Endorsed: encode([]int{}),
			})
			s.room.decide(s.nodes, nil, raw)
			s.room.decide(s.nodes, nil, s.says(1, "b"))
			d.rooms[string(s.room.room)] = s.room.log
		}},
		{"a room that nobody founded", "no applied request", func(s *story, d *disk) {
			w := newWriter(digest("x", nil))
			w.decide(s.nodes, nil)
			d.rooms[string(w.room)] = w.log
		}},
		{"another network", "different networks", func(_ *story, d *disk) { d.genesis = encode(genesis{Name: "city"}) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStory()
			honest, liar := s.disk("n1"), s.disk("n2")
			tt.spoil(s, liar)
			got := strings.Join(examine([]*disk{honest, liar}).Problems, "\n")
			if !strings.Contains(got, tt.want) {
				t.Errorf("problems %q, want one with %q", got, tt.want)
			}
		})
	}
}

func TestNodesReadsDataDirectories(t *testing.T) {
	s := newStory()
	dir := t.TempDir()
	st, err := store.Open(dir, store.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	b := &store.Batch{}
	b.Put(store.Meta, []byte("genesis"), s.genesis)
	for room, l := range s.disk("").rooms {
		for height, raw := range l {
			b.Put(store.Decisions, store.HeightKey([32]byte([]byte(room)), height), raw)
		}
	}
	if err := st.Commit(b); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	n, err := Nodes(dir)
	if err != nil || len(n.Problems) > 0 || len(n.Rooms) != 2 || len(n.Room("lobby").Messages) != 1 {
		t.Errorf("got %+v, %v", n, err)
	}
	if _, err := Nodes(t.TempDir()); err == nil {
		t.Error("an empty directory is read as a node's")
	}
}

// pack puts the ticks of the log up to a height into the decision there.
func (w *writer) pack(from, to uint64) {
	var d decision
	t := &ticks{}
	for height := from; height <= to; height++ {
		d = decision{}
		if err := cbor.Unmarshal(w.log[height], &d); err != nil {
			panic(err) // this file wrote it
		}
		var h header
		if err := cbor.Unmarshal(d.Header, &h); err != nil {
			panic(err)
		}
		if height == from {
			t.Prev = h.Prev
		}
		if height < to {
			t.List = append(t.List, tick{Time: h.Time, Dir: h.Dir, Payload: h.Payload})
			delete(w.log, height)
		}
	}
	d.Ticks = t
	w.log[to] = encode(d)
}

// TestTicks: those that lie in the decision above them are certified by it; nothing else passes for some.
func TestTicks(t *testing.T) {
	for name, tt := range map[string]struct {
		want  string // the problem that is found; empty: none
		spoil func(*ticks)
	}{
		"honest":            {"", func(*ticks) {}},
		"another payload":   {"follows", func(t *ticks) { t.List[1].Payload[0]++ }},
		"one less":          {"do not follow", func(t *ticks) { t.List = t.List[1:] }},
		"after another one": {"do not follow", func(t *ticks) { t.Prev = make([]byte, 32) }},
		"time goes back":    {"cannot be there", func(t *ticks) { t.List[1].Time = -1 }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory()
			for range 3 {
				s.room.decide(s.nodes[1:], nil)
			}
			s.room.decide(s.nodes[1:], nil, s.says(1, "five"))
			whole := s.disk("n2")
			whole.rooms[string(s.room.room)] = maps.Clone(s.room.log)
			s.room.pack(2, 5)
			var d decision
			if err := cbor.Unmarshal(s.room.log[5], &d); err != nil {
				t.Fatal(err)
			}
			tt.spoil(d.Ticks)
			s.room.log[5] = encode(d)
			n := examine([]*disk{s.disk("n1"), whole})
			got := strings.Join(n.Problems, "\n")
			if tt.want == "" && (got != "" || n.Room("lobby").Height != 5) || !strings.Contains(got, tt.want) {
				t.Errorf("problems %q, want one with %q", got, tt.want)
			}
		})
	}
}
