package order_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
	"warren/rooms/order"
)

// state gathers the statements of the running nodes, as their replicas would: each ends the epoch, durably, and says what it knows.
func (c *cluster) state() (rooms.RoomRecord, []rooms.Statement) {
	c.t.Helper()
	rec := rooms.RoomRecord{ID: c.room, Now: c.founded, FloorHead: c.room, Epochs: c.epochs}
	if n := len(c.epochs); n > 0 {
		e := c.epochs[n-1]
		rec.Now, rec.Floor, rec.FloorHead, rec.Since = e.Controllers, e.Start, e.Head, e.Start+1
	}
	var list []rooms.Statement
	for _, h := range c.hosts {
		if h.ctl == nil {
			continue
		}
		if h.ctl.End(); !h.ctl.Ended() {
			h.turn()
		}
		if !h.ctl.Ended() {
			c.t.Fatalf("node %d cannot end the epoch", h.i)
		}
		s := rooms.Statement{
			Epoch: h.chain.Epoch, Since: h.chain.Machine.Base().Since, Height: h.chain.Height, Head: h.chain.Head, Promises: h.ctl.Promises(),
		}
		if s.Height > rec.Floor {
			d := h.log[s.Height-1]
			s.Header, s.Cert = &d.Header, d.Cert
		}
		s.Sign(c.room, key(h.i))
		if err := rec.CheckStatement(&s); err != nil {
			c.t.Fatalf("node %d: %v", h.i, err)
		}
		list = append(list, s)
	}
	return rec, list
}

// newEpoch makes the next epoch of what the running nodes state, and takes them there.
func (c *cluster) newEpoch() rooms.EpochRecord {
	c.t.Helper()
	rec, list := c.state()
	tally, err := rec.Tally(list)
	if err != nil {
		c.t.Fatal(err)
	}
	find := func(height uint64, head rooms.Hash) (rooms.Header, bool) {
		for _, h := range c.hosts {
			if uint64(len(h.log)) >= height && h.log[height-1].Header.Hash() == head {
				return h.log[height-1].Header, true
			}
			if h.ctl != nil {
				if header, ok := h.ctl.Header(height, head); ok {
					return header, true
				}
			}
		}
		return rooms.Header{}, false
	}
	carried, err := tally.Carry(find)
	below, ok := tally.Below(find)
	if err != nil || !ok || !tally.Enough() {
		c.t.Fatalf("the statements do not suffice: %v", err)
	}
	e := rooms.EpochRecord{
		Epoch: rec.Epoch() + 1, Start: tally.Height + uint64(len(carried)), Head: tally.Head, Controllers: rec.Now, Of: uint32(len(rec.Now)), Silent: tally.Silent,
	}
	for i := range below {
		e.Carried = append(e.Carried, below[i].Hash())
	}
	for i := range carried {
		e.Head = carried[i].Hash()
		e.Carried = append(e.Carried, e.Head)
	}
	c.epochs = append(c.epochs, e)
	for _, h := range c.hosts {
		h.chain.Learn(everybody{0, c.epochs})
		if h.ctl != nil {
			h.ctl.Carry(e.Start, e.Carried)
			h.turn()
		}
	}
	for _, h := range c.hosts {
		if h.ctl == nil {
			continue
		}
		h.ctl = nil
		h.catchUp(e.Start)
		h.chain.Learn(everybody{0, c.epochs})
		if h.chain.Epoch != e.Epoch || h.chain.Height != e.Start {
			c.t.Fatalf("node %d stands in epoch %d at height %d", h.i, h.chain.Epoch, h.chain.Height)
		}
		h.start()
	}
	return e
}

// promise makes a node believe that it has signed another header at a height, as if its state had been another then.
func (h *host) promise(height uint64, header rooms.Hash) {
	h.ctl = nil
	h.keep([]order.Record{{Signed: &order.Signed{Epoch: h.chain.Epoch, Height: height, Header: header}}})
	h.start()
}

// revive brings back controllers that have stopped, as members of a new life.
func (c *cluster) revive() {
	for _, h := range c.hosts {
		if h.ctl == nil && h.broken != nil {
			h.disk = h.disk.Drop()
			h.start()
		}
	}
}

