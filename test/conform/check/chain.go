package check

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

// chain follows one room's log on one node.
type chain struct {
	id          []byte
	epoch       uint64
	height      uint64
	head        []byte
	time        int64
	dir         uint64
	seq         uint64
	controllers [][]byte
	since       uint64
	counters    map[string]uint64
	seen        map[string]bool // ids of applied requests
	messages    []Message
	epochs      []epoch             // of the room, after the first, as the directory has them
	begins      *epoch              // the one that it is in
	line        []place             // by height-1
	came        []epoch             // the epochs that were begun
	recovery    []byte              // the directory only: the network's recovery key
	founded     map[string]founding // the directory notes here what it founds; nil for other rooms
}

// place is one height of a log: its epoch, and the header's hash.
type place struct {
	epoch uint64
	hash  []byte
}

// room checks one room on all nodes that hold it, each by itself and all against each other. recovery is the network's key when it is the directory; then it
// returns the rooms that were founded.
func (n *Network) room(disks []*disk, id []byte, f founding, recovery []byte) map[string]founding {
	out := &Room{Name: f.name, ID: text(id), Heights: map[string]uint64{}}
	type where struct{ epoch, height uint64 }
	headers, first := map[where][]byte{}, map[where]string{} // hashes, as the first node tells them
	lines := map[string]*chain{}
	var best *chain
	for _, d := range disks {
		l, ok := d.rooms[string(id)]
		if !ok {
			continue
		}
		c := &chain{id: id, epoch: 1, head: id, controllers: f.controllers, counters: map[string]uint64{}, seen: map[string]bool{}, recovery: recovery}
		if f.rec != nil {
			c.epochs = f.rec.epochs
		} else {
			c.founded = map[string]founding{}
		}
	heights:
		for _, h := range slices.Sorted(maps.Keys(l)) {
			from := c.height
			if err := c.follow(h, l[h]); err != nil {
				n.problem("%s: #%s height %d: %v", d.dir, f.name, h, err)
				break
			}
			for i := from; i < h; i++ {
				at, hash := where{c.line[i].epoch, i + 1}, c.line[i].hash
				if other, known := headers[at]; known && !bytes.Equal(other, hash) {
					n.problem("FORK: #%s height %d: %s holds %s, %s holds %s", f.name, i+1, first[at], short(other), d.dir, short(hash))
					break heights
				} else if !known {
					headers[at], first[at] = hash, d.dir
				}
			}
			out.Heights[d.dir] = h
		}
		lines[d.dir] = c
		if best == nil || c.decidedIn() > best.decidedIn() || c.decidedIn() == best.decidedIn() && c.height > best.height {
			best = c
		}
	}
	if best != nil {
		out.Height, out.Epoch, out.Messages = best.height, best.decidedIn(), best.messages
		for _, d := range disks {
			if c := lines[d.dir]; c != nil {
				n.compare(out, d.dir, c, best)
			}
		}
	}
	n.Rooms = append(n.Rooms, out)
	if best == nil {
		return nil
	}
	return best.founded
}

// decidedIn returns the epoch of the newest decision.
func (c *chain) decidedIn() uint64 {
	if len(c.line) == 0 {
		return 1
	}
	return c.line[len(c.line)-1].epoch
}

// compare checks that a node's log is part of the best one, but for an end that people have left behind: above the place from which they had the room go on
// in a later epoch. An epoch without people leaves nothing behind.
func (n *Network) compare(out *Room, dir string, c, best *chain) {
	for i := range c.line {
		if i < len(best.line) && bytes.Equal(c.line[i].hash, best.line[i].hash) {
			continue
		}
		height, epoch := uint64(i)+1, c.line[i].epoch
		switch {
		case best.leaves(height, epoch):
			out.CutOff++
		default:
			n.problem("FORK: #%s: %s holds height %d of epoch %d, which is not in the room's history", out.Name, dir, height, epoch)
			return
		}
	}
}

