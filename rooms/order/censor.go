package order

import (
	"fmt"
	"slices"

	pb "go.etcd.io/raft/v3/raftpb"

	"warren/rooms"
)

// Times by which a leader must put in order what it was given, in ms.
const (
	censorPatience = 3_000  // while it orders others, or nothing at all
	stallPatience  = 10_000 // while it proposes, and nothing is certified
)

// stallGap is how long nothing may have come to this controller, neither ticks nor messages, before it takes itself for stalled, in ms. An idle room
// ticks once a second.
const stallGap = 1_500

// maxWaiting is how many devices' requests a backup watches. Of each only the one whose turn it is: no other can be ordered.
const maxWaiting = 128

// waiting is a request that was submitted here while another node leads.
type waiting struct {
	r         *rooms.Request
	since     int64  // ms, when the present leader could have had it
	certified uint64 // height then
	forwarded int64  // ms, when the leader was sent it from here; 0: not yet
}

// again begins anew to wait: what was until now is nobody's fault, or has been told.
func (w *waiting) again(c *Controller) { w.since, w.certified, w.forwarded = c.now, c.certified, 0 }

// wait notes a request that this node cannot put in order itself. Its author's node sends it to all controllers when the leader gives no
// verdict: they see to it that the leader has it, and then that it is ordered.
func (c *Controller) wait(r *rooms.Request) {
	if c.blind[Censored] || r.Room != c.chain.Room || r.Epoch != c.chain.Epoch || r.Counter != c.chain.Machine.Base().Counters[r.Device]+1 {
		return
	}
	if old := c.waits[r.Device]; old != nil && old.r.Counter == r.Counter || old == nil && len(c.waits) >= maxWaiting {
		return
	}
	if _, ok := fits(r); !ok || !c.cfg.Verify(r, r.ID()) || !c.mayAuthor(r) {
		return
	}
	if c.waits == nil {
		c.waits = map[rooms.NodeID]*waiting{}
	}
	c.waits[r.Device] = &waiting{r: r, since: c.now, certified: c.certified}
}

// tickWaits forwards what waits to the leader, and blames it for what it does not order.
func (c *Controller) tickWaits() {
	if len(c.waits) == 0 || c.ended {
		return
	}
	lead := c.leader()
	if lead == c.cfg.Self || !slices.Contains(c.controllers, c.cfg.Self) {
		c.waits = nil // it is this node's turn, or none of its business: the leader takes requests from controllers
		return
	}
	counters := c.chain.Machine.Base().Counters
	heard := c.ticks-c.heard <= c.deaf()
	for _, n := range sortedNodes(c.waits) {
		w := c.waits[n]
		switch {
		case counters[n] >= w.r.Counter, c.now-w.since > 10*stallPatience, !c.mayAuthor(w.r):
			delete(c.waits, n)
			continue
		case lead != c.waitsFor || !heard || c.behind > c.certified || w.r.Dir > max(c.chain.Dir, c.dirKnown(c.now-dirPatience)) || c.crowded():
			w.again(c)
			continue
		}
		age := c.now - w.since
		if w.forwarded == 0 && age >= censorPatience/2 {
			w.forwarded = c.now
			c.send(lead, &envelope{Submit: w.r})
		}
		evidence := fmt.Sprintf("request %s of %s, counter %d, waits for %d s", w.r.ID().Short(), n.Short(), w.r.Counter, age/1000)
		switch moves := c.certified > w.certified; {
		case w.forwarded == 0 || c.now-w.forwarded < censorPatience/2:
			continue // it may be on its way
		case age >= censorPatience && (moves || c.still()):
			c.note(lead, Censored, evidence)
		case age >= stallPatience && !moves:
			c.note(lead, Stalled, evidence)
		default:
			continue
		}
		w.again(c)
	}
	c.waitsFor = lead
}

// ran forgets what waited here and has been put in order, whatever the verdict: one that takes no counter leaves it as it was.
func (c *Controller) ran(b *rooms.Batch) {
	if len(c.waits) == 0 {
		return
	}
	for i := range b.Requests {
		r := &b.Requests[i]
		if w := c.waits[r.Device]; w != nil && w.r.Counter == r.Counter && w.r.ID() == r.ID() {
			delete(c.waits, r.Device)
		}
	}
}

// stalled says that this node itself was not at work for a while, by its own clock: nothing that it missed meanwhile is anybody's fault.
func (c *Controller) stalled() {
	for _, w := range c.waits {
		w.again(c)
	}
	c.watch.contact, c.beat.ranAt = c.now, c.now
}

// still reports whether nothing is under way that this node knows of: whoever leads has no reason to let requests wait.
func (c *Controller) still() bool {
	last, err := c.log.LastIndex()
	return err == nil && c.applied == last && len(c.open) == 0 && c.strayed == nil
}

// crowded reports whether the leader has more to do than it can: batches are as full as they get.
func (c *Controller) crowded() bool { return c.full > 0 && c.now-c.full < censorPatience }

// sawBatch remembers when the last crowded batch came.
func (c *Controller) sawBatch(b *rooms.Batch, e *pb.Entry) {
	if len(b.Requests) > rooms.MaxRequests/2 || len(e.GetData()) > rooms.MaxBatch/2 {
		c.full = c.now
	}
}

// onSubmit takes a request that a backup passes on.
func (c *Controller) onSubmit(from rooms.NodeID, r *rooms.Request) error {
	if !slices.Contains(c.controllers, from) {
		return fmt.Errorf("step: %s passes on a request and is no controller", from.Short())
	}
	if c.leads() {
		c.submit(r)
	}
	return nil
}
