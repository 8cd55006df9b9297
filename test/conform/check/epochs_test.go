package check

import (
	"maps"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// part is one node's statement before it is signed.
type part struct {
	node     int
	account  string
	height   uint64    // certified; 0: nothing since the room was founded
	promises []promise // above
}

// states returns a signed statement at the end of the room's first epoch.
func (s *story) states(p part) statement {
	if p.promises == nil {
		p.promises = []promise{}
	}
	st := statement{Node: s.nodes[p.node].id(), Epoch: 1, For: p.account, Head: s.room.room, Header: encode(nil), Promises: encode(p.promises)}
	if p.height > 0 {
		var d decision
		if err := cbor.Unmarshal(s.room.log[p.height], &d); err != nil {
			panic(err) // this file wrote it
		}
		st.Height, st.Head, st.Header, st.Cert = p.height, digest("warren/header/1", d.Header), d.Header, d.Cert
	}
	st.Sig = s.nodes[p.node].sign(digest("warren/statement/1", list(s.room.room, st.Node, st.Epoch, st.For, st.Since, st.Height, st.Head, st.Promises)))
	return st
}

// header returns the room's header at a height.
func (s *story) header(height uint64) (raw cbor.RawMessage, p promise) {
	var d decision
	if err := cbor.Unmarshal(s.room.log[height], &d); err != nil {
		panic(err) // this file wrote it
	}
	return d.Header, promise{Height: height, Header: digest("warren/header/1", d.Header)}
}

// ends has the directory order the room's second epoch.
func (s *story) ends(account string, carried []cbor.RawMessage, parts ...part) {
	s.endsBelow(account, carried, nil, parts...)
}

func (s *story) endsBelow(account string, carried []cbor.RawMessage, low *below, parts ...part) {
	b := newEpoch{Room: s.room.room, Epoch: 2, Header: encode(nil), Carried: carried, Silent: encode(nil), Below: low}
	for _, p := range parts {
		p.account = account
		b.Statements = append(b.Statements, s.states(p))
	}
	s.tells(account, opNewEpoch, encode(b))
}

// tells has the first node order something in the directory.
func (s *story) tells(account string, op uint16, body []byte) {
	n := s.nodes[0]
	n.counter[string(s.directory.room)]++
	r := request{Room: s.directory.room, Account: account, Device: n.id(), Counter: n.counter[string(s.directory.room)], Op: op, Body: body, Epoch: 1}
	r.Sig = n.sign(r.signed(r.id()))
	s.directory.decide(s.nodes[:1], nil, encode(r))
}

// lost is a room whose second height, where its controllers change, the directory has witnessed and no disk holds any more. low shows what is left.
func lost() (s *story, low *below) {
	s = newStory()
	head, said := s.room.head, s.room.seq
	body := reconfigure{Controllers: [][]byte{s.nodes[0].id(), s.nodes[1].id(), s.nodes[2].id()}, Consents: encode(nil), Endorsed: encode(nil)}
	rc, _ := s.nodes[0].wish(s.room, opReconfigure, body)
	s.room.decide(s.nodes[1:], nil, rc)
	s.tells("", opWitness, encode(witness{Room: s.room.room, Decision: s.room.log[2]}))
	delete(s.room.log, 2)
	s.room.head, s.room.seq = head, said
	s.nodes[0].counter[string(s.room.room)]--
	var d decision
	if err := cbor.Unmarshal(s.room.log[1], &d); err != nil {
		panic(err) // this file wrote it
	}
	return s, &below{Header: d.Header, Above: encode(nil), Cert: d.Cert, Changes: encode(nil)}
}

// TestAnEpochBelowWhatIsWitnessed begins from what is left, if those who were in force there certified it.
func TestAnEpochBelowWhatIsWitnessed(t *testing.T) {
	for name, tt := range map[string]struct {
		want string // the problem that is found; empty: none
		tell func(s *story, low *below)
	}{
		"one is left, and is behind": {"", func(s *story, low *below) { s.endsBelow("alice", nil, low, part{node: 0}) }},
		"nothing is shown":           {"the room is in epoch 1 here", func(s *story, low *below) { s.ends("alice", nil, part{node: 0}) }},
		"too few certified it": {"signatures", func(s *story, low *below) {
			low.Cert = low.Cert[:1]
			s.endsBelow("alice", nil, low, part{node: 0})
		}},
		"without people": {"without need", func(s *story, low *below) { s.endsBelow("", nil, low) }},
	} {
		t.Run(name, func(t *testing.T) {
			s, low := lost()
			tt.tell(s, low)
			s.begins(s.nodes[:1], begin{Epoch: 2, By: "alice", Of: 3, Silent: 2})
			got := strings.Join(examine([]*disk{s.disk("n1")}).Problems, "\n")
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("problems %q, want one with %q", got, tt.want)
			}
		})
	}
}

