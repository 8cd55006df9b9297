package order

import (
	"slices"

	"warren/rooms"
	"warren/rooms/errs"
)

// Answer is what becomes of a submitted request at once.
type Answer struct {
	// Queued: this node leads and will put the request in order, or has done so and waits for the certificate.
	Queued bool
	// Leader is who leads, when this node does not (zero: nobody is known to): send the request there.
	Leader rooms.NodeID
	// Kind says why it is refused here and now: Void, Stale, TooLarge, Invalid, Busy; Frozen when no leader is known. OK otherwise. Void by the leader
	// also says that neither the request nor a later one of its device has been put in order.
	Kind errs.Kind
	// Expected is the device's next counter, when Kind is Stale.
	Expected uint64
}

// item is a request that waits at the leader.
type item struct {
	r    *rooms.Request
	id   rooms.Hash
	size int
	at   int64 // ms, when it came
	put  int64 // ms, when it was proposed
}

// deviceQueue counts a device's requests that wait or are under way.
type deviceQueue struct {
	last uint64 // highest counter among them
	n    int
}

// Submit gives a request to the leader's queue, if this node leads. The request must not be changed any more. Submitting it again is
// harmless. It costs one signature check when Verify has not seen the request.
func (c *Controller) Submit(nowMS int64, r *rooms.Request) (a Answer) {
	if c.broken != nil {
		return Answer{Kind: errs.Internal}
	}
	var err error
	defer func() {
		if err != nil {
			a = Answer{Kind: errs.Internal}
		}
	}()
	defer c.guard(&err)
	c.clock(nowMS)
	return c.submit(r)
}

func (c *Controller) submit(r *rooms.Request) Answer {
	c.lead()
	if !c.leads() && !c.singleton() {
		c.wait(r)
		if lead := c.leader(); !lead.IsZero() {
			return Answer{Leader: lead}
		}
		return Answer{Kind: errs.Frozen}
	}
	size, ok := fits(r)
	if !ok {
		return Answer{Kind: errs.TooLarge}
	}
	switch {
	case r.Room != c.chain.Room:
		return Answer{Kind: errs.Invalid}
	case r.Epoch != c.chain.Epoch: // one of the two has not come to the newest epoch yet; then its device signs again
		return Answer{Kind: errs.Stale, Expected: c.expected(r.Device)}
	}
	it := &item{r: r, id: r.ID(), size: size, at: c.now}
	if c.queued[it.id] {
		return Answer{Queued: true}
	}
	if !c.cfg.Verify(r, it.id) {
		return Answer{Kind: errs.Void}
	}
	if want := c.expected(r.Device); r.Counter != want {
		return Answer{Kind: errs.Stale, Expected: want}
	}
	if !c.mayAuthor(r) {
		if c.appliedTerm != c.ledTerm {
			return Answer{Kind: errs.Busy} // an earlier leader may have put it into what is not run yet
		}
		return Answer{Kind: errs.Void}
	}
	if len(c.queue) >= MaxPending || c.qBytes+it.size > MaxPendingBytes {
		return Answer{Kind: errs.Busy}
	}
	c.queue = append(c.queue, it)
	c.qBytes += it.size
	c.queued[it.id] = true
	d := c.devices[r.Device]
	if d == nil {
		d = &deviceQueue{}
		c.devices[r.Device] = d
	}
	d.last, d.n = r.Counter, d.n+1
	return Answer{Queued: true}
}

// fits returns a request's size in bytes, and whether it is small enough to be ordered. Backups ask the same: they must not blame a leader for what
// it has to refuse.
func fits(r *rooms.Request) (size int, ok bool) {
	if len(r.Body) > rooms.MaxRequest || len(r.Account)+len(r.Nick)+len(r.Sig) > maxNames {
		return 0, false
	}
	size = len(rooms.Marshal(r))
	return size, size <= rooms.MaxRequest
}

// maxNames bounds a request's account, nick and signature, in bytes, before it is encoded.
const maxNames = 4096

// Expected returns the counter that the device's next request must carry, as far as this controller knows.
func (c *Controller) Expected(device rooms.NodeID) uint64 { return c.expected(device) }

func (c *Controller) expected(device rooms.NodeID) uint64 {
	if d := c.devices[device]; d != nil {
		return d.last + 1
	}
	return c.chain.Machine.Base().Counters[device] + 1
}

// mayAuthor reports whether the device may speak for the author, by the newest directory this node has. A request that asks for a newer one
// is not judged here.
func (c *Controller) mayAuthor(r *rooms.Request) bool {
	var view rooms.View
	if d, ok := c.chain.Machine.(*rooms.Directory); ok {
		view = d.Now()
	} else if v, ok := c.viewAt(c.newest); ok && r.Dir <= c.newest {
		view = v
	} else {
		return true
	}
	return speaks(view, r)
}

// speaks reports whether the device may speak for the author, by one version of the directory.
func speaks(view rooms.View, r *rooms.Request) bool {
	if r.Account != "" {
		return view.Signs(r.Account, r.Device)
	}
	_, ok := view.Node(r.Device)
	return ok
}

// forget takes an item off its device's count.
func (c *Controller) forget(it *item) {
	d := c.devices[it.r.Device]
	if d == nil {
		return
	}
	if d.n--; d.n <= 0 {
		delete(c.devices, it.r.Device)
	}
}

// giveBack returns an item to the caller.
func (c *Controller) giveBack(it *item) {
	c.forget(it)
	delete(c.queued, it.id)
	c.returned = append(c.returned, it.r)
}

