package search

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
	"warren/rooms/rate"
	"warren/search/query"
)

// search is one search under way.
type search struct {
	expr query.Expr
	news chan struct{} // capacity 1

	mu    sync.Mutex
	nodes map[rooms.NodeID]bool // who answered
	found map[foundKey]Hit
}

type foundKey struct {
	room rooms.RoomID
	id   string
}

// Find looks for what matches the expression and what the person may read, here and at all nodes that can be reached. account is empty for a
// guest; nick is never empty. It blocks until no answer came for Config.Quiet, at most Config.Total. It returns at most 128 hits: more of the
// tags asked for first, then the newest, then by name; and how many nodes answered, this one included. Errors: *query.SyntaxError and others
// for the person who typed it, errs.Busy, errs.Closed, and the context's.
func (s *Service) Find(ctx context.Context, expr, account, nick string) (hits []Hit, answered int, err error) {
	e, err := query.Parse(expr)
	if err == nil {
		err = e.CheckAskable()
	}
	if err != nil {
		return nil, 0, err
	}
	q := question{
		Version: version, Asker: s.cfg.Self, Time: s.cfg.Now(), Account: account, Nick: nick, Expr: e.String(),
	}
	if _, err := rand.Read(q.ID[:]); err != nil {
		return nil, 0, fmt.Errorf("find: make an id: %w", err)
	}
	p := &search{expr: e, news: make(chan struct{}, 1), nodes: map[rooms.NodeID]bool{}, found: map[foundKey]Hit{}}
	if err := s.begin(&q, p); err != nil {
		return nil, 0, err
	}
	defer s.end(q.ID)
	own, _ := s.local(e, asker{account: account, nick: nick, node: s.cfg.Self, groups: s.groups()}, maxFound)
	p.add(s.cfg.Self, own)
	q.Sig = s.cfg.Sign(q.digest())
	data := rooms.Marshal(q)
	asked := map[string]bool{}
	for _, t := range e.Positive() {
		topic := TopicOf(t)
		if asked[topic] {
			continue
		}
		asked[topic] = true
		if err := s.cfg.Topics.Publish(topic, bytes.Clone(data)); err != nil {
			s.cfg.Logger.Warn("cannot ask on a tag topic", "topic", topic, "err", err)
		}
	}
	if err := s.gather(ctx, p); err != nil {
		return nil, 0, err
	}
	hits, answered = p.result()
	return hits, answered, nil
}

// begin makes room for a search.
func (s *Service) begin(q *question, p *search) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return errs.Closed
	case len(s.pending) >= maxPending || !s.own.Take(q.Time, rate.Limit{PerSecond: ownRate, Burst: ownBurst}):
		return fmt.Errorf("find: too many searches: %w", errs.Busy)
	}
	s.pending[q.ID] = p
	return nil
}

func (s *Service) end(id questionID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, id)
}

// gather waits for answers.
func (s *Service) gather(ctx context.Context, p *search) error {
	quiet, total := time.NewTimer(s.cfg.Quiet), time.NewTimer(s.cfg.Total)
	defer quiet.Stop()
	defer total.Stop()
	for {
		select {
		case <-p.news:
			quiet.Reset(s.cfg.Quiet)
		case <-quiet.C:
			return nil
		case <-total.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-s.quit:
			return errs.Closed
		}
	}
}

// answered takes an answer to one of this node's searches: one of each node for each search.
func (s *Service) answered(from rooms.NodeID, data []byte) {
	a, err := decodeAnswer(data)
	if err != nil {
		s.cfg.Logger.Debug("an answer was refused", "from", from.Short(), "err", err)
		return
	}
	s.mu.Lock()
	p := s.pending[a.ID]
	s.mu.Unlock()
	if p == nil || p.heardOf(from) {
		return
	}
	hits := make([]Hit, 0, len(a.Hits))
	admitted := false
	s.cfg.Directory(func(d *rooms.Directory) {
		if _, admitted = d.Now().Node(from); !admitted {
			return
		}
		for _, w := range a.Hits {
			rec, ok := d.Rooms[w.Room]
			if !ok || rec.Direct() || w.Kind == kindRoom && w.Name != rec.Name {
				continue
			}
			hits = append(hits, Hit{
				RoomID: w.Room, Room: "#" + rec.Name, ID: w.ID, Kind: w.Kind, Name: w.Name, Owner: w.Owner, Tags: w.Tags, Target: w.Target,
				Changed: w.Changed,
			})
		}
	})
	if admitted {
		p.add(from, hits)
	}
}

func (p *search) heardOf(n rooms.NodeID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nodes[n]
}

// add merges what a node found; of a thing that several hold the newest form is kept.
func (p *search) add(from rooms.NodeID, hits []Hit) {
	p.mu.Lock()
	if p.nodes[from] {
		p.mu.Unlock()
		return
	}
	p.nodes[from] = true
	for _, h := range hits {
		if !p.expr.Match(h.item()) {
			continue
		}
		k := foundKey{h.RoomID, h.ID}
		if old, ok := p.found[k]; !ok || old.Changed < h.Changed {
			p.found[k] = h
		}
	}
	if len(p.found) > maxGathered {
		list := p.ranked()
		p.found = map[foundKey]Hit{}
		for _, h := range list[:maxFound] {
			p.found[foundKey{h.RoomID, h.ID}] = h
		}
	}
	p.mu.Unlock()
	select {
	case p.news <- struct{}{}:
	default:
	}
}

func (p *search) ranked() []Hit {
	out := make([]Hit, 0, len(p.found))
	for _, h := range p.found {
		out = append(out, h)
	}
	rank(out, p.expr)
	return out
}

func (p *search) result() ([]Hit, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.ranked()
	return list[:min(len(list), maxFound)], len(p.nodes)
}