// begins orders the first decision of the second epoch.
func (s *story) begins(signers []*actor, b begin) {
	s.room.epoch = 2
	r := request{Room: s.room.room, Device: signers[0].id(), Op: opBegin, Body: encode(b), Epoch: 2}
	r.Sig = signers[0].sign(r.signed(r.id()))
	s.room.decide(signers, nil, encode(r))
}

// uncertified takes the certificate off a height.
func (s *story) uncertified(height uint64) {
	var d decision
	if err := cbor.Unmarshal(s.room.log[height], &d); err != nil {
		panic(err) // this file wrote it
	}
	d.Cert = nil
	s.room.log[height] = encode(d)
}

// stuck is a room whose third height has no certificate: two controllers of four have signed it.
func stuck() (s *story, carried []cbor.RawMessage, p promise) {
	s = newStory()
	s.room.decide(s.nodes[1:], nil, s.says(1, "two"))
	s.room.decide(s.nodes[:2], nil, s.says(1, "three"))
	s.uncertified(3)
	raw, p := s.header(3)
	return s, []cbor.RawMessage{raw}, p
}

// TestEpochsOfAnHonestNetwork: an epoch without people carries over what may be certified; one by people leaves an end behind on a disk.
func TestEpochsOfAnHonestNetwork(t *testing.T) {
	s, carried, p := stuck()
	s.ends("", carried, part{node: 0, height: 2, promises: []promise{p}}, part{node: 1, height: 2, promises: []promise{p}}, part{node: 2, height: 1})
	s.begins(s.nodes, begin{Epoch: 2, Of: 4, Silent: 1})
	s.room.decide(s.nodes[:3], nil, s.says(1, "four"))
	n := examine([]*disk{s.disk("n1"), s.disk("n2")})
	if r := n.Room("lobby"); len(n.Problems) > 0 || r.Epoch != 2 || r.Height != 5 || len(r.Messages) != 4 || r.CutOff != 0 {
		t.Errorf("without people: %+v, %q", r, n.Problems)
	}

	s = newStory() // what only one controller claims is carried over too
	s.room.decide(s.nodes[1:], nil, s.says(1, "two"))
	two, _ := s.header(2)
	s.ends("", []cbor.RawMessage{two}, part{node: 0, height: 2}, part{node: 1, height: 1}, part{node: 2, height: 1})
	s.uncertified(2)
	s.begins(s.nodes, begin{Epoch: 2, Of: 4, Silent: 1})
	if n = examine([]*disk{s.disk("n1")}); len(n.Problems) > 0 || n.Room("lobby").Height != 3 {
		t.Errorf("carried over from below: %q", n.Problems)
	}

	s = newStory()
	s.room.decide(s.nodes[1:], nil, s.says(1, "two"))
	old := s.disk("n2")
	s.room.head, s.room.seq = nil, 1
	_, p = s.header(1)
	s.room.head = p.Header
	delete(s.room.log, 2)
	s.ends("alice", nil, part{node: 0, height: 1})
	s.begins(s.nodes[:1], begin{Epoch: 2, By: "alice", Of: 4, Silent: 3})
	said, _ := s.nodes[0].wish(s.room, opSay, say{Text: "on"})
	s.room.decide(s.nodes[:1], nil, said)
	n = examine([]*disk{old, s.disk("n1")})
	if r := n.Room("lobby"); len(n.Problems) > 0 || r.Epoch != 2 || r.Height != 3 || len(r.Messages) != 2 || r.CutOff != 1 {
		t.Errorf("by people: %+v, %q", r, n.Problems)
	}
}