// lead keeps the queue in step with who leads: what waits here when another node leads, or under an old term, goes back.
func (c *Controller) lead() {
	st := c.rn.BasicStatus()
	term := uint64(0)
	if c.leads() {
		term = st.GetTerm()
	}
	if term == c.ledTerm {
		return
	}
	if c.ledTerm != 0 {
		for _, batch := range c.proposed {
			for _, it := range batch {
				c.giveBack(it)
			}
		}
		for _, it := range c.queue {
			c.giveBack(it)
		}
		c.queue, c.proposed, c.qBytes = nil, nil, 0
	}
	c.ledTerm, c.confSince, c.sealing = term, 0, 0
	c.memory.believed = c.memory.believed || term > 0 // a majority has found its log as long as theirs
	c.beaten(false)
	clear(c.snapTicks)
}

// alone reports whether the operation needs a batch of its own: what it changes decides who may certify what follows.
func alone(op rooms.Op) bool {
	return op == rooms.OpReconfigure || op == rooms.OpClose || op == rooms.OpBegin
}

// propose puts what waits into batches, when it is due and as long as few enough are under way.
func (c *Controller) propose() {
	c.begin()
	for c.due() && !c.chain.Unbegun() && c.ledTerm != 0 && c.appliedTerm == c.ledTerm && len(c.proposed)+len(c.open) < MaxUnderWay && !c.barrier() {
		items := c.take()
		if len(items) == 0 {
			break // what waits needs a later directory
		}
		if !c.put(items) {
			c.queue = append(items, c.queue...)
			for _, it := range items {
				c.qBytes += it.size
			}
			return
		}
	}
	c.proposeTick()
}

// put proposes a batch of these requests, a tick when there are none; false: raft does not take it now.
func (c *Controller) put(items []*item) bool {
	// Entries of earlier terms have all been run, and of this term nobody else proposes: the batch's place is known.
	b := &rooms.Batch{
		Epoch: c.chain.Epoch, Term: c.ledTerm, Height: c.height + 1 + uint64(len(c.proposed)), Time: c.now, Dir: c.newest,
	}
	if c.isDirectory {
		b.Dir = c.chain.Height
	}
	for _, it := range items {
		it.put = c.now
		b.Requests = append(b.Requests, *it.r)
	}
	if c.cfg.Tamper != nil {
		c.cfg.Tamper(b)
	}
	b.Sign(c.chain.Room, c.cfg.Key)
	if err := c.rn.Propose(rooms.Marshal(b)); err != nil {
		return false
	}
	c.proposed = append(c.proposed, items)
	c.beaten(len(items) == 0)
	return true
}

// barrier reports whether a batch is under way above which nothing is proposed.
func (c *Controller) barrier() bool {
	for _, batch := range c.proposed {
		if len(batch) > 0 && alone(batch[0].r.Op) {
			return true
		}
	}
	for _, s := range c.open {
		if len(s.batch.Requests) > 0 && alone(s.batch.Requests[0].Op) {
			return true
		}
	}
	return false
}

// take removes the next batch from the queue: in order, up to the limits, without requests whose counter has been used up meanwhile and
// without those that ask for a directory version this node does not have.
func (c *Controller) take() []*item {
	var out, rest []*item
	size := 0
	held := map[rooms.NodeID]bool{}
	next := map[rooms.NodeID]uint64{}
	for i, it := range c.queue {
		d := it.r.Device
		if held[d] || it.r.Dir > c.newest && !c.isDirectory {
			held[d] = true
			rest = append(rest, it)
			continue
		}
		if size+it.size > rooms.MaxBatch || len(out) == rooms.MaxRequests || alone(it.r.Op) && len(out) > 0 {
			rest = append(rest, c.queue[i:]...)
			break
		}
		want, seen := next[d]
		if !seen {
			want = c.chain.Machine.Base().Counters[d] + 1 + c.underWay(d)
		}
		if it.r.Counter != want || !c.mayAuthor(it.r) { // it may have waited for the version that shows that it has no right
			c.qBytes -= it.size
			c.giveBack(it)
			continue
		}
		next[d] = want + 1
		out = append(out, it)
		size += it.size
		if alone(it.r.Op) {
			rest = append(rest, c.queue[i+1:]...)
			break
		}
	}
	c.queue = rest
	c.qBytes -= size
	return out
}

// underWay counts the device's requests that are proposed and not run.
func (c *Controller) underWay(device rooms.NodeID) uint64 {
	n := uint64(0)
	for _, batch := range c.proposed {
		for _, it := range batch {
			if it.r.Device == device {
				n++
			}
		}
	}
	return n
}

// own reports whether the next batch of that term is one that was proposed, and signed, here: only its leader adds entries in a term.
func (c *Controller) own(term uint64) bool { return term == c.ledTerm && len(c.proposed) > 0 }

// ordered returns the items of the batch that has been run, if it was proposed here under the present term: raft keeps their order.
func (c *Controller) ordered(term uint64) []*item {
	if !c.own(term) {
		return nil
	}
	items := c.proposed[0]
	c.proposed = c.proposed[1:]
	for _, it := range items {
		c.forget(it)
	}
	return items
}

// expire gives back requests that have waited too long for a directory version.
func (c *Controller) expire() {
	c.queue = slices.DeleteFunc(c.queue, func(it *item) bool {
		if c.now-it.at < holdPatience || it.r.Dir <= c.newest || c.isDirectory {
			return false
		}
		c.qBytes -= it.size
		c.giveBack(it)
		return true
	})
}
