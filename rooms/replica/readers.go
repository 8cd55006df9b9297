package replica

import (
	"slices"
	"strings"

	"warren/perms"
	"warren/rooms"
)

// mayRead reports whether a node may have the log on behalf of who it names.
func (r *Replica) mayRead(node rooms.NodeID, as reader) bool {
	switch {
	case r.directory, slices.Contains(r.controllers(), node), r.stew.wants(node):
		return r.h.inside(node)
	}
	return r.h.reads(r.chain, node, as)
}

// reads reports whether a node may have the log of the room that stands so, on behalf of who it names: the node is inside, speaks for the account if
// one is named, and who is named may read. Not for the directory.
func (h *Host) reads(c *rooms.Chain, node rooms.NodeID, as reader) bool {
	st, ok := c.Machine.(*rooms.State)
	if !ok || !h.inside(node) {
		return false
	}
	if as.Account != "" && !h.view(h.dirHeight()).Signs(as.Account, node) {
		as = reader{Nick: as.Nick}
	}
	return st.Decide(st.SubjectOf(as.Account, as.Nick, node), perms.Read, nil, h.Now(), nil).OK
}

// audience returns the other nodes at which somebody may read the room: those with occupants who may and, of a conversation of two, in which nobody is an
// occupant, those that speak for the two.
func (r *Replica) audience(st *rooms.State) (out []rooms.NodeID) {
	add := func(n rooms.NodeID, as reader) {
		if n != r.h.self && !slices.Contains(out, n) && r.h.reads(r.chain, n, as) {
			out = append(out, n)
		}
	}
	for _, fold := range st.Nicks() {
		o := st.Occupants[fold]
		for _, n := range o.Nodes {
			add(n, reader{Account: o.Account, Nick: o.Nick})
		}
	}
	if rec, err := r.h.record(r.id); err == nil && st.Direct() {
		for _, m := range rec.Members {
			as := reader{Nick: m.Display()}
			if m.IsAccount() {
				as = reader{Account: string(m)}
			}
			for _, n := range r.h.speakers(m) {
				add(n, as)
			}
		}
	}
	return out
}

// tellAudience sends to the nodes at which somebody may read the room, one by one.
func (r *Replica) tellAudience(st *rooms.State, kind uint8, data []byte) {
	for _, n := range r.audience(st) {
		r.tell(n, kind, data)
	}
}

// speakers returns who may sign for an account, or the node that a guest is of, by the newest directory here.
func (h *Host) speakers(p perms.Principal) (out []rooms.NodeID) {
	switch {
	case p.IsGuest():
		if id, err := rooms.ParseHash(string(p[strings.LastIndexByte(string(p), '~')+1:])); err == nil { // a node is written as a hash is
			out = append(out, rooms.NodeID(id))
		}
	case p.IsAccount():
		h.Directory(func(d *rooms.Directory) {
			for _, v := range d.Accounts[string(p)].Devices {
				if v.To == 0 {
					out = append(out, v.Key)
				}
			}
		})
	}
	return out
}
