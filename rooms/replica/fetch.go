package replica

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// Errors of fetching.
var (
	errNobody = errors.New("nobody who holds the room can be asked")
	errAnswer = errors.New("the answer is not what was asked for")
	errLetGo  = errors.New("the room does not keep its log any longer than that")
)

// span is a range of heights, both ends included.
type span struct{ low, high uint64 }

// fetched is a decision as it came, and decoded. Nothing of it is checked but its height.
type fetched struct {
	d    *rooms.Decision
	data []byte
}

// fetcher gets stretches of a room's log from whoever holds it, several at a time from several nodes. Used by one goroutine.
type fetcher struct {
	h       *Host
	room    rooms.RoomID
	as      reader
	sources []rooms.NodeID
	next    int
	partly  bool // it takes the upper part of a span, when the rest was let go where it is asked for
	mu      sync.Mutex
	bad     map[rooms.NodeID]bool // who lied, was silent, or did not have what was asked for
	wg      sync.WaitGroup
}

// fetcher returns one that asks those who may hold the room: its controllers, and the nodes with people in it. For the copy's goroutine.
func (r *Replica) fetcher() *fetcher {
	f := &fetcher{h: r.h, room: r.id, as: r.as, next: int(r.h.self[0]), bad: map[rooms.NodeID]bool{}}
	for _, n := range append(r.orderers(), r.others()...) {
		if n != r.h.self && !slices.Contains(f.sources, n) {
			f.sources = append(f.sources, n)
		}
	}
	return f
}

