package bridge

import (
	"warren/perms"
	"warren/rooms"
)

// hint is an unordered, unreliable signal from one person to another, as it travels between nodes.
type hint struct {
	_       struct{} `cbor:",toarray"`
	Account string   // of the author
	Nick    string
	To      perms.Principal
	Say     rooms.Say
}

// SignalTo sends an unordered, unreliable signal (typing) to one person, wherever she is connected; when she is not, it is lost. Too large ones
// are dropped.
func (s *Session) SignalTo(target string, say rooms.Say) {
	to, ok := s.principalOf(target)
	if !ok {
		return
	}
	h, p := s.hub, s.Person()
	m := &hint{Account: p.Account, Nick: p.Nick, To: to, Say: say}
	data := rooms.Marshal(news{Hint: m})
	if len(data) > MaxSignal {
		return
	}
	h.hinted(s.User(), m)
	if h.users.wire == nil {
		return
	}
	for _, u := range h.appearances(to) {
		if u.Node != h.world.Self() {
			h.users.wire.Send(u.Node, data)
		}
	}
}

// hinted takes a signal of another node's user.
func (p *presence) hinted(from rooms.NodeID, m *hint) {
	p.mu.Lock()
	var u User
	if n := p.nodes[from]; n != nil {
		u = n.users[rooms.Fold(m.Nick)]
	}
	p.mu.Unlock()
	if u.Online && u.Account == m.Account {
		p.hub.hinted(u, m)
	}
}

// hinted shows a signal to the sessions here of whom it is for.
func (h *Hub) hinted(from User, m *hint) {
	for _, s := range h.Sessions() {
		if s.principal() == m.To && s.listens() {
			s.deliver(Delivery{Kind: SignalEvent, From: from, By: from.Nick, Say: &m.Say})
		}
	}
}
