package replica

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"warren/rooms"
)

// screen is what a client at a copy is shown: what is ordered after it was shown provisionally is not shown again.
type screen struct {
	mu        sync.Mutex
	lines     []string              // as shown
	ordered   []string              // as ordered
	early     map[string]rooms.Hash // shown before it was ordered
	confirmed map[string]rooms.Hash
	withdrawn map[string]error
	frozen    bool
}

func watch(r *Replica) *screen {
	s := &screen{early: map[string]rooms.Hash{}, confirmed: map[string]rooms.Hash{}, withdrawn: map[string]error{}}
	text := func(ev *rooms.Event) string { return ev.Nick + ": " + ev.Body.(*rooms.Say).Text }
	r.Watch(func(ev *rooms.Event, _ any) {
		if ev.Op != rooms.OpSay {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		line := text(ev)
		s.ordered = append(s.ordered, line)
		if id, shown := s.early[line]; shown && id == ev.ID {
			s.confirmed[line] = ev.ID
			return
		}
		s.lines = append(s.lines, line)
	})
	r.WatchProvisional(func(p Provisional) {
		s.mu.Lock()
		defer s.mu.Unlock()
		line := text(p.Event)
		if p.Err != nil {
			s.withdrawn[line] = p.Err
			return
		}
		s.lines = append(s.lines, line)
		s.early[line] = p.Event.ID
	})
	r.WatchFrozen(func(is bool) { s.mu.Lock(); defer s.mu.Unlock(); s.frozen = is })
	return s
}

func (s *screen) isFrozen() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.frozen }

func (s *screen) has(line string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.lines, line)
}

func (s *screen) knows(lines ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range lines {
		if !slices.Contains(s.ordered, l) {
			return false
		}
	}
	return true
}

// once reports what is not on the screen exactly once.
func (s *screen) once(t *testing.T, who string, want []string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	got := slices.Clone(s.lines)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s was shown\n  %q, want\n  %q", who, got, want)
	}
}

// seat puts somebody into the room at a node.
func (w *world) seat(name, nick string, id rooms.RoomID) (*Replica, *screen) {
	w.t.Helper()
	r := w.open(name, id, nick)
	s := watch(r)
	w.do(r, "", nick, &rooms.Enter{View: "irc", Real: "the real " + nick})
	return r, s
}

func say(r *Replica, nick, text string) { r.Submit("", nick, &rooms.Say{Text: text}, nil, nil) }

// frozenRoom has people at four nodes, of which the first two are cut off from the others, and all know it.
func frozenRoom(t *testing.T) (*world, rooms.RoomID, []*Replica, []*screen) {
	w, id := newWorld(t).four("lobby")
	var rs []*Replica
	var ss []*screen
	for i, nick := range []string{"ann", "bob", "cyd", "dan"} {
		r, s := w.seat(fmt.Sprint("n", i+1), nick, id)
		rs, ss = append(rs, r), append(ss, s)
	}
	w.eventually("all see all", 10*time.Second, func() bool {
		for _, r := range rs {
			n := 0
			r.View(func(st *rooms.State) { n = len(st.Occupants) })
			if n < 4 {
				return false
			}
		}
		return true
	})
	w.lan.split(node("n1"), node("n2"))
	w.eventually("all know that the room is frozen", time.Second, func() bool {
		return !slices.ContainsFunc(ss, func(s *screen) bool { return !s.isFrozen() })
	})
	return w, id, rs, ss
}