// TestWhoAsksStatesLast: a controller that is mistaken about a room which goes on for the others must not lose its voice in it.
func TestWhoAsksStatesLast(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.say(3)
	rec := rooms.RoomRecord{ID: c.room, Name: "test", Time: 1, Controllers: c.founded, Now: c.founded}
	sceneOf := func(h *host) *order.Scene {
		return &order.Scene{
			Self: h.id, Key: key(h.i), Chain: h.chain, Ctl: h.ctl, Record: rec,
			At: func(height uint64) *rooms.Decision { return &h.log[height-1] },
		}
	}
	asks := c.hosts[0]
	g := order.Gather(1, "")
	ask := func(missing int) {
		t.Helper()
		if got := g.Ask(sceneOf(asks)); len(got) != missing {
			t.Fatalf("%d have not stated, want %d", len(got), missing)
		}
		asks.turn()
	}
	for i, h := range c.hosts[1:3] {
		if ask(3 - i); asks.ctl.Ended() {
			t.Fatalf("the epoch has ended for who asks, of the others %d have stated", i)
		}
		order.State(sceneOf(h), "")
		h.turn()
		s, ok := order.State(sceneOf(h), "")
		if !ok || !g.Take(sceneOf(asks), h.id, s) {
			t.Fatal("no statement")
		}
	}
	if ask(1); !asks.ctl.Ended() {
		t.Error("all that are needed have stated, but for who asks")
	}
	ask(1)
	if _, ok := g.Proposal(sceneOf(asks)); !ok {
		t.Error("three statements of four do not suffice")
	}
}

// TestWhatIsCarriedOverIsRunLater: the directory vouches for a height that all controllers have in their logs and have not run again since they restarted,
// and whose signatures are lost.
func TestWhatIsCarriedOverIsRunLater(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.say(3)
	height := c.same() + 1
	c.drop = func(p packet) bool { return order.KindOf(p.data) == "sign" }
	lead, r := c.leader(), c.request(3, "three", &rooms.Enter{View: "test"})
	if a := lead.ctl.Submit(c.now, r); !a.Queued {
		t.Fatalf("%+v", a)
	}
	c.tick(3)
	open := lead.signs[[2]uint64{1, height}]
	if open.IsZero() || lead.chain.Height >= height {
		t.Fatal("it is not open")
	}
	c.epochs = []rooms.EpochRecord{{Epoch: 2, Start: height, Head: open, Carried: []rooms.Hash{open}, Controllers: c.founded, Of: 4}}
	for _, h := range c.hosts {
		h.chain.Learn(everybody{0, c.epochs})
		h.start()
		h.ctl.Carry(h.chain.Carried())
	}
	c.leader()
	c.tick(3)
	for _, h := range c.hosts {
		if h.chain.Height != height || h.chain.Epoch != 2 {
			t.Errorf("node %d stands at height %d in epoch %d", h.i, h.chain.Height, h.chain.Epoch)
		}
	}
}

