package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"time"
)

const room = "#lobby"

const (
	// further is how many messages that it said after a blow each surviving client must see acknowledged before the blow counts as over.
	further = 40
	// between two blows there is talk without any.
	between = time.Second
	// halted is how long a node stands still: longer than the others take to notice and to elect, shorter than the lease of its people.
	halted = 6 * time.Second
	// beat is how often the lead is looked at while nothing is done to anybody.
	beat = 200 * time.Millisecond
)

// story is one run.
type story struct {
	o       options
	net     *network
	out     io.Writer
	clients []*client
}

func (s *story) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// tell runs the phases.
func (s *story) tell() error {
	s.say("%d nodes, %d messages/s", len(s.net.Nodes), s.o.rate)
	every := time.Second * time.Duration(len(s.net.Nodes)) / time.Duration(s.o.rate)
	for _, x := range s.net.Nodes {
		c := &client{name: "at" + x.Name, room: room, every: every, home: x}
		s.clients = append(s.clients, c)
		if err := c.goElsewhere([]*node{x}); err != nil {
			return err
		}
	}
	if err := s.calm(); err != nil {
		return err
	}
	for _, p := range []struct {
		name  string
		times int
		blow  func() (time.Duration, error)
	}{
		{"leader, kill -9", s.o.leader, s.killLeader},
		{"backup, kill -9", s.o.backup, s.killBackup},
		{"leader and sender, kill -9", s.o.both, s.killBoth},
		{"leader, SIGSTOP", s.o.stop, s.stopLeader},
	} {
		if err := s.phase(p.name, p.times, p.blow); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	for range s.o.rounds {
		i := 0
		err := s.phase("rolling restart, SIGTERM", len(s.net.Nodes), func() (time.Duration, error) { i++; return s.hurt(true, s.net.Nodes[i-1]) })
		if err != nil {
			return fmt.Errorf("rolling restart: %w", err)
		}
	}
	return nil
}

// calm lets people talk and counts how often the lead moves without a reason.
func (s *story) calm() error {
	first := s.net.Nodes[0]
	if err := eventually("somebody leads "+room, func() bool { return s.net.leader(room, first) != nil }); err != nil {
		return err
	}
	began, lead, moves := time.Now(), s.net.leader(room, first), 0
	for time.Since(began) < s.o.calm {
		time.Sleep(beat)
		if now := s.net.leader(room, first); now != lead {
			lead = now
			moves++
		}
	}
	var waits []time.Duration
	for _, c := range s.clients {
		waits = append(waits, c.waits()...)
	}
	s.say("calm for %v: the lead moved %d times; from sent to acknowledged: %s", s.o.calm, moves, spread(waits))
	return nil
}

// phase strikes some blows and says what they cost.
func (s *story) phase(name string, times int, blow func() (time.Duration, error)) error {
	if times == 0 {
		return nil
	}
	for _, c := range s.clients {
		c.returns = nil
	}
	var gaps []time.Duration
	for range times {
		time.Sleep(between)
		gap, err := blow()
		if err != nil {
			return err
		}
		gaps = append(gaps, gap)
	}
	var returns []time.Duration
	for _, c := range s.clients {
		returns = append(returns, c.returns...)
	}
	s.say("%s, %d times: the worst client that kept its node waited %s", name, times, spread(gaps))
	if len(returns) > 0 {
		s.say("  clients of those nodes were in the room again at another one after %s", spread(returns))
	}
	return nil
}

// led returns the node that leads now.
func (s *story) led() (lead *node, err error) {
	err = eventually("somebody leads "+room, func() bool { lead = s.net.leader(room, s.net.Nodes[0]); return lead != nil })
	return lead, err
}

func (s *story) killLeader() (time.Duration, error) {
	lead, err := s.led()
	if err != nil {
		return 0, err
	}
	return s.hurt(false, lead)
}

func (s *story) killBackup() (time.Duration, error) {
	lead, err := s.led()
	if err != nil {
		return 0, err
	}
	r, _ := lead.room(room)
	for _, id := range r.Controllers {
		if x := s.net.byID(id); x != nil && x != lead {
			return s.hurt(false, x)
		}
	}
	return 0, errors.New("there is no backup")
}

func (s *story) killBoth() (time.Duration, error) {
	lead, err := s.led()
	if err != nil {
		return 0, err
	}
	return s.hurt(false, lead, s.net.others(lead)[0])
}

// hurt ends some nodes, by SIGTERM or by kill -9, waits until the others go on, brings them back, and returns how long the worst client that kept
// its node waited. Where a quorum needs the nodes, that includes the time until they are back.
func (s *story) hurt(orderly bool, nodes ...*node) (time.Duration, error) {
	staying := s.net.others(nodes...)
	began, marks := time.Now(), s.marks()
	for _, x := range nodes {
		sig := syscall.SIGKILL
		if orderly {
			sig = syscall.SIGTERM
		}
		if err := x.signal(sig); err != nil {
			return 0, err
		}
	}
	moved := make(chan error, len(s.clients))
	var survivors, movers []*client
	for _, c := range s.clients {
		if slices.Contains(nodes, c.home) {
			movers = append(movers, c)
			go func() {
				err := eventually(c.name+" loses its connection", func() bool { return c.where() == nil })
				if err == nil {
					err = c.goElsewhere(staying)
				}
				moved <- err
			}()
		} else {
			survivors = append(survivors, c)
		}
	}
	for _, x := range nodes {
		if err := x.gone(); err != nil {
			return 0, err
		}
	}
	gap := time.Duration(0)
	if len(nodes) == 1 { // the others are a quorum: it comes back when they have gone on
		if err := s.goneOn(survivors, marks); err != nil {
			return 0, err
		}
		gap = s.worst(survivors, began)
	}
	for _, x := range nodes {
		if err := s.net.restart(x); err != nil {
			return 0, err
		}
	}
	if err := s.goneOn(survivors, marks); err != nil {
		return 0, err
	}
	for _, x := range nodes {
		if err := s.net.caughtUp(room, x, staying[0]); err != nil {
			return 0, err
		}
	}
	for range movers {
		if err := <-moved; err != nil {
			return 0, err
		}
	}
	if orderly || gap == 0 { // the return of a node belongs to a restart, and to a blow that the others could not bear alone
		gap = s.worst(survivors, began)
	}
	s.detail(nodes, survivors, began)
	for _, c := range movers {
		c.leave()
		if err := c.goElsewhere([]*node{c.home}); err != nil {
			return 0, err
		}
	}
	return gap, nil
}

// stopLeader halts the leader's process for some seconds. Its clients stay connected, and what they say meanwhile is ordered later.
func (s *story) stopLeader() (time.Duration, error) {
	lead, err := s.led()
	if err != nil {
		return 0, err
	}
	began, marks := time.Now(), s.marks()
	if err := lead.signal(syscall.SIGSTOP); err != nil {
		return 0, err
	}
	var survivors []*client
	for _, c := range s.clients {
		if c.home != lead {
			survivors = append(survivors, c)
		}
	}
	on := s.goneOn(survivors, marks)
	time.Sleep(time.Until(began.Add(halted)))
	gap := s.worst(survivors, began)
	s.detail([]*node{lead}, survivors, began)
	if err := errors.Join(on, lead.signal(syscall.SIGCONT)); err != nil {
		return 0, err
	}
	if err := s.goneOn(s.clients, s.marks()); err != nil {
		return 0, err
	}
	return gap, s.net.caughtUp(room, lead, s.net.others(lead)[0])
}

// marks returns the number of each client's next message.
func (s *story) marks() map[*client]int {
	out := map[*client]int{}
	for _, c := range s.clients {
		c.mu.Lock()
		out[c] = c.next
		c.mu.Unlock()
	}
	return out
}

// goneOn waits until each of the clients has seen some messages acknowledged that it said after the marks.
func (s *story) goneOn(clients []*client, marks map[*client]int) error {
	for _, c := range clients {
		if err := eventually(c.name+" is acknowledged", func() bool { return c.since(marks[c]) >= further }); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) worst(clients []*client, since time.Time) (longest time.Duration) {
	for _, c := range clients {
		longest = max(longest, c.worst(since))
	}
	return longest
}

// detail says what a blow did to each client.
func (s *story) detail(nodes []*node, clients []*client, since time.Time) {
	if !s.o.verbose {
		return
	}
	r, _ := s.net.others(nodes...)[0].room(room)
	name := func(id string) string {
		if x := s.net.byID(id); x != nil {
			return x.Name
		}
		return "nobody"
	}
	var hit, waits, controllers []string
	for _, x := range nodes {
		hit = append(hit, x.Name)
	}
	for _, c := range clients {
		waits = append(waits, fmt.Sprintf("%s %d ms", c.home.Name, c.worst(since).Milliseconds()))
	}
	for _, id := range r.Controllers {
		controllers = append(controllers, name(id))
	}
	s.say("  %s hit at %s; %s leads now, of %s; waited: %s", strings.Join(hit, " and "), since.UTC().Format("15:04:05.000"), name(r.Leader), strings.Join(controllers, " "), strings.Join(waits, ", "))
}

// end lets what is under way come, and ends all clients.
func (s *story) end() {
	for _, c := range s.clients {
		c.hush()
	}
	for _, c := range s.clients {
		_ = eventually(c.name+" has all its answers", func() bool { return c.where() == nil || c.waiting() == 0 })
	}
	for _, c := range s.clients {
		c.leave()
	}
}

// spread is one line on some durations.
func spread(d []time.Duration) string {
	if len(d) == 0 {
		return "(none)"
	}
	d = slices.Sorted(slices.Values(d))
	ms := func(q float64) string {
		return fmt.Sprintf("%d ms", d[int(q*float64(len(d)-1)+0.5)].Milliseconds())
	}
	parts := []string{"p50 " + ms(0.5)}
	if len(d) >= 100 {
		parts = append(parts, "p99 "+ms(0.99))
	}
	return strings.Join(append(parts, "max "+ms(1)), ", ")
}