// others returns the nodes with people in the room.
func (r *Replica) others() (out []rooms.NodeID) {
	s, ok := r.chain.Machine.(*rooms.State)
	if !ok {
		return nil
	}
	for _, fold := range s.Nicks() {
		for _, n := range s.Occupants[fold].Nodes {
			if len(out) < maxOthers && !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	return out
}

// got is what came of asking for a span.
type got struct {
	span span
	from rooms.NodeID
	list []fetched
	err  error
}

// each gets the spans that next returns, fetchWindow of them at a time, and gives them to take one after the other, in that order. A span that take
// does not accept is fetched again from somebody else. It blocks until all are taken, or nobody can give what is wanted, or take says errLetGo, or ctx
// ends.
func (f *fetcher) each(ctx context.Context, next func() (span, bool), take func(span, []fetched) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer f.wg.Wait()
	defer cancel()
	var queue []chan got
	for more := true; ; {
		for more && len(queue) < fetchWindow {
			var s span
			if s, more = next(); more {
				queue = append(queue, f.begin(ctx, s))
			}
		}
		if len(queue) == 0 {
			return nil
		}
		ch := queue[0]
		queue = queue[1:]
		for tries := 0; ; tries++ {
			g := <-ch
			if g.err == nil {
				if g.err = take(g.span, g.list); g.err == nil {
					break
				}
				if errors.Is(g.err, errLetGo) {
					return g.err
				}
			}
			f.blame(g.from)
			if ctx.Err() != nil || tries == fetchTries || errors.Is(g.err, errNobody) || errors.Is(g.err, errAhead) {
				return g.err
			}
			f.h.log.Debug("a stretch of the log was no good", "room", f.room.Short(), "from", g.from.Short(), "low", g.span.low, "err", g.err)
			ch = f.begin(ctx, g.span)
		}
	}
}

// begin asks the next node for a span, in the background.
func (f *fetcher) begin(ctx context.Context, s span) chan got {
	ch := make(chan got, 1)
	from, ok := f.pick()
	if !ok {
		ch <- got{span: s, err: errNobody}
		return ch
	}
	f.wg.Go(func() {
		list, err := f.span(ctx, from, s)
		ch <- got{s, from, list, err}
	})
	return ch
}

// pick returns the next of the sources that is alive and was no disappointment.
func (f *fetcher) pick() (rooms.NodeID, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range f.sources {
		f.next++
		if n := f.sources[f.next%len(f.sources)]; !f.bad[n] && f.h.alive(n) {
			return n, true
		}
	}
	return rooms.NodeID{}, false
}

func (f *fetcher) blame(n rooms.NodeID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bad[n] = true
}

// span gets all of a span from one node, in as many answers as that takes: or, if that will do, what that node has not let go of it.
func (f *fetcher) span(ctx context.Context, from rooms.NodeID, s span) ([]fetched, error) {
	out := make([]fetched, 0, s.high-s.low+1)
	for next := s.low; next <= s.high; {
		list, floor, err := f.ask(ctx, from, span{next, s.high})
		if floor > next && f.partly && len(out) == 0 {
			next = floor
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
		next = list[len(list)-1].d.Header.Height + 1
	}
	return out, nil
}

// ask asks one node once for a span, and returns what it gave of it, from its low end on: at least one. The first and the last may cover more. With an error, floor is the height below
// which that node has let the log go, as it says.
func (f *fetcher) ask(ctx context.Context, from rooms.NodeID, s span) (list []fetched, floor uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	var p pulled
	if err := f.h.pull(ctx, from, pull{Room: f.room, For: f.as, After: s.low - 1, Upto: s.high}, &p); err != nil {
		return nil, 0, err
	}
	if n := uint64(len(p.Decisions)); n == 0 || n > s.high-s.low+1 {
		return nil, p.Floor, errAnswer
	}
	list = make([]fetched, 0, len(p.Decisions))
	next := s.low
	for _, data := range p.Decisions {
		d := &rooms.Decision{}
		if err := rooms.Unmarshal(data, d); err != nil {
			return nil, 0, err
		}
		if d.Header.Room != f.room || d.Low() > next || d.Header.Height < next || next > s.high {
			return nil, 0, errAnswer
		}
		next = d.Header.Height + 1
		list = append(list, fetched{d, data})
	}
	return list, 0, nil
}

// pull asks another node and decodes its answer.
func (h *Host) pull(ctx context.Context, from rooms.NodeID, q pull, answer any) error {
	data, err := h.cfg.Net.Pull(ctx, from, rooms.Marshal(q))
	if err != nil {
		return err
	}
	return rooms.Unmarshal(data, answer)
}

// upward returns the spans from low to high, ascending.
func upward(low, high uint64) func() (span, bool) {
	return func() (span, bool) {
		if low > high {
			return span{}, false
		}
		s := span{low, min(high, low+fetchSpan-1)}
		low = s.high + 1
		return s, true
	}
}

// downward returns the spans from high to low, descending.
func downward(low, high uint64) func() (span, bool) {
	return func() (span, bool) {
		if low > high || high == 0 {
			return span{}, false
		}
		s := span{high - min(high-low, fetchSpan-1), high}
		high = s.low - 1
		return s, true
	}
}

// climb catches up by running the log up to a height that a node claims to have reached, when that is more than one answer holds: it is fetched
// from several nodes at once. For the copy's goroutine; the pull that is under way goes on as this one.
func (r *Replica) climb(height uint64) {
	f, low := r.fetcher(), r.chain.Height+1
	ctx, cancel := context.WithCancel(r.ctx)
	r.pull.cancel, r.pull.since = cancel, time.Now()
	r.h.wg.Go(func() {
		defer cancel()
		err := f.each(ctx, upward(low, height), func(_ span, list []fetched) (err error) {
			if !r.wait(func() { err = r.takeAll(list) }) {
				return errs.Closed
			}
			return err
		})
		r.must(func() {
			r.pull.cancel = nil
			if err != nil {
				r.h.log.Debug("catching up stopped", "room", r.id.Short(), "height", r.chain.Height, "of", height, "err", err)
			}
			if errors.Is(err, errAhead) {
				r.h.dir.call(r.h.dir.hurry)
			}
		})
	})
}

// takeAll applies what is new of a stretch of the log.
func (r *Replica) takeAll(list []fetched) error {
	for _, f := range list {
		if f.d.Header.Height <= r.chain.Height {
			continue
		}
		if err := r.takeIn(f.d); err != nil {
			return err
		}
	}
	r.pull.since = time.Now() // it gets on: it need not make way
	r.applyHeld()
	return nil
}

// wait runs f in the copy's goroutine and waits for it. false: the copy ends; f may have run.
func (r *Replica) wait(f func()) bool {
	done := make(chan struct{})
	r.must(func() { f(); close(done) })
	select {
	case <-done:
		return true
	case <-r.done:
		return false
	}
}