func TestADivergenceBelowCertificationEndsInANewEpoch(t *testing.T) {
	for _, carried := range []int{0, 1} {
		t.Run(fmt.Sprint(carried, " carried over"), func(t *testing.T) {
			c := newCluster(t, 4, 4)
			c.say(3)
			height := c.same()
			var old []packet
			c.drop = func(p packet) bool { // what three of them sign is not heard of, if it is to be carried over
				old = append(old, p)
				return carried > 0 && order.KindOf(p.data) == "sign"
			}
			c.hosts[0].promise(height+1, rooms.Hash{'x'})
			if carried == 0 {
				c.hosts[1].promise(height+1, rooms.Hash{'z'})
			}
			c.leader()
			r := c.request(3, "three", &rooms.Enter{View: "test"})
			for range 40 { // whoever leads puts it in order; it cannot be certified
				for _, h := range c.hosts {
					if h.ctl != nil {
						h.ctl.Submit(c.now, r)
					}
				}
				c.tick(1)
				c.revive()
			}
			if got := c.hosts[3].chain.Height; got != height {
				t.Fatalf("it was certified at height %d", got)
			}
			c.drop = nil
			e := c.newEpoch()
			if e.Epoch != 2 || e.Start != height+uint64(carried) || len(e.Carried) != carried {
				t.Fatalf("the epoch is %+v", e)
			}
			c.say(3)
			c.tick(5)
			top := c.same()
			first := c.hosts[2].log[e.Start]
			if !first.Batch.Begins() || first.Verdicts.At(0) != errs.OK || first.Header.Epoch != 2 {
				t.Errorf("the epoch begins with %+v", first.Header)
			}
			if top < e.Start+3 {
				t.Errorf("it goes on to height %d only", top)
			}
			for _, p := range old {
				if err := c.byID[p.to].ctl.Step(c.now, p.from, p.data); !errors.Is(err, order.ErrEpoch) {
					t.Fatalf("a message of the old epoch: %v", err)
				}
			}
			// All of them restart from what is on their disks, and the epoch goes on.
			for _, h := range c.hosts {
				h.ctl = nil
				h.start()
			}
			c.say(2)
			c.tick(5)
			if got := c.same(); got < top+2 {
				t.Errorf("after a restart it goes on to height %d only", got)
			}
		})
	}
}

// TestANodeThatGaveNoStatementJoinsTheNewEpoch: it was away, with a promise of its own, and comes back by its disk.
func TestANodeThatGaveNoStatementJoinsTheNewEpoch(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.say(2)
	away := c.hosts[3]
	away.ctl = nil
	away.keep([]order.Record{{Signed: &order.Signed{Epoch: 1, Height: away.chain.Height + 1, Header: rooms.Hash{'x'}}}})
	c.say(1)
	c.newEpoch()
	c.say(2)
	away.catchUp(100)
	away.start() // its chain has come to the new epoch, its disk holds raft state of the old one
	c.tick(40)
	c.say(2)
	c.tick(5)
	c.same()
	if away.ended != 1 {
		t.Error("it may sign in the first epoch still")
	}
	if s := away.ctl.Status(); s.Role != order.Follower {
		t.Errorf("it is a %v of %+v", s.Role, s)
	}
}

func TestTheEndOfAnEpochSurvivesARestart(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.say(2)
	height := c.same()
	for _, h := range c.hosts {
		h.ctl.End()
		h.turn()
		h.ctl = nil
		h.start()
		if !h.ctl.Ended() {
			t.Fatal("it has forgotten")
		}
	}
	l := c.leader()
	l.ctl.Submit(c.now, c.request(0, "zero", &rooms.Say{Text: "x"}))
	c.tick(40)
	if c.same() != height {
		t.Error("something was signed")
	}
	for _, h := range c.hosts {
		if len(h.ctl.Promises()) != 0 {
			t.Error("something was promised")
		}
	}
}

// TestANewLifeAfterTheEndKeepsIt: a disk has one place for the end of an epoch, so a life that begins after a node's statement must not write there that
// the epoch before it has ended.
func TestANewLifeAfterTheEndKeepsIt(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.say(1)
	c.newEpoch()
	c.say(1)
	h := c.hosts[1]
	h.ctl.End()
	h.turn()
	for range 2 {
		h.ctl, h.disk = nil, h.disk.Drop()
		var last []order.Signed // as the disk has them: one for each height
		for _, s := range h.disk.Signed {
			last = append(slices.DeleteFunc(last, func(o order.Signed) bool { return o.Height == s.Height }), s)
		}
		h.disk.Signed = last
		h.start()
		if !h.ctl.Ended() {
			t.Fatal("it has forgotten")
		}
		h.turn()
	}
}

// TestAChainBehindTheStoredEpoch: raft state of an epoch to which the chain has not come is no use yet, and nothing is signed with it.
func TestAChainBehindTheStoredEpoch(t *testing.T) {
	c := newCluster(t, 3, 3)
	c.say(1)
	old := slices.Clone(c.hosts[0].log)
	c.newEpoch()
	c.say(1)
	h := c.hosts[0]
	h.ctl, h.chain, h.log = nil, c.newChain(), nil
	saved := c.epochs
	c.epochs = nil
	for _, d := range old {
		h.accept(d)
	}
	if err := h.tryStart(); !errors.Is(err, order.ErrBehind) {
		t.Errorf("it starts: %v", err)
	}
	c.epochs = saved
}

