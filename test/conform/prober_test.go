//go:build conform

package conform

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// speaker is a client of either protocol that sees what it said itself once that is ordered: the echo is the acknowledgement.
type speaker interface {
	speak(text string)
	// echo waits for the own message; false: the connection ended, or nothing came in time.
	echo(text string, limit time.Duration) bool
}

type ircSpeaker struct {
	*ircClient
	room string
	from int
}

func (s *ircSpeaker) speak(text string) { s.from = s.mark(); s.say(s.room, text) }

func (s *ircSpeaker) echo(text string, limit time.Duration) bool {
	from := s.from
	return s.until(limit, func() bool {
		for ; from < len(s.lines); from++ {
			if m := s.ordered(from, s.room); m != nil && m.Name == s.nick && m.Trailing() == text {
				return true
			}
		}
		return false
	})
}

type xmppSpeaker struct {
	*xmppClient
	room string
	from int
}

func (s *xmppSpeaker) speak(text string) { s.from = s.mark(); s.say(s.room, text) }

func (s *xmppSpeaker) echo(text string, limit time.Duration) bool {
	from := s.from
	return s.until(limit, func() bool {
		for ; from < len(s.events); from++ {
			if e := s.ordered(from, s.room); e != nil && *e.Text == text {
				return true
			}
		}
		return false
	})
}

// prober says one numbered message after the other, each when the one before is acknowledged.
type prober struct {
	name  string
	s     speaker
	acks  atomic.Int64
	halt  chan struct{}
	ended chan struct{}

	mu      sync.Mutex
	acked   []string
	times   []time.Time
	pending string // said, not acknowledged when the connection ended
}

func startProber(t testing.TB, name string, s speaker) *prober {
	p := &prober{name: name, s: s, halt: make(chan struct{}), ended: make(chan struct{})}
	go p.run()
	t.Cleanup(p.stop)
	return p
}

func (p *prober) run() {
	defer close(p.ended)
	for i := 0; ; i++ {
		select {
		case <-p.halt:
			return
		default:
		}
		text := fmt.Sprintf("%s counts %d", p.name, i)
		p.s.speak(text)
		if !p.s.echo(text, 2*patience) {
			p.mu.Lock()
			p.pending = text
			p.mu.Unlock()
			return
		}
		p.mu.Lock()
		p.acked, p.times = append(p.acked, text), append(p.times, time.Now())
		p.mu.Unlock()
		p.acks.Add(1)
	}
}

// stop lets the last message be acknowledged and ends the prober.
func (p *prober) stop() {
	select {
	case <-p.halt:
	default:
		close(p.halt)
	}
	<-p.ended
}

// more waits until the prober got n more acknowledgements.
func (p *prober) more(t testing.TB, n int64) {
	t.Helper()
	want := p.acks.Load() + n
	eventually(t, fmt.Sprintf("%s got %d acknowledgements, %d were expected", p.name, p.acks.Load(), want), func() bool { return p.acks.Load() >= want })
}

// gap returns the longest time without an acknowledgement that ended after since.
func (p *prober) gap(since time.Time) (longest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := 1; i < len(p.times); i++ {
		if p.times[i].After(since) {
			longest = max(longest, p.times[i].Sub(p.times[i-1]))
		}
	}
	return longest
}

func (p *prober) acknowledged() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.acked[:len(p.acked):len(p.acked)]
}
