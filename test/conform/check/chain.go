package check

import (
	"bytes"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// chain follows one room's log on one node.
type chain struct {
	id          []byte
	head        []byte
	time        int64
	dir         uint64
	seq         uint64
	controllers [][]byte
	since       uint64
	counters    map[string]uint64
	seen        map[string]bool // ids of applied requests
	messages    []Message
	founded     map[string]founding // the directory notes here what it founds; nil for other rooms
}

// room checks one room on all nodes that hold it, each by itself and all against each other.
func (n *Network) room(disks []*disk, id []byte, f founding, founded map[string]founding) {
	out := &Room{Name: f.name, ID: text(id), Heights: map[string]uint64{}}
	headers := map[uint64][]byte{} // header hash by height, as the first node tells it
	first := map[uint64]string{}
	for _, d := range disks {
		l, ok := d.rooms[string(id)]
		if !ok {
			continue
		}
		c := &chain{
			id: id, head: id, controllers: f.controllers, counters: map[string]uint64{}, seen: map[string]bool{}, founded: founded,
		}
		for h := uint64(1); h <= uint64(len(l)); h++ {
			raw, ok := l[h]
			if !ok {
				n.problem("%s: #%s: height %d is missing, though %d heights are there", d.dir, f.name, h, len(l))
				break
			}
			if err := c.follow(h, raw); err != nil {
				n.problem("%s: #%s height %d: %v", d.dir, f.name, h, err)
				break
			}
			if other, known := headers[h]; known && !bytes.Equal(other, c.head) {
				n.problem("FORK: #%s height %d: %s holds %s, %s holds %s", f.name, h, first[h], short(other), d.dir, short(c.head))
				break
			} else if !known {
				headers[h], first[h] = c.head, d.dir
			}
			out.Heights[d.dir] = h
		}
		if out.Heights[d.dir] > out.Height {
			out.Height, out.Messages = out.Heights[d.dir], c.messages
		}
	}
	n.Rooms = append(n.Rooms, out)
}

// follow checks that the decision is the next step of the chain, and takes it.
func (c *chain) follow(height uint64, raw []byte) error {
	var d decision
	var h header
	var b batch
	if err := cbor.Unmarshal(raw, &d); err != nil {
		return fmt.Errorf("decision: %w", err)
	}
	if err := cbor.Unmarshal(d.Header, &h); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if err := cbor.Unmarshal(d.Batch, &b); err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	switch {
	case !bytes.Equal(h.Room, c.id):
		return fmt.Errorf("the header is of room %s", short(h.Room))
	case h.Height != height:
		return fmt.Errorf("the header is of height %d", h.Height)
	case h.Epoch != 1 || b.Epoch != 1:
		return fmt.Errorf("epoch %d (batch %d), but only the first one can be here", h.Epoch, b.Epoch)
	case !bytes.Equal(h.Prev, c.head):
		return fmt.Errorf("the header follows %s, not %s", short(h.Prev), short(c.head))
	case h.Time < c.time || h.Dir < c.dir:
		return fmt.Errorf("time or directory version goes back: %d after %d, %d after %d", h.Time, c.time, h.Dir, c.dir)
	case h.Seq != c.seq:
		return fmt.Errorf("the header counts %d events before it, there were %d", h.Seq, c.seq)
	case !bytes.Equal(h.Payload, digest("warren/payload/1", d.Batch)):
		return fmt.Errorf("the batch is not the one that the header names")
	case !bytes.Equal(h.Verdicts, digest("warren/verdicts/1", encode(d.Verdicts))):
		return fmt.Errorf("the verdicts are not those that the header names")
	case len(d.Verdicts) != len(b.Requests):
		return fmt.Errorf("%d verdicts for %d requests", len(d.Verdicts), len(b.Requests))
	case !signed(b.Leader, b.Sig, b.signHash(c.id)):
		return fmt.Errorf("the leading controller's signature on the batch does not verify")
	case !has(c.controllers, b.Leader):
		return fmt.Errorf("the batch was made by %s, who controls nothing here", short(b.Leader))
	}
	hash := digest("warren/header/1", d.Header)
	if err := c.certified(hash, d.Cert); err != nil {
		return err
	}
	prev := c.head
	c.head, c.time, c.dir = hash, h.Time, h.Dir
	for i, r := range b.Requests {
		if err := c.request(height, prev, r, d.Verdicts[i], len(b.Requests)); err != nil {
			return fmt.Errorf("request %d: %w", i+1, err)
		}
	}
	return nil
}

// certified counts the distinct controllers whose signature on the header's hash verifies. All that is there must be good.
func (c *chain) certified(hash []byte, cert []signature) error {
	good := map[string]bool{}
	for _, s := range cert {
		switch {
		case !has(c.controllers, s.Node):
			return fmt.Errorf("signed by %s, who does not control the room", short(s.Node))
		case good[string(s.Node)]:
			return fmt.Errorf("signed twice by %s", short(s.Node))
		case !signed(s.Node, s.Sig, hash):
			return fmt.Errorf("the signature of %s does not verify", short(s.Node))
		}
		good[string(s.Node)] = true
	}
	if want := quorum(len(c.controllers)); len(good) < want {
		return fmt.Errorf("%d signatures, %d of %d controllers are needed", len(good), want, len(c.controllers))
	}
	return nil
}

// request checks one ordered request. prev is the hash of the header below the one that orders it.
func (c *chain) request(height uint64, prev, raw []byte, verdict byte, together int) error {
	var r request
	if err := cbor.Unmarshal(raw, &r); err != nil {
		return err
	}
	if verdict == verdictVoid || verdict == verdictStale {
		return nil // without any effect: it may be anything, also one that was ordered before
	}
	id := r.id()
	switch {
	case !bytes.Equal(r.Room, c.id):
		return fmt.Errorf("it is of room %s, but not void", short(r.Room))
	case !signed(r.Device, r.Sig, id):
		return fmt.Errorf("its author's signature does not verify, but it is not void")
	case r.Counter != c.counters[string(r.Device)]+1:
		return fmt.Errorf("counter %d of %s after %d", r.Counter, short(r.Device), c.counters[string(r.Device)])
	case c.seen[string(id)]:
		return fmt.Errorf("%s was ordered before", short(id))
	}
	c.counters[string(r.Device)], c.seen[string(id)] = r.Counter, true
	if verdict != verdictOK {
		return nil
	}
	c.seq++
	switch r.Op {
	case opSay:
		var s say
		if err := cbor.Unmarshal(r.Body, &s); err != nil {
			return err
		}
		c.messages = append(c.messages, Message{ID: text(id[:20]), Account: r.Account, Nick: r.Nick, Text: s.Text})
	case opReconfigure:
		return c.reconfigure(height, r.Body, together)
	case opCreateRoom:
		return c.found(prev, id, r.Body)
	}
	return nil
}

func (c *chain) reconfigure(height uint64, body []byte, together int) error {
	var r reconfigure
	if err := cbor.Unmarshal(body, &r); err != nil {
		return err
	}
	if r.Since != c.since || len(r.Controllers) == 0 || together != 1 {
		return fmt.Errorf("reconfiguration after height %d beside %d others, but the last was at %d", r.Since, together-1, c.since)
	}
	c.controllers, c.since = r.Controllers, height
	return nil
}

// found notes how a room begins that the directory makes.
func (c *chain) found(prev, id, body []byte) error {
	if c.founded == nil {
		return fmt.Errorf("a room is founded, but this is not the directory")
	}
	var r createRoom
	if err := cbor.Unmarshal(body, &r); err != nil {
		return err
	}
	room := digest("warren/room/1", list(prev, id))
	c.founded[string(room)] = founding{r.Name, r.Controllers}
	return nil
}