// TestALeaderThatDoesNotBeginTheEpochIsDeposed: nothing can be ordered in an epoch before its beginning, so who leads and spoils that holds up everything; and
// who tells a false story there would hide for ever what happened.
func TestALeaderThatDoesNotBeginTheEpochIsDeposed(t *testing.T) {
	for name, tamper := range map[string]func(b *rooms.Batch){
		"something beside it": func(b *rooms.Batch) { b.Requests = append(slices.Clone(b.Requests), b.Requests[0]) },
		"another story": func(b *rooms.Batch) {
			r := rooms.NewRequest(b.Requests[0].Room, "", "", &rooms.Begin{Epoch: b.Epoch, Of: 99})
			r.Epoch = b.Epoch
			r.Sign(key(0))
			b.Requests = []rooms.Request{r}
		},
		"without a signature": func(b *rooms.Batch) {
			b.Requests = slices.Clone(b.Requests)
			b.Requests[0].Sig = make([]byte, 64)
		},
	} {
		t.Run(name, func(t *testing.T) { spoiledBeginning(t, tamper) })
	}
}

func spoiledBeginning(t *testing.T, tamper func(b *rooms.Batch)) {
	c := newCluster(t, 4, 4)
	c.say(2)
	cheat := c.hosts[0]
	cheat.tamper = func(b *rooms.Batch) {
		if b.Begins() {
			tamper(b)
		}
	}
	e := c.newEpoch()
	cheat.ctl.Campaign(c.now)
	c.deliver()
	if l := c.leader(); l != cheat {
		t.Fatalf("node %d leads", l.i)
	}
	for range 100 {
		c.tick(1)
	}
	if height := c.same(); height <= e.Start || c.hosts[1].log[e.Start].Verdicts.At(0) != errs.OK {
		t.Errorf("the epoch has not begun: height %d", height)
	}
	if list := c.hosts[1].ledger.Charges(); !slices.ContainsFunc(list, func(x order.Charge) bool { return x.Node == cheat.id && x.Misdeed == order.NotBegun && x.Strikes > 0 }) {
		t.Errorf("nobody has noticed: %+v", list)
	}
	for _, h := range c.hosts { // what was spoiled is still in the log, and is no beginning for who reads it again
		h.ctl = nil
		h.start()
	}
	c.say(2)
	c.same()
}

// TestARequestThatIsNotOrderedIsAStall: a leader that lets everything lie stalls the room as much as a height without a certificate does.
func TestARequestThatIsNotOrderedIsAStall(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.say(2)
	l := c.leader()
	h := c.hosts[(l.i+1)%4]
	var stall order.Stall
	sc := func() *order.Scene {
		return &order.Scene{Self: h.id, Chain: h.chain, Ctl: h.ctl, Alive: func(rooms.NodeID) bool { return true }}
	}
	at := func(d time.Duration) time.Time { return time.UnixMilli(0).Add(d) }
	for s := range 40 {
		if turn, _ := stall.Watch(sc(), at(time.Duration(s)*time.Second)); turn || stall.Undecided(sc(), at(time.Duration(s)*time.Second)) {
			t.Fatal("nothing waits, and yet the room stands still")
		}
	}
	h.ctl.Submit(c.now, c.request(h.i, "x", &rooms.Enter{}))
	if h.ctl.Status().Waiting != 1 {
		t.Fatal("it does not wait")
	}
	turns, undecided := 0, 0*time.Second
	for s := time.Duration(40); s < 120; s++ {
		if turn, over := stall.Watch(sc(), at(s*time.Second)); turn {
			turns++
		} else if over && s > 40 {
			t.Fatal("it is taken for moving")
		}
		if undecided == 0 && stall.Undecided(sc(), at(s*time.Second)) {
			undecided = s - 39
		}
	}
	if want := order.StallPatience + 4*order.StatementTime; turns == 0 || undecided != want/time.Second {
		t.Errorf("%d turns to end the epoch; left to people after %d s, not %v", turns, undecided, want)
	}
}
