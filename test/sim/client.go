package main

import (
	"crypto/ed25519"
	"fmt"
	"slices"

	"warren/rooms"
	"warren/rooms/errs"
	"warren/rooms/order"
)

type ed25519Public = ed25519.PublicKey

// wish is something a client wants done through its node. It may be signed under several counters over time, but in one epoch a new one is taken
// only when the old one has been used up by something else, so at most one of its requests is ever ordered.
type wish struct {
	n       *node
	what    int
	account string // for whom it is signed; empty: the guest of that nick
	nick    string
	body    rooms.Body
	req     *rooms.Request
	all     []rooms.Hash // ids of all its requests
	done    bool         // acknowledged: in a decision that is durable at the client's node
	at      place        // where it was then
	dropped bool         // the client changed its mind; the request may be ordered all the same
}

// sendWindow is how many wishes of one node are under way at a time.
const sendWindow = 6

func (w *world) makeWishes() {
	nicks := map[int]string{}
	span := chaosMS
	if w.plan.lies != "" && !w.plan.class().steady {
		span = lieMS
	}
	for k := range w.plan.wishes {
		n := w.nodes[w.rng.IntN(len(w.nodes))]
		if n.liar != nil {
			continue // nobody vouches for what is said there
		}
		nick := fmt.Sprintf("guest%d", n.i)
		var body rooms.Body
		switch {
		case nicks[n.i] == "":
			nicks[n.i] = nick
			body = &rooms.Enter{View: "sim"}
		default:
			switch w.rng.IntN(8) {
			case 0:
				body = &rooms.Put{Kind: rooms.Document, Name: fmt.Sprint("doc", w.rng.IntN(12)), Text: []byte(fmt.Sprint(k))}
			case 1:
				body = &rooms.Subject{Text: fmt.Sprint("subject ", k)}
			case 2:
				body = &rooms.Tag{Add: []string{fmt.Sprint("t", w.rng.IntN(9)), fmt.Sprint("w", k)}}
			case 3:
				body = &rooms.Kick{Nick: "guest0", Reason: fmt.Sprint(k)} // no two wishes are equal: their requests would be
			default:
				body = &rooms.Say{Text: fmt.Sprint("word ", k)}
			}
		}
		s := &wish{n: n, what: k, nick: nick, body: body}
		w.wishes = append(w.wishes, s)
		w.after(int64(w.rng.IntN(span)), func() { s.wake() })
	}
}

// wake puts the wish into its node's outbox; the client may replace one that waits.
func (s *wish) wake() {
	n := s.n
	if last := len(n.outbox) - 1; last >= 0 && n.w.rng.IntN(12) == 0 && n.outbox[last].req != nil && n.outbox[last].nick != "" {
		// She changed her mind: the same counter is used for something else. At most one of the two can be ordered.
		old := n.outbox[last]
		old.dropped = true
		n.outbox[last] = s
		s.sign(old.req.Counter)
	} else {
		n.outbox = append(n.outbox, s)
	}
	if n.up {
		n.sendWishes()
	}
}

func (s *wish) sign(counter uint64) {
	r := rooms.NewRequest(s.n.w.room, s.account, s.nick, s.body)
	r.Counter, r.Epoch = counter, s.n.chain.Epoch
	r.Dir = s.n.dir
	if s.n.w.rng.IntN(4) == 0 {
		r.Dir = 0
	}
	id := r.Sign(keys[s.n.i])
	s.req = &r
	if !slices.Contains(s.all, id) {
		s.all = append(s.all, id)
	}
}

// sendWishes sends the first wishes of the outbox to whom it believes to lead.
func (n *node) sendWishes() {
	n.flush() // what is ordered must be known before anything is numbered anew
	n.nextSend = n.w.now + int64(250+n.w.rng.IntN(200))
	last := n.chain.Machine.Base().Counters[n.id]
	top := last
	for _, s := range n.outbox {
		if s.req != nil {
			top = max(top, s.req.Counter)
		}
	}
	for _, s := range n.outbox {
		if s.req == nil || s.req.Counter <= last { // used up by something else
			top++
			s.sign(top)
		} else if s.req.Epoch != n.chain.Epoch {
			s.sign(s.req.Counter)
		}
	}
	slices.SortStableFunc(n.outbox, func(a, b *wish) int { return int(a.req.Counter) - int(b.req.Counter) })
	for _, s := range slices.Clone(n.outbox[:min(len(n.outbox), sendWindow)]) {
		n.submit(s.req)
	}
}

func (n *node) submit(r *rooms.Request) {
	if n.ctl != nil {
		if a := n.ctl.Submit(n.clock(), r); a.Queued {
			n.pump()
			return
		} else if !a.Leader.IsZero() {
			n.hint = a.Leader
		}
	}
	to := n.w.byID[n.hint]
	if to == nil || to == n || n.w.rng.IntN(5) == 0 {
		cs := n.chain.Machine.Base().Controllers
		to = n.w.byID[cs[n.w.rng.IntN(len(cs))]]
	}
	if to == n {
		return
	}
	n.w.send(n, to, len(r.Body), func() {
		if to.ctl == nil {
			return
		}
		if to.liar.censors(r) {
			n.w.send(to, n, 40, func() { n.answered(to, order.Answer{Queued: true}) })
			return
		}
		a := to.ctl.Submit(to.clock(), r)
		to.pump()
		n.w.send(to, n, 40, func() { n.answered(to, a) })
	})
}

func (n *node) answered(by *node, a order.Answer) {
	switch {
	case a.Queued:
		n.hint = by.id
	case !a.Leader.IsZero():
		n.hint = a.Leader
	case a.Kind == errs.Frozen:
		n.hint = rooms.NodeID{}
	}
}

// acknowledge ends the wishes whose requests are durable here.
func (n *node) acknowledge() {
	l := n.log.above(n.ackedAt)
	for i := range l {
		d := &l[i]
		for k := range d.Batch.Requests {
			r := &d.Batch.Requests[k]
			if r.Device != n.id || !consumed(r, d, k, n.counted) {
				continue
			}
			n.counted++
			id := r.ID()
			for j, s := range n.outbox {
				if slices.Contains(s.all, id) {
					s.done, s.at = true, place{d.Header.Epoch, d.Header.Height}
					n.w.st.acked++
					n.outbox = slices.Delete(n.outbox, j, j+1)
					break
				}
			}
		}
	}
	n.ackedAt = n.log.top()
}

// consumed reports whether request k of a decision was ordered under its counter, the last one before it being given. The verdict alone does
// not tell: a request may also be stale because of what it is about. It does not count when its author has seen a later directory than the batch.
func consumed(r *rooms.Request, d *rooms.Decision, k int, last uint64) bool {
	return d.Verdicts.At(k) != errs.Void && r.Counter == last+1 && r.Dir <= d.Header.Dir
}
