package bridgetest

import (
	"slices"
	"sync"

	"warren/bridge"
	"warren/rooms"
	"warren/rooms/errs"
)

// ordered is one room's chain with its sequencer.
type ordered struct {
	net    *Network
	chain  *rooms.Chain
	in     chan job
	log    []rooms.Event
	watch  map[int]watcher
	next   int
	sigs   map[int]signalWatcher
	freeze map[int]func(bool)
	beats  map[int]func(bridge.Tick)
	talk   map[int]func(bridge.Provisional, rooms.NodeID)
	frozen bool  // owned by run; guarded by mu for others
	gap    bool  // guarded by net.mu
	held   []job // what waits for the thaw
	count  map[rooms.NodeID]uint64
	mu     sync.Mutex // guards watch, sigs
}

type watcher struct {
	node rooms.NodeID
	f    func(*rooms.Event, any)
}

type signalWatcher struct {
	node rooms.NodeID
	f    func(rooms.NodeID, []byte)
}

type job struct {
	node          *Node
	account, nick string
	body          rooms.Body
	cookie        any
	done          func(bridge.Outcome)
	sync          chan struct{}
	freeze        *bool // freeze or thaw, then close sync
	tick          *bridge.Tick
	held          *rooms.Request
}

func (n *Network) order(c *rooms.Chain) *ordered {
	o := &ordered{net: n, chain: c, in: make(chan job, 4096), watch: map[int]watcher{}, sigs: map[int]signalWatcher{}, freeze: map[int]func(bool){}, beats: map[int]func(bridge.Tick){}, talk: map[int]func(bridge.Provisional, rooms.NodeID){}, count: map[rooms.NodeID]uint64{}}
	n.wg.Go(o.run)
	return o
}

func (o *ordered) run() {
	for {
		select {
		case <-o.net.quit:
			return
		case j := <-o.in:
			switch {
			case j.freeze != nil:
				o.freezes(*j.freeze)
				close(j.sync)
			case j.tick != nil:
				o.ticks(*j.tick)
				close(j.sync)
			case j.sync != nil:
				close(j.sync)
			case o.frozen:
				o.hold(j)
			default:
				o.step(j)
			}
		}
	}
}

// ticks tells all who watch the room's ticks of one.
func (o *ordered) ticks(k bridge.Tick) {
	o.mu.Lock()
	var fs []func(bridge.Tick)
	for _, i := range sortedInts(o.beats) {
		fs = append(fs, o.beats[i])
	}
	o.mu.Unlock()
	for _, f := range fs {
		f(k)
	}
}

// freezes tells all who watch that the room is frozen, or that it thawed, after what was held is ordered.
func (o *ordered) freezes(is bool) {
	o.mu.Lock()
	o.frozen = is
	held := o.held
	if !is {
		o.held = nil
	}
	o.mu.Unlock()
	if !is {
		for _, j := range held {
			o.step(j)
		}
	}
	o.mu.Lock()
	var fs []func(bool)
	for _, k := range sortedInts(o.freeze) {
		fs = append(fs, o.freeze[k])
	}
	o.mu.Unlock()
	for _, f := range fs {
		f(is)
	}
}

// hold does with a wish what a frozen room does: talk is shown on all nodes, who leaves waits, the rest is refused.
func (o *ordered) hold(j job) {
	n := uint64(1)
	for _, h := range o.held {
		if h.node == j.node {
			n++
		}
	}
	r := o.request(j, o.count[j.node.id]+n)
	switch j.body.(type) {
	case *rooms.Say:
		o.provisional(j, &r, nil)
	case *rooms.Leave:
	default:
		if j.done != nil {
			j.done(bridge.Outcome{ID: r.ID(), Err: errs.Frozen})
		}
		return
	}
	j.held = &r
	o.held = append(o.held, j)
}

func (o *ordered) provisional(j job, r *rooms.Request, err error) {
	ev := &rooms.Event{
		Room: o.chain.Room, Time: o.net.clock(), ID: r.ID(), Account: j.account, Nick: j.nick, Device: j.node.id, Op: r.Op, Body: j.body,
	}
	o.mu.Lock()
	var fs []func(bridge.Provisional, rooms.NodeID)
	for _, k := range sortedInts(o.talk) {
		fs = append(fs, o.talk[k])
	}
	o.mu.Unlock()
	for _, f := range fs {
		f(bridge.Provisional{Event: ev, Cookie: j.cookie, Err: err}, j.node.id)
	}
}

func (o *ordered) request(j job, counter uint64) rooms.Request {
	r := rooms.NewRequest(o.chain.Room, j.account, j.nick, j.body)
	r.Counter = counter
	r.Sign(j.node.key)
	return r
}

func (o *ordered) step(j job) {
	var r rooms.Request
	if j.held != nil {
		r = *j.held
	} else {
		r = o.request(j, o.count[j.node.id]+1)
	}
	o.net.mu.Lock()
	b := rooms.Batch{Epoch: 1, Time: o.net.clock(), Dir: o.net.dir.chain.Height, Requests: []rooms.Request{r}}
	_, verdicts, events := o.chain.Run(&b, o.net.dir.chain.Machine.(*rooms.Directory).Now(), rooms.VerifySignature)
	o.count[j.node.id] = o.chain.Machine.Base().Counters[j.node.id]
	o.log = append(o.log, events...)
	if kind := verdicts.At(0); kind == errs.OK {
		if b, ok := j.body.(*rooms.CreateRoom); ok {
			d := o.chain.Machine.(*rooms.Directory)
			rec, _ := d.RoomByName(b.Name)
			o.net.rooms[rec.ID] = o.net.order(rooms.NewChain(rec.ID, rooms.NewState(rec)))
		}
	}
	o.net.mu.Unlock()
	for i := range events {
		o.mu.Lock()
		ws := make([]watcher, 0, len(o.watch))
		for _, id := range sortedInts(o.watch) {
			ws = append(ws, o.watch[id])
		}
		o.mu.Unlock()
		for _, w := range ws {
			var cookie any
			if w.node == j.node.id {
				cookie = j.cookie
			}
			w.f(&events[i], cookie)
		}
	}
	if k := verdicts.At(0); k != errs.OK && j.held != nil && r.Op == rooms.OpSay {
		o.provisional(j, &r, k)
	}
	if j.done != nil {
		var err error
		if k := verdicts.At(0); k != errs.OK {
			err = k
		}
		j.done(bridge.Outcome{ID: r.ID(), Err: err})
	}
}

func sortedInts[V any](m map[int]V) []int {
	var out []int
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func (o *ordered) subscribe(node rooms.NodeID, f func(*rooms.Event, any)) func() {
	o.mu.Lock()
	defer o.mu.Unlock()
	id := o.next
	o.next++
	o.watch[id] = watcher{node, f}
	return func() { o.mu.Lock(); defer o.mu.Unlock(); delete(o.watch, id) }
}
