package bridge

import "context"

// Listen says that direct messages which come from now on are shown to the person, after they were not (see Person.Deaf): then it returns true, and
// CatchUp must follow. recalls: the client fetches itself what it missed.
func (s *Session) Listen(recalls bool) bool {
	now := s.hub.world.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.person.Deaf {
		return false
	}
	s.person.Deaf, s.person.Recalls, s.heardFrom = false, recalls, now
	return true
}

// CatchUp shows a session that began to listen what its account missed. It blocks until it has, or until ctx ends.
func (s *Session) CatchUp(ctx context.Context) {
	if s.listens() {
		s.hub.followAll(ctx, s.hub.directsOf(s.principal()), s, true)
	}
}

// Deafen says that direct messages are not shown to the person any more.
func (s *Session) Deafen() {
	s.mu.Lock()
	s.person.Deaf = true
	s.mu.Unlock()
	for _, d := range s.hub.allDirects() {
		d.deafen(s)
	}
}

func (s *Session) listens() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.person.Deaf
}

func (s *Session) listensSince() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heardFrom
}
