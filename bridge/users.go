package bridge

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"warren/perms"
	"warren/rooms"
)

// User is a person somewhere in the network, as others see them.
type User struct {
	_       struct{} `cbor:",toarray"`
	Account string
	Nick    string
	Real    string
	View    string
	Node    rooms.NodeID
	Away    string // away message, empty: here
	Show    string // XMPP show
	Since   int64  // ms
	Online  bool
	Bot     bool
}

// Principal returns whom rights are asked for.
func (u User) Principal() perms.Principal { return rooms.PrincipalOf(u.Account, u.Nick, u.Node) }

// Occupant returns the user as an occupant would look, for the cloak and the mask.
func (u User) Occupant() rooms.Occupant {
	return rooms.Occupant{Nick: u.Nick, Account: u.Account, Nodes: []rooms.NodeID{u.Node}, Since: u.Since, View: u.View, Real: u.Real}
}

// localUser returns the user of this folded nick at this node: away only when all its clients are.
func (h *Hub) localUser(fold string) (User, bool) {
	h.mu.Lock()
	list := slices.Clone(h.nicks[fold])
	h.mu.Unlock()
	var best User
	for i, s := range list {
		u := s.User()
		if i == 0 || best.Away != "" && u.Away == "" {
			best = u
		}
	}
	return best, len(list) > 0
}

// WatchUsers calls f with every change of anybody's presence, here or elsewhere, in order for each node; f must not block.
func (h *Hub) WatchUsers(f func(was, now User)) (stop func()) {
	p := h.users
	p.mu.Lock()
	defer p.mu.Unlock()
	id := p.nextID
	p.nextID++
	p.watchers[id] = f
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.watchers, id)
	}
}

func (p *presence) remoteByNick(fold string) (User, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var best User
	for _, n := range p.nodes {
		if u, ok := n.users[fold]; ok && (!best.Online || slices.Compare(u.Node[:], best.Node[:]) < 0) {
			best = u
		}
	}
	return best, best.Online
}

// UserByNick returns who is online under the nick (any case): here first, then elsewhere; the bot too.
func (h *Hub) UserByNick(nick string) (User, bool) {
	fold := rooms.Fold(nick)
	if fold == BotNick {
		return h.Bot(), true
	}
	if u, ok := h.localUser(fold); ok {
		return u, true
	}
	return h.users.remoteByNick(fold)
}

// Users returns everybody online in the network (without the bot), sorted by nick.
func (h *Hub) Users() []User { return h.usersThat(func(User) bool { return true }) }

// usersThat returns those who are online (without the bot) and wanted, sorted by nick, then by node.
func (h *Hub) usersThat(wanted func(User) bool) []User {
	h.mu.Lock()
	folds := slices.Collect(maps.Keys(h.nicks))
	h.mu.Unlock()
	var out []User
	for _, f := range folds {
		if u, ok := h.localUser(f); ok && wanted(u) {
			out = append(out, u)
		}
	}
	h.users.mu.Lock()
	for _, n := range h.users.nodes {
		for _, u := range n.users {
			if wanted(u) {
				out = append(out, u)
			}
		}
	}
	h.users.mu.Unlock()
	slices.SortFunc(out, func(a, b User) int {
		if a.Nick != b.Nick {
			return cmp.Or(strings.Compare(rooms.Fold(a.Nick), rooms.Fold(b.Nick)), strings.Compare(a.Nick, b.Nick))
		}
		return slices.Compare(a.Node[:], b.Node[:])
	})
	return out
}

// UsersOf returns the online appearances of an account, at most one a node.
func (h *Hub) UsersOf(account string) []User {
	return h.usersThat(func(u User) bool { return account != "" && u.Account == account })
}

// appearances returns those of a person: of an account as UsersOf, of a guest one at the most.
func (h *Hub) appearances(p perms.Principal) []User {
	if p.IsAccount() {
		return h.UsersOf(string(p))
	}
	return h.usersThat(func(u User) bool { return u.Account == "" && u.Principal() == p })
}

// UserOf returns the user that a principal means: online if it is, else an offline one with what is known.
func (h *Hub) UserOf(p perms.Principal) User {
	if list := h.appearances(p); len(list) > 0 {
		return list[0]
	}
	u := User{Nick: p.Display()}
	if p.IsAccount() {
		u.Account = string(p)
	}
	return u
}