// leaves reports whether an epoch by people began below a height of an earlier one. Those of the directory are all by people.
func (c *chain) leaves(height, earlier uint64) bool {
	return slices.ContainsFunc(c.came, func(e epoch) bool { return e.number > earlier && e.start < height && (e.by != "" || c.founded != nil) })
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
	if err := c.passes(&h, d.Ticks); err != nil {
		return err
	}
	if c.turn(h.Epoch); c.founded != nil && h.Epoch > c.epoch {
		if err := c.rescued(&b); err != nil {
			return err
		}
	}
	if len(b.Requests) == 0 && b.Time == 0 && !slices.ContainsFunc(b.Leader, func(x byte) bool { return x != 0 }) {
		return c.bare(&h, &d)
	}
	switch {
	case !bytes.Equal(h.Room, c.id):
		return fmt.Errorf("the header is of room %s", short(h.Room))
	case h.Height != height:
		return fmt.Errorf("the header is of height %d", h.Height)
	case height != c.height+1:
		return fmt.Errorf("height %d is missing", c.height+1)
	case h.Epoch != c.epoch || b.Epoch != c.epoch:
		return fmt.Errorf("epoch %d (batch %d), but the room is in epoch %d here", h.Epoch, b.Epoch, c.epoch)
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
	if !c.carries(hash) {
		if err := certified(c.controllers, hash, d.Cert); err != nil {
			return err
		}
		if e := c.ahead(); e != nil && e.by == "" && height > e.start {
			return fmt.Errorf("it is certified in epoch %d, but the controllers began epoch %d without it", c.epoch, e.number)
		}
	}
	if c.since == height && c.begins != nil {
		if err := c.beginning(&b, d.Verdicts); err != nil {
			return err
		}
		c.came = append(c.came, *c.begins)
	}
	prev := c.head
	c.height, c.head, c.time, c.dir = height, hash, h.Time, h.Dir
	c.line = append(c.line, place{h.Epoch, hash})
	for i, r := range b.Requests {
		if err := c.request(height, prev, r, d.Verdicts[i], len(b.Requests)); err != nil {
			return fmt.Errorf("request %d: %w", i+1, err)
		}
	}
	return nil
}

// passes goes over the ticks that a decision holds, which has the header h: of each no more is left than what its header needs.
func (c *chain) passes(h *header, t *ticks) error {
	if t == nil {
		return nil
	}
	if n := uint64(len(t.List)); n == 0 || c.founded != nil || h.Height != c.height+n+1 || h.Epoch != c.epoch || !bytes.Equal(t.Prev, c.head) {
		return fmt.Errorf("it holds %d ticks, which do not follow height %d of epoch %d", n, c.height, c.epoch)
	}
	for _, k := range t.List {
		if (c.height+1)%64 == 0 || k.Time < c.time || k.Dir < c.dir {
			return fmt.Errorf("it holds a tick of height %d that cannot be there", c.height+1)
		}
		c.height, c.time, c.dir = c.height+1, k.Time, k.Dir
		c.head = digest("warren/header/1", encode(header{
			Room: c.id, Epoch: c.epoch, Height: c.height, Prev: c.head, Time: k.Time, Dir: k.Dir, Seq: c.seq, Payload: k.Payload,
			Verdicts: digest("warren/verdicts/1", encode([]byte{})), State: make([]byte, 32),
		}))
		c.line = append(c.line, place{c.epoch, c.head})
	}
	return nil
}

// bare goes over a tick of which only the header is left. The directory must have had an epoch begin just above it.
func (c *chain) bare(h *header, d *decision) error {
	hash, e := digest("warren/header/1", d.Header), c.ahead()
	if e == nil || e.start != h.Height || !bytes.Equal(e.head, hash) || len(d.Cert) > 0 {
		return fmt.Errorf("it has no batch, and no epoch begins above it")
	}
	above := *h
	above.Height++
	if err := c.passes(&above, &ticks{Prev: c.head, List: []tick{{Time: h.Time, Dir: h.Dir, Payload: h.Payload}}}); err != nil {
		return err
	}
	if !bytes.Equal(c.head, hash) {
		return fmt.Errorf("it has no batch, and its header is no tick's")
	}
	return nil
}

// certified counts the distinct controllers whose signature on the header's hash verifies. All that is there must be good.
func certified(controllers [][]byte, hash []byte, cert []signature) error {
	good := map[string]bool{}
	for _, s := range cert {
		switch {
		case !has(controllers, s.Node):
			return fmt.Errorf("signed by %s, who does not control the room", short(s.Node))
		case good[string(s.Node)]:
			return fmt.Errorf("signed twice by %s", short(s.Node))
		case !signed(s.Node, s.Sig, hash):
			return fmt.Errorf("the signature of %s does not verify", short(s.Node))
		}
		good[string(s.Node)] = true
	}
	if want := quorum(len(controllers)); len(good) < want {
		return fmt.Errorf("%d signatures, %d of %d controllers are needed", len(good), want, len(controllers))
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
	if r.Op == opBegin && r.Counter == 0 {
		return c.begun(height, &r, id, verdict)
	}
	switch {
	case !bytes.Equal(r.Room, c.id):
		return fmt.Errorf("it is of room %s, but not void", short(r.Room))
	case r.Epoch != c.epoch:
		return fmt.Errorf("it was signed for epoch %d, but is not void in %d", r.Epoch, c.epoch)
	case !signed(r.Device, r.Sig, r.signed(id)):
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
	case opWitness, opNewEpoch:
		return c.controlled(&r)
	}
	return nil
}

// begun checks the request that begins an epoch, which takes no counter. That it says what happened is checked with its decision.
func (c *chain) begun(height uint64, r *request, id []byte, verdict byte) error {
	switch {
	case !bytes.Equal(r.Room, c.id) || r.Epoch != c.epoch || !signed(r.Device, r.Sig, r.signed(id)):
		return fmt.Errorf("the beginning of an epoch is of another room or epoch, or its signature does not verify")
	case verdict != verdictOK:
		return nil
	case c.since != height || c.begins == nil || !has(c.controllers, r.Device):
		return fmt.Errorf("an epoch is said to begin here, by %s", short(r.Device))
	}
	c.seq++
	return nil
}

// controlled takes what the directory is told of a room's controllers.
func (c *chain) controlled(r *request) error {
	var room []byte
	var parts []cbor.RawMessage
	if err := cbor.Unmarshal(r.Body, &parts); err != nil || len(parts) < 2 {
		return fmt.Errorf("what is said of a room's controllers makes no sense: %w", err)
	}
	if err := cbor.Unmarshal(parts[0], &room); err != nil {
		return err
	}
	f, ok := c.founded[string(room)]
	switch {
	case !ok:
		return fmt.Errorf("something is said of room %s, which nobody founded", short(room))
	case r.Op == opWitness:
		return f.rec.witness(r.Body)
	}
	return f.rec.newEpoch(r.Account, r.Device, r.Body)
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
	c.founded[string(room)] = founding{r.Name, r.Controllers, &record{now: r.Controllers, floorHead: room}}
	return nil
}
