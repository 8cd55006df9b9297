package irc

import (
	"strings"
	"sync"

	"warren/bridge"
	"warren/bridge/names"
	"warren/perms"
	"warren/rooms"
)

// Nicks of services. They belong to nobody.
const nickServ = "NickServ"

// people gives nicks to occupants whose names IRC cannot show, uniquely within their room, and remembers them while the room is known here.
type people struct {
	mu    sync.Mutex
	rooms map[rooms.RoomID]map[string]string // folded name -> nick
	was   []bridge.User                      // the last who went, oldest first
	wasAt []int64
}

func newPeople() *people { return &people{rooms: map[rooms.RoomID]map[string]string{}} }

// maxShown bounds the remembered names of one room; beyond it all are given anew.
const maxShown = 4096

// legal reports whether IRC can show the name as it is.
func legal(nick string) bool {
	for i := 0; i < len(nick); i++ {
		if ch := nick[i]; !('a' <= ch && ch <= 'z' || 'A' <= ch && ch <= 'Z' || i > 0 && ('0' <= ch && ch <= '9' || ch == '-') || ch == '_') || i >= names.NickLen {
			if names.ValidNick(nick) == nil {
				return true
			}
			_, _, ok := names.SplitGuest(nick)
			return ok
		}
	}
	return nick != ""
}

// shown returns the nick under which an occupant of the room is shown. st may be nil: then only remembered names are known to be taken.
func (p *people) shown(room rooms.RoomID, st *rooms.State, nick string) string {
	if legal(nick) {
		return nick
	}
	fold := rooms.Fold(nick)
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.rooms[room]
	if m == nil || len(m) > maxShown {
		m = map[string]string{}
		p.rooms[room] = m
	}
	if n, ok := m[fold]; ok {
		return n
	}
	taken := func(n string) bool {
		if st != nil {
			if _, ok := st.Occupant(n); ok {
				return true
			}
		}
		for _, o := range m {
			if rooms.Fold(o) == rooms.Fold(n) {
				return true
			}
		}
		return rooms.Fold(n) == bridge.BotNick
	}
	base := names.NickForIRC(nick)
	n := base
	for i := 1; taken(n) && i <= rooms.MaxOccupants; i++ {
		n = names.NickVariant(base, i)
	}
	m[fold] = n
	return n
}

// forget drops what is remembered of an occupant who went.
func (p *people) forget(room rooms.RoomID, nick string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.rooms[room]; m != nil {
		delete(m, rooms.Fold(nick))
		if len(m) == 0 {
			delete(p.rooms, room)
		}
	}
}

// actual returns the occupant that a client means by a shown nick.
func (p *people) actual(room rooms.RoomID, st *rooms.State, shown string) (rooms.Occupant, bool) {
	if o, ok := st.Occupant(shown); ok {
		return o, true
	}
	fold := rooms.Fold(shown)
	p.mu.Lock()
	real := ""
	for f, n := range p.rooms[room] {
		if rooms.Fold(n) == fold {
			real = f
		}
	}
	p.mu.Unlock()
	return st.Occupant(real)
}

// maskOf returns nick!user@host as IRC shows it.
func maskOf(nick, account string, node rooms.NodeID) string {
	user := account
	if user == "" {
		user = "~" + rooms.Fold(nick)
	}
	return nick + "!" + middle(user) + "@" + middle(rooms.HostOf(account, []rooms.NodeID{node}))
}

func userOf(nick, account string) string {
	if account != "" {
		return middle(account)
	}
	return middle("~" + rooms.Fold(nick))
}

func hostFor(account string, nodes []rooms.NodeID) string {
	return middle(rooms.HostOf(account, nodes))
}

// display is a user's nick outside of rooms.
func display(u bridge.User) string {
	if legal(u.Nick) {
		return u.Nick
	}
	return names.NickForIRC(u.Nick)
}

func userMask(u bridge.User) string { return maskOf(display(u), u.Account, u.Node) }

// botMask is the service occupant.
func (s *Server) botMask() string {
	return bridge.BotNick + "!" + bridge.BotNick + "@services/" + s.cfg.Name
}

func (s *Server) serviceMask() string { return nickServ + "!" + nickServ + "@services/" + s.cfg.Name }

// ranks are an occupant's rights as channel prefixes and modes, highest first.
type rank struct {
	mode, sign byte
	right      perms.Rights
}

func ranks() [3]rank {
	return [3]rank{{'o', '@', perms.Manage}, {'h', '%', perms.Sanction}, {'v', '+', perms.Say}}
}

// signs returns all prefixes of the occupant, highest first, and modes the letters.
func (s *Server) signs(st *rooms.State, o rooms.Occupant) (signs, modes string) {
	who := o.Principal()
	for _, k := range ranks() {
		if st.ACL.Get(who).Allow.Has(k.right) || k.right != perms.Say && st.ACL.Get(perms.Registered).Allow.Has(k.right) && who.IsAccount() {
			signs += string(k.sign)
			modes += string(k.mode)
		}
	}
	return signs, modes
}

// resolve finds the user that a client means by a nick: somebody online, or an occupant of a room it sits in.
func (c *conn) resolve(nick string) (bridge.User, bool) {
	if u, ok := c.srv.hub.UserByNick(nick); ok {
		return u, true
	}
	for _, t := range c.sess.Seats() {
		var o rooms.Occupant
		ok := false
		t.View(func(st *rooms.State) { o, ok = c.srv.people.actual(t.Room().ID(), st, nick) })
		if !ok {
			continue
		}
		if u, ok := c.srv.hub.UserByNick(o.Nick); ok && u.Account == o.Account {
			return u, true
		}
		for _, u := range c.srv.hub.UsersOf(o.Account) {
			return u, true
		}
		return bridge.User{Nick: o.Nick, Account: o.Account, Real: o.Real, View: o.View, Node: o.Nodes[0], Online: true}, true
	}
	return bridge.User{}, false
}

// remember keeps somebody who went, for WHOWAS.
func (p *people) remember(u bridge.User, at int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.was) >= maxWhowas {
		p.was, p.wasAt = p.was[1:], p.wasAt[1:]
	}
	p.was, p.wasAt = append(p.was, u), append(p.wasAt, at)
}

// past returns who had the nick, latest first.
func (p *people) past(nick string) (us []bridge.User, at []int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.was) - 1; i >= 0; i-- {
		if strings.EqualFold(p.was[i].Nick, nick) {
			us, at = append(us, p.was[i]), append(at, p.wasAt[i])
		}
	}
	return us, at
}
