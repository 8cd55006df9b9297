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

// people gives nicks to those whose names IRC cannot show, uniquely in the network as far as this node knows it.
type people struct {
	online func(nick string) bool // somebody has it

	mu    sync.Mutex
	names map[string]string // folded name -> nick
	was   []bridge.User     // the last who went, oldest first
	wasAt []int64
}

func newPeople(online func(string) bool) *people {
	return &people{online: online, names: map[string]string{}}
}

// maxShown bounds the remembered names; beyond it all are given anew.
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

// shown returns the nick under which a name is shown. st is the room where it is seen, or nil.
func (p *people) shown(st *rooms.State, nick string) string {
	if nick == "" || legal(nick) {
		return nick
	}
	fold := rooms.Fold(nick)
	p.mu.Lock()
	defer p.mu.Unlock()
	if n, ok := p.names[fold]; ok {
		return n
	}
	if len(p.names) >= maxShown {
		p.names = map[string]string{}
	}
	taken := func(n string) bool {
		if st != nil {
			if _, ok := st.Occupant(n); ok {
				return true
			}
		}
		return p.given(n) || st == nil && p.online(n) // under the room's lock the hub must not be asked
	}
	base := names.NickForIRC(nick)
	n := base
	for i := 1; taken(n) && i <= maxShown; i++ {
		n = names.NickVariant(base, i)
	}
	p.names[fold] = n
	return n
}

// given reports whether a nick stands for another name. p.mu is held.
func (p *people) given(nick string) bool {
	fold := rooms.Fold(nick)
	for _, o := range p.names {
		if rooms.Fold(o) == fold {
			return true
		}
	}
	return false
}

// stands reports whether a nick stands for another name.
func (p *people) stands(nick string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.given(nick)
}

// real returns the folded name for which a nick stands, or the nick itself.
func (p *people) real(nick string) string {
	fold := rooms.Fold(nick)
	p.mu.Lock()
	defer p.mu.Unlock()
	for f, n := range p.names {
		if rooms.Fold(n) == fold {
			return f
		}
	}
	return nick
}

// actual returns the occupant that a client means by a shown nick.
func (p *people) actual(st *rooms.State, shown string) (rooms.Occupant, bool) {
	if o, ok := st.Occupant(shown); ok {
		return o, true
	}
	return st.Occupant(p.real(shown))
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

// display is a user's nick.
func (s *Server) display(u bridge.User) string { return s.people.shown(nil, u.Nick) }

func (s *Server) userMask(u bridge.User) string { return maskOf(s.display(u), u.Account, u.Node) }

// awayText is what IRC tells of somebody who is away; empty: here. XMPP people may be away without a word.
func awayText(u bridge.User) string {
	if u.Away != "" {
		return u.Away
	}
	switch u.Show {
	case "away":
		return "away"
	case "xa":
		return "away for longer"
	case "dnd":
		return "do not disturb"
	}
	return ""
}

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

// userByNick returns who is online under a shown nick.
func (s *Server) userByNick(nick string) (bridge.User, bool) {
	if u, ok := s.hub.UserByNick(nick); ok {
		return u, true
	}
	return s.hub.UserByNick(s.people.real(nick))
}

// resolve finds the user that a client means by a nick: somebody online, or an occupant of a room it sits in.
func (c *conn) resolve(nick string) (bridge.User, bool) {
	if u, ok := c.srv.userByNick(nick); ok {
		return u, true
	}
	for _, t := range c.sess.Seats() {
		var o rooms.Occupant
		ok := false
		t.View(func(st *rooms.State) { o, ok = c.srv.people.actual(st, nick) })
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
	for i := len(p.was) - 1; i >= 0 && i > len(p.was)-16; i-- {
		if o := p.was[i]; o.Nick == u.Nick && o.Node == u.Node && at-p.wasAt[i] < recentFor {
			return // rooms and presence both tell it
		}
	}
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