// TestATickOfWhichTheHeaderIsLeft where people have an epoch begin amid ticks, and nowhere else.
func TestATickOfWhichTheHeaderIsLeft(t *testing.T) {
	for _, tt := range []struct {
		start uint64
		want  string
	}{{3, ""}, {2, "no epoch begins above it"}} {
		s := newStory()
		s.room.decide(s.nodes[1:], nil)
		s.room.decide(s.nodes[1:], nil)
		s.ends("alice", nil, part{node: 0, height: tt.start})
		s.begins(s.nodes[:1], begin{Epoch: 2, By: "alice", Of: 4, Silent: 3})
		s.room.pack(2, 3)
		var d decision
		if err := cbor.Unmarshal(s.room.log[3], &d); err != nil {
			t.Fatal(err)
		}
		d.Batch, d.Cert = encode(batch{Epoch: 1, Height: 3, Leader: make([]byte, 32)}), nil
		s.room.log[3] = encode(d)
		got := strings.Join(examine([]*disk{s.disk("n1")}).Problems, "\n")
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("an epoch from height %d: %q", tt.start, got)
		}
	}
}

// TestLiesAboutEpochsAreFound spoils one thing of an honest epoch at a time.
func TestLiesAboutEpochsAreFound(t *testing.T) {
	// Each tells the story from the stuck height on.
	tests := map[string]struct {
		want string
		tell func(s *story, carried []cbor.RawMessage, p promise)
	}{
		"too few state": {"too few", func(s *story, carried []cbor.RawMessage, p promise) {
			s.ends("", carried, part{node: 0, height: 2, promises: []promise{p}}, part{node: 1, height: 2, promises: []promise{p}})
		}},
		"one states twice": {"states twice", func(s *story, carried []cbor.RawMessage, p promise) {
			x := part{node: 0, height: 2, promises: []promise{p}}
			s.ends("", carried, x, x, part{node: 1, height: 2})
		}},
		"what may be certified is left out": {"left out", func(s *story, _ []cbor.RawMessage, p promise) {
			s.ends("", nil, part{node: 0, height: 2, promises: []promise{p}}, part{node: 1, height: 2, promises: []promise{p}}, part{node: 2, height: 2})
		}},
		"what cannot be certified is carried over": {"cannot be certified", func(s *story, carried []cbor.RawMessage, _ promise) {
			s.ends("", carried, part{node: 0, height: 2}, part{node: 1, height: 2}, part{node: 2, height: 2})
		}},
		"a statement for somebody else": {"cannot be certified", func(s *story, carried []cbor.RawMessage, _ promise) {
			s.ends("alice", carried, part{node: 0, height: 2}, part{node: 1, height: 2}, part{node: 2, height: 2})
		}},
		"what one alone holds": {"sure to hold 1 only", func(s *story, _ []cbor.RawMessage, _ promise) {
			s.ends("", nil, part{node: 0, height: 2}, part{node: 1, height: 1}, part{node: 2, height: 1})
		}},
		"a claim without a proof": {"signatures", func(s *story, _ []cbor.RawMessage, _ promise) {
			s.ends("", nil, part{node: 0, height: 3}, part{node: 1, height: 2}, part{node: 2, height: 2})
		}},
		"it does not say that it begins": {"does not say", func(s *story, carried []cbor.RawMessage, p promise) {
			s.ends("", carried, part{node: 0, height: 2, promises: []promise{p}}, part{node: 1, height: 2, promises: []promise{p}}, part{node: 2, height: 2})
			s.room.epoch = 2
			s.room.decide(s.nodes, nil, s.says(1, "four"))
		}},
		"it tells another story": {"the directory has it", func(s *story, carried []cbor.RawMessage, p promise) {
			s.ends("", carried, part{node: 0, height: 2, promises: []promise{p}}, part{node: 1, height: 2, promises: []promise{p}}, part{node: 2, height: 2})
			s.begins(s.nodes, begin{Epoch: 2, By: "alice", Of: 4, Silent: 1})
		}},
		"it goes on in the old epoch": {"is in epoch 2 here", func(s *story, carried []cbor.RawMessage, p promise) {
			s.ends("", carried, part{node: 0, height: 2, promises: []promise{p}}, part{node: 1, height: 2, promises: []promise{p}}, part{node: 2, height: 2})
			s.room.decide(s.nodes, nil, s.says(1, "four"))
		}},
		"it goes on in an epoch that nobody made": {"epoch 2 (batch 2), but the room is in epoch 1", func(s *story, _ []cbor.RawMessage, _ promise) {
			var d decision
			if err := cbor.Unmarshal(s.room.log[2], &d); err != nil {
				t.Fatal(err)
			}
			delete(s.room.log, 3)
			s.room.head, s.room.seq = digest("warren/header/1", d.Header), 2
			s.begins(s.nodes, begin{Epoch: 2, Of: 4})
		}},
		"a header without a certificate that nobody carried over": {"0 signatures", func(*story, []cbor.RawMessage, promise) {}},
		"the new epoch is signed by too few": {"2 signatures, 3 of 4", func(s *story, carried []cbor.RawMessage, p promise) {
			s.ends("", carried, part{node: 0, height: 2, promises: []promise{p}}, part{node: 1, height: 2, promises: []promise{p}}, part{node: 2, height: 2})
			s.begins(s.nodes[:2], begin{Epoch: 2, Of: 4, Silent: 1})
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, carried, p := stuck()
			tt.tell(s, carried, p)
			got := strings.Join(examine([]*disk{s.disk("n1")}).Problems, "\n")
			if !strings.Contains(got, tt.want) {
				t.Errorf("problems %q, want one with %q", got, tt.want)
			}
		})
	}
}

