package irc

import (
	irc "gopkg.in/irc.v4"

	"sync"

	"warren/bridge"
	"warren/rooms"
)

// monitors knows which connections watch which nicks (IRCv3 monitor).
type monitors struct {
	mu sync.Mutex
	by map[string]map[*conn]struct{} // folded nick
}

func newMonitors() *monitors { return &monitors{by: map[string]map[*conn]struct{}{}} }

func (m *monitors) add(c *conn, fold string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.by[fold] == nil {
		m.by[fold] = map[*conn]struct{}{}
	}
	m.by[fold][c] = struct{}{}
}

func (m *monitors) forget(c *conn, nicks map[string]string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for fold := range nicks {
		delete(m.by[fold], c)
		if len(m.by[fold]) == 0 {
			delete(m.by, fold)
		}
	}
}

func (m *monitors) watchers(fold string) []*conn {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*conn
	for c := range m.by[fold] {
		out = append(out, c)
	}
	return out
}

// userChanged tells watchers who came, went or changed. It does not block.
func (s *Server) userChanged(was, now bridge.User) {
	if was.Online && !now.Online {
		s.people.remember(was, s.now())
	}
	for _, c := range s.monitors.watchers(rooms.Fold(s.display(now))) {
		switch {
		case !was.Online && now.Online:
			c.put(&line{source: s.cfg.Name, command: irc.RPL_MONONLINE, params: []string{c.target(), s.userMask(now)}})
		case was.Online && !now.Online:
			if _, still := s.hub.UserByNick(now.Nick); !still {
				c.put(&line{source: s.cfg.Name, command: irc.RPL_MONOFFLINE, params: []string{c.target(), s.display(now)}})
			}
		case c.have().has(capExtendedMonitor):
			c.mu.Lock()
			if c.reason == "" && !c.shares(now) {
				c.userLines(was, now, false)
			}
			c.mu.Unlock()
		}
	}
}

// shares reports whether the client sits in a room with the user. c.mu is held.
func (c *conn) shares(u bridge.User) bool {
	for t := range c.joined {
		in := false
		t.View(func(st *rooms.State) { _, in = st.Occupant(u.Nick) })
		if in {
			return true
		}
	}
	return false
}
