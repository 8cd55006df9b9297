package net

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
	"warren/test/world"
)

// person is one who acts at random. Owned by one goroutine.
type person struct {
	u     *world.User
	c     Config
	rng   *rand.Rand
	node  string
	seats map[string]*world.Seat
	said  int
	docs  int
}

// crowd lets people act until ctx ends, and waits until the last wish has its answer.
func crowd(ctx context.Context, w *world.World, c Config) *sync.WaitGroup {
	wg := &sync.WaitGroup{}
	for i := range c.Users {
		rng := rand.New(rand.NewPCG(c.Seed, 100+uint64(i)))
		p := &person{c: c, rng: rng, seats: map[string]*world.Seat{}, u: w.User(fmt.Sprint("user", i)), node: fmt.Sprint("n", 1+rng.IntN(c.Nodes))}
		if i%3 == 0 {
			p.u.WithAccount()
		}
		wg.Go(func() { p.live(ctx) })
	}
	return wg
}

func (p *person) live(ctx context.Context) {
	on := false
	for p.pause(ctx, 200*time.Millisecond, 1300*time.Millisecond) {
		if !on {
			on = p.u.TryOn(p.node) == nil
			continue
		}
		err := p.act()
		if errors.Is(err, errs.Closed) || errors.Is(err, errs.Busy) || errors.Is(err, errs.Internal) { // the node died: connect again, come in again
			for room, s := range p.seats {
				s.Go()
				delete(p.seats, room)
			}
			on = false
		}
	}
}

// pause waits between a and b; false: it is time to go.
func (p *person) pause(ctx context.Context, a, b time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(a + time.Duration(p.rng.Int64N(int64(b-a)))):
		return ctx.Err() == nil
	}
}

// act does one thing.
func (p *person) act() error {
	room := fmt.Sprint("room", p.rng.IntN(p.c.Rooms))
	s := p.seats[room]
	if s == nil {
		if len(p.seats) > 1 && p.rng.IntN(4) > 0 { // in two rooms already: mostly talk there
			for r, seat := range p.seats {
				room, s = r, seat
			}
		} else {
			s, err := p.u.TryJoin(room)
			if err == nil {
				p.seats[room] = s
			}
			return err
		}
	}
	err := p.ask(s)
	if errors.Is(err, errs.NotHere) { // this node was silent for longer than the lease, and its people were taken out
		s.Go()
		delete(p.seats, room)
	}
	return err
}

func (p *person) ask(s *world.Seat) error {
	switch n := p.rng.IntN(20); {
	case n == 0:
		err := s.TryAsk(&rooms.Leave{Reason: "bye"})
		if err == nil {
			s.Go()
			delete(p.seats, s.Room)
		}
		return err
	case n < 4:
		p.docs++
		err := s.TryAsk(&rooms.Put{Kind: rooms.Document, Name: fmt.Sprintf("%s %d", p.u.Name, p.docs), Type: "text/plain", Text: []byte("a list of things")})
		if errors.Is(err, errs.Denied) { // guests may not
			return nil
		}
		return err
	default:
		p.said++
		return s.TryAsk(&rooms.Say{Text: fmt.Sprintf("%s says %d", p.u.Name, p.said)})
	}
}