// TestACertifiedEndThatControllersLeftOut: no epoch without people may leave behind what has a certificate, on whosever disk it lies.
func TestACertifiedEndThatControllersLeftOut(t *testing.T) {
	s := newStory()
	s.room.decide(s.nodes[1:], nil, s.says(1, "two"))
	old := s.disk("n2")
	old.rooms[string(s.room.room)] = maps.Clone(s.room.log)
	_, p := s.header(1)
	s.room.head, s.room.seq = p.Header, 1
	delete(s.room.log, 2)
	s.ends("", nil, part{node: 0, height: 1}, part{node: 1, height: 1}, part{node: 2, height: 1})
	s.begins(s.nodes, begin{Epoch: 2, Of: 4, Silent: 1})
	if got := strings.Join(examine([]*disk{s.disk("n1"), old}).Problems, "\n"); !strings.Contains(got, "FORK") && !strings.Contains(got, "is in epoch 2 here") {
		t.Errorf("problems %q", got)
	}
}

// TestARescueOfTheDirectory: it is signed by the recovery key, and what others decided above is left behind.
func TestARescueOfTheDirectory(t *testing.T) {
	for name, by := range map[string]string{"the recovery key": "recovery", "another key": "eve"} {
		t.Run(name, func(t *testing.T) {
			s := newStory()
			var g genesis
			if err := cbor.Unmarshal(s.genesis, &g); err != nil {
				t.Fatal(err)
			}
			g.Recovery = newActor("recovery").id()
			s.genesis = encode(g)
			s.directory = newWriter(digest("warren/directory/1", encode(digest("warren/network/1", s.genesis))))
			s.room = newWriter(nil)
			one := func(op uint16, body any) []byte { raw, _ := s.nodes[0].wish(s.directory, op, body); return raw }
			s.directory.decide(s.nodes[:1], nil, one(66, []string{}))
			head := s.directory.head
			s.directory.decide(s.nodes[:1], nil, one(66, []string{}))
			old := s.disk("n2")
			delete(s.directory.log, 2)
			s.directory.head, s.directory.seq, s.directory.epoch = head, 1, 2
			p := &rescue{Epoch: 2, Start: 1, Head: head, Controllers: [][]byte{s.nodes[3].id()}}
			p.Sig = newActor(by).sign(digest("warren/rescue/1", list(s.directory.room, p.Epoch, p.Start, p.Head, p.Controllers)))
			r := request{Room: s.directory.room, Device: s.nodes[3].id(), Op: opBegin, Body: encode(begin{Epoch: 2, Proof: p}), Epoch: 2}
			r.Sig = s.nodes[3].sign(r.signed(r.id()))
			s.directory.decide(s.nodes[3:], nil, encode(r))
			now := s.disk("n1")
			for _, d := range []*disk{old, now} {
				delete(d.rooms, "")
			}
			n := examine([]*disk{old, now})
			if by == "recovery" && (len(n.Problems) > 0 || n.Rooms[0].Epoch != 2 || n.Rooms[0].CutOff != 1) {
				t.Errorf("problems %q, %+v", n.Problems, n.Rooms[0])
			}
			if by != "recovery" && !strings.Contains(strings.Join(n.Problems, "\n"), "recovery key") {
				t.Errorf("problems %q", n.Problems)
			}
		})
	}
}
